"""Which figures the anchor of a series has, and of which runs they are."""

from __future__ import annotations

import pytest

from pytest_paddle_mt.baselines import ANCHOR_RUNS, ProbeFigures, anchor
from tests.builders import run_figures, run_of


def probed(qps, work="steps", **changes):
    """A run with two threads whose probe reached ``qps``."""
    return run_of(run_figures(2, 40, probe=ProbeFigures(work=work, qps=qps), **changes))


def test_an_anchor_has_the_figures_and_thread_counts_that_all_of_its_runs_have():
    runs = [run_of(run_figures(2, 40, p99_ns=None if index else 80e6), run_figures(3, 60)) for index in range(2)]
    found = anchor.of_runs([*runs, run_of(run_figures(2, 40))])
    assert [point.threads for point in found.points] == [2]
    assert found.points[0].p99_ns is None
    assert found.points[0].qps == pytest.approx(40)


def test_runs_after_the_first_eight_are_no_part_of_the_anchor():
    runs = [run_of(run_figures(2, 40.0))] * ANCHOR_RUNS
    found = anchor.of_runs([*runs, run_of(run_figures(2, 80.0))])
    assert (found.runs, found.points[0].qps) == (ANCHOR_RUNS, pytest.approx(40))


def test_an_anchor_has_the_probe_that_all_of_its_runs_had():
    (point,) = anchor.of_runs([probed(10_000), probed(40_000)]).points
    assert (point.probe.work, point.probe.qps) == ("steps", pytest.approx(20_000))
    (point,) = anchor.of_runs([probed(10_000), probed(10_000, work="other")]).points
    assert point.probe is None
    (point,) = anchor.of_runs([probed(10_000), run_of(run_figures(2, 40))]).points
    assert point.probe is None


def test_an_anchor_that_lacks_nothing_stays_as_it_is():
    runs = [probed(10_000)] * (ANCHOR_RUNS + 1)
    first = anchor.of_runs(runs)
    assert anchor.completed(first, runs).points == first.points


def test_a_figure_is_added_from_the_first_eight_runs_that_have_it_and_the_probe_then_goes():
    lacking = [probed(10_000, p99_ns=None)] * ANCHOR_RUNS
    having = [probed(10_000, p99_ns=80e6 + index) for index in range(ANCHOR_RUNS + 1)]
    first = anchor.of_runs(lacking)
    (point,) = anchor.completed(first, [*lacking, *having[:-2]]).points
    assert (point.p99_ns, point.probe.work) == (None, "steps")
    (point,) = anchor.completed(first, [*lacking, *having]).points
    assert (point.p99_ns, point.probe) == (pytest.approx(80e6 + 3.5), None)


def test_a_thread_count_is_added_once_eight_runs_have_it_with_their_probe():
    one = run_of(run_figures(1, 20.0))
    both = run_of(run_figures(1, 20.0), run_figures(2, 40, probe=ProbeFigures(work="steps", qps=10_000)))
    first = anchor.of_runs([one])
    assert [point.threads for point in anchor.completed(first, [both] * (ANCHOR_RUNS - 1)).points] == [1]
    added = anchor.completed(first, [both] * ANCHOR_RUNS).points[1]
    assert (added.threads, added.qps, added.probe.work) == (2, pytest.approx(40), "steps")
