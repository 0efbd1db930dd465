"""Validity: which windows measure the predictor, and which measure the machine or the harness."""

from __future__ import annotations

import pytest

from pytest_paddle_mt import validity
from pytest_paddle_mt.validity import Cpu
from tests.builders import round_of, rounds_of, window

TWO_CORES = Cpu(usable_cores=2, math_threads=1)


def test_threads_fit_when_each_math_thread_finds_a_core():
    assert Cpu(usable_cores=4, math_threads=2).fits(2)
    assert not Cpu(usable_cores=4, math_threads=2).fits(3)


def test_a_quiet_window_was_not_preempted():
    assert not validity.preempted(window(2, 80), TWO_CORES)


def test_threads_that_waited_for_a_core_were_preempted():
    assert validity.preempted(window(2, 80, delay_share=0.06), TWO_CORES)


def test_waiting_for_a_core_up_to_five_percent_of_the_time_is_let_pass():
    assert not validity.preempted(window(2, 80, delay_share=0.04), TWO_CORES)


def test_threads_beyond_the_cores_take_them_from_each_other_and_were_not_preempted():
    assert not validity.preempted(window(4, 80, delay_share=0.5, stolen_cores=1.0), TWO_CORES)


def test_a_delay_that_this_process_causes_itself_is_not_the_machine_s_fault():
    assert not validity.preempted(window(2, 80, delay_share=0.3, other_cores=0.5), TWO_CORES)


def test_cores_that_the_hypervisor_gave_to_others_preempt():
    assert validity.preempted(window(2, 80, stolen_cores=0.2), TWO_CORES)


def test_cores_stolen_up_to_five_percent_are_let_pass():
    assert not validity.preempted(window(2, 80, stolen_cores=0.08), TWO_CORES)


def test_one_tick_of_stolen_time_in_a_short_window_is_the_clock_of_the_kernel_not_a_disturbance():
    # 20 queries of 1 ms by each of two threads: one tick of 10 ms would be a quarter of the time of both cores
    short = window(2, 2000, queries=20, stolen_cores=0.5)
    assert short.noise is not None
    assert short.noise.steal_ns == 10_000_000
    assert not validity.preempted(short, TWO_CORES)


def test_without_a_count_of_delays_switches_off_the_cpu_preempt():
    assert validity.preempted(window(2, 80, delay_share=None, switches_per_s=30, cpu_share=0.9), TWO_CORES)


def test_without_a_count_of_delays_switches_that_cost_no_time_are_let_pass():
    assert not validity.preempted(window(2, 80, delay_share=None, switches_per_s=30, cpu_share=0.99), TWO_CORES)


def test_without_a_count_of_delays_waiting_without_switches_is_let_pass():
    assert not validity.preempted(window(2, 80, delay_share=None, switches_per_s=1, cpu_share=0.5), TWO_CORES)


def test_the_share_of_delays_is_unknown_where_the_kernel_does_not_say():
    assert validity.delay_share(window(2, 80, delay_share=None)) is None
    assert validity.delay_share(window(2, 80, delay_share=0.25)) == pytest.approx(0.25)


def test_the_share_of_stolen_time_is_unknown_where_the_kernel_does_not_say():
    assert validity.steal_share(window(2, 80, stolen_cores=None), TWO_CORES) is None


def test_unknown_stolen_time_does_not_preempt():
    assert not validity.preempted(window(2, 80, stolen_cores=None), TWO_CORES)


def test_a_round_is_usable_for_a_count_when_neither_it_nor_one_thread_was_preempted():
    assert validity.usable(round_of({1: 40, 2: 78}), 2, TWO_CORES)
    assert not validity.usable(round_of({1: 40, 2: 78}, at=2, delay_share=0.3), 2, TWO_CORES)
    assert not validity.usable(round_of({1: 40, 2: 78}, at=1, delay_share=0.3), 2, TWO_CORES)


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
