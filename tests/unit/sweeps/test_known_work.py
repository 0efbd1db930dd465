"""A stop of a round: the window of the predictor, and the known work after it."""

from __future__ import annotations

import dataclasses

import pytest

from pytest_paddle_mt.errors import PaddleMtError
from pytest_paddle_mt.records import WindowPlan
from pytest_paddle_mt.sweeps import known_work
from pytest_paddle_mt.sweeps.rounds import Stop
from pytest_paddle_mt.testing import window

PLAN = WindowPlan(window_s=0.02, min_queries=0, warmup_s=0.0, warmup_queries=1)


class FakeWorker:
    """Its first windows serve nothing, as where all of its threads are off their cores."""

    fork = 0

    def __init__(self, idle: int) -> None:
        self._left = idle

    def measure(self, threads, plan):
        found = window(threads, 40.0)
        self._left -= 1
        if self._left < 0:
            return found
        nothing = (dataclasses.replace(one, completed=0.0, inside_ns=0) for one in found.per_thread)
        return dataclasses.replace(found, per_thread=tuple(nothing))


def test_a_window_in_which_nothing_was_served_is_measured_again():
    assert known_work.visit(FakeWorker(3), Stop(2), PLAN).window.qps == pytest.approx(40.0)


def test_a_machine_on_which_nothing_is_served_is_an_error_with_the_next_step():
    with pytest.raises(PaddleMtError, match=r"in 10 windows of 0\.02 s no query was under way: .* quieter machine"):
        known_work.visit(FakeWorker(10), Stop(2), PLAN)
