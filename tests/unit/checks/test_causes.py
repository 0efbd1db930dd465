"""Diagnosis: a sweep that does not scale shows why."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pytest_paddle_mt.checks import causes as module
from pytest_paddle_mt.records import Cpu, Round, Subject
from tests.builders import round_with, rounds_of, subject, window

FOUR_CORES = Cpu(usable_cores=4, math_threads=1)


def causes(rounds: Sequence[Round], threads: int = 2, cpu: Cpu = FOUR_CORES, of: Subject | None = None) -> list[str]:
    return module.causes(of or subject(), rounds, threads, cpu)


def test_a_sweep_that_scales_shows_no_cause():
    assert causes(rounds_of({1: 40, 2: 80})) == []


def test_the_gil_is_named_when_python_threads_measured_a_paddle_that_holds_it():
    held = subject(engine="python", gil="held", facts={"paddle": "paddlepaddle 3.3.1"})
    [cause] = causes(rounds_of({1: 40, 2: 40}, at=2, cpu_share=0.5), of=held)
    assert cause.startswith("Predictor.run() of paddlepaddle 3.3.1 holds the GIL, so Python threads take turns")
    assert "3.2.2 does" in cause
    assert "native engine" in cause


def test_a_query_of_the_users_own_that_holds_the_gil_is_named():
    held = subject(engine="python", gil="held", gil_of="the query", facts={"paddle": "paddlepaddle 3.3.1"})
    [cause] = causes(rounds_of({1: 40, 2: 40}, at=2, cpu_share=0.5), of=held)
    assert cause.startswith("the query (with paddlepaddle 3.3.1) holds the GIL, so Python threads take turns")


def test_the_gil_is_not_blamed_for_what_the_native_engine_shows():
    held = subject(engine="native", gil="held")
    assert not any("GIL" in cause for cause in causes(rounds_of({1: 40, 2: 44}, at=2, cpu_share=0.5), of=held))


def test_the_gil_is_not_blamed_when_it_is_released():
    released = subject(engine="python", gil="released")
    assert not any("GIL" in cause for cause in causes(rounds_of({1: 40, 2: 44}, at=2, cpu_share=0.5), of=released))


def test_more_threads_than_cores_are_named():
    rounds = rounds_of({1: 40, 8: 160}, at=8, cpu_share=0.5, delay_share=0.5)
    assert causes(rounds, threads=8) == ["8 threads want 8 cores and 4 are usable"]


def test_math_threads_count_towards_the_cores_wanted():
    cpu = Cpu(usable_cores=4, math_threads=4)
    assert causes(rounds_of({1: 40, 2: 40}), cpu=cpu)[0] == (
        "2 threads of 4 math threads each want 8 cores and 4 are usable"
    )


def test_rounds_that_were_set_aside_are_no_cause():
    rounds = [*rounds_of({1: 40, 2: 80}, count=5), *rounds_of({1: 40, 2: 40}, count=3, at=2, stolen_cores=1.0)]
    assert causes(rounds) == []


def test_rounds_that_were_set_aside_hide_no_cause():
    rounds = [*rounds_of({1: 40, 2: 60}, count=5), *rounds_of({1: 40, 2: 80}, count=3, at=2, stolen_cores=1.0)]
    [cause] = causes(rounds)
    assert cause.startswith("a query takes 33% more CPU time than with one thread")


def test_time_that_other_work_took_is_neither_waiting_nor_work():
    assert causes(rounds_of({1: 40, 2: 56}, at=2, cpu_share=0.7, delay_share=0.3)) == []


TWO_CORES = Cpu(usable_cores=2, math_threads=1)


def test_other_threads_of_this_process_that_want_the_same_cores_are_named():
    # two threads run for 0.75 of the time on two cores: helpers have the rest
    rounds = rounds_of({1: 40, 2: 60}, at=2, cpu_share=0.75, delay_share=0.25, other_cores=0.5)
    [cause] = causes(rounds, cpu=TWO_CORES)
    assert cause.startswith("other threads of this process used 0.50 cores meanwhile, of 2: helpers of the predictors")
    assert ".json model with a worker thread for each, a .pdmodel without" in cause


def test_other_threads_of_this_process_that_find_cores_of_their_own_are_no_cause():
    assert causes(rounds_of({1: 40, 2: 80}, at=2, other_cores=0.5), cpu=FOUR_CORES) == []


@pytest.mark.parametrize(("other_cores", "named"), [(0.09, False), (0.11, True)])
def test_other_threads_of_this_process_are_named_from_a_twentieth_of_a_core_for_each_thread(other_cores, named):
    found = causes(rounds_of({1: 40, 2: 80}, at=2, other_cores=other_cores), cpu=TWO_CORES)
    assert [cause.startswith("other threads of this process") for cause in found] == [True] * named


def test_math_threads_leave_fewer_cores_to_other_threads_of_this_process():
    rounds = rounds_of({1: 40, 2: 80}, at=2, other_cores=0.5)
    assert causes(rounds, cpu=Cpu(usable_cores=6, math_threads=2)) == []
    [cause] = causes(rounds, cpu=Cpu(usable_cores=4, math_threads=2))
    assert cause.startswith("other threads of this process used 0.50 cores meanwhile, of 4")


def test_other_threads_of_this_process_beside_one_thread_alone_are_no_cause_with_two():
    assert causes(rounds_of({1: 40, 2: 80}, at=1, other_cores=0.5), cpu=TWO_CORES) == []


def test_threads_that_wait_share_a_lock():
    # half the throughput, half of the time off the CPU without wanting it: a query costs what it did
    [cause] = causes(rounds_of({1: 40, 2: 40}, at=2, cpu_share=0.5))
    assert cause.startswith("the threads waited, neither running nor ready to run, for 50% more of the time")
    assert "a lock or a queue that they share" in cause


def test_waiting_that_one_thread_does_as_well_is_no_cause():
    rounds = [
        round_with(*(window(n, 40.0 * n, cpu_share=0.6) for n in (1, 2, 2, 1)), index=index) for index in range(6)
    ]
    assert causes(rounds) == []


def test_queries_that_cost_more_cpu_time_share_memory_or_caches():
    [cause] = causes(rounds_of({1: 40, 2: 60}))
    assert cause.startswith("a query takes 33% more CPU time than with one thread")
    assert "memory bandwidth, caches" in cause


def test_a_growth_of_cpu_time_that_is_within_the_noise_is_no_cause():
    assert causes(rounds_of({1: 40, 2: 76})) == []


def test_two_causes_are_both_named():
    found = causes(rounds_of({1: 40, 2: 40}, at=2, cpu_share=0.75))
    assert [cause.partition(" ")[0] for cause in found] == ["the", "a"]


def test_without_a_usable_round_nothing_is_blamed():
    assert causes(rounds_of({1: 40, 2: 30}, at=2, stolen_cores=1.0, cpu_share=0.5)) == []


@pytest.mark.parametrize("delay_share", [None, 0.0])
def test_a_kernel_that_counts_no_delays_hides_no_lock(delay_share):
    [cause] = causes(rounds_of({1: 40, 2: 40}, at=2, cpu_share=0.5, delay_share=delay_share))
    assert cause.startswith("the threads waited")
