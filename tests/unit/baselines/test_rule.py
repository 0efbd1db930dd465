"""What is compared with what, and which runs belong to a series."""

from __future__ import annotations

import dataclasses
import math

import pytest

from pytest_paddle_mt.baselines import ANCHOR_RUNS, WINDOW_RUNS, ProbeFigures, rule
from pytest_paddle_mt.statistics import drift
from tests.builders import MACHINE, SETTING, baseline, limits, run_figures, run_of, series_of

EIGHT = (40.0, 40.4, 39.6, 40.2, 39.8, 40.1, 39.9, 40.0)


def compare(stored, *points, **changes):
    return rule.compare(stored.series, points, limits(**changes))


def at(comparisons, key, *, anchored=False):
    (found,) = [one for one in comparisons if one.quantity.key == key and one.anchored is anchored]
    return found


def accept(stored, *points, machine=MACHINE, setting=SETTING):
    series = series_of(run_of(*points), setting=setting)
    return rule.accepted(stored, dataclasses.replace(baseline(series=series), machine=machine), limits())


# What is compared.


def test_latencies_throughput_and_efficiency_are_compared_and_mean_latency_and_p90_are_not():
    keys = {one.quantity.key for one in compare(baseline(*EIGHT), run_figures(2, 40))}
    assert keys == {"p50_ns", "p5_ns", "p99_ns", "qps", "efficiency"}


def test_one_thread_has_no_efficiency_to_compare():
    keys = {one.quantity.key for one in compare(baseline(*EIGHT, threads=1), run_figures(1, 40))}
    assert keys == {"p50_ns", "p5_ns", "p99_ns", "qps"}


@pytest.mark.parametrize("side", ["stored", "new"])
def test_a_quantity_that_either_side_lacks_is_not_compared(side):
    lacking = run_figures(2, 40, p99_ns=None)
    complete = run_figures(2, 40)
    old, new = (lacking, complete) if side == "stored" else (complete, lacking)
    found = rule.compare(series_of(run_of(old)), [new], limits())
    assert "p99_ns" not in {one.quantity.key for one in found}
    assert "p50_ns" in {one.quantity.key for one in found}


def test_a_thread_count_that_is_not_stored_is_not_compared():
    assert {one.threads for one in compare(baseline(*EIGHT), run_figures(2, 40), run_figures(4, 80))} == {2}


def test_slower_is_worse_for_latency_and_for_throughput():
    found = compare(baseline(*EIGHT), run_figures(2, 30))
    for key in ("p50_ns", "p5_ns", "p99_ns", "qps"):
        assert at(found, key).worse == pytest.approx(math.log(40 / 30), abs=1e-3)
        assert at(found, key).drifted
        assert not at(found, key).improved


def test_faster_is_an_improvement_and_no_drift():
    found = compare(baseline(*EIGHT), run_figures(2, 60))
    assert all(one.improved and not one.drifted for one in found if one.quantity.key != "efficiency")


def test_a_lower_efficiency_is_drift_though_throughput_is_as_it_was():
    found = compare(baseline(*EIGHT), run_figures(2, 40, efficiency=0.35))
    assert [one.quantity.key for one in found if one.drifted] == ["efficiency"]


def test_p99_has_a_margin_of_its_own():
    slower = run_figures(2, 40, p99_ns=1.2 * run_figures(2, 40).p99_ns)
    assert not any(one.drifted for one in compare(baseline(*EIGHT), slower))
    assert at(compare(baseline(*EIGHT), slower, max_p99_drift=0.1), "p99_ns").drifted
    assert not at(compare(baseline(*EIGHT), slower, max_p99_drift=0.1), "p50_ns").drifted


def test_the_yardstick_is_the_spread_between_runs_and_not_what_one_run_says_of_itself():
    """The same new run: runs that lie apart leave it room, runs that agree do not."""
    apart = tuple(40 * math.exp(0.2 * (-1) ** index) for index in range(8))
    assert at(compare(baseline(*EIGHT), run_figures(2, 33)), "qps").drifted
    assert not at(compare(baseline(*apart), run_figures(2, 33)), "qps").drifted


def test_the_chance_of_a_wrong_alarm_is_shared_by_everything_that_is_compared():
    stored = baseline(*EIGHT)
    found = at(compare(stored, run_figures(2, 40)), "qps")
    spread = drift.between_runs(rule.np.log([*EIGHT]))
    assert found.limit == pytest.approx(drift.limit(spread, 8, 0.1, drift.FALSE_ALARM / 5))
    with_less = at(compare(stored, run_figures(2, 40, p99_ns=None, p5_ns=None)), "qps")
    assert with_less.limit == pytest.approx(drift.limit(spread, 8, 0.1, drift.FALSE_ALARM / 3))


def test_runs_give_what_they_have_though_others_of_them_lack_it():
    runs = [run_of(run_figures(2, 40, p99_ns=None if index else 80e6)) for index in range(8)]
    found = at(rule.compare(series_of(*runs), [run_figures(2, 40)], limits()), "p99_ns")
    assert (found.runs, found.old) == (1, pytest.approx(80e6))
    assert found.spread == pytest.approx(drift.PRIOR_SPREAD)


# The anchor.


def test_the_anchor_is_not_judged_while_it_is_the_mean_of_the_same_runs():
    assert not any(one.anchored for one in compare(baseline(*EIGHT), run_figures(2, 40)))


def test_the_anchor_is_judged_once_it_says_something_else():
    found = at(compare(baseline(*EIGHT, 50.0), run_figures(2, 40)), "qps", anchored=True)
    assert (found.runs, found.old) == (8, pytest.approx(40, rel=1e-3))


def test_many_small_drifts_are_found_by_the_anchor_though_none_of_them_is_large():
    """Each run is 1 % slower than the one before."""
    qps = [40 * 0.99**index for index in range(WINDOW_RUNS + ANCHOR_RUNS)]
    stored = baseline(*qps)
    found = compare(stored, run_figures(2, 40 * 0.99 ** len(qps)))
    assert not at(found, "qps").drifted
    assert at(found, "qps", anchored=True).drifted


def test_what_the_first_runs_lacked_has_an_anchor_once_eight_runs_have_it():
    stored = None
    for index in range(2 * ANCHOR_RUNS + 1):
        points = [run_figures(2, 40 + 0.01 * index, p99_ns=None if index == 0 else 80e6 + index)]
        if index > ANCHOR_RUNS:
            points.append(run_figures(3, 60 + 0.01 * index))
        stored = accept(stored, *points)
        anchor = {point.threads: point for point in stored.series.anchor.points}
        assert (anchor[2].p99_ns is not None) == (index >= ANCHOR_RUNS)
        assert (3 in anchor) == (index == 2 * ANCHOR_RUNS)
    assert anchor[2].p99_ns == pytest.approx(80e6 + 4.5)
    assert anchor[2].qps == pytest.approx(40.035, rel=1e-6)
    assert anchor[3].qps == pytest.approx(60.125, rel=1e-6)
    anchored = {(one.threads, one.quantity.key) for one in compare(stored, *points) if one.anchored}
    assert anchored == {(2, key) for key in ("p50_ns", "p5_ns", "p99_ns", "qps", "efficiency")}


# Which runs belong together.


def test_the_first_run_is_the_whole_series():
    made = accept(None, run_figures(2, 40))
    assert (len(made.series.runs), made.series.anchor.runs, made.before) == (1, 1, None)


def test_a_run_within_the_limits_joins_the_series():
    made = accept(baseline(40, 41), run_figures(2, 42))
    assert [run.points[0].qps for run in made.series.runs] == [40, 41, 42]
    assert made.series.anchor.runs == 3
    assert made.series.anchor.points[0].qps == pytest.approx((40 * 41 * 42) ** (1 / 3))


@pytest.mark.parametrize("qps", [10, 160])
def test_a_run_beyond_the_limits_begins_a_new_series_for_better_or_worse(qps):
    old = baseline(40, 41)
    made = accept(old, run_figures(2, qps))
    assert [run.points[0].qps for run in made.series.runs] == [qps]
    assert made.series.anchor.points[0].qps == pytest.approx(qps)
    assert made.before is old.series


@pytest.mark.parametrize("other", [{"setting": {**SETTING, "batch_size": 8}}, {"machine": {**MACHINE, "smt": "on"}}])
def test_a_run_of_another_setting_or_machine_begins_a_new_series(other):
    old = baseline(40, 41)
    made = accept(old, run_figures(2, 40), **other)
    assert (len(made.series.runs), made.before) == (1, old.series)
    assert {**made.series.setting, **made.machine} == {**SETTING, **MACHINE, **next(iter(other.values()))}


def test_one_series_is_kept_and_no_more():
    first = baseline(40)
    second = accept(first, run_figures(2, 160))
    third = accept(second, run_figures(2, 640))
    assert third.before is second.series


def test_the_series_before_stays_while_runs_join_the_new_one():
    old = dataclasses.replace(baseline(40), before=baseline(10).series)
    assert accept(old, run_figures(2, 40)).before is old.before


def test_the_window_keeps_the_latest_runs_and_the_anchor_the_first():
    stored = None
    for index in range(WINDOW_RUNS + 5):
        stored = accept(stored, run_figures(2, 40 + 0.01 * index))
    assert len(stored.series.runs) == WINDOW_RUNS
    assert stored.series.runs[0].points[0].qps == pytest.approx(40.05)
    assert stored.series.anchor.runs == ANCHOR_RUNS
    assert stored.series.anchor.points[0].qps == pytest.approx(40.035, rel=1e-6)


# The stored curve of a GPU.


@pytest.mark.parametrize(
    ("efficiencies", "reached"), [((1.0, 0.95, 0.9, 0.5), 4), ((1.0, 0.95, 0.5, 0.9), 2), ((1.0, 0.5, 0.4, 0.3), 1)]
)
def test_the_curve_is_linear_up_to_the_count_before_the_first_that_is_below(efficiencies, reached):
    points = [run_figures(n, 40.0 * n, efficiency=one) for n, one in zip((1, 2, 4, 8), efficiencies, strict=True)]
    assert rule.linear_up_to(series_of(run_of(*points)), (1, 2, 4, 8), 0.85) == reached


def test_a_count_that_the_curve_lacks_does_not_end_it_and_is_not_its_end():
    points = [run_figures(n, 40.0 * n, efficiency=0.95) for n in (1, 2, 8)]
    assert rule.linear_up_to(series_of(run_of(*points)), (1, 2, 4, 8, 16), 0.85) == 8
    assert rule.linear_up_to(series_of(run_of(*points)), (1, 16), 0.85) == 1


# Beside the probe.

#: How much slower the machine was in each of eight runs, and what else varied in them, as factors.
SLOWER = (1.00, 1.20, 1.05, 1.30, 1.10, 1.25, 1.02, 1.15)
RIPPLE = (1.00, 1.01, 0.99, 1.00, 1.01, 0.99, 1.00, 1.00)


def with_probe(slower, *, qps=40.0, work="steps", **changes):
    """A run of so much throughput on a machine so much slower, as the probe says, too."""
    probe = None if work is None else ProbeFigures(work=work, qps=20_000 / slower)
    return run_figures(2, qps / slower, efficiency=0.5, probe=probe, **changes)


def probed_series(*more, work="steps"):
    """Eight runs that go with the probe, and more."""
    points = [with_probe(slower, qps=40 * ripple, work=work) for slower, ripple in zip(SLOWER, RIPPLE, strict=True)]
    return series_of(*(run_of(point) for point in (*points, *more)))


def of_probed(point, series=None, **changes):
    return rule.compare(series or probed_series(), [point], limits(**changes))


@pytest.mark.parametrize("slower", [1.0, 1.15, 1.3])
def test_what_goes_with_the_probe_is_held_against_what_is_expected_of_a_machine_this_fast(slower):
    mean = math.exp(sum(map(math.log, SLOWER)) / 8)
    for key in ("p50_ns", "p5_ns", "p99_ns", "qps"):
        found = at(of_probed(with_probe(slower, qps=40 / 1.4)), key)
        assert found.worse == pytest.approx(math.log(1.4), abs=0.01)
        assert found.drifted
        assert found.slower == pytest.approx(slower / mean)
        assert found.alone.worse == pytest.approx(math.log(1.4 * slower / mean), abs=0.01)


def test_the_figures_that_are_told_stay_those_that_were_measured():
    found = at(of_probed(with_probe(1.3)), "qps")
    assert found.new == pytest.approx(40 / 1.3)
    assert found.old == pytest.approx(40 / math.exp(sum(map(math.log, SLOWER)) / 8), rel=1e-3)


def test_the_limit_is_that_of_the_spread_that_the_probe_leaves():
    found = at(of_probed(with_probe(1.0)), "qps")
    alone = at(of_probed(with_probe(1.0, work=None)), "qps")
    assert alone.alone is None
    assert found.spread < alone.spread / 5
    assert found.limit < alone.limit == pytest.approx(found.alone.limit)


def test_the_farther_the_machine_is_from_what_it_was_the_wider_the_limit():
    near, far = (at(of_probed(with_probe(slower)), "qps").limit for slower in (1.15, 2.0))
    assert far > near


def test_what_is_slower_with_its_machine_is_explained_and_has_not_drifted():
    found = at(of_probed(with_probe(1.8)), "p50_ns")
    assert (found.drifted, found.explained) == (False, True)
    found = at(of_probed(with_probe(1.8, work=None)), "p50_ns")
    assert (found.drifted, found.explained) == (True, False)
    found = at(of_probed(with_probe(1.8, qps=30)), "p50_ns")
    assert (found.drifted, found.explained) == (True, False)


def test_a_machine_that_was_no_slower_explains_nothing():
    """Against the anchor a line can leave more room than there is without it."""
    points = [with_probe(1 + 0.003 * index, qps=40 * (1 + 0.005 * (-1) ** index)) for index in range(9)]
    series = series_of(*map(run_of, points))
    anchor = series.anchor.points[0]
    as_fast = 20_000 / anchor.probe.qps

    def judged(worse, work="steps"):
        return at(
            of_probed(with_probe(as_fast, qps=anchor.qps * as_fast / worse, work=work), series), "qps", anchored=True
        )

    beside, alone = judged(1.0).limit, judged(1.0, work=None).limit
    assert judged(1.0).alone is not None
    assert beside > alone
    found = judged(math.exp((beside + alone) / 2))
    assert (found.drifted, found.explained, found.alone) == (True, False, None)


def test_what_is_within_its_limit_by_itself_needs_no_explanation():
    assert not any(one.explained for one in of_probed(with_probe(1.1)))


def test_efficiency_has_one_thread_beside_it_already():
    points = [dataclasses.replace(with_probe(slower), efficiency=0.9 / slower) for slower in SLOWER]
    found = at(of_probed(points[0], series_of(*map(run_of, points))), "efficiency")
    assert (found.slower, found.alone) == (None, None)


def test_what_the_probe_says_counts_where_runs_show_that_it_tells():
    unrelated = [with_probe(1.0, qps=40 * ripple) for ripple in RIPPLE]
    points = [
        dataclasses.replace(point, probe=ProbeFigures(work="steps", qps=20_000 / slower))
        for point, slower in zip(unrelated, (1.0, 1.0, 1.1, 1.1, 1.2, 1.2, 1.3, 1.3), strict=True)
    ]
    found = of_probed(with_probe(1.3), series_of(*map(run_of, points)))
    assert all(one.alone is None for one in found)


@pytest.mark.parametrize("work", ["other steps", None])
def test_another_probe_is_not_comparable(work):
    assert all(one.alone is None for one in of_probed(with_probe(1.0, work=work)))
    assert all(one.alone is None for one in of_probed(with_probe(1.0), probed_series(work=work)))


def test_runs_with_another_probe_are_left_out_of_what_it_tells():
    old = [run_of(with_probe(slower, work="older")) for slower in (1.0, 1.0)]
    points = [with_probe(slower, qps=40 * ripple) for slower, ripple in zip(SLOWER, RIPPLE, strict=True)]
    found = at(of_probed(with_probe(1.3), series_of(*old, *map(run_of, points))), "qps")
    assert (found.runs, found.alone is None) == (8, False)
    assert found.worse == pytest.approx(0, abs=0.01)


def test_the_anchor_is_corrected_for_how_fast_its_machine_was():
    """The first eight on a fast machine, the others on a slow one, and the new run on one that is as fast."""
    later = [with_probe(1.5 * slower, qps=40 * ripple) for slower, ripple in zip(SLOWER, RIPPLE, strict=True)]
    found = at(of_probed(with_probe(1.1), probed_series(*later)), "qps", anchored=True)
    assert found.worse == pytest.approx(0, abs=0.01)
    assert at(of_probed(with_probe(1.6), probed_series(*later)), "qps", anchored=True).worse == pytest.approx(
        0, abs=0.01
    )
    slowed = at(of_probed(with_probe(1.1, qps=32), probed_series(*later)), "qps", anchored=True)
    assert slowed.drifted
    assert slowed.worse == pytest.approx(math.log(1.25), abs=0.01)


def test_an_anchor_without_a_probe_is_compared_as_it_is():
    old = [run_of(with_probe(1.0, qps=40 * ripple, work=None)) for ripple in RIPPLE]
    later = [run_of(with_probe(slower, qps=40 * ripple)) for slower, ripple in zip(SLOWER, RIPPLE, strict=True)]
    series = series_of(*old, *later)
    assert series.anchor.points[0].probe is None
    found = of_probed(with_probe(1.3), series)
    assert at(found, "qps").alone is not None
    assert at(found, "qps", anchored=True).alone is None


def test_figures_of_different_runs_have_no_probe_in_common():
    stored = None
    for index in range(ANCHOR_RUNS + 1):
        changes = {"p99_ns": None} if index == 0 else {}
        stored = accept(stored, with_probe(1.0 + 0.01 * index, **changes))
        (point,) = stored.series.anchor.points
        assert (point.p99_ns is None, point.probe is None) == ((True, False) if index < ANCHOR_RUNS else (False, True))


def test_a_run_on_a_slow_machine_belongs_to_its_series():
    stored = baseline(series=probed_series())
    assert len(accept(stored, with_probe(1.8)).series.runs) == 9
    assert len(accept(stored, with_probe(1.8, work=None)).series.runs) == 1


def of_steady_machines():
    """Eight runs on machines as fast as each other within 0.5 %, whose figures go with the probe by chance."""
    slower = (1.0, 1.001, 1.002, 1.003, 1.004, 1.005, 1.002, 1.004)
    return series_of(*(run_of(with_probe(one, qps=40 / one**4)) for one in slower))


def test_a_probe_that_hardly_varied_explains_no_machine_and_gives_no_wide_limit():
    by_itself = at(of_probed(with_probe(1.3, work=None), of_steady_machines()), "qps")
    found = at(of_probed(with_probe(1.3), of_steady_machines()), "qps")
    assert found.limit == by_itself.limit
    assert (found.untold, found.explained, found.drifted, by_itself.drifted) == (True, True, False, True)


@pytest.mark.parametrize("slower", [0.7, 1.3])
def test_what_is_within_its_limit_by_itself_is_left_so_where_the_probe_tells_nothing(slower):
    found = at(of_probed(with_probe(slower, qps=40 * slower), of_steady_machines()), "qps")
    assert (found.drifted, found.explained, found.alone) == (False, False, None)
