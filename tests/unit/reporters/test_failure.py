"""What a failed sweep tells people to do."""

from __future__ import annotations

import pytest

from pytest_paddle_mt.cause import Cause
from pytest_paddle_mt.reporters.advice import next_step
from pytest_paddle_mt.reporters.failure import failure
from pytest_paddle_mt.reporters.terminal import remarks
from tests.builders import sweep, verdict

MARK = "@pytest.mark.paddle_scaling"
LINEAR = verdict("fail", observed=0.61, reason="scaling efficiency is 0.61")
COLLAPSE = verdict("fail", check="collapse", observed=0.70, reason="QPS is 0.70")
DRIFT = verdict("fail", check="drift", observed=1.38, reason="p50 latency 20 -> 27.6 ms")
AGAINST = verdict("fail", check="against", observed=0.80, reason="QPS over the other is 0.80")


NO_BETTER = f"if the model can do no better, say so for this test: {MARK}"
MEANT = "if these figures are meant, accept them with --paddle-baseline-update"
LONGER = "if it is meant to take longer, allow that for this run: --paddle-max-drift"


@pytest.mark.parametrize(
    ("failed", "advice"),
    [
        ([LINEAR], f" or, {NO_BETTER}(min_efficiency=0.56)"),
        ([LINEAR, COLLAPSE], f" or, {NO_BETTER}(min_efficiency=0.56, max_collapse=0.35)"),
        ([DRIFT], f" or, {MEANT}"),
        ([LINEAR, DRIFT], f" or, {NO_BETTER}(min_efficiency=0.56); {MEANT}"),
        ([AGAINST], f" or, {LONGER}=0.30"),
        ([verdict("fail", check="a plugin's", observed=None, reason="no")], ""),
    ],
)
def test_a_failure_says_what_to_do_about_each_check_that_failed(failed, advice):
    lines = failure(sweep(verdicts=(*failed, verdict()))).splitlines()
    assert lines[: len(failed) + 1] == [*(f"{one.check}: {one.reason}" for one in failed), f"Remove the cause{advice}"]


def test_what_the_command_sweeps_has_no_marker_so_the_option_is_named():
    found = sweep(nodeid="model/inference.json::test_scales[x=1,3]", verdicts=(LINEAR, COLLAPSE))
    assert next_step(found) == (
        "Remove the cause or, if the model can do no better, say so for this model: --paddle-min-efficiency=0.56 "
        "--paddle-max-collapse=0.35"
    )


LOCK = Cause(kind="lock", threads=2, text="threads waited 62% of the time", figures={"waiting_share": 0.62})


def test_the_likely_cause_follows_what_failed():
    lines = failure(sweep(verdicts=(LINEAR,), cause=LOCK)).splitlines()
    assert lines[:2] == ["linear: scaling efficiency is 0.61", "likely cause: a lock: threads waited 62% of the time"]


def test_the_summary_has_the_likely_cause_behind_the_verdicts():
    printed = remarks(sweep(verdicts=(LINEAR,), cause=LOCK))
    assert printed[-1] == "  likely cause: a lock: threads waited 62% of the time"
