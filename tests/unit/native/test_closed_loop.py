from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_paddle_mt import _native
from pytest_paddle_mt.engines import closed_loop
from pytest_paddle_mt.statistics import latency
from pytest_paddle_mt.statistics.counting import fraction_inside

MS = 1_000_000
#: A processor may read the clock and look whether the window is open in either order, some ns apart.
CLOCK_NS = 1_000
CORES = len(os.sched_getaffinity(0))


def targets(count, **work):
    native = _native.SyntheticWork()
    for name, value in work.items():
        setattr(native, name, value)
    return _native.synthetic_targets(count, native)


@pytest.fixture
def make_loop():
    loops = []

    def make(count, **work):
        loops.append(_native.ClosedLoop(targets(count, **work)))
        return loops[-1]

    yield make
    for loop in loops:
        loop.close()


def measure(
    loop,
    threads,
    *,
    window_ns=20 * MS,
    min_queries=20,
    expected_queries=0,
    warmup_ns=0,
    warmup_queries=1,
    max_stored=1_000_000,
    cpus=(),
):
    return loop.measure(
        threads,
        window_ns=window_ns,
        min_queries=min_queries,
        expected_queries=expected_queries,
        warmup_ns=warmup_ns,
        warmup_queries=warmup_queries,
        max_stored=max_stored,
        cpus=cpus,
    )


# What is counted


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_every_counted_query_starts_and_ends_inside_the_window(make_loop, threads):
    loop = make_loop(threads, spin_ns=2e4)
    for _ in range(20):
        window = measure(loop, threads, window_ns=2 * MS)
        for thread in window.threads:
            assert window.opened_ns <= thread.starts_ns[0]
            assert thread.ends_ns[-1] <= window.closed_ns + CLOCK_NS


def test_the_queries_of_a_thread_follow_each_other(make_loop):
    for thread in measure(make_loop(3, spin_ns=1e4), 3).threads:
        assert np.all(thread.ends_ns >= thread.starts_ns)
        assert np.all(thread.starts_ns[1:] >= thread.ends_ns[:-1])


def test_warm_up_queries_are_not_counted(make_loop):
    window = measure(make_loop(2, spin_ns=2e5), 2, window_ns=0, min_queries=2, warmup_queries=300)
    open_ns = window.closed_ns - window.opened_ns
    for thread in window.threads:
        shortest_ns = int((thread.ends_ns - thread.starts_ns).min())
        assert thread.queries * shortest_ns <= open_ns  # 300 more would not fit into it
        assert thread.queries < 300


def test_a_thread_warms_up_for_as_many_queries_as_asked(make_loop):
    loop = make_loop(1, spin_ns=1e6, fail_at=49)
    last_of_the_warm_up = 49
    assert measure(loop, 1, window_ns=0, min_queries=2, warmup_queries=50).failure.query == last_of_the_warm_up
    assert measure(loop, 1, window_ns=0, min_queries=2, warmup_queries=2).failure is None


def test_a_thread_warms_up_for_as_long_as_asked(make_loop):
    loop = make_loop(1)
    called_ns = _native.monotonic_ns()
    window = measure(loop, 1, window_ns=0, min_queries=2, warmup_ns=50 * MS)
    assert window.opened_ns - called_ns >= 50 * MS


def test_a_window_lasts_at_least_as_long_as_asked(make_loop):
    window = measure(make_loop(2), 2, window_ns=30 * MS)
    assert window.closed_ns - window.opened_ns >= 30 * MS


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_a_window_lasts_until_every_thread_has_its_queries(make_loop, threads):
    window = measure(make_loop(threads, spin_ns=5e5), threads, window_ns=0, min_queries=30)
    assert all(thread.queries >= 30 for thread in window.threads)


@pytest.mark.parametrize("threads", [1, 3, 8])
def test_all_threads_are_present_in_the_window(make_loop, threads):
    window = measure(make_loop(8, spin_ns=1e4), threads)
    assert len(window.threads) == threads
    assert all(thread.queries >= 20 for thread in window.threads)


def test_threads_run_side_by_side(make_loop):
    loop = make_loop(4, spin_ns=1e4)

    def side_by_side():
        per_thread = measure(loop, 4, window_ns=0, min_queries=5_000).threads  # many turns of a thread on a core
        return max(one.first_completion_ns for one in per_thread) < min(one.last_completion_ns for one in per_thread)

    assert any(side_by_side() for _ in range(20))  # a busy machine may let one of them start late


def share_by_sampling(query, window):
    """The share of a query that lies inside the window: of ten thousand moments spread over it."""
    moments = np.linspace(*query, 10_001)
    return np.mean((moments >= window.opened_ns) & (moments <= window.closed_ns))


@pytest.mark.parametrize("threads", [1, 3])
def test_what_a_thread_completed_equals_a_slow_recount_of_the_timestamps(make_loop, threads):
    loop = make_loop(threads, spin_ns=2e5, exponential=True)
    for _ in range(20):
        window = measure(loop, threads, window_ns=MS, min_queries=2)
        for thread in window.threads:
            record = closed_loop._thread_window(thread, window.opened_ns, window.closed_ns)
            queries = [*zip(thread.starts_ns, thread.ends_ns, strict=True), thread.at_opening_ns, thread.at_closing_ns]
            recount = sum(share_by_sampling(query, window) for query in queries if query != (0, 0))
            assert record.completed == pytest.approx(recount, abs=0.01)
            assert record.qps == pytest.approx(recount / (window.closed_ns - window.opened_ns) * 1e9, rel=0.01)


def test_the_queries_at_the_edges_of_a_window_are_those_next_to_the_counted_ones(make_loop):
    loop = make_loop(3, spin_ns=5e4)
    seen = 0
    for _ in range(20):
        window = measure(loop, 3, window_ns=MS, min_queries=2)
        for thread in window.threads:
            if thread.at_opening_ns != (0, 0):  # a thread between two queries has none
                start_ns, end_ns = thread.at_opening_ns
                assert start_ns < window.opened_ns < end_ns <= thread.starts_ns[0]
                seen += 1
            start_ns, end_ns = thread.at_closing_ns
            assert thread.ends_ns[-1] <= start_ns
            assert end_ns > window.closed_ns
    assert seen > 30


def test_every_thread_serves_until_the_last_query_under_way_at_the_close_has_completed(make_loop):
    loop = make_loop(3, spin_ns=2e5, exponential=True)
    for _ in range(20):
        window = measure(loop, 3, window_ns=MS, min_queries=2)
        last_ns = max(thread.at_closing_ns[1] for thread in window.threads)
        for thread in window.threads:
            assert thread.served_until_ns >= last_ns
            assert thread.served > thread.queries  # the first one is of the warm-up


def test_a_window_lasts_as_long_as_asked_whatever_completes_in_it(make_loop):
    loop = make_loop(2, spin_ns=1e4, exponential=True)
    for _ in range(20):
        window = measure(loop, 2, window_ns=5 * MS, min_queries=2)
        if all(thread.ends_ns[1] < window.opened_ns + 5 * MS for thread in window.threads):
            assert window.closed_ns - window.opened_ns == 5 * MS


def test_a_window_without_fewest_queries_lasts_as_long_as_asked_even_if_none_completes_in_it(make_loop):
    window = measure(make_loop(2, spin_ns=1e7), 2, window_ns=MS, min_queries=0)
    assert window.closed_ns - window.opened_ns == MS
    for thread in window.threads:
        shares = sum(
            fraction_inside(*query, window.opened_ns, window.closed_ns)
            for query in (thread.at_opening_ns, thread.at_closing_ns)
        )
        assert thread.queries + shares > 0


def test_a_thread_that_starves_another_loses_patience(make_loop):
    """Who has the lock has it again before the other wakes up. A busy machine makes these queries slower, and fewer."""
    loop = make_loop(2, steps=1e6, locked_fraction=1.0)
    for _ in range(3):
        window = measure(loop, 2, window_ns=MS, min_queries=2)
        shortest_ns = min(int((one.ends_ns - one.starts_ns).min()) for one in window.threads if one.queries)
        assert max(one.served for one in window.threads) * shortest_ns < 10e9  # minutes of them without patience


def test_a_window_lasts_the_expected_queries_of_a_thread(make_loop):
    loop = make_loop(1, spin_ns=1e6)
    window = measure(loop, 1, window_ns=0, min_queries=2, expected_queries=30, warmup_queries=10)
    shortest_ns = (window.threads[0].ends_ns - window.threads[0].starts_ns).min()
    assert window.closed_ns - window.opened_ns > 0.5 * 30 * shortest_ns


def test_totals_equal_a_slow_recount_of_the_timestamps(make_loop):
    for thread in measure(make_loop(3, spin_ns=2e4), 3).threads:
        assert thread.queries == len(thread.starts_ns) == len(thread.ends_ns)
        assert thread.first_completion_ns == thread.ends_ns[0]
        assert thread.last_completion_ns == thread.ends_ns[-1]
        assert thread.busy_ns == sum(
            int(end) - int(start) for start, end in zip(thread.starts_ns, thread.ends_ns, strict=True)
        )
        assert len(thread.bins) == 0


def test_a_window_says_nothing_of_the_window_before(make_loop):
    loop = make_loop(2, spin_ns=1e4)
    long, short = measure(loop, 2, window_ns=50 * MS), measure(loop, 2, window_ns=0, min_queries=2)
    for before, after in zip(long.threads, short.threads, strict=True):
        assert after.starts_ns[0] >= short.opened_ns > before.ends_ns[-1]
        assert after.queries == len(after.ends_ns)


def test_timestamps_outlive_their_window_and_their_loop():
    loop = _native.ClosedLoop(targets(1, spin_ns=1e4))
    ends_ns = measure(loop, 1).threads[0].ends_ns
    kept = ends_ns.copy()
    measure(loop, 1)
    loop.close()
    del loop
    assert np.array_equal(ends_ns, kept)


# What the kernel says of a thread


def test_a_spinning_thread_is_on_a_core_or_waits_for_one(make_loop):
    loop = make_loop(2, spin_ns=1e4)
    for thread in measure(loop, 2, window_ns=100 * MS).threads:
        if thread.run_delay_ns is None:
            pytest.skip("this kernel does not count how long a thread waits for a core")
        assert 0.9 < (thread.cpu_ns + thread.run_delay_ns) / thread.wall_ns < 1.05


def test_threads_beyond_the_cores_share_them(make_loop):
    threads = 4 * CORES
    window = measure(make_loop(threads, spin_ns=1e4), threads, window_ns=200 * MS)
    assert (
        sum(thread.cpu_ns / thread.wall_ns for thread in window.threads) < 1.5 * CORES
    )  # four times as much if each had its own
    assert sum(thread.involuntary_switches for thread in window.threads) > 0


def test_cpu_time_and_delay_never_exceed_the_wall_time_they_were_taken_over(make_loop):
    window = measure(make_loop(4, spin_ns=1e4), 4, window_ns=50 * MS)
    for thread in window.threads:
        assert 0 < thread.cpu_ns <= 1.05 * thread.wall_ns
        assert thread.wall_ns <= 1.5 * (window.closed_ns - window.opened_ns) + 100 * MS
        assert thread.run_delay_ns is None or 0 <= thread.run_delay_ns <= 1.05 * thread.wall_ns


def test_threads_that_wait_for_a_lock_switch_voluntarily(make_loop):
    free, locked = make_loop(4, spin_ns=1e5), make_loop(4, spin_ns=1e5, locked_fraction=1.0)
    windows = [(measure(free, 4, window_ns=40 * MS), measure(locked, 4, window_ns=40 * MS)) for _ in range(5)]
    waits = [sum(thread.voluntary_switches for pair in windows for thread in pair[i].threads) for i in (0, 1)]
    assert waits[1] > 3 * (waits[0] + 1)


# Thinning

ANY_LATENCY = st.integers(min_value=-1, max_value=2**62)


@given(ANY_LATENCY)
def test_the_bin_of_any_latency_is_the_one_that_the_statistics_give(value):
    assert _native.latency_bin(value) == latency.bin_index(np.array([value], dtype=np.int64))[0]


@pytest.mark.parametrize("power", range(63))
def test_the_bins_around_a_power_of_two_are_those_that_the_statistics_give(power):
    values = [2**power + offset for offset in (-1, 0, 1) if 2**power + offset < 2**63]
    assert [_native.latency_bin(value) for value in values] == latency.bin_index(np.array(values)).tolist()


def test_the_core_has_as_many_bins_as_the_statistics():
    assert _native.LATENCY_BINS == latency.BIN_COUNT


def test_beyond_max_stored_every_query_is_still_counted(make_loop):
    for thread in measure(make_loop(2, spin_ns=2e3), 2, min_queries=500, max_stored=100).threads:
        assert len(thread.starts_ns) == len(thread.ends_ns) == 0
        assert thread.bins.sum() == thread.queries >= 500
        assert len(thread.bins) == latency.BIN_COUNT


def test_thinned_latencies_add_up_to_the_exact_total(make_loop):
    for thread in measure(make_loop(2, spin_ns=2e3, exponential=True), 2, min_queries=500, max_stored=100).threads:
        thinned = latency.from_bins(thread.bins)
        total_ns = int((thinned.values_ns * thinned.counts).sum())
        assert total_ns == pytest.approx(thread.busy_ns, rel=0.004)


def test_percentiles_of_thinned_latencies_are_within_one_percent_of_the_exact_ones(make_loop):
    thread = measure(make_loop(1, spin_ns=5e3, exponential=True), 1, window_ns=100 * MS).threads[0]
    latencies_ns = thread.ends_ns - thread.starts_ns
    bins = np.zeros(_native.LATENCY_BINS, dtype=np.int64)
    for value in latencies_ns:
        bins[_native.latency_bin(int(value))] += 1
    exact, thinned = latency.exact(latencies_ns), latency.from_bins(bins)
    for q in (0.01, 0.5, 0.9, 0.99):
        assert latency.percentile(thinned, q) == pytest.approx(latency.percentile(exact, q), rel=0.01)


def test_a_window_of_exactly_as_many_queries_as_can_be_stored_is_not_thinned(make_loop):
    stored = measure(make_loop(1, spin_ns=1e5), 1, window_ns=0, min_queries=2, max_stored=10_000).threads[0]
    assert len(stored.ends_ns) == stored.queries


def test_a_loop_that_thinned_keeps_the_next_window_exactly(make_loop):
    loop = make_loop(1, spin_ns=2e3)
    assert len(measure(loop, 1, min_queries=500, max_stored=100).threads[0].bins) > 0
    thread = measure(loop, 1, max_stored=1_000_000).threads[0]
    assert len(thread.bins) == 0
    assert len(thread.ends_ns) == thread.queries


# Failure


def test_a_failure_names_its_thread_its_query_and_what_the_target_said(make_loop):
    window = measure(make_loop(3, spin_ns=1e4, fail_at=30), 3, min_queries=10_000)
    assert window.failure.thread == 0
    assert window.failure.query == 30
    assert window.failure.message == "synthetic failure asked for at query 30"


def test_nothing_of_a_window_with_a_failure_is_reported(make_loop):
    window = measure(make_loop(3, spin_ns=1e4, fail_at=30), 3, min_queries=10_000)
    assert window.threads == []
    assert window.opened_ns == window.closed_ns == 0


def test_a_failure_during_the_warm_up_stops_the_window(make_loop):
    window = measure(make_loop(3, spin_ns=1e4, fail_at=5), 3, warmup_queries=10**9)
    assert window.failure.query == 5


def test_after_a_failure_no_thread_runs_a_query(make_loop):
    loop = make_loop(3, spin_ns=1e4, fail_at=30)
    measure(loop, 3, min_queries=10_000)
    before_ns, wall_ns = cpu_of_measuring_threads(), _native.monotonic_ns()
    while _native.monotonic_ns() < wall_ns + 50 * MS:
        pass
    assert cpu_of_measuring_threads() - before_ns < 5 * MS  # three running threads would have used tens of ms


def cpu_of_measuring_threads():
    total_ns = 0
    for task in Path("/proc/self/task").iterdir():
        if (task / "comm").read_text().startswith("paddle-mt-"):
            total_ns += int((task / "schedstat").read_text().split()[0])
    return total_ns


def test_the_loop_measures_again_after_a_failure(make_loop):
    loop = make_loop(2, spin_ns=1e6, fail_at=400)
    assert measure(loop, 2, window_ns=0, min_queries=401, warmup_queries=0).failure is not None
    window = measure(loop, 2, window_ns=0, min_queries=2, warmup_queries=1)
    assert window.failure is None
    assert len(window.threads) == 2


def test_a_crash_in_a_measuring_thread_prints_the_signal_and_the_stacks(tmp_path):
    process = run(
        tmp_path,
        """
        import faulthandler
        from pytest_paddle_mt import _native

        def waits_for_the_window():
            work = _native.SyntheticWork()
            work.crash_at = 5
            loop = _native.ClosedLoop(_native.synthetic_targets(2, work))
            loop.measure(2, window_ns=0, min_queries=9, warmup_ns=0, warmup_queries=1, max_stored=1000)

        faulthandler.enable()
        waits_for_the_window()
        """,
    )
    assert process.returncode == -signal.SIGSEGV
    assert "Fatal Python error: Segmentation fault" in process.stderr
    assert "in waits_for_the_window" in process.stderr


def run(folder, script):
    """Run ``script`` in a process of its own."""
    path = folder / "script.py"
    path.write_text(textwrap.dedent(script))
    return subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=50, cwd=folder, check=False)


def blocked_signals(name):
    """The signals that the thread ``name`` of this process blocks."""
    for task in Path("/proc/self/task").iterdir():
        if (task / "comm").read_text().strip() == name:
            (mask,) = re.findall(r"SigBlk:\s*(\w+)", (task / "status").read_text())
            return {number for number in signal.valid_signals() if int(mask, 16) >> (number - 1) & 1}
    raise LookupError(name)


def test_measuring_threads_leave_signals_to_python_and_faults_to_whoever_handles_them(make_loop):
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    measure(make_loop(2), 2)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before
    blocked = blocked_signals("paddle-mt-1")
    assert {signal.SIGINT, signal.SIGTERM, signal.SIGALRM, signal.SIGUSR1} <= blocked
    assert not blocked & {
        signal.SIGSEGV,
        signal.SIGBUS,
        signal.SIGFPE,
        signal.SIGILL,
        signal.SIGTRAP,
        signal.SIGSYS,
        signal.SIGABRT,
    }


# Ctrl-C


def test_ctrl_c_ends_a_window_long_before_its_time_and_every_thread_can_be_joined(tmp_path):
    late, again, left = said(
        tmp_path,
        """
        work.spin_ns = 2e7
        loop = _native.ClosedLoop(_native.synthetic_targets(3, work))
        sent = []

        def interrupt():
            sent.append(time.monotonic())
            os.kill(os.getpid(), signal.SIGINT)

        threading.Timer(0.5, interrupt).start()
        try:
            loop.measure(
                3, window_ns=60 * 10**9, min_queries=20, warmup_ns=0, warmup_queries=1, max_stored=1000)
        except KeyboardInterrupt:
            print("late", time.monotonic() - sent[0])
        window = loop.measure(2, window_ns=0, min_queries=2, warmup_ns=0, warmup_queries=1, max_stored=1000)
        print("again", len(window.threads))
        loop.close()
        until_none_is_left()
        """,
    )
    assert late.startswith("late ")
    assert float(late.split()[1]) < 30
    assert again == "again 2"
    assert left == "none is left"


# One caller at a time

#: A window without end on another thread, and a way to know that its caller is inside measure().
ENDLESS = """
    import os, signal, sys, threading, time
    from pytest_paddle_mt import _native

    work = _native.SyntheticWork()
    work.spin_ns = 1e5
    loop = _native.ClosedLoop(_native.synthetic_targets(2, work))
    ended = []

    def measure():
        loop.measure(2, window_ns=10**18, min_queries=2, warmup_ns=0, warmup_queries=1, max_stored=1000)

    def measure_on():
        try:
            measure()
        except RuntimeError as error:
            ended.append(str(error))

    def name(task):
        try:
            return open(f"/proc/self/task/{task}/comm").read()
        except OSError:  # it ended meanwhile
            return ""

    def threads():
        return sum(name(task).startswith("paddle-mt-") for task in os.listdir("/proc/self/task"))

    def until_measuring():
        while threads() < 2:
            time.sleep(0.01)

    def until_none_is_left():
        while threads():  # the kernel lists a joined thread for a moment more
            time.sleep(0.01)
        print("none is left")

    def refused(function):
        try:
            function()
        except RuntimeError as error:
            return str(error)

    other = threading.Thread(target=measure_on)
"""


def said(tmp_path, script):
    """What ``script`` prints after ``ENDLESS``; that it ends is a part of every test that asks."""
    process = run(tmp_path, textwrap.dedent(ENDLESS) + textwrap.dedent(script))
    assert process.returncode == 0, process.stderr
    return process.stdout.splitlines()


@pytest.mark.fault(
    "processes", "`close()` from another thread inside a window", "the window ends and every thread is joined"
)
def test_close_stops_the_window_of_another_thread_and_joins_every_thread(tmp_path):
    left, ended = said(
        tmp_path,
        """
        other.start()
        until_measuring()
        loop.close()
        until_none_is_left()
        other.join()
        print(*ended)
        """,
    )
    assert left == "none is left"
    assert ended.startswith("this closed loop was closed")


def test_two_threads_may_close_at_once(tmp_path):
    assert said(
        tmp_path,
        """
        other.start()
        until_measuring()
        closing = [threading.Thread(target=loop.close) for _ in range(4)]
        for thread in closing:
            thread.start()
        for thread in (*closing, other):
            thread.join()
        until_none_is_left()
        """,
    ) == ["none is left"]


def test_close_at_any_moment_of_a_window_ends_it(tmp_path):
    assert said(
        tmp_path,
        """
        def measure_over_and_over(loop):
            while not refused(lambda: loop.measure(
                    2, window_ns=10**5, min_queries=2, warmup_ns=0, warmup_queries=1, max_stored=1000)):
                pass

        for moment in range(200):
            loop = _native.ClosedLoop(_native.synthetic_targets(2, work))
            measuring = threading.Thread(target=measure_over_and_over, args=(loop,))
            measuring.start()
            time.sleep(moment * 1e-5)
            loop.close()
            measuring.join()
        until_none_is_left()
        """,
    ) == ["none is left"]


@pytest.mark.fault("processes", "a second thread measures with the same loop", "it is refused")
def test_a_second_thread_is_refused_while_one_measures(tmp_path):
    assert said(
        tmp_path,
        """
        other.start()
        until_measuring()
        print(refused(measure))
        loop.close()
        other.join()
        """,
    ) == ["another thread measures with this closed loop; wait for it, or make a loop of your own"]


@pytest.mark.parametrize("function", ["close", "measure"])
@pytest.mark.fault(
    "processes", "a signal handler calls into the loop inside a window", "it is refused; the loop measures again"
)
def test_a_signal_handler_inside_measure_is_refused_and_the_loop_stays_as_it_was(tmp_path, function):
    first, again = said(
        tmp_path,
        f"""
        def send():
            until_measuring()
            os.kill(os.getpid(), signal.SIGUSR1)

        signal.signal(signal.SIGUSR1, lambda *_: {"loop.close()" if function == "close" else "measure()"})
        threading.Thread(target=send).start()
        print(refused(measure))
        window = loop.measure(2, window_ns=0, min_queries=2, warmup_ns=0, warmup_queries=1, max_stored=1000)
        print(len(window.threads))
        """,
    )
    assert first.startswith(f"{function}() was called from inside measure()")
    assert again == "2"


# Life and death of threads


def test_threads_are_started_when_a_window_first_needs_them(make_loop, measuring_threads):
    loop = make_loop(8)
    measuring_threads(0)
    for threads, started in ((2, 2), (4, 4), (1, 4)):
        measure(loop, threads)
        measuring_threads(started)


def test_close_joins_every_thread(make_loop, measuring_threads):
    loop = make_loop(5)
    measure(loop, 5)
    loop.close()
    measuring_threads(0)


def test_a_loop_that_is_dropped_joins_every_thread(measuring_threads):
    loop = _native.ClosedLoop(targets(3))
    measure(loop, 3)
    del loop
    measuring_threads(0)


def test_close_may_be_called_twice(make_loop):
    loop = make_loop(2)
    loop.close()
    loop.close()


def test_a_closed_loop_refuses_to_measure(make_loop):
    loop = make_loop(2)
    loop.close()
    with pytest.raises(RuntimeError, match=r"this closed loop was closed; make a new one"):
        measure(loop, 1)


@pytest.mark.parametrize("threads", [0, 4])
def test_a_thread_count_that_the_targets_do_not_allow_is_refused(make_loop, threads, measuring_threads):
    loop = make_loop(3)
    with pytest.raises(ValueError, match=f"{threads} threads asked of a closed loop over 3 targets"):
        measure(loop, threads)
    measuring_threads(0)


def test_a_window_of_no_time_and_no_queries_is_refused(make_loop):
    with pytest.raises(ValueError, match="a window of no time and no queries was asked for"):
        measure(make_loop(1), 1, window_ns=0, min_queries=0)


@pytest.mark.parametrize("name", ["window_ns", "warmup_ns"])
@pytest.mark.parametrize("time_ns", [-1, 2**63 - 1])
def test_a_time_that_no_window_can_last_is_refused(tmp_path, name, time_ns):
    process = run(  # a process of its own: such a window would not end
        tmp_path,
        f"""
        from pytest_paddle_mt import _native

        plan = dict(window_ns=0, min_queries=2, warmup_ns=0, warmup_queries=1, max_stored=1000)
        loop = _native.ClosedLoop(_native.synthetic_targets(1, _native.SyntheticWork()))
        loop.measure(1, **{{**plan, "{name}": {time_ns}}})
        """,
    )
    assert f"ValueError: a window or warm-up of {time_ns} ns is out of range" in process.stderr


def test_a_target_that_is_none_is_refused():
    with pytest.raises((ValueError, TypeError)):
        _native.ClosedLoop([*targets(1), None])


def test_a_loop_knows_how_many_targets_it_has(make_loop):
    assert len(make_loop(7)) == 7


def test_many_windows_take_no_more_memory_than_a_few(make_loop):
    loop = make_loop(2, spin_ns=1e3)

    def windows(count):
        for _ in range(count):
            measure(loop, 2, window_ns=5 * MS, max_stored=100_000)
            measure(loop, 2, window_ns=0, min_queries=200, max_stored=100)
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    before = windows(20)
    after = windows(80)
    assert after - before < 4 * 2**20  # one leaked set of bins a window would be 6 MB, of timestamps more


# Where threads run


def affinities():
    """The CPUs that each thread of a loop may use now, by its index."""
    found = {}
    for task in Path("/proc/self/task").iterdir():
        name = (task / "comm").read_text().strip()
        if name.startswith("paddle-mt-"):
            found[int(name.removeprefix("paddle-mt-"))] = os.sched_getaffinity(int(task.name))
    return found


def test_a_thread_stays_on_its_cpu_as_long_as_the_window_lasts(make_loop):
    loop = make_loop(1, spin_ns=1e4)
    cpu = max(os.sched_getaffinity(0))

    def measure_until_it_is_closed():
        with pytest.raises(RuntimeError, match="closed while it measured"):
            measure(loop, 1, window_ns=10**17, cpus=[cpu])

    window = threading.Thread(target=measure_until_it_is_closed)
    window.start()
    try:
        while affinities() != {0: {cpu}}:
            assert window.is_alive()
    finally:
        loop.close()
        window.join()


@pytest.mark.parametrize("fail_at", [0, 5], ids=["served", "failed"])
def test_after_a_window_threads_may_run_where_they_might_before(make_loop, fail_at):
    loop = make_loop(2, spin_ns=1e4, fail_at=fail_at)
    cpu = min(os.sched_getaffinity(0))
    window = measure(loop, 2, warmup_queries=10, cpus=[cpu, cpu])
    assert (window.failure is None) == (fail_at == 0)
    assert all(thread.pinned for thread in window.threads)
    assert affinities() == {thread: os.sched_getaffinity(0) for thread in range(2)}


def test_more_threads_than_cpus_may_use_all_of_those(make_loop):
    window = measure(make_loop(3, spin_ns=1e4), 3, cpus=sorted(os.sched_getaffinity(0))[:2])
    assert [thread.pinned for thread in window.threads] == [True] * 3


def test_threads_without_cpus_are_not_pinned(make_loop):
    assert [thread.pinned for thread in measure(make_loop(2), 2).threads] == [False] * 2


def test_a_cpu_that_this_process_may_not_use_is_not_taken(make_loop):
    outside = next(cpu for cpu in reversed(range(1024)) if cpu not in os.sched_getaffinity(0))
    assert [thread.pinned for thread in measure(make_loop(1), 1, cpus=[outside]).threads] == [False]


@pytest.mark.parametrize("cpu", [-1, 1024])
def test_a_cpu_that_no_set_has_room_for_is_refused(make_loop, cpu):
    with pytest.raises(ValueError, match=f"there is no CPU {cpu}"):
        measure(make_loop(1), 1, cpus=[cpu])
