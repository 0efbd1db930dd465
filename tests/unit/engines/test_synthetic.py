from __future__ import annotations

import functools
import os
import re
import statistics
import subprocess
import sys

import pytest

from pytest_paddle_mt import _native
from pytest_paddle_mt.engines import SyntheticWork, Workload, synthetic
from pytest_paddle_mt.engines.synthetic import DEFAULT_WORK, SyntheticEngine, probe_name
from pytest_paddle_mt.errors import UsageError
from pytest_paddle_mt.machine.cores import available_cores
from pytest_paddle_mt.records import WindowPlan
from pytest_paddle_mt.statistics import latency

PLAN = WindowPlan(window_s=0.03, min_queries=20, warmup_s=0.002, warmup_queries=2)
REPEATS = 7

needs_two_cores = pytest.mark.skipif(available_cores().usable < 2, reason="threads run side by side on two cores only")


def session_of(work, seed=1):
    return SyntheticEngine().open(Workload(pool=None, inputs=(), query=None, synthetic=work, seed=seed))


@pytest.fixture
def interleaved():
    """``interleaved((work, threads), ...)``: for each, its windows, measured turn and turn about."""
    sessions = []

    def measure(*cases):
        opened = [(session_of(work), threads) for work, threads in cases]
        sessions.extend(session for session, _ in opened)
        turns = [[session.measure(threads, PLAN) for session, threads in opened] for _ in range(REPEATS)]
        return list(zip(*turns, strict=True))

    yield measure
    for session in sessions:
        session.close()


def best_rate(windows):
    """Queries per ns of the window. (Two threads that take turns by bursts would each look fast over its own burst.)"""
    return max(window.queries / window.open_ns for window in windows)


def shortest_ns(windows):
    """What a query takes when nothing disturbs it."""
    return min(float(thread.latencies.values_ns[0]) for window in windows for thread in window.per_thread)


@pytest.mark.parametrize("saturating", [False, True])
def test_more_spin_takes_longer(interleaved, saturating):
    of = functools.partial(SyntheticWork, saturating=saturating)
    short, long = interleaved((of(spin_ns=1e4), 1), (of(spin_ns=1e6), 1))
    assert 10 < shortest_ns(long) / shortest_ns(short) < 1000


@pytest.mark.parametrize("saturating", [False, True])
def test_more_steps_take_longer(interleaved, saturating):
    of = functools.partial(SyntheticWork, saturating=saturating)
    short, long = interleaved((of(steps=2_000), 1), (of(steps=200_000), 1))
    assert 10 < shortest_ns(long) / shortest_ns(short) < 1000


def test_each_further_thread_makes_steps_longer_too(interleaved):
    growing = SyntheticWork(steps=5_000, growth=20.0)
    alone, two = interleaved((growing, 1), (growing, 2))
    assert 5 < shortest_ns(two) / shortest_ns(alone) < 100


def test_a_probe_of_other_steps_another_revision_or_another_compiler_has_another_name(monkeypatch):
    names = {probe_name()}
    for module, name, value in (
        (synthetic, "PROBE_WORK", SyntheticWork(steps=30_000, saturating=True)),
        (synthetic, "PROBE_REVISION", 999),
        (_native, "COMPILER", "another"),
    ):
        monkeypatch.setattr(module, name, value)
        names.add(probe_name())
    assert len(names) == 4


def test_work_that_saturates_a_core_takes_as_long_as_asked_for_too(interleaved):
    chain, saturating = interleaved((SyntheticWork(spin_ns=1e5), 1), (SyntheticWork(spin_ns=1e5, saturating=True), 1))
    assert 0.2 < shortest_ns(saturating) / shortest_ns(chain) < 5


def test_growth_makes_queries_longer_with_each_thread(interleaved):
    work = SyntheticWork(spin_ns=1e4, growth=20.0)
    one, two, five = interleaved((work, 1), (work, 2), (work, 5))
    assert 5 < shortest_ns(two) / shortest_ns(one) < 100  # 21
    assert 1.5 < shortest_ns(five) / shortest_ns(two) < 10  # 81 / 21


def test_without_growth_queries_take_as_long_with_more_threads(interleaved):
    work = SyntheticWork(spin_ns=1e5)
    one, three = interleaved((work, 1), (work, 3))
    assert shortest_ns(three) / shortest_ns(one) < 5


def test_a_lock_held_throughout_keeps_two_threads_at_the_throughput_of_one(interleaved):
    work = SyntheticWork(spin_ns=1e5, locked_fraction=1.0)
    one, two = interleaved((work, 1), (work, 2))
    assert best_rate(two) * shortest_ns(one) < 1.1  # one query at a time, so never more than one thread's best


@needs_two_cores
def test_two_threads_serve_more_without_a_lock_than_with_one(interleaved):
    free, locked = SyntheticWork(spin_ns=1e5), SyntheticWork(spin_ns=1e5, locked_fraction=1.0)
    ratio = 0.0
    for _ in range(30):  # until the machine has left us both cores for one window
        windows = interleaved((free, 2), (locked, 2))
        ratio = max(ratio, best_rate(windows[0]) / best_rate(windows[1]))
        if ratio > 1.3:
            break
    assert ratio > 1.3


def test_threads_on_one_lock_wait_for_each_other(interleaved):
    work = SyntheticWork(spin_ns=1e5, locked_fraction=1.0)
    one, four = interleaved((work, 1), (work, 4))
    assert statistics.median(window.mean_latency_ns for window in four) > 2 * statistics.median(
        window.mean_latency_ns for window in one
    )


def quartile_ratio(windows):
    merged = latency.merge([thread.latencies for window in windows for thread in window.per_thread])
    return latency.percentile(merged, 0.75) / latency.percentile(merged, 0.25)


def test_exponential_spin_times_spread_and_fixed_ones_do_not(interleaved):
    fixed, exponential = interleaved((SyntheticWork(spin_ns=1e5), 1), (SyntheticWork(spin_ns=1e5, exponential=True), 1))
    spread = quartile_ratio(exponential)
    assert 3 < spread < 8  # log(4) / log(4/3) = 4.8 by theory
    assert spread > 1.5 * quartile_ratio(fixed)


def test_exponential_spin_times_have_the_mean_asked_for(interleaved):
    fixed, exponential = interleaved((SyntheticWork(spin_ns=2e4), 1), (SyntheticWork(spin_ns=2e4, exponential=True), 1))
    medians = [statistics.median(window.mean_latency_ns for window in windows) for windows in (exponential, fixed)]
    assert 0.6 < medians[0] / medians[1] < 1.6


def test_memory_of_its_own_takes_time_in_proportion_to_read(interleaved):
    small, large = interleaved((SyntheticWork(stream_bytes=2**20), 1), (SyntheticWork(stream_bytes=2**24), 1))
    assert shortest_ns(large) / shortest_ns(small) > 4


def test_memory_that_is_mapped_for_each_query_takes_a_page_fault_for_each_page(interleaved):
    [windows] = interleaved((SyntheticWork(fault_bytes=2**20), 1))
    pages = 2**20 / os.sysconf("SC_PAGE_SIZE")
    assert all(thread.minor_faults >= pages * thread.queries for window in windows for thread in window.per_thread)


def test_threads_that_bind_themselves_to_one_core_report_it(interleaved):
    [bound], free = interleaved((SyntheticWork(spin_ns=1e4, one_core=True), 2)), os.sched_getaffinity(0)
    assert {thread.cpus for window in bound for thread in window.per_thread} == {(min(free),)}
    [windows] = interleaved((SyntheticWork(spin_ns=1e4), 2))
    assert {thread.cpus for window in windows for thread in window.per_thread} == {tuple(sorted(free))}


def test_a_slow_thread_serves_fewer_queries(interleaved):
    [windows] = interleaved((SyntheticWork(spin_ns=1e4, slow_thread=99.0), 2))
    shortest = [min(int(window.per_thread[i].latencies.values_ns[0]) for window in windows) for i in (0, 1)]
    assert shortest[1] > 10 * shortest[0]


def test_without_work_of_its_own_the_default_is_served():
    session = SyntheticEngine().open(Workload(pool=None, inputs=(), query=None, synthetic=None, seed=1))
    window = session.measure(1, WindowPlan(window_s=0.0, min_queries=2, warmup_s=0.0, warmup_queries=1))
    session.close()
    assert window.mean_latency_ns > 0.5 * DEFAULT_WORK.spin_ns


@pytest.mark.parametrize(
    ("work", "words"),
    [
        ({"spin_ns": -1.0}, "spin_ns=-1.0"),
        ({"spin_ns": float("nan")}, "spin_ns=nan"),
        ({"spin_ns": 1e12}, "spin_ns=1000000000000.0"),
        ({"steps": -1}, "steps=-1"),
        ({"steps": float("nan")}, "steps=nan"),
        ({"steps": 10**12}, "steps=1000000000000"),
        ({"locked_fraction": 1.5}, "locked_fraction=1.5"),
        ({"locked_fraction": float("nan")}, "locked_fraction=nan"),
        ({"growth": -0.1}, "growth=-0.1"),
        ({"growth": float("nan")}, "growth=nan"),
        ({"growth": float("inf")}, "growth=inf"),
        ({"stream_bytes": -1}, "stream_bytes=-1"),
        ({"fault_bytes": -1}, "fault_bytes=-1"),
        ({"slow_thread": -0.1}, "slow_thread=-0.1"),
        ({"slow_thread": float("nan")}, "slow_thread=nan"),
        ({"fail_at": -1}, "fail_at=-1"),
        ({"crash_at": -1}, "crash_at=-1"),
    ],
)
def test_work_that_is_no_work_is_refused_with_its_value_and_what_to_give(work, words):
    with pytest.raises(UsageError) as caught:
        session_of(SyntheticWork(**work))
    assert words in str(caught.value)
    assert "give 0" in str(caught.value)


def test_arithmetic_is_given_one_way():
    with pytest.raises(UsageError, match="has its arithmetic twice, as spin_ns and as steps; give one of them"):
        session_of(SyntheticWork(spin_ns=1e5, steps=20_000))


#: A stack has 2 MiB at least, so those of 64 threads need more than the 36 MiB that are left.
REFUSED = """
import resource
from pathlib import Path

from pytest_paddle_mt.engines import SyntheticWork
from pytest_paddle_mt.engines.synthetic import SyntheticSession
from pytest_paddle_mt.errors import UsageError
from pytest_paddle_mt.records import WindowPlan

session = SyntheticSession(SyntheticWork(spin_ns=1e4), seed=1)
session.prepare(64)
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
_, most = resource.getrlimit(resource.RLIMIT_AS)
resource.setrlimit(resource.RLIMIT_AS, (used + 36 * 2**20, most))
try:
    session.measure(64, WindowPlan(window_s=0.0, min_queries=1, warmup_s=0.0, warmup_queries=0))
except UsageError as error:
    print("UsageError:", error)
session.close()
print("closed")
"""


@pytest.mark.fault(
    "machine", "no further thread may be started (engines without Python threads)", "the test fails with what to do"
)
def test_a_native_thread_that_cannot_be_started_is_an_error_with_what_to_do(tmp_path):
    """The system itself refuses: in a process of its own there is memory for the stacks of a few of the threads."""
    script = tmp_path / "script.py"
    script.write_text(REFUSED)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, cwd=tmp_path)
    refused = r"UsageError: thread \d+ of 64 could not be started: .*; ask for fewer threads .*\nclosed\n"
    assert re.fullmatch(refused, done.stdout), done.stdout + done.stderr
