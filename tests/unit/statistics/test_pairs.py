"""The ratio of two sides: per round, over rounds, with its interval."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pytest_paddle_mt.records import Round, Visit
from pytest_paddle_mt.statistics import intervals, pairs
from tests.builders import paired_rounds, window


def round_of(*windows):
    """A round of (side, threads, QPS)."""
    return Round(
        index=0,
        visits=tuple(Visit(side=side, fork=0, window=window(threads, qps)) for side, threads, qps in windows),
    )


def test_the_ratio_of_a_round_is_that_of_the_geometric_means_of_its_windows():
    one = round_of(("this", 2, 10), ("other", 2, 20), ("other", 2, 80), ("this", 2, 40), ("this", 1, 999))
    # the windows are rebuilt from whole nanoseconds
    assert pairs.log_ratio(one, 2) == pytest.approx(math.log(20 / 40), rel=1e-6)


def test_a_machine_that_becomes_steadily_faster_cancels():
    faster = [1.0, 1.1, 1.1**2, 1.1**3]
    sides = ("this", "other", "other", "this")
    one = round_of(
        *((side, 1, 50 * factor * (0.8 if side == "this" else 1)) for side, factor in zip(sides, faster, strict=True))
    )
    assert math.exp(pairs.log_ratio(one, 1)) == pytest.approx(0.8, rel=1e-6)


def test_a_round_that_lacks_a_side_or_the_thread_count_has_no_ratio():
    one = round_of(("this", 2, 10), ("other", 4, 20))
    assert [pairs.log_ratio(one, threads) for threads in (1, 2, 4)] == [None, None, None]
    assert pairs.ratio_series([one], 2).shape == (0,)


def test_the_interval_is_that_of_the_mean_of_the_logarithms_taken_back():
    values = np.log([0.9, 0.95, 0.92, 0.97, 0.9, 0.94])
    of_logarithms = intervals.mean_interval(values, 0.99, pairs.MIN_AUTOCORRELATION)
    found = pairs.ratio_interval(values, 0.99)
    assert (found.low, found.high) == (math.exp(of_logarithms.low), math.exp(of_logarithms.high))


def test_below_the_values_that_an_interval_needs_there_is_none():
    assert pairs.ratio_interval(np.zeros(intervals.MIN_VALUES - 1), 0.95) is None


def test_the_ratio_of_a_comparison_has_its_interval_and_that_of_the_median_latencies():
    rounds = paired_rounds({1: 40, 2: 60}, {1: 40, 2: 80}, count=6, ripple=0.01)
    found = pairs.ratio(rounds, 2, 0.95, (30.0, 20.0))
    assert found.qps == pytest.approx(0.75, rel=1e-3)
    assert found.qps_interval.low < 0.75 < found.qps_interval.high
    assert (found.p50, found.threads, found.rounds) == (1.5, 2, 6)


def test_an_interval_of_a_ratio_wider_than_a_factor_of_two_is_unknown():
    rounds = paired_rounds({2: 60}, {2: 80}, count=4, ripple=0.9)
    assert pairs.ratio(rounds, 2, 0.95, (30.0, 20.0)).qps_interval is None


@pytest.mark.parametrize("p50_ns", [(None, 20.0), (30.0, None)])
def test_without_a_median_on_a_side_there_is_no_ratio_of_medians(p50_ns):
    assert pairs.ratio(paired_rounds({2: 60}, {2: 80}), 2, 0.95, p50_ns).p50 is None


def test_a_thread_count_that_no_round_visited_has_no_ratio():
    assert pairs.ratio(paired_rounds({2: 60}, {2: 80}), 4, 0.95, (1.0, 1.0)) is None
