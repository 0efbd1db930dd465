from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given
from hypothesis import strategies as st

from pytest_paddle_mt.records import Latencies, Round, ThreadWindow, Visit, Window
from pytest_paddle_mt.statistics import intervals, scaling
from tests.builders import round_with

NO_LATENCIES = Latencies(values_ns=np.empty(0, dtype=np.int64), counts=None)


def window(threads: int, qps: float) -> Window:
    """A window whose threads share ``qps`` evenly."""
    one = ThreadWindow(
        open_ns=1_000_000_000,
        completed=qps / threads,
        inside_ns=1_000_000_000,
        queries=101,
        first_completion_ns=0,
        last_completion_ns=round(100 / (qps / threads) * 1e9),
        busy_ns=1,
        latencies=NO_LATENCIES,
        wall_ns=1,
        cpu_ns=1,
        voluntary_switches=0,
        involuntary_switches=0,
        run_delay_ns=None,
    )
    return Window(threads=threads, opened_ns=0, open_ns=1, per_thread=(one,) * threads, noise=None)


def round_of(*windows: tuple[int, float], index: int = 0) -> Round:
    return round_with(*(window(threads, qps) for threads, qps in windows), index=index)


def usl(n: np.ndarray, contention: float, coherency: float) -> np.ndarray:
    return 50.0 * n / (1 + contention * (n - 1) + coherency * n * (n - 1))


def log_efficiency(a_round: Round, threads: int) -> float:
    [value] = scaling.efficiency_series([a_round], threads)
    return value


def test_twice_the_throughput_at_two_threads_is_an_efficiency_of_one():
    assert log_efficiency(round_of((1, 40), (2, 80), (2, 80), (1, 40)), 2) == pytest.approx(0, abs=1e-6)


def test_the_efficiency_of_a_round_is_the_one_computed_by_hand():
    a_round = round_of((1, 40), (4, 90), (2, 70), (2, 60), (4, 160), (1, 90))
    # geometric means: QPS(1) = sqrt(40 * 90) = 60, QPS(4) = sqrt(90 * 160) = 120, so E(4) = 120 / (4 * 60)
    assert log_efficiency(a_round, 4) == pytest.approx(math.log(0.5), abs=1e-6)


@given(st.floats(0.95, 1.05))
def test_a_steady_drift_of_the_machine_cancels_within_a_round(drift):
    speeds = [drift**step for step in range(6)]
    qps = [40, 64, 120, 120, 64, 40]
    a_round = round_of(*((n, q * s) for n, q, s in zip([1, 2, 4, 4, 2, 1], qps, speeds, strict=True)))
    assert log_efficiency(a_round, 2) == pytest.approx(math.log(0.8), abs=1e-6)
    assert log_efficiency(a_round, 4) == pytest.approx(math.log(0.75), abs=1e-6)


def test_a_round_without_the_thread_count_has_no_efficiency():
    assert scaling.efficiency_series([round_of((1, 40), (2, 80), (1, 40))], 4).shape == (0,)


def test_a_round_without_one_thread_has_no_efficiency():
    assert scaling.efficiency_series([round_of((2, 80), (2, 80))], 2).shape == (0,)


def test_the_ratio_of_a_round_is_the_one_computed_by_hand():
    a_round = round_of((1, 7), (4, 90), (2, 40), (2, 90), (4, 160), (1, 7))
    # geometric means: QPS(2) = sqrt(40 * 90) = 60, QPS(4) = sqrt(90 * 160) = 120
    assert scaling.log_ratio(a_round, 4, 2) == pytest.approx(math.log(2), abs=1e-6)
    assert scaling.log_ratio(a_round, 2, 4) == pytest.approx(-math.log(2), abs=1e-6)


def test_a_round_without_one_of_the_two_thread_counts_has_no_ratio():
    a_round = round_of((1, 40), (2, 80), (1, 40))
    assert scaling.log_ratio(a_round, 4, 2) is None
    assert scaling.log_ratio(a_round, 2, 4) is None


def test_the_efficiency_is_the_ratio_to_one_thread_over_the_threads():
    rounds = [round_of((1, 40), (4, qps), (1, 50)) for qps in (100, 130, 90)]
    ratios, efficiencies = scaling.ratio_series(rounds, 4, 1), scaling.efficiency_series(rounds, 4)
    assert np.exp(efficiencies) == pytest.approx(np.exp(ratios) / 4)


def test_the_series_of_ratios_is_of_rounds_that_have_one_in_the_order_given():
    qps = [(50, 100), (50, 50), None, (50, 200), (50, 25)]
    rounds = [
        round_of(*([(2, 1)] if pair is None else [(2, pair[0]), (4, pair[1])]), index=index)
        for index, pair in enumerate(qps)
    ]
    series = scaling.ratio_series(rounds, 4, 2)
    assert series.dtype == np.float64
    assert np.exp(series) == pytest.approx([2, 1, 4, 0.5], abs=1e-6)


def test_no_round_gives_an_empty_series_of_ratios():
    assert scaling.ratio_series([], 4, 2).shape == (0,)


def test_throughput_may_be_taken_from_a_window_in_another_way():
    rounds = [round_of((1, 40), (2, 40), (2, 90), (1, 40)), round_of((1, 40), (2, 80))]

    def doubled_beyond_one_thread(visit: Visit) -> float:
        return scaling.throughput(visit) * (2 if visit.window.threads > 1 else 1)

    assert np.exp(scaling.ratio_series(rounds, 2, 1, qps=doubled_beyond_one_thread)) == pytest.approx([3, 4], abs=1e-6)
    assert np.exp(scaling.efficiency_series(rounds, 2, qps=doubled_beyond_one_thread)) == pytest.approx(
        [1.5, 2], abs=1e-6
    )
    assert scaling.throughput_series(rounds, 2, qps=doubled_beyond_one_thread) == pytest.approx([120, 160], abs=1e-4)


def test_the_series_keeps_the_order_of_the_rounds_and_skips_those_without_a_value():
    rounds = [round_of((1, 50), (2, 100)), round_of((1, 50)), round_of((1, 50), (2, 50))]
    assert scaling.efficiency_series(rounds, 2) == pytest.approx([0, math.log(0.5)], abs=1e-6)


def test_no_round_gives_an_empty_series_of_floats():
    series = scaling.efficiency_series([], 2)
    assert series.shape == (0,)
    assert series.dtype == np.float64


def test_the_throughput_of_a_round_is_the_geometric_mean_of_its_windows():
    rounds = [round_of((1, 40), (2, 50), (1, 90)), round_of((2, 50))]
    assert scaling.throughput_series(rounds, 1) == pytest.approx([60], abs=1e-4)


def test_the_geometric_mean_of_2_and_8_is_4():
    assert scaling.geometric_mean(np.array([2.0, 8.0])) == pytest.approx(4)


def test_no_value_has_no_geometric_mean():
    assert scaling.geometric_mean(np.empty(0)) is None


def test_the_interval_of_the_geometric_mean_is_that_of_the_logarithms():
    qps = np.array([90.0, 100.0, 110.0, 95.0, 105.0, 99.0])
    logarithms = intervals.mean_interval(np.log(qps), 0.9)
    interval = scaling.geometric_mean_interval(qps, 0.9)
    assert (interval.low, interval.high) == pytest.approx((math.exp(logarithms.low), math.exp(logarithms.high)))


def test_too_few_values_have_no_interval_of_the_geometric_mean():
    assert scaling.geometric_mean_interval(np.array([90.0, 100.0]), 0.9) is None


@given(st.floats(0, 0.5), st.floats(0, 0.05))
def test_the_parameters_of_a_perfect_curve_are_found_again(contention, coherency):
    n = np.array([1, 2, 4, 8, 16])
    fit = scaling.universal_scalability(n, usl(n, contention, coherency))
    assert (fit.contention, fit.coherency) == pytest.approx((contention, coherency), abs=1e-9)


@given(st.lists(st.floats(20, 500), min_size=3, max_size=6))
def test_the_fit_is_the_non_negative_least_squares_of_scipy(qps):
    n = np.arange(1, len(qps) + 1)
    fit = scaling.universal_scalability(n, np.array(qps))
    columns = np.column_stack([n - 1, n * (n - 1)]).astype(float)
    target = n * qps[0] / np.array(qps) - 1
    _, best = scipy.optimize.nnls(columns, target)
    assert min(fit.contention, fit.coherency) >= 0
    residual = np.linalg.norm(columns @ [fit.contention, fit.coherency] - target)
    assert residual == pytest.approx(best, rel=1e-6, abs=1e-9)


def test_scaling_better_than_linear_has_neither_contention_nor_coherency():
    fit = scaling.universal_scalability(np.array([1, 2, 4]), np.array([50.0, 110.0, 230.0]))
    assert (fit.contention, fit.coherency) == (0, 0)


def test_the_order_of_the_thread_counts_does_not_matter_to_the_fit():
    n = np.array([4, 1, 8, 2])
    fit = scaling.universal_scalability(n, usl(n, 0.1, 0.01))
    assert (fit.contention, fit.coherency) == pytest.approx((0.1, 0.01))


def test_two_thread_counts_are_too_few_for_the_scalability_law():
    assert scaling.universal_scalability(np.array([1, 2]), np.array([50.0, 90.0])) is None


def test_the_scalability_law_needs_one_thread():
    assert scaling.universal_scalability(np.array([2, 4, 8]), np.array([90.0, 150.0, 200.0])) is None
