from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.special
import scipy.stats
from hypothesis import assume, given
from hypothesis import strategies as st

from pytest_paddle_mt.statistics import intervals

SERIES = st.lists(st.floats(-10, 10).map(lambda value: round(value, 3)), min_size=4, max_size=60)


def autoregression(rng: np.random.Generator, rho: float, series: int, k: int) -> np.ndarray:
    """Stationary first-order autoregressions with mean 0 and variance 1, shape (series, k)."""
    values = rng.standard_normal((series, k))
    for i in range(1, k):
        values[:, i] = rho * values[:, i - 1] + math.sqrt(1 - rho**2) * values[:, i]
    return values


def misses(rho: float, k: int, confidence: float, min_autocorrelation: float) -> float:
    made = [
        intervals.mean_interval(values, confidence, min_autocorrelation)
        for values in autoregression(np.random.default_rng(7), rho, 600, k)
    ]
    return sum(interval.low > 0 or interval.high < 0 for interval in made) / len(made)


@pytest.mark.parametrize("df", [1, 1.26, 2, 3.7, 5, 14.9, 59, 1000])
@pytest.mark.parametrize("p", [0.001, 0.025, 0.4, 0.5, 0.51, 0.9, 0.975, 0.995, 0.9999])
def test_a_t_quantile_is_that_of_scipy(p, df):
    assert intervals.student_t_quantile(p, df) == pytest.approx(scipy.stats.t.ppf(p, df), rel=1e-6, abs=1e-6)


def test_t_quantiles_are_those_of_the_printed_table():
    assert round(intervals.student_t_quantile(0.975, 1), 3) == 12.706
    assert round(intervals.student_t_quantile(0.975, 10), 3) == 2.228
    assert round(intervals.student_t_quantile(0.995, 4), 3) == 4.604


@pytest.mark.parametrize(("p", "df"), [(0, 5), (1, 5), (0.9, 0.5), (0.9, math.nan)])
def test_a_t_quantile_out_of_range_is_refused(p, df):
    with pytest.raises(ValueError, match="t quantile"):
        intervals.student_t_quantile(p, df)


@given(st.floats(0.3, 60), st.floats(0.3, 60), st.floats(0, 1))
def test_the_incomplete_beta_function_is_that_of_scipy(a, b, x):
    assert intervals.regularized_incomplete_beta(a, b, x) == pytest.approx(scipy.special.betainc(a, b, x), abs=1e-9)


def test_the_autocorrelation_is_the_one_computed_by_hand():
    # deviations -2, -1, 0, 1, 2: products 2 + 0 + 0 + 2 over squares 10 is 0.4; and (1 + 4 * 0.4) / 5 is added
    assert intervals.autocorrelation(np.arange(5.0)) == pytest.approx(0.4 + 0.52)


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.6])
def test_most_of_the_bias_of_the_autocorrelation_is_removed(rho):
    k = 24
    found = [intervals.autocorrelation(v) for v in autoregression(np.random.default_rng(3), rho, 3000, k)]
    assert abs(np.mean(found) - rho) < (1 + 4 * rho) / k / 3  # the correction is of first order: some bias stays


def test_a_constant_series_has_no_autocorrelation():
    assert intervals.autocorrelation(np.ones(9)) is None


@pytest.mark.parametrize(("rho", "k"), [(0.0, 7), (0.5, 4), (0.9, 30)])
def test_the_variance_inflation_is_the_sum_over_the_correlation_matrix(rho, k):
    matrix = rho ** np.abs(np.subtract.outer(np.arange(k), np.arange(k)))
    assert intervals.variance_inflation(rho, k) == pytest.approx(matrix.sum() / k)


def test_without_autocorrelation_the_interval_is_the_textbook_one():
    values = np.array([1.0, -1.0, 1.1, -1.2, 0.9, -0.8, 1.0, -1.1])  # alternating, so the estimate is below the floor
    interval = intervals.mean_interval(values, 0.95, min_autocorrelation=0.0)
    low, high = scipy.stats.t.interval(0.95, 7, loc=values.mean(), scale=scipy.stats.sem(values))
    assert (interval.low, interval.high) == pytest.approx((low, high))


def test_the_interval_is_the_one_computed_by_hand():
    # at 0.5, four values are worth 4 / f for their mean, with f = 1 + 2 (3/4 * 1/2 + 1/2 * 1/4 + 1/4 * 1/8) = 33/16;
    # and their variance has 3 * (1 - 1/4) / (1 + 1/4) = 1.8 degrees of freedom
    values = np.array([1.0, -1.0, 1.0, -1.0])
    f = 33 / 16
    half_width = scipy.stats.t.ppf(0.975, 1.8) * math.sqrt(4 / (4 - f) / (4 / f))
    interval = intervals.mean_interval(values, 0.95, min_autocorrelation=0.5)
    assert (interval.low, interval.high) == pytest.approx((-half_width, half_width))


def test_values_are_taken_to_be_correlated_at_least_by_two_tenths():
    # at 0.2, f = 1 + 2 (3/4 * 0.2 + 1/2 * 0.04 + 1/4 * 0.008) = 1.344, and 3 * 0.96 / 1.04 degrees of freedom
    values = np.array([1.0, -1.0, 1.0, -1.0])
    f = 1.344
    half_width = scipy.stats.t.ppf(0.975, 3 * 0.96 / 1.04) * math.sqrt(4 / (4 - f) / (4 / f))
    interval = intervals.mean_interval(values, 0.95)
    assert (interval.low, interval.high) == pytest.approx((-half_width, half_width))


def test_a_series_is_taken_to_be_worth_three_independent_values_at_least():
    # nine that only rise: at (9 - 3) / (9 + 3) = 0.5, and 8 * 0.75 / 1.25 = 4.8 degrees of freedom
    values = np.arange(9.0)
    f = intervals.variance_inflation(0.5, 9)
    half_width = scipy.stats.t.ppf(0.975, 4.8) * math.sqrt(60 / (9 - f) * f / 9)
    interval = intervals.mean_interval(values, 0.95)
    assert (interval.low, interval.high) == pytest.approx((4 - half_width, 4 + half_width))


@pytest.mark.parametrize("k", [8, 16, 40])
def test_the_interval_covers_the_mean_of_autocorrelated_values_as_often_as_it_says(k):
    assert misses(rho=0.5, k=k, confidence=0.95, min_autocorrelation=0.5) <= 0.07


def test_an_interval_that_supposes_independence_misses_far_too_often():
    values = autoregression(np.random.default_rng(7), 0.5, 600, 16)
    half_widths = scipy.stats.t.ppf(0.975, 15) * scipy.stats.sem(values, axis=1)
    assert np.mean(np.abs(values.mean(axis=1)) > half_widths) > 0.2
    assert misses(rho=0.5, k=16, confidence=0.95, min_autocorrelation=0.5) <= 0.07


def test_values_more_alike_than_the_floor_widen_the_interval():
    slow = np.repeat([0.0, 1.0, 0.2, 0.9], 8)
    shuffled = np.random.default_rng(1).permutation(slow)
    wide, narrow = (intervals.mean_interval(values, 0.95) for values in (slow, shuffled))
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)


@pytest.mark.parametrize("half_width", [0.9, 0.3, 0.1])
def test_the_values_needed_make_an_interval_of_that_width_and_one_less_does_not(half_width):
    values = np.tile([1.0, -1.0], 5)  # rho is at the floor, and the variance stays nearly the same with more of them
    needed = intervals.values_needed(values, 0.95, half_width)
    rho, variance = intervals.MIN_AUTOCORRELATION, 10 / (10 - intervals.variance_inflation(0.2, 10))

    def width(k):
        df = (k - 1) * (1 - rho**2) / (1 + rho**2)
        return scipy.stats.t.ppf(0.975, df) * math.sqrt(variance * intervals.variance_inflation(rho, k) / k)

    assert width(needed) <= half_width
    assert needed == 10 or width(needed - 1) > half_width


def test_a_width_out_of_reach_has_no_number_of_values():
    assert intervals.values_needed(np.tile([1.0, -1.0], 5), 0.95, 1e-4) is None


def test_too_few_values_have_no_interval():
    assert intervals.mean_interval(np.array([1.0, 2.0, 3.0]), 0.95) is None
    assert intervals.mean_interval(np.array([1.0, 2.0, 3.0, 5.0]), 0.95) is not None


def test_equal_values_have_an_interval_without_width():
    interval = intervals.mean_interval(np.full(5, 0.5), 0.95)
    assert (interval.low, interval.high) == (0.5, 0.5)


def test_a_value_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="1 are not"):
        intervals.mean_interval(np.array([1.0, math.nan, 2.0, 3.0]), 0.95)


@pytest.mark.parametrize("confidence", [0, 1, 95])
def test_a_confidence_that_is_no_fraction_is_refused(confidence):
    with pytest.raises(ValueError, match="between 0 and 1"):
        intervals.mean_interval(np.arange(9.0), confidence)


@given(SERIES, st.floats(0.5, 0.98))
def test_more_confidence_never_narrows_the_interval(values, confidence):
    outer, inner = (intervals.mean_interval(np.array(values), c) for c in (confidence + 0.01, confidence))
    assert outer.low <= inner.low <= inner.high <= outer.high


@given(SERIES, st.floats(-5, 5), st.floats(0.1, 10))
def test_the_interval_follows_shift_and_scale(values, shift, scale):
    series = np.array(values)
    assume(np.std(series) > 1e-3)
    plain, moved = intervals.mean_interval(series, 0.9), intervals.mean_interval(shift + scale * series, 0.9)
    assert moved.low == pytest.approx(shift + scale * plain.low, rel=1e-6, abs=1e-6)
    assert moved.high == pytest.approx(shift + scale * plain.high, rel=1e-6, abs=1e-6)


@given(SERIES)
def test_the_order_of_time_does_not_matter(values):
    forward, backward = (intervals.mean_interval(np.array(v), 0.9) for v in (values, values[::-1]))
    assert (forward.low, forward.high) == pytest.approx((backward.low, backward.high), rel=1e-6, abs=1e-6)
