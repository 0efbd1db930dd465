"""Diagnosis: a sweep that does not scale shows why, or that it is unknown."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from pytest_paddle_mt.cause import Cause
from pytest_paddle_mt.checks import causes
from pytest_paddle_mt.records import Cpu, Round, Subject, Window
from pytest_paddle_mt.testing import window
from tests.builders import limits, point, probed, round_with, rounds_of, subject, verdict

FOUR_CORES = Cpu(usable_cores=4, math_threads=1)
TWO_CORES = Cpu(usable_cores=2, math_threads=1)
HELD = subject(engine="python", gil="held", facts={"paddle": "paddlepaddle 3.3.1"})


def seen_in(
    rounds: Sequence[Round],
    threads: int = 2,
    cpu: Cpu = FOUR_CORES,
    of: Subject | None = None,
    over_cores: bool = False,
) -> causes.Observed:
    seen = causes.observed(of or subject(), rounds, threads, cpu, over_cores=over_cores)
    assert seen is not None
    return seen


def likely(rounds: Sequence[Round], threads: int = 2, cpu: Cpu = FOUR_CORES, of: Subject | None = None) -> Cause:
    found = causes.likely(seen_in(rounds, threads, cpu, of))
    assert found is not None
    return found


def beside(*, stream: float, arithmetic: float) -> Cause:
    """What is likely where a thread serves so many queries per second beside each kind of work, and two 60 of 80."""
    both = causes.Beside(stream=[window(1, stream)] * 3, arithmetic=[window(1, arithmetic)] * 3)
    found = causes.likely(dataclasses.replace(seen_in(rounds_of({1: 40, 2: 60})), beside=both))
    assert found is not None
    return found


def with_slow_thread(threads: int, qps: float, index: int, times: float) -> Window:
    """A window in which one thread takes ``times`` as long for a query, and the others share the rest."""
    even = window(threads, qps)
    slow = even.per_thread[index]
    slow = dataclasses.replace(slow, completed=slow.completed / times)
    return dataclasses.replace(
        even, per_thread=tuple(slow if one == index else thread for one, thread in enumerate(even.per_thread))
    )


def test_a_sweep_that_scales_has_no_cause():
    assert causes.likely(seen_in(rounds_of({1: 40, 2: 80}))) is None


def test_a_loss_that_is_within_the_noise_has_no_cause():
    assert causes.likely(seen_in(rounds_of({1: 40, 2: 76}))) is None


def test_without_a_round_there_is_nothing_to_seek_in():
    assert causes.observed(subject(), [], 2, FOUR_CORES) is None


# The GIL


def test_the_gil_is_named_when_python_threads_measured_a_paddle_that_holds_it():
    found = likely(rounds_of({1: 40, 2: 40}, at=2, cpu_share=0.5, sleeps_per_query=1), of=HELD)
    assert found.kind == "gil"
    assert found.text.startswith("Predictor.run() of paddlepaddle 3.3.1 holds the GIL, so Python threads take turns")
    assert "waited 50% of the time" in found.text
    assert "3.2.2 does" in found.text


def test_a_query_of_the_users_own_that_holds_the_gil_is_named():
    own = dataclasses.replace(HELD, gil_of="the query")
    found = likely(rounds_of({1: 40, 2: 40}, at=2, cpu_share=0.5, sleeps_per_query=1), of=own)
    assert found.text.startswith("the query (with paddlepaddle 3.3.1) holds the GIL")


def test_a_callable_that_holds_the_gil_is_named_without_a_word_of_paddle():
    own = dataclasses.replace(HELD, engine="callable", gil_of="the callable", facts={})
    found = likely(rounds_of({1: 40, 2: 40}, at=2, cpu_share=0.5, sleeps_per_query=1), of=own)
    assert found.text.startswith("the callable holds the GIL, so Python threads take turns: they waited ")
    assert found.text.endswith("; serve from several processes, or by code that releases it")


def test_the_gil_is_not_blamed_for_what_the_native_engine_shows():
    native = subject(engine="native", gil="held")
    assert likely(rounds_of({1: 40, 2: 40}, at=2, cpu_share=0.5, sleeps_per_query=1), of=native).kind == "lock"


def test_the_gil_is_not_blamed_for_cpu_time():
    assert likely(rounds_of({1: 40, 2: 50}), of=HELD).kind == "unknown"


@pytest.mark.parametrize("state", ["released", "unknown"])
def test_python_threads_that_wait_for_a_gil_that_run_releases_wait_for_something_unknown(state):
    other = subject(engine="python", gil=state)
    found = likely(rounds_of({1: 40, 2: 40}, at=2, cpu_share=0.5, sleeps_per_query=1), of=other)
    assert found.kind == "unknown"
    assert found.text.endswith("the GIL, or a lock that they share")


# Cores


def test_more_threads_than_cores_are_named():
    found = likely(rounds_of({1: 40, 8: 160}, at=8, cpu_share=0.5, delay_share=0.5), threads=8)
    assert (found.kind, found.text) == ("cores", "8 threads want 8 cores and 4 are usable")


def test_sharing_the_cores_is_no_loss_where_throughput_should_only_hold():
    rounds = rounds_of({1: 40, 8: 160}, at=8, cpu_share=0.5, delay_share=0.5)
    assert causes.likely(seen_in(rounds, 8, over_cores=True)) is None


def test_math_threads_count_towards_the_cores_wanted():
    cpu = Cpu(usable_cores=4, math_threads=4)
    rounds = rounds_of({1: 40, 2: 40}, at=2, cpu_share=0.5, delay_share=0.5, other_cores=2.7, idle_cores=0.3)
    found = likely(rounds, cpu=cpu)
    assert (found.kind, found.text) == (
        "math_threads",
        "2 threads of 4 math threads each want 8 cores and 4 are usable",
    )


def test_math_threads_are_not_named_while_cores_are_idle():
    cpu = Cpu(usable_cores=4, math_threads=4)
    rounds = rounds_of({1: 40, 2: 40}, at=2, cpu_share=0.5, idle_cores=1.5, sleeps_per_query=1)
    assert likely(rounds, cpu=cpu).kind == "lock"


def test_threads_that_are_bound_to_one_cpu_share_it():
    rounds = rounds_of({1: 40, 2: 40}, at=2, cpu_share=0.5, delay_share=0.5, cpus=(3,), idle_cores=2.9)
    found = likely(rounds)
    assert found.kind == "shared_core"
    assert found.text.startswith("2 threads may run on CPU 3 only")
    assert found.text.endswith("for 50% of the time, while 2.9 cores were free")


def test_cores_that_are_much_slower_together_are_shared():
    rounds = probed(rounds_of({1: 40, 2: 44}), {1: 500.0, 2: 520.0})
    found = likely(rounds)
    assert (found.kind, round(found.figures["probe_speed"], 2)) == ("shared_core", 0.52)


def test_cores_that_are_a_little_slower_together_have_lower_clocks():
    found = likely(probed(rounds_of({1: 40, 2: 66}), {1: 500.0, 2: 830.0}))
    assert (found.kind, round(found.figures["probe_speed"], 2)) == ("clocks", 0.83)


def test_clocks_that_account_for_a_small_part_of_the_loss_are_not_named():
    assert likely(probed(rounds_of({1: 40, 2: 50}), {1: 500.0, 2: 920.0})).kind == "unknown"


def test_cores_that_are_shared_are_named_where_every_round_was_set_aside_for_that():
    assert likely(probed(rounds_of({1: 40, 2: 78}), {1: 500.0, 2: 520.0})).kind == "shared_core"
    stolen = probed(rounds_of({1: 40, 2: 80}, at=2, stolen_cores=1.0), {1: 500.0, 2: 1000.0})
    assert causes.likely(seen_in(stolen)) is None


# Helper threads


def test_helpers_that_want_the_same_cores_are_named():
    # two threads run for 0.75 of the time on two cores: helpers have the rest
    rounds = rounds_of({1: 40, 2: 60}, at=2, cpu_share=0.75, delay_share=0.25, other_cores=0.5)
    found = likely(rounds, cpu=TWO_CORES)
    assert found.kind == "helper_threads"
    assert found.text.startswith("other threads of this process used 0.50 cores meanwhile, of 2: helpers of the")
    assert ".json model with a worker thread for each, a .pdmodel without" in found.text


@pytest.mark.parametrize(("other_cores", "kind"), [(0.09, "lock"), (0.11, "helper_threads")])
def test_helpers_are_named_from_a_twentieth_of_a_core_for_each_thread(other_cores, kind):
    rounds = rounds_of({1: 40, 2: 60}, at=2, cpu_share=0.75, other_cores=other_cores, sleeps_per_query=1)
    assert likely(rounds, cpu=TWO_CORES).kind == kind


def test_helpers_that_find_cores_of_their_own_are_no_cause():
    rounds = rounds_of({1: 40, 2: 60}, at=2, cpu_share=0.75, other_cores=0.5, sleeps_per_query=1)
    assert likely(rounds, cpu=FOUR_CORES).kind == "lock"
    idle = rounds_of({1: 40, 2: 60}, at=2, cpu_share=0.75, other_cores=0.6, sleeps_per_query=1, idle_cores=0.5)
    assert likely(idle, cpu=TWO_CORES).kind == "lock"


# Waiting


def test_threads_that_wait_and_sleep_share_a_lock():
    found = likely(rounds_of({1: 40, 2: 40}, at=2, cpu_share=0.5, sleeps_per_query=1, idle_cores=1.9))
    assert found.line == (
        "likely cause: a lock: threads waited 50% of the time (40 voluntary switches/s), while 1.9 cores were free"
    )
    assert found.figures["waiting_share_of_loss"] == 1
    assert found.figures["idle_cores"] == pytest.approx(1.9)


def test_threads_that_wait_without_going_to_sleep_wait_for_something_unknown():
    assert likely(rounds_of({1: 40, 2: 40}, at=2, cpu_share=0.5)).kind == "unknown"


def test_threads_that_wait_on_a_gpu_may_wait_for_it():
    gpu = subject(device="gpu:0")
    found = likely(rounds_of({1: 40, 2: 40}, at=2, cpu_share=0.5, sleeps_per_query=1), of=gpu)
    assert found.kind == "unknown"
    assert "for the device" in found.text


def test_waiting_that_one_thread_does_as_well_is_no_cause():
    rounds = [
        round_with(*(window(n, 40.0 * n, cpu_share=0.6) for n in (1, 2, 2, 1)), index=index) for index in range(6)
    ]
    assert causes.likely(seen_in(rounds)) is None


@pytest.mark.parametrize("delay_share", [None, 0.0])
def test_a_kernel_that_counts_no_delays_hides_no_lock(delay_share):
    rounds = rounds_of({1: 40, 2: 40}, at=2, cpu_share=0.5, delay_share=delay_share, sleeps_per_query=1)
    assert likely(rounds).kind == "lock"


# Page faults


def faulting(system_share: float, faults_per_query: float, **more: float) -> list[Round]:
    alone = window(1, 40.0, system_share=0.2, faults_per_query=faults_per_query)
    together = window(2, 50.0, system_share=system_share, faults_per_query=faults_per_query, sleeps_per_query=1, **more)
    return [round_with(alone, together, together, alone, index=index) for index in range(6)]


def test_page_faults_are_named_when_the_kernel_takes_the_cpu_time():
    found = likely(faulting(0.5, 20_000))
    assert found.kind == "page_faults"
    assert found.text.startswith(
        "threads took 1,000,000 page faults/s (20,000 a query), and the kernel had 50% of their"
    )


def test_page_faults_are_named_when_threads_wait_for_each_other_in_the_kernel():
    assert likely(faulting(0.5, 20_000, cpu_share=0.6)).kind == "page_faults"


@pytest.mark.parametrize(("system_share", "faults"), [(0.22, 20_000), (0.5, 2), (0.5, 200)])
def test_page_faults_are_not_blamed_for_what_is_no_work_of_the_kernel_nor_where_there_are_few(system_share, faults):
    assert likely(faulting(system_share, faults)).kind == "unknown"


# One slow thread


def test_one_slow_thread_is_named():
    rounds = [
        round_with(window(1, 40.0), with_slow_thread(4, 160.0, 2, 3.0), window(1, 40.0), index=index)
        for index in range(6)
    ]
    found = likely(rounds, threads=4)
    assert found.kind == "slow_thread"
    assert found.text.startswith("thread 2 needs 3.0 times the CPU time of the others")


def test_a_slow_thread_does_not_hide_that_all_are_slower_than_one_alone():
    rounds = [
        round_with(window(1, 40.0), with_slow_thread(4, 90.0, 2, 1.3), window(1, 40.0), index=index)
        for index in range(6)
    ]
    assert likely(rounds, threads=4).kind == "unknown"


def test_threads_that_all_differ_are_not_one_slow_thread():
    uneven = window(3, 120.0)
    threads = [
        dataclasses.replace(one, completed=one.completed / times)
        for one, times in zip(uneven.per_thread, (1.0, 2.0, 3.0), strict=True)
    ]
    uneven = dataclasses.replace(uneven, per_thread=tuple(threads))
    rounds = [round_with(window(1, 40.0), uneven, window(1, 40.0), index=index) for index in range(6)]
    assert likely(rounds, threads=3).kind == "unknown"


def test_a_thread_that_is_slow_in_some_windows_is_not_one_slow_thread():
    uneven = [with_slow_thread(2, 80.0, index, 3.0) for index in (0, 1, 1)]
    rounds = [round_with(window(1, 40.0), *uneven, window(1, 40.0), index=index) for index in range(6)]
    assert likely(rounds).kind == "unknown"


# Memory


def test_cpu_time_that_grows_without_a_reason_asks_for_a_measurement_beside_other_work():
    seen = seen_in(rounds_of({1: 40, 2: 60}))
    assert causes.needs_beside(seen)
    assert not causes.needs_beside(seen_in(rounds_of({1: 40, 2: 40}, at=2, cpu_share=0.5)))


def test_a_thread_that_is_slower_beside_a_stream_shares_memory_bandwidth():
    found = beside(stream=31.0, arithmetic=40.0)
    assert found.kind == "memory_bandwidth"
    assert found.text == (
        "a query takes 33% more CPU time with 2 threads, and that of one thread takes 29% more beside threads that "
        "read memory than beside threads that compute"
    )


@pytest.mark.parametrize(("stream", "arithmetic"), [(39.0, 40.0), (35.0, 40.0), (30.0, 31.0)])
def test_a_thread_that_is_hardly_slower_beside_a_stream_does_not(stream, arithmetic):
    found = beside(stream=stream, arithmetic=arithmetic)
    assert found.kind == "unknown"
    assert "not memory bandwidth" in found.text


def test_a_thread_that_is_not_slower_each_time_beside_a_stream_does_not_either():
    both = causes.Beside(stream=[window(1, qps) for qps in (30.0, 30.0, 41.0)], arithmetic=[window(1, 40.0)] * 3)
    found = causes.likely(dataclasses.replace(seen_in(rounds_of({1: 40, 2: 60})), beside=both))
    assert found is not None
    assert found.kind == "unknown"


# The machine


def test_a_contended_machine_is_named_where_nothing_else_was_lost():
    found = likely(rounds_of({1: 40, 2: 56}, at=2, cpu_share=0.7, delay_share=0.3, idle_cores=0.0))
    assert found.line == "likely cause: contended machine: other work took 30% of the threads' time"


def test_a_contended_machine_is_named_where_every_round_was_set_aside():
    rounds = rounds_of({1: 40, 2: 12}, at=2, cpu_share=0.15, delay_share=0.8, sleeps_per_query=1)
    assert likely(rounds).kind == "contended_machine"


def test_a_contended_machine_hides_no_lock():
    rounds = rounds_of({1: 40, 2: 28}, at=2, cpu_share=0.35, delay_share=0.3, sleeps_per_query=1, idle_cores=0.0)
    found = likely(rounds)
    assert found.kind == "lock"
    assert found.text.endswith("while other work took 30% of it")


def test_rounds_that_were_set_aside_are_no_cause():
    rounds = [*rounds_of({1: 40, 2: 80}, count=5), *rounds_of({1: 40, 2: 40}, count=9, at=2, stolen_cores=1.0)]
    assert causes.likely(seen_in(rounds)) is None


def test_two_causes_of_which_none_accounts_for_half_are_unknown():
    alone = window(1, 40.0)
    together = window(2, 40.0, cpu_share=0.7, delay_share=0.15, other_cores=0.3, sleeps_per_query=1)
    rounds = [round_with(alone, together, alone, index=index) for index in range(6)]
    found = likely(rounds, cpu=TWO_CORES)
    assert found.text == "a query takes 100% longer, and no single cause accounts for half of it"


def test_what_shows_where_the_time_went_and_not_why_is_unknown():
    rounds = [
        round_with(window(1, 40.0), window(2, 40.0, cpu_share=0.5, delay_share=0.5, other_cores=1.0), window(1, 40.0))
        for _ in range(6)
    ]
    found = likely(rounds, cpu=FOUR_CORES)
    assert found.text == "a query takes 100% longer, most of it ready without a core, and nothing shows why"


# What a cause is sought for


def concerned(*verdicts, points=(), usable_cores=4):
    return causes.concerned(verdicts, points, limits(), usable_cores)


def test_the_worst_failure_is_concerned():
    failed = [verdict("fail", n, observed=observed) for n, observed in ((2, 0.7), (3, 0.5), (4, 0.6))]
    assert concerned(*failed, verdict("inconclusive", 8, observed=0.1)) == (3, False)


def test_a_collapse_lies_beyond_the_cores():
    assert concerned(verdict("fail", 8, check="collapse", observed=0.5)) == (8, True)


def test_a_drift_has_no_cause_of_its_own():
    assert concerned(verdict("fail", 2, check="drift", observed=0.5)) is None


def test_what_is_inconclusive_is_concerned_below_its_limit_or_without_an_estimate():
    assert concerned(verdict("inconclusive", 2, observed=0.8)) == (2, False)
    assert concerned(verdict("inconclusive", 2, observed=None)) == (2, False)
    assert concerned(verdict("inconclusive", 2, observed=0.9)) is None


def test_a_knee_up_to_the_usable_cores_is_concerned():
    knee = [point(2, 78), point(4, 90, efficiency=0.6), point(8, 90, efficiency=0.3)]
    assert concerned(verdict("pass"), points=knee) == (4, False)
    assert concerned(verdict("pass"), points=[point(1, 40, efficiency=1.0), point(2, 78)]) is None
