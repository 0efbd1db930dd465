"""The verdict in one sentence."""

from __future__ import annotations

import pytest

from pytest_paddle_mt.reporters.headline import counts, headline
from tests.builders import sweep, verdict

COLLAPSE = verdict("pass", 4, check="collapse", observed=0.99)


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        (
            [verdict(), COLLAPSE],
            "scales up to 2 threads (efficiency 0.98, limit 0.85); keeps its throughput up to 4 threads (QPS ratio",
        ),
        ([verdict(), verdict(threads=3)], "scales up to 3 threads (efficiency 0.98, limit 0.85)"),
        (
            [verdict("fail", observed=0.61), verdict("fail", 3, observed=0.4), COLLAPSE],
            "does not scale with 2 threads (efficiency 0.61, limit 0.85)",
        ),
        ([verdict("inconclusive"), verdict("inconclusive", 3), COLLAPSE], "not decided: linear with 2, 3 threads"),
        ([verdict("not_comparable", None, check="drift", observed=None)], "not judged: drift"),
        ([verdict("calibrating", 1, check="drift", limit=1.1)], "is as fast as its baseline up to 1 thread"),
        (
            [verdict("fail", check="drift", reason="QPS with 2 threads 43.6 -> 32.3 (-26%), beyond the limit")],
            "drifted from its baseline: QPS with 2 threads 43.6 -> 32.3 (-26%)",
        ),
        ([verdict("fail", None, check="of a plugin", observed=None)], "fails of a plugin"),
        ([verdict("pass", None, check="of a plugin", observed=None)], "passes of a plugin"),
        ([], "no check had anything to judge"),
    ],
)
def test_the_sentence_has_the_figures_that_decided(verdicts, said):
    assert headline(sweep(verdicts=tuple(verdicts))).startswith(said)


def test_a_smoke_run_and_a_sweep_without_a_gate_say_so():
    assert headline(sweep(smoke_reason="-n 2", verdicts=())) == "nothing judged or recorded"
    assert headline(sweep(gate=False)).endswith(" (reported only, gates nothing)")


def test_sweeps_are_counted_by_how_they_ended():
    failed, unclear = sweep(verdicts=(verdict("fail"),)), sweep(verdicts=(verdict("inconclusive"),))
    assert counts([sweep(), failed, unclear, sweep(), sweep(gate=False)]) == (
        "1 failed, 1 not gated, 2 passed, 1 reported only"
    )
