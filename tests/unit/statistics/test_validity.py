"""Validity: which windows measure the predictor, and which measure the machine or the harness."""

from __future__ import annotations

import dataclasses

import pytest

from pytest_paddle_mt.records import Cpu
from pytest_paddle_mt.statistics import validity
from tests.builders import beside_control, round_of, rounds_of, window

TWO_CORES = Cpu(usable_cores=2, math_threads=1)


def test_threads_fit_when_each_math_thread_finds_a_core():
    assert Cpu(usable_cores=4, math_threads=2).fits(2)
    assert not Cpu(usable_cores=4, math_threads=2).fits(3)


def test_a_quiet_window_was_not_disturbed():
    assert not validity.disturbed(window(2, 80), TWO_CORES)


def test_threads_that_waited_for_a_core_were_disturbed():
    assert validity.disturbed(window(2, 80, delay_share=0.06), TWO_CORES)


def test_waiting_for_a_core_up_to_five_percent_of_the_time_is_let_pass():
    assert not validity.disturbed(window(2, 80, delay_share=0.04), TWO_CORES)


def test_threads_beyond_the_cores_take_them_from_each_other_and_were_not_disturbed():
    assert not validity.disturbed(window(4, 80, cpu_share=0.5, delay_share=0.5), TWO_CORES)


def test_cores_that_the_hypervisor_gave_to_others_preempt_threads_beyond_the_cores_too():
    assert validity.disturbed(window(4, 80, cpu_share=0.5, delay_share=0.5, stolen_cores=1.0), TWO_CORES)


def test_a_delay_that_this_process_causes_itself_is_not_the_machine_s_fault():
    assert not validity.disturbed(window(2, 80, delay_share=0.3, other_cores=0.5), TWO_CORES)


def test_cores_that_the_hypervisor_gave_to_others_preempt():
    assert validity.disturbed(window(2, 80, stolen_cores=0.2), TWO_CORES)


def test_cores_stolen_up_to_five_percent_are_let_pass():
    assert not validity.disturbed(window(2, 80, stolen_cores=0.08), TWO_CORES)


def test_one_tick_of_stolen_time_in_a_short_window_is_the_clock_of_the_kernel_not_a_disturbance():
    # 20 queries of 1 ms by each of two threads: one tick of 10 ms would be a quarter of the time of both cores
    short = window(2, 2000, queries=20, stolen_cores=0.5)
    assert short.noise is not None
    assert short.noise.steal_ns == 10_000_000
    assert not validity.disturbed(short, TWO_CORES)


def test_without_a_count_of_delays_switches_off_the_cpu_preempt():
    assert validity.disturbed(window(2, 80, delay_share=None, switches_per_s=30, cpu_share=0.9), TWO_CORES)


def test_without_a_count_of_delays_switches_that_cost_no_time_are_let_pass():
    assert not validity.disturbed(window(2, 80, delay_share=None, switches_per_s=30, cpu_share=0.99), TWO_CORES)


def test_without_a_count_of_delays_waiting_without_switches_is_let_pass():
    assert not validity.disturbed(window(2, 80, delay_share=None, switches_per_s=1, cpu_share=0.5), TWO_CORES)


def test_the_share_of_delays_is_unknown_where_the_kernel_does_not_say():
    assert validity.delay_share(window(2, 80, delay_share=None)) is None
    assert validity.delay_share(window(2, 80, delay_share=0.25)) == pytest.approx(0.25)


def test_the_share_of_stolen_time_is_unknown_where_the_kernel_does_not_say():
    assert validity.steal_share(window(2, 80, stolen_cores=None), TWO_CORES) is None


def test_unknown_stolen_time_does_not_preempt():
    assert not validity.disturbed(window(2, 80, stolen_cores=None), TWO_CORES)


# What other work took, and what throughput is without that.


def lost_share(threads: int, cpu: Cpu = TWO_CORES, **disturbed: float | None) -> float:
    return validity.lost_share(window(threads, 80, **disturbed), cpu)


def test_nothing_is_lost_in_a_quiet_window():
    assert lost_share(2) == 0.0


def test_of_threads_that_fit_the_time_ready_without_a_core_is_lost():
    assert lost_share(2, cpu_share=0.7, delay_share=0.3) == pytest.approx(0.3)
    assert lost_share(1, cpu_share=0.7, delay_share=0.3) == pytest.approx(0.3)


def test_waiting_for_something_else_than_a_core_is_not_lost():
    assert lost_share(2, cpu_share=0.5, delay_share=0.0) == 0.0


def test_what_other_threads_of_this_process_ran_meanwhile_is_not_lost():
    # of 0.3 of each of two threads, 0.6 cores together, helpers used 0.2 cores
    assert lost_share(2, cpu_share=0.7, delay_share=0.3, other_cores=0.2) == pytest.approx(0.2)
    assert lost_share(2, cpu_share=0.7, delay_share=0.3, other_cores=0.6) == pytest.approx(0.0, abs=1e-6)


def test_other_threads_of_this_process_that_ran_for_longer_than_anything_waited_lose_nothing():
    assert lost_share(2, cpu_share=0.7, delay_share=0.3, other_cores=1.5) == 0.0


def test_where_nobody_counted_this_process_the_whole_delay_is_lost():
    unknown = dataclasses.replace(window(2, 80, cpu_share=0.7, delay_share=0.3, other_cores=0.6), noise=None)
    assert validity.own_extra_cores(unknown) == 0.0
    assert validity.lost_share(unknown, TWO_CORES) == pytest.approx(0.3)


def test_where_the_kernel_does_not_count_delays_nothing_is_known_to_be_lost():
    assert lost_share(2, cpu_share=0.5, delay_share=None) == 0.0
    assert lost_share(4, cpu_share=0.25, delay_share=None) == 0.0


def test_threads_beyond_the_cores_that_use_all_of_them_lost_nothing():
    assert lost_share(4, cpu_share=0.5, delay_share=0.5) == pytest.approx(0.0, abs=1e-6)


def test_threads_beyond_the_cores_lost_the_part_of_them_that_others_had():
    # 1.5 of two cores were used, and four threads were ready without one for 0.625 of the time
    assert lost_share(4, cpu_share=0.375, delay_share=0.625) == pytest.approx(0.25)


def test_threads_beyond_the_cores_lost_at_most_what_they_wanted():
    # they sleep most of the time: 1.2 cores were wanted and 1 was used
    assert lost_share(4, cpu_share=0.25, delay_share=0.05) == pytest.approx(1 / 6)


def test_threads_beyond_the_cores_lost_nothing_to_other_threads_of_this_process():
    assert lost_share(4, cpu_share=0.375, delay_share=0.625, other_cores=0.5) == pytest.approx(0.0, abs=1e-6)
    assert lost_share(4, cpu_share=0.25, delay_share=0.75, other_cores=0.5) == pytest.approx(0.25)


def test_math_threads_decide_whether_threads_are_beyond_the_cores():
    cpu = Cpu(usable_cores=4, math_threads=2)
    assert lost_share(2, cpu, cpu_share=0.7, delay_share=0.3) == pytest.approx(0.3)
    assert lost_share(3, cpu, cpu_share=0.9, delay_share=0.1) == pytest.approx(0.1)
    assert lost_share(3, cpu, cpu_share=0.9, delay_share=0.1, other_cores=1.3) == 0.0


def test_threads_that_neither_ran_nor_wanted_to_lost_nothing():
    assert lost_share(4, cpu_share=0.0, delay_share=0.0) == 0.0


def test_the_cores_of_other_threads_of_this_process_are_its_own_less_those_of_the_measuring_threads():
    assert validity.own_extra_cores(window(2, 80, cpu_share=0.9, other_cores=0.4)) == pytest.approx(0.4)
    assert validity.own_extra_cores(window(2, 80, cpu_share=0.9, other_cores=-0.1)) == 0.0


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.74])
def test_throughput_without_the_lost_time_is_that_of_a_quiet_machine(share):
    # what serves 80 queries a second alone serves so much less where it runs for so much less of the time
    disturbed = window(2, 80 * (1 - share), cpu_share=1 - share, delay_share=share)
    assert validity.qps(disturbed, TWO_CORES) == pytest.approx(80, rel=1e-6)


def test_throughput_of_threads_that_lost_all_of_their_time_is_corrected_no_further_than_can_be():
    # counted at its end, a delay that began before the window may be longer than it
    for share in (1.0, 1.5):
        assert validity.qps(window(2, 80, delay_share=share), TWO_CORES) == pytest.approx(80 / 0.25)


def test_the_throughput_of_the_control_has_its_own_lost_time_taken_out():
    [one] = beside_control([round_of({1: 40, 2: 60})], {1: 500, 2: 500}, at=2, delay_share=0.5)
    assert [validity.control_qps(own, TWO_CORES) for own in one.visits] == pytest.approx([500, 1000, 1000, 500])


def test_the_throughput_of_a_control_that_was_not_measured_is_an_error():
    with pytest.raises(ValueError, match="a visit with 2 threads has no control"):
        validity.control_qps(round_of({1: 40, 2: 80}).visits[1], TWO_CORES)


# Threads that wait for each other.


def test_threads_that_sleep_more_often_than_one_alone_wait_for_each_other():
    assert validity.wait_for_each_other([round_of({1: 40, 2: 60}, at=2, sleeps_per_query=0.05)], 2)
    assert not validity.wait_for_each_other([round_of({1: 40, 2: 60})], 2)


def test_a_predictor_that_sleeps_with_one_thread_as_well_does_not_wait_for_another():
    rounds = [round_of({1: 40, 2: 60}, sleeps_per_query=sleeps) for sleeps in (0.0, 5.0, 12.0)]
    assert not validity.wait_for_each_other(rounds, 2)


def test_one_thread_waits_for_no_other():
    assert not validity.wait_for_each_other([round_of({1: 40, 2: 60}, at=1, sleeps_per_query=9.0)], 1)


# Which windows are set aside.


def test_a_window_that_lost_what_can_be_corrected_is_disturbed_and_not_set_aside():
    disturbed = window(2, 80, delay_share=0.74)
    assert validity.disturbed(disturbed, TWO_CORES)
    assert not validity.set_aside(disturbed, TWO_CORES)


@pytest.mark.parametrize(
    "disturbed",
    [
        window(2, 80, delay_share=0.76),
        window(4, 80, cpu_share=0.12, delay_share=0.88),
        window(2, 80, stolen_cores=0.2),
        window(2, 80, delay_share=None, switches_per_s=30, cpu_share=0.9),
    ],
    ids=["lost too much", "lost too much beyond the cores", "stolen", "nobody counts delays"],
)
def test_a_window_disturbed_by_nobody_knows_how_much_is_disturbed_and_set_aside(disturbed):
    assert validity.disturbed(disturbed, TWO_CORES)
    assert validity.set_aside(disturbed, TWO_CORES)


def test_threads_beyond_the_cores_are_not_set_aside_for_switches_that_they_owe_each_other():
    assert not validity.set_aside(window(4, 80, delay_share=None, switches_per_s=30, cpu_share=0.5), TWO_CORES)


# Whether a window is of the predictor at all.


def test_the_time_outside_queries_follows_from_little_s_law():
    # a tenth of each thread's time passes outside: n / (QPS x latency) = 1 / 0.9
    assert validity.outside_share(window(2, 80, outside=0.1)) == pytest.approx(1 / 0.9 - 1, rel=1e-6)
    assert validity.outside_share(window(2, 80)) == pytest.approx(0, abs=1e-6)


def test_the_overlap_is_that_of_the_thread_seen_least():
    assert validity.overlap(window(2, 80)) == pytest.approx(1.0)
    assert validity.overlap(window(2, 80, at_work=0.6)) == pytest.approx(0.6)


def test_windows_of_the_predictor_alone_meet_no_objection():
    assert validity.objection(rounds_of({1: 40, 2: 78}), 2) is None


def test_two_percent_outside_queries_is_where_the_objection_begins():
    assert validity.objection(rounds_of({1: 40, 2: 78}, at=2, outside=0.019), 2) is None
    assert validity.objection(rounds_of({1: 40, 2: 78}, at=2, outside=0.021), 2) is not None


def test_the_objection_names_the_time_outside_queries_and_the_next_step():
    objection = validity.objection(rounds_of({1: 40, 2: 78}, at=2, outside=0.05), 2)
    assert objection is not None
    assert "with 2 threads 5.3% of the time passed outside queries (at most 2%)" in objection
    assert "too short to be measured one by one on this machine; serve larger batches" in objection


def test_the_objection_to_threads_that_ran_one_after_the_other_asks_for_a_longer_window():
    objection = validity.objection(rounds_of({1: 40, 2: 78}, at=2, at_work=0.5), 2)
    assert objection is not None
    assert "at work for only 50% of the window" in objection
    assert "give a longer --paddle-window" in objection


def test_one_disturbed_window_among_many_meets_no_objection():
    rounds = [*rounds_of({1: 40, 2: 78}, count=6), round_of({1: 40, 2: 78}, 6, at=2, outside=0.3)]
    assert validity.objection(rounds, 2) is None


def test_a_thread_count_that_was_not_measured_meets_no_objection():
    assert validity.objection(rounds_of({1: 40, 2: 78}), 4) is None


def test_threads_that_are_bound_to_one_cpu_delay_each_other():
    """Other work took nothing: taken out of throughput, their delay would make two threads on one core scale."""
    bound = window(2, 40.0, cpu_share=0.5, delay_share=0.5, cpus=(0,))
    assert validity.lost_share(bound, Cpu(usable_cores=2, math_threads=1)) == 0
    free = window(2, 40.0, cpu_share=0.5, delay_share=0.5, cpus=(0, 1))
    assert validity.lost_share(free, Cpu(usable_cores=2, math_threads=1)) == 0.5
