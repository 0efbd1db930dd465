"""How far a curve should grow, and what of that gates on a GPU."""

from __future__ import annotations

import dataclasses

import pytest

from pytest_paddle_mt.checks import curve
from pytest_paddle_mt.checks.collapse import CollapseCheck
from pytest_paddle_mt.checks.linear import LinearCheck
from pytest_paddle_mt.records import Cpu
from tests.builders import baseline, evidence, limits, rounds_of, run_figures, run_of, series_of, stored, verdict

CPU = Cpu(usable_cores=2, math_threads=1)


def known(*qps):
    """What is stored of a GPU: throughput with 1, 2 and 4 threads."""
    points = [
        run_figures(threads, one, efficiency=one / (threads * qps[0]))
        for threads, one in zip((1, 2, 4), qps, strict=True)
    ]
    return baseline(series=series_of(run_of(*points)))


SATURATES = known(40.0, 76.0, 80.0)
FALLS = known(40.0, 76.0, 50.0)


# How far.


def test_on_a_gpu_the_stored_curve_says_how_far_it_is_linear():
    reached = curve.linear_until(limits(), (1, 2, 4), CPU, "2 cores", "gpu:0", stored(SATURATES))
    assert reached == (2, "up to which the stored curve of this GPU is linear")
    assert curve.linear_until(limits(), (1, 2, 4), CPU, "2 cores", "gpu:0", stored(None))[0] == 4
    other = dataclasses.replace(stored(SATURATES), objection="no")
    assert curve.linear_until(limits(), (1, 2, 4), CPU, "2 cores", "gpu:0", other)[0] == 4
    assert curve.linear_until(limits(linear_until=3), (1, 2, 4), CPU, "2 cores", "gpu:0", stored(SATURATES)) == (
        3,
        "as asked for",
    )


def test_on_a_cpu_the_cores_say_how_far():
    assert curve.linear_until(limits(), (1, 2, 4), CPU, "2 cores", "cpu", stored(SATURATES))[0] == 2
    assert curve.linear_until(limits(), (1, 2, 4), Cpu(usable_cores=8, math_threads=2), "8 cores", "cpu")[0] == 4


# What gates, and what is only said.


def settled(qps, *, linear_until, rounds=None, **changes):
    """The verdicts on a sweep with this throughput, as they came and as they gate."""
    rounds = rounds_of(qps) if rounds is None else rounds
    found = evidence(rounds, linear_until=linear_until, stored=stored(**changes))
    verdicts = [*LinearCheck().judge(found), *CollapseCheck().judge(found)]
    return verdicts, *curve.gating(verdicts, found, "gpu:0")


@pytest.mark.parametrize("known", [None, SATURATES])
def test_a_gpu_that_does_not_scale_at_all_can_be_recorded(known):
    """Otherwise the very case that baselines are for on a GPU could never have one."""
    came, gating, notes = settled({1: 40, 2: 41, 4: 41}, linear_until=4, baseline=known, accepting=True)
    assert [one.status for one in came] == ["fail", "fail"]
    assert [one.status for one in gating] == ["calibrating", "calibrating"]
    assert gating[0].reason == f"does not gate while the curve is recorded: {came[0].reason}"
    assert notes == ()


def test_so_can_one_whose_accepted_curve_is_not_linear_anywhere_or_falls():
    came, gating, _ = settled({1: 40, 2: 41, 4: 20}, linear_until=1, baseline=FALLS, accepting=True)
    assert [one.status for one in came] == ["not_comparable", "pass", "fail"]
    assert [one.status for one in gating] == ["calibrating", "pass", "calibrating"]


def test_what_was_not_measured_well_enough_is_not_recorded():
    """Nobody knows that curve."""
    for threads in (1, 2):
        no_measurement = rounds_of({1: 40, 2: 41}, outside=0.2, at=threads)
        _, (gates,), _ = settled(None, linear_until=2, rounds=no_measurement, baseline=None, accepting=True)
        assert gates.status == "inconclusive"
    _, (gates, _), _ = settled(None, linear_until=1, rounds=no_measurement, baseline=SATURATES, accepting=True)
    assert gates.status == "not_comparable"
    disturbed = rounds_of({1: 40, 2: 41}, at=2, stolen_cores=0.5)
    _, (gates,), _ = settled(None, linear_until=2, rounds=disturbed, baseline=None, accepting=True)
    assert gates.status == "inconclusive"


def test_on_a_gpu_a_stored_curve_that_is_not_linear_is_the_gate():
    _, gating, (note,) = settled({1: 40, 2: 41, 4: 41}, linear_until=1, baseline=SATURATES)
    assert [(one.check, one.status) for one in gating] == [("collapse", "pass"), ("collapse", "pass")]
    assert note.kind == "curve_not_linear"


def test_a_stored_curve_that_lacks_every_count_that_was_measured_decides_nothing():
    _, gating, notes = settled({1: 40, 8: 300}, linear_until=1, baseline=SATURATES)
    assert [(one.check, one.status) for one in gating] == [("linear", "not_comparable"), ("collapse", "pass")]
    assert notes == ()


def test_on_a_gpu_a_fall_that_was_accepted_is_not_failed_and_another_is():
    _, gating, (note,) = settled({1: 40, 2: 76, 4: 50}, linear_until=2, baseline=FALLS)
    assert [(one.check, one.status) for one in gating] == [("linear", "pass")]
    assert (note.kind, note.text) == (
        "curve_falls",
        "the stored curve falls to 0.66 of its QPS from 2 to 4 threads, this one to 0.66, so collapse did not fail it",
    )
    _, gating, notes = settled({1: 40, 2: 76, 4: 40}, linear_until=2, baseline=FALLS)  # much deeper
    assert [(one.check, one.status) for one in gating] == [("linear", "pass"), ("collapse", "fail")]
    assert notes == ()
    _, gating, notes = settled({1: 40, 2: 76, 4: 50}, linear_until=2, baseline=SATURATES)
    assert [(one.check, one.status) for one in gating] == [("linear", "pass"), ("collapse", "fail")]
    assert notes == ()


@pytest.mark.parametrize("device", ["cpu", "gpu:0"])
@pytest.mark.parametrize("accepting", [False, True])
def test_elsewhere_every_verdict_gates(device, accepting):
    """On a CPU, and where it was said how far it scales."""
    found = evidence(rounds_of({1: 40, 2: 41}), stored=stored(FALLS, accepting=accepting))
    verdicts = (verdict("fail"), verdict("not_comparable", None))
    if device == "gpu:0":
        found = dataclasses.replace(found, limits=dataclasses.replace(found.limits, linear_until=2))
    assert curve.gating(verdicts, found, device) == (verdicts, ())


def test_on_a_gpu_linear_gates_without_a_baseline_and_without_a_look_up():
    verdicts = (verdict("fail"), verdict("not_comparable", None))
    for looked_up in (None, stored(None)):
        found = evidence(rounds_of({1: 40, 2: 41}), stored=looked_up)
        assert curve.gating(verdicts, found, "gpu:0") == (verdicts, ())
