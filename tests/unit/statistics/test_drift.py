"""The prediction limit that drift is judged by."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from pytest_paddle_mt.statistics import drift


def logarithms(*values):
    return np.log(np.array(values, dtype=np.float64))


def test_the_spread_of_eight_runs_is_their_standard_deviation():
    runs = logarithms(40, 41, 39, 40.5, 42, 38, 40, 41)
    found = drift.between_runs(runs)
    assert found.sd == pytest.approx(np.std(runs, ddof=1))
    assert found.df == 7


def test_one_run_has_the_assumed_spread():
    found = drift.between_runs(logarithms(40))
    assert (found.sd, found.df) == (pytest.approx(drift.PRIOR_SPREAD), drift.PRIOR_DF)


def test_the_assumption_weighs_less_with_every_run():
    """Runs that do not differ at all: what is left of the assumption."""
    found = [drift.between_runs(logarithms(*[40.0] * m)).sd for m in range(1, drift.FULL_RUNS + 1)]
    assert found == sorted(found, reverse=True)
    assert len(set(found)) == len(found)
    assert found[3] == pytest.approx(math.sqrt(8 * drift.PRIOR_SPREAD**2 / 11))
    assert found[-1] == 0


def test_runs_that_differ_more_than_assumed_widen_the_spread_before_there_are_eight():
    assert drift.between_runs(logarithms(20, 40, 80)).sd > drift.PRIOR_SPREAD


def test_the_spread_between_neighbours_is_that_of_their_differences():
    runs = logarithms(40, 42, 41)
    squares = math.log(42 / 40) ** 2 + math.log(41 / 42) ** 2
    found = drift.between_neighbours(runs)
    assert found.sd == pytest.approx(math.sqrt(squares / 4))
    assert found.df == pytest.approx(8 / 5)


def test_a_trend_widens_the_spread_and_hardly_that_between_neighbours():
    rng = np.random.default_rng(3)
    flat = rng.normal(0.0, 0.02, 30)
    trend = flat + 0.01 * np.arange(30)
    assert drift.between_runs(trend).sd > 3 * drift.between_runs(flat).sd
    assert drift.between_neighbours(trend).sd < 1.2 * drift.between_neighbours(flat).sd


def test_without_a_trend_both_spreads_estimate_the_same_and_the_degrees_of_freedom_are_right():
    rng = np.random.default_rng(5)
    found = np.array([drift.between_neighbours(one).sd ** 2 for one in rng.normal(0.0, 0.1, (20_000, 12))])
    assert found.mean() == pytest.approx(0.01, rel=0.02)
    df = drift.between_neighbours(np.zeros(12)).df
    assert found.var() == pytest.approx(2 * 0.01**2 / df, rel=0.05)


def test_one_run_has_no_neighbour():
    with pytest.raises(ValueError, match="two runs at least, not 1"):
        drift.between_neighbours(np.zeros(1))


def test_a_spread_of_no_runs_is_refused():
    with pytest.raises(ValueError, match="one run at least"):
        drift.between_runs(np.array([]))


@pytest.mark.parametrize(("sd", "df", "runs", "margin", "alpha"), [(0.03, 7, 8, 0.1, 0.005), (0.1, 8, 1, 0.25, 0.01)])
def test_the_limit_is_the_margin_and_a_one_sided_prediction_limit(sd, df, runs, margin, alpha):
    expected = math.log(1 + margin) + stats.t.ppf(1 - alpha, df) * sd * math.sqrt(1 + 1 / runs)
    assert drift.limit(drift.Spread(sd=sd, df=df), runs, margin, alpha) == pytest.approx(expected)


def test_the_limit_narrows_with_every_run_of_the_same_spread():
    found = []
    for m in range(1, 31):
        runs = 0.02 * stats.norm.ppf((np.arange(m) + 0.5) / m)
        found.append(drift.limit(drift.between_runs(runs), m, 0.1, 0.005))
    assert found[0] > 2 * found[7]
    assert all(later < earlier for earlier, later in itertools.pairwise(found))


def test_what_has_drifted_by_the_margin_is_beyond_the_limit_as_often_as_alpha_says():
    rng = np.random.default_rng(7)
    builds, m, alpha = 20_000, 8, 0.05
    runs = rng.normal(0.0, 0.05, (builds, m + 1))
    runs[:, m] += math.log(1.1)
    beyond = sum(one[m] - one[:m].mean() > drift.limit(drift.between_runs(one[:m]), m, 0.1, alpha) for one in runs)
    low, high = stats.binom.interval(0.9999, builds, alpha)
    assert low <= beyond <= high


def test_a_drift_as_large_as_is_said_to_be_found_is_found_nineteen_times_in_twenty():
    spread = drift.Spread(sd=0.03, df=1e6)
    beyond = drift.limit(spread, 8, 0.1, 0.01)
    found = drift.detectable(spread, 8, beyond)
    assert stats.norm.sf(beyond, found, 0.03 * math.sqrt(1 + 1 / 8)) == pytest.approx(0.95, abs=1e-4)


# Relative to the probe.


def test_a_regression_is_the_line_of_least_squares_through_the_runs():
    rng = np.random.default_rng(11)
    probes = rng.normal(0.0, 0.08, 8)
    figures = 3.0 + 0.9 * probes + rng.normal(0.0, 0.01, 8)
    found = drift.regression(figures, probes)
    expected = stats.linregress(probes, figures)
    assert found.slope == pytest.approx(expected.slope)
    left = figures - expected.intercept - expected.slope * probes
    assert found.spread.sd == pytest.approx(math.sqrt(np.sum(left**2) / 6))
    assert found.spread.df == 6
    assert found.leverage(0.1) == pytest.approx(0.01 / np.sum((probes - probes.mean()) ** 2))


@pytest.mark.parametrize("probes", [np.tile([0.0, 0.1], 5), np.linspace(0.0, 0.1, 10), np.sin(np.arange(10.0)) / 10])
def test_the_spread_between_neighbours_around_a_line_is_that_of_the_runs(probes):
    """Whether the probe swings from run to run, or moves slowly, or in between."""
    rng = np.random.default_rng(12)
    found = [drift.regression(probes + rng.normal(0.0, 0.01, 10), probes) for _ in range(4_000)]
    squares = np.array([one.spread_of_neighbours.sd**2 for one in found])
    assert squares.mean() == pytest.approx(0.01**2, rel=0.03)
    assert {one.spread_of_neighbours.df for one in found} == {2 * 81 / 26 - 1}


@pytest.mark.parametrize("sign", [1, -1])
def test_only_a_figure_that_slows_with_the_probe_has_a_regression(sign):
    probes = np.array([0.00, 0.05, 0.10, 0.03, 0.07, 0.01, 0.09, 0.04])
    ripple = 0.005 * np.array([1, -1, 1, -1, -1, 1, -1, 1])
    found = drift.regression(sign * probes + ripple, probes)
    assert (found is not None) == (sign == 1)


def test_seven_runs_are_too_few_for_a_regression():
    probes = np.linspace(0, 0.1, 8)
    assert drift.regression(probes**1.1, probes) is not None
    assert drift.regression(probes[:7] ** 1.1, probes[:7]) is None


def test_a_probe_or_a_figure_that_never_varies_has_no_regression():
    varied = np.linspace(0, 0.1, 8)
    assert drift.regression(varied, np.full(8, math.log(9.7))) is None
    assert drift.regression(np.full(8, math.log(9.7)), varied) is None


def test_an_unrelated_probe_is_taken_for_a_related_one_as_often_as_the_evidence_allows():
    rng = np.random.default_rng(13)
    tries = 4_000
    taken = sum(drift.regression(*rng.normal(0.0, 0.05, (2, 8))) is not None for _ in range(tries))
    low, high = stats.binom.interval(0.9999, tries, drift.EVIDENCE)
    assert low <= taken <= high


def test_relative_to_the_probe_too_a_drift_of_the_margin_is_beyond_the_limit_as_often_as_alpha_says():
    rng = np.random.default_rng(17)
    builds, alpha, beyond, judged = 20_000, 0.05, 0, 0
    for _ in range(builds):
        probes = rng.normal(0.0, 0.1, 9)
        figures = probes + rng.normal(0.0, 0.02, 9)
        found = drift.regression(figures[:8], probes[:8])
        if found is None:
            continue
        judged += 1
        moved = probes[8] - probes[:8].mean()
        worse = figures[8] + math.log(1.1) - figures[:8].mean() - found.slope * moved
        beyond += worse > drift.limit(found.spread, 8, 0.1, alpha, found.leverage(moved))
    low, high = stats.binom.interval(0.9999, judged, alpha)
    assert judged > 0.99 * builds
    assert low <= beyond <= high
