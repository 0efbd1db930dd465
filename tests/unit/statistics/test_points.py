"""Points: what is shown of each thread count, made from the rounds that say something about it."""

from __future__ import annotations

import pytest

from pytest_paddle_mt.records import Cpu, Point
from pytest_paddle_mt.statistics.points import (
    latency_rounds,
    points_of,
    pooled_latencies,
    throughputs,
    universal_scalability,
)
from tests.builders import probed, round_of, rounds_of

TWO_CORES = Cpu(usable_cores=2, math_threads=1)


def points(rounds, counts=(1, 2)) -> list[Point]:
    return list(points_of(rounds, counts, TWO_CORES, dict.fromkeys(counts, 0.95)))


def test_throughput_is_the_geometric_mean_over_rounds():
    one, _ = points([round_of({1: 20, 2: 80}), round_of({1: 80, 2: 80}, 1)])
    assert one.qps == pytest.approx(40)


def test_efficiency_and_speedup_are_relative_to_one_thread():
    one, two = points(rounds_of({1: 40, 2: 60}))
    assert (one.efficiency, one.speedup) == (1.0, 1.0)
    assert two.efficiency == pytest.approx(0.75)
    assert two.speedup == pytest.approx(1.5)


def test_the_interval_of_the_efficiency_holds_it():
    _, two = points(rounds_of({1: 40, 2: 60}, ripple=0.02))
    assert two.efficiency_interval is not None
    assert two.efficiency_interval.low < two.efficiency < two.efficiency_interval.high


def test_one_thread_has_an_efficiency_of_one_and_no_interval_for_it():
    one, _ = points(rounds_of({1: 40, 2: 60}))
    assert one.efficiency_interval is None


def test_below_four_rounds_there_is_no_interval():
    _, two = points(rounds_of({1: 40, 2: 60}, count=3))
    assert two.efficiency == pytest.approx(0.75)
    assert (two.qps_interval, two.efficiency_interval) == (None, None)


def test_an_interval_of_throughput_wider_than_a_factor_of_two_is_unknown():
    one, two = points([round_of({1: qps, 2: 80}, index) for index, qps in enumerate([40, 40, 2, 40])])
    assert one.qps_interval is None
    assert two.qps_interval is not None
    assert two.efficiency_interval is not None, "what is judged is kept as it is"


def test_rounds_that_were_set_aside_are_counted_and_left_out():
    rounds = [*rounds_of({1: 40, 2: 80}, count=6), *rounds_of({1: 40, 2: 20}, count=2, at=2, stolen_cores=0.5)]
    _, two = points(rounds)
    assert two.qps == pytest.approx(80)
    assert (two.rounds, two.set_aside_rounds) == (8, 2)
    assert two.queries == 6 * 2 * 200


def test_rounds_on_shared_cores_are_counted_and_left_out():
    shared = probed(rounds_of({1: 40, 2: 42}, count=2), {1: 500, 2: 510})
    stolen = rounds_of({1: 40, 2: 20}, count=1, at=2, stolen_cores=0.5)
    _, two = points([*rounds_of({1: 40, 2: 80}, count=5), *shared, *stolen])
    assert two.qps == pytest.approx(80)
    assert (two.rounds, two.set_aside_rounds, two.shared_core_rounds) == (8, 3, 2)


def test_what_disturbed_two_threads_leaves_one_thread_alone():
    rounds = [*rounds_of({1: 40, 2: 80}, count=6), *rounds_of({1: 40, 2: 20}, count=2, at=2, stolen_cores=0.5)]
    one, _ = points(rounds)
    assert (one.rounds, one.set_aside_rounds) == (8, 0)


def test_where_every_round_was_set_aside_throughput_is_shown_without_an_efficiency():
    _, two = points(rounds_of({1: 40, 2: 20}, at=2, stolen_cores=0.5))
    assert two.qps == pytest.approx(20)
    assert (two.efficiency, two.speedup, two.efficiency_interval) == (None, None, None)
    assert two.set_aside_rounds == two.rounds


def test_where_every_round_lost_all_of_its_time_there_is_a_point_all_the_same():
    _, two = points(rounds_of({1: 40, 2: 20}, at=2, delay_share=1.2))
    assert two.qps > 0
    assert (two.efficiency, two.set_aside_rounds) == (None, 8)


def test_throughput_and_efficiency_have_the_time_taken_out_that_other_work_took():
    one, two = points(rounds_of({1: 40, 2: 60}, at=2, delay_share=0.25))
    assert (one.qps, two.qps) == (pytest.approx(40), pytest.approx(80))
    assert (two.efficiency, two.speedup) == (pytest.approx(1.0), pytest.approx(2.0))
    assert two.set_aside_rounds == 0


def test_what_one_thread_lost_is_taken_out_of_the_efficiency_of_the_others():
    one, two = points(rounds_of({1: 20, 2: 60}, at=1, delay_share=0.5))
    assert one.qps == pytest.approx(40)
    assert two.efficiency == pytest.approx(0.75)


def test_the_lost_share_is_the_mean_over_the_windows_of_a_thread_count():
    rounds = [*rounds_of({1: 40, 2: 80}, count=6), *rounds_of({1: 40, 2: 48}, count=2, at=2, delay_share=0.4)]
    one, two = points(rounds)
    assert (one.lost_share, two.lost_share) == (0.0, pytest.approx(0.1))


def test_what_was_lost_in_rounds_that_were_set_aside_is_not_in_the_lost_share():
    rounds = [
        *rounds_of({1: 40, 2: 80}, count=4),
        *rounds_of({1: 40, 2: 20}, count=4, at=2, delay_share=0.4, stolen_cores=0.5),
    ]
    assert points(rounds)[1].lost_share == 0.0
    assert points(rounds[4:])[1].lost_share == pytest.approx(0.4)


def test_latencies_are_those_of_the_rounds_that_other_work_left_alone():
    rounds = [*rounds_of({1: 40, 2: 80}, count=6), *rounds_of({1: 40, 2: 56}, count=2, at=2, delay_share=0.3)]
    _, two = points(rounds)
    assert two.latency.max_ns == 25_000_000
    assert two.queries == 8 * 2 * 200  # throughput is of all of them
    assert [one.index for one in latency_rounds(rounds, 2, TWO_CORES)] == [0, 1, 2, 3, 4, 5]
    assert len(latency_rounds(rounds, 1, TWO_CORES)) == 8


def test_time_that_does_not_show_in_latencies_takes_no_round_from_them():
    rounds = rounds_of({1: 40, 2: 78}, at=2, delay_share=0.04)
    assert len(latency_rounds(rounds, 2, TWO_CORES)) == 8


def test_where_other_work_left_no_round_alone_the_latencies_of_all_are_shown():
    rounds = [
        *rounds_of({1: 40, 2: 56}, count=4, at=2, delay_share=0.3),
        *rounds_of({1: 40, 2: 20}, count=4, at=2, stolen_cores=0.5),
    ]
    assert len(latency_rounds(rounds, 2, TWO_CORES)) == 8
    assert points(rounds)[1].latency.max_ns == 100_000_000


def test_the_throughputs_of_the_rounds_are_corrected_and_those_set_aside_are_left_out():
    rounds = [
        round_of({1: 40, 2: 80}),
        round_of({1: 40, 2: 60}, at=2, delay_share=0.25),
        round_of({1: 40, 2: 20}, at=2, stolen_cores=0.5),
    ]
    assert throughputs(rounds, 2, TWO_CORES) == pytest.approx([80, 80])
    assert throughputs(rounds, 1, TWO_CORES) == pytest.approx([40, 40, 40])
    assert throughputs(rounds[2:], 2, TWO_CORES) == pytest.approx([20])


def test_fairness_is_the_slowest_thread_over_the_fastest():
    _, two = points(rounds_of({1: 40, 2: 80}))
    assert two.fairness == pytest.approx(1.0)


def test_latencies_are_those_of_every_query_of_every_thread():
    rounds = rounds_of({1: 40, 2: 80}, count=2)
    latencies = pooled_latencies(rounds, 2)
    assert latencies.queries == 2 * 2 * 2 * 100
    assert set(latencies.values_ns) == {25_000_000}


def test_percentiles_that_the_sample_cannot_support_are_none():
    _, two = points(rounds_of({1: 40, 2: 80}, count=1))
    assert two.latency.p90_ns == 25_000_000
    assert two.latency.p99_ns is None


def test_three_thread_counts_give_a_fit_of_the_universal_scalability_law():
    counts = (1, 2, 4)
    measured = points(rounds_of({1: 40, 2: 40 * 2 / 1.1, 4: 40 * 4 / 1.3}), counts)
    fit = universal_scalability(measured)
    assert fit is not None
    assert fit.contention == pytest.approx(0.1, abs=1e-6)
    assert fit.coherency == pytest.approx(0.0, abs=1e-6)


def test_two_thread_counts_give_no_fit():
    assert universal_scalability(points(rounds_of({1: 40, 2: 78}))) is None
