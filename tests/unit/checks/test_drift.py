"""The check on drift: what it says of a sweep beside a stored baseline."""

from __future__ import annotations

import dataclasses

import pytest

from pytest_paddle_mt.baselines import ProbeFigures
from pytest_paddle_mt.checks import drift
from pytest_paddle_mt.checks.drift import DriftCheck
from pytest_paddle_mt.engines import synthetic
from pytest_paddle_mt.testing import window
from tests.builders import baseline, evidence, probed, round_with, rounds_of, run_figures, run_of, series_of, stored

NEARLY = (79.0, 79.8, 78.2, 79.4, 78.6, 79.2, 78.8, 79.0)


def judge(qps, base, **changes):
    """Verdicts on a sweep with this throughput at two threads."""
    return DriftCheck().judge(evidence(rounds_of({1: 40, 2: qps}), stored=stored(base), **changes))


def the_verdict(qps, base, **changes):
    (found,) = judge(qps, base, **changes)
    return found


def of_ten_queries(rounds, found):
    """A sweep of so many rounds, in each window ten queries of each thread."""
    windows = [window(1, 40.0, queries=10), window(2, 79.0, queries=10)]
    return evidence([round_with(*windows, *windows[::-1], index=at) for at in range(rounds)], stored=found)


# Whether there is a verdict at all.


def test_without_a_look_up_there_is_no_verdict():
    assert DriftCheck().judge(evidence(rounds_of({1: 40, 2: 79}))) == []


def test_without_a_baseline_there_is_no_verdict():
    assert judge(79, None) == []


def test_a_run_that_is_to_be_accepted_has_no_verdict():
    found = evidence(rounds_of({1: 40, 2: 10}), stored=stored(baseline(*NEARLY), accepting=True))
    assert DriftCheck().judge(found) == []


def test_relative_to_a_control_workload_there_is_no_verdict():
    """Nothing is stored that it could be compared with."""
    assert judge(10, baseline(*NEARLY), relative_to_control=True) == []


def test_what_cannot_be_compared_is_said_once_and_not_judged():
    found = evidence(rounds_of({1: 40, 2: 10}), stored=stored(baseline(*NEARLY), objection="batch size 1 there"))
    (one,) = DriftCheck().judge(found)
    assert (one.status, one.threads, one.reason) == ("not_comparable", None, "batch size 1 there")


def test_only_thread_counts_that_are_stored_are_judged():
    assert [one.threads for one in judge(79, baseline(*NEARLY))] == [2]
    both = series_of(*[run_of(run_figures(1, 40), run_figures(2, 79))] * 8)
    assert [one.threads for one in judge(79, baseline(series=both))] == [1, 2]


# What it needs.


@pytest.mark.parametrize(
    ("rounds", "short"),
    [
        (6, {1}),  # 120 queries of one thread, 10 in each of two windows, where the 5 % quantile needs 130; 240 of two
        (7, set()),
        (3, {1, 2}),
    ],
)
@pytest.mark.parametrize("accepting", [True, False], ids=["accepting", "comparing"])
def test_the_latencies_of_a_baseline_need_queries(rounds, short, accepting):
    both = baseline(series=series_of(*[run_of(run_figures(1, 40), run_figures(2, 79))] * 8))
    assert drift.short_of_queries(of_ten_queries(rounds, stored(both, accepting=accepting))) == short


def test_what_is_neither_compared_nor_accepted_needs_no_queries():
    edited = dataclasses.replace(stored(baseline(*NEARLY)), edited="a figure")
    of_others = stored(baseline(*NEARLY), objection="batch size 1 there")
    for nothing in (None, stored(None), edited, of_others):
        assert drift.short_of_queries(of_ten_queries(3, nothing)) == set()
    assert drift.short_of_queries(of_ten_queries(3, stored(baseline(*NEARLY)))) == {2}
    for accepting in (edited, of_others):  # a new series begins
        found = of_ten_queries(3, dataclasses.replace(accepting, accepting=True))
        assert drift.short_of_queries(found) == {1, 2}


# What it says.


def test_a_run_like_those_before_passes_and_says_what_it_could_have_found():
    found = the_verdict(79, baseline(*NEARLY))
    assert found.status == "pass"
    assert "within the limit of" in found.reason
    assert (
        "against the mean of 8 accepted runs (--paddle-max-drift 10%, and a spread between runs of 0.6%)"
        in found.reason
    )
    assert "would be found 19 times in 20" in found.reason


def test_a_slower_run_fails_with_the_worst_quantity_old_and_new():
    found = the_verdict(60, baseline(*NEARLY))
    assert found.status == "fail"
    assert found.reason.startswith("p5 latency with 2 threads 24.05 -> 33.33 ms (+38.6%), beyond the limit of")
    assert found.observed == pytest.approx((2 / 60) / (0.95 * 2 / 79), rel=1e-3)
    assert 1.1 < found.limit < found.observed


def test_for_throughput_the_limit_is_below_one():
    base = baseline(
        series=series_of(
            *[run_of(run_figures(2, 79 + i / 10, p5_ns=None, p50_ns=None, efficiency=None)) for i in range(8)]
        )
    )
    found = the_verdict(60, base)
    assert found.status == "fail"
    assert found.reason.startswith("QPS with 2 threads 79.35 -> 60 (-24.4%), beyond the limit of -9.5% against")
    assert found.observed < found.limit < 1


def test_a_larger_margin_lets_it_pass():
    assert the_verdict(75, baseline(*NEARLY), max_drift=0.01).status == "fail"
    assert the_verdict(75, baseline(*NEARLY), max_drift=0.2).status == "pass"


def test_improvements_are_said_and_never_failed():
    found = the_verdict(160, baseline(*NEARLY))
    assert found.status == "pass"
    assert "Improved: p50 latency with 2 threads 25.32 -> 12.5 ms (-50.6%)" in found.reason
    assert "QPS with 2 threads 79 -> 160 (+102.5%)" in found.reason


@pytest.mark.parametrize("runs", [1, 3, 7])
def test_few_accepted_runs_are_calibrating_and_say_so(runs):
    found = the_verdict(75, baseline(*NEARLY[:runs]))
    assert found.status == "calibrating"
    assert f"Calibrating: {runs} of 8 runs accepted, so the limit is still wide" in found.reason
    assert f"{'an' if runs == 1 else 'a partly'} assumed spread" in found.reason


def test_gross_drift_fails_while_calibrating():
    found = the_verdict(20, baseline(79))
    assert found.status == "fail"
    assert "Calibrating: 1 of 8" in found.reason


def test_the_same_drift_that_calibrating_lets_pass_fails_after_eight_runs():
    assert the_verdict(60, baseline(*NEARLY[:1])).status == "calibrating"
    assert the_verdict(60, baseline(*NEARLY)).status == "fail"


def test_a_slow_drift_is_held_against_the_anchor():
    """Each accepted run is 1 % slower than the one before."""
    qps = [79 * 0.99**index for index in range(30)]
    found = the_verdict(79 * 0.99**30, baseline(*qps))
    assert found.status == "fail"
    assert "against the first 8 accepted runs, the anchor" in found.reason


def test_a_measurement_that_is_none_is_not_compared():
    rounds = rounds_of({1: 40, 2: 79}, outside=0.2, at=2)
    (found,) = DriftCheck().judge(evidence(rounds, stored=stored(baseline(*NEARLY))))
    assert found.status == "inconclusive"
    assert "not compared with the baseline: with 2 threads 25.0% of the time passed outside queries" in found.reason


def test_a_thread_count_that_other_work_disturbed_in_every_round_is_not_compared():
    rounds = rounds_of({1: 40, 2: 30}, at=2, stolen_cores=0.5)
    (found,) = DriftCheck().judge(evidence(rounds, stored=stored(baseline(*NEARLY))))
    assert found.status == "inconclusive"
    assert "every round with 2 threads was disturbed by an unknown amount" in found.reason


# Beside the probe.

SLOWER = (1.00, 1.20, 1.05, 1.30, 1.10, 1.25, 1.02, 1.15)


def beside_probe(qps, slower):
    """The verdict on two threads on a machine this slow; the accepted runs were on faster and slower ones."""
    (one,) = DriftCheck().judge(of_probed(qps, slower))
    return one


def of_probed(qps, slower, **changes):
    """A sweep on a machine this slow, and its baseline."""
    runs = []
    for index, factor in enumerate(SLOWER):
        probe = ProbeFigures(work=synthetic.probe_name(), qps=20_000 / factor)
        runs.append(
            run_of(run_figures(2, (79 + 0.1 * index) / factor, efficiency=None, p5_ns=None, p99_ns=None, probe=probe))
        )
    rounds = probed(rounds_of({1: 40, 2: qps / slower}), {1: 10_000 / slower, 2: 20_000 / slower})
    return evidence(rounds, stored=stored(baseline(series=series_of(*runs)), **changes))


def test_a_slower_machine_passes_while_the_figures_by_themselves_do_too():
    found = beside_probe(79, 1.2)
    assert found.status == "pass"
    assert " relative to the probe, whose time changed by " in found.reason
    assert (
        "of 8 accepted runs (--paddle-max-drift 10%, and a spread between runs of 0.3% relative to the probe)"
        in found.reason
    )


def test_what_only_a_much_slower_machine_explains_is_undecided():
    found = beside_probe(79, 2.0)
    assert found.status == "inconclusive"
    assert found.reason.startswith("QPS with 2 threads 70.28 -> 39.5 (-43.8%), -0.7% relative to the probe, whose time")
    assert "whose time changed by +77.1%, within the limit of" in found.reason
    assert "By itself it is beyond its limit of -21.3%: the machine was slower" in found.reason
    assert found.reason.endswith("or the test left something at work that slowed the probe, too. Run it again")


@pytest.mark.parametrize("slower", [0.9, 1.15, 1.4])
def test_drift_beside_the_probe_fails_however_fast_the_machine_is(slower):
    found = beside_probe(60, slower)
    assert found.status == "fail"
    assert "By itself" not in found.reason
    quantity = found.reason.partition(" with ")[0]
    expected = {"QPS": 60 / 79.35, "p50 latency": 79.35 / 60}[quantity]
    assert found.observed == pytest.approx(expected, rel=0.01)


def test_a_run_that_only_a_slower_machine_explains_is_said_where_it_is_accepted():
    (note,) = drift.notes(of_probed(79, 2.0, accepting=True))
    assert note.kind == "drift_accepted"
    assert "By itself it is beyond its limit" in note.text
    assert drift.notes(of_probed(79, 1.2, accepting=True)) == ()


# What is only said.


def notes(**changes):
    found = evidence(rounds_of({1: 40, 2: 60}), stored=stored(**{"baseline": baseline(*NEARLY), **changes}))
    return drift.notes(found)


def of_kind(kind, found):
    return [note.text for note in found if note.kind == kind]


def test_without_a_look_up_nothing_is_said():
    assert drift.notes(evidence(rounds_of({1: 40, 2: 60}))) == ()
    assert notes(baseline=None) == ()
    assert notes(objection="batch size 1 there") == ()


def test_drift_of_a_run_that_is_to_be_accepted_is_said():
    (note,) = notes(accepting=True)
    assert note.kind == "drift_accepted"
    assert note.text.startswith("does not gate, as this run is to be accepted: p5 latency with 2 threads")
    assert "24.05 -> 33.33 ms (+38.6%), beyond the limit" in note.text


def test_a_run_that_is_to_be_accepted_and_drifted_by_nothing_is_not_talked_about():
    assert drift.notes(evidence(rounds_of({1: 40, 2: 79}), stored=stored(baseline(*NEARLY), accepting=True))) == ()


def test_thread_counts_that_are_not_stored_are_said():
    assert of_kind("not_in_baseline", notes()) == [
        "drift was not judged with 1 thread, not in the baseline; --paddle-baseline-update adds that"
    ]


def test_a_quantity_that_was_left_out_is_said():
    both = [run_figures(1, 40, p50_ns=None, p5_ns=None), run_figures(2, 79)]
    told = of_kind("not_compared", notes(baseline=baseline(series=series_of(run_of(*both)))))
    why = "this run, or every accepted one, had too few queries for it, or none in a round that was left alone"
    assert {text.partition(": ")[2] for text in told} == {why}
    left_out = [text.partition(":")[0] for text in told]
    assert left_out == [
        "p50 latency was not compared with 1 thread",
        "p5 latency was not compared with 1 thread",
    ]


def test_other_versions_than_before_are_said():
    both = [run_figures(1, 40), run_figures(2, 79)]
    old = run_of(*both, versions={"pytest-paddle-mt": None, "paddlepaddle": "2.6.2", "python": "3.9.1"})
    (told,) = of_kind("versions_differ", notes(baseline=baseline(series=series_of(old))))
    assert "paddlepaddle 2.6.2 -> " in told
    assert "python 3.9.1 -> " in told
    assert of_kind("versions_differ", notes(baseline=baseline(series=series_of(run_of(*both))))) == []


@pytest.mark.fault("baselines", "accepted runs spread as no machine does", "drift is inconclusive with the spread")
def test_a_spread_that_no_machine_has_decides_nothing():
    wide = baseline(20.0, 160.0, 25.0, 140.0, 79.0, 30.0, 150.0, 22.0)
    found = the_verdict(30, wide)
    assert found.status == "inconclusive"
    assert "has a spread between 8 accepted runs of 152%" in found.reason
    assert "do not differ by more than 65%" in found.reason
    assert the_verdict(1, wide).status == "fail"


@pytest.mark.fault(
    "machine", "the machine is far slower than in all accepted runs", "drift is inconclusive with both figures"
)
def test_a_machine_slower_than_its_probe_can_tell_is_undecided_with_both_figures():
    runs = [
        run_of(run_figures(2, 79 / one**5, probe=ProbeFigures(work=synthetic.probe_name(), qps=20_000 / one)))
        for one in (1.0, 1.001, 1.002, 1.003, 1.004, 1.005, 1.002, 1.004)
    ]
    rounds = probed(rounds_of({1: 25.3, 2: 50}), {1: 7_000, 2: 14_000})
    (found,) = DriftCheck().judge(evidence(rounds, stored=stored(baseline(series=series_of(*runs)))))
    assert found.status == "inconclusive"
    assert "beyond the limit" in found.reason
    assert ", while the probe's time changed by +4" in found.reason
    assert "by more than it varied in the accepted runs" in found.reason
