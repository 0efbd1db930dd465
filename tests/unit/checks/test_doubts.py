"""Doubts about a measurement, as notes."""

from __future__ import annotations

import pytest

from pytest_paddle_mt.checks.doubts import doubts
from tests.builders import evidence, round_of, subject


def test_memory_that_grows_is_noted_with_its_evidence():
    rounds = [round_of({1: 40, 2: 78}, index, at=1, rss_bytes=100_000_000 + index * 10_000_000) for index in range(9)]
    [note] = [one for one in doubts(subject(), evidence(rounds), None) if one.kind == "memory_grows"]
    assert note.text == (
        "memory grows by 16.7 MB per thousand queries: steadily over the last 5 rounds, from 130 to 180 MB over "
        "3000 queries; look for what each query keeps"
    )


def test_memory_that_stays_is_not_noted():
    rounds = [round_of({1: 40, 2: 78}, index, at=1, rss_bytes=100_000_000) for index in range(9)]
    assert [one.kind for one in doubts(subject(), evidence(rounds), None)] == []


@pytest.mark.parametrize(
    ("gil_of", "facts", "said"),
    [
        ("the callable", {}, "the callable holds the GIL for most of its time: Python threads will not scale"),
        (
            "run()",
            {"runtime": "onnxruntime 1.32.0"},
            "onnxruntime 1.32.0 run() holds the GIL for most of its time: Python threads will not scale",
        ),
    ],
)
def test_a_gil_that_another_runtime_holds_is_noted_without_a_word_of_paddle(gil_of, facts, said):
    held = subject(gil="held", gil_of=gil_of, facts=facts)
    assert [one.text for one in doubts(held, evidence([round_of({1: 40, 2: 78}, 0)]), None)][-1] == said
