"""Decides whether a window measured the predictor at all. Pure functions over records."""

from __future__ import annotations

import statistics
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_paddle_mt.units import NS_PER_MS, NS_PER_S, counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_paddle_mt.records import Cpu, Round, Visit, Window

#: A window whose threads lost more than this share of their time to other work has no latencies worth showing.
MAX_LOST_SHARE = 0.05
MAX_CORRECTED_SHARE = 0.75  #: Beyond this share what is left of a window is too little to correct it.
#: A window with more steal time than this share of the cores is set aside: the kernel does not report which thread lost
#: it.
MAX_STEAL_SHARE = 0.05
#: The kernel counts it in ticks: one of them in a short window is as likely rounding as a disturbance.
_STEAL_TICK_NS = 10 * NS_PER_MS
#: Without a scheduler that counts delays: preempted more often than this per second and thread, and off the CPU.
_SWITCHES_PER_S = 20.0
_MIN_CPU_SHARE = 0.95

MIN_WAITS = 0.01  #: So many more sleeps per query than with one thread show that threads wait for each other.

MAX_OUTSIDE_SHARE = 0.02  #: The harness may take this share of a thread's time between queries.
MIN_OVERLAP = 0.8  #: Every thread must be seen at work over at least this share of the window.


def lost_share(window: Window, cpu: Cpu) -> float:
    """Share of the threads' time that other work took from them; 0 where the kernel does not say.

    Of threads that fit on the cores: the time in which they were ready without a core, less what other threads of this
    process ran meanwhile. Those can have delayed them for that long, and a predictor's helpers are its own affair.

    Threads beyond the cores delay each other. What was lost is then the part of the cores that this process wanted and
    did not get.
    """
    delay = delay_share(window)
    if delay is None:
        return 0.0
    extra = own_extra_cores(window)
    cpu = _reachable(window, cpu)
    if cpu.fits(window.threads):
        return max(0.0, delay - extra / window.threads)
    used = window.cpu_share * window.threads + extra
    wanted = min(float(cpu.usable_cores), used + delay * window.threads)
    return max(0.0, 1 - used / wanted) if wanted else 0.0


def _reachable(window: Window, cpu: Cpu) -> Cpu:
    """The cores that the threads of this window may run on: threads that are bound to fewer delay each other."""
    cpus = {one for thread in window.per_thread for one in thread.cpus}
    if not cpus or len(cpus) >= cpu.usable_cores:
        return cpu
    return replace(cpu, usable_cores=len(cpus))


def set_aside(window: Window, cpu: Cpu) -> bool:
    """Whether the machine disturbed the threads, and nobody can say by how much."""
    if throttled(window):
        return True
    steal = steal_share(window, cpu)
    if steal is not None and steal > MAX_STEAL_SHARE:
        return True
    if delay_share(window) is None:
        if not cpu.fits(window.threads):
            return False  # they take the cores from each other
        wall_s = sum(thread.wall_ns for thread in window.per_thread) / NS_PER_S
        return window.cpu_share < _MIN_CPU_SHARE and window.involuntary_switches > _SWITCHES_PER_S * wall_s
    return lost_share(window, cpu) > MAX_CORRECTED_SHARE


def throttled(window: Window) -> bool:
    """Whether the GPU was clocked down by heat or a fault of the power supply, as far as it was observed."""
    return window.gpu is not None and window.gpu.throttled


def disturbed(window: Window, cpu: Cpu) -> bool:
    """Whether other work took the cores away for long enough to show in latencies."""
    return set_aside(window, cpu) or lost_share(window, cpu) > MAX_LOST_SHARE


def delay_share(window: Window) -> float | None:
    """Share of the threads' time in which they were ready to run without a core; None where the kernel does not say."""
    delays = [thread.run_delay_ns for thread in window.per_thread]
    if any(delay is None for delay in delays):
        return None
    return sum(delay for delay in delays if delay is not None) / sum(thread.wall_ns for thread in window.per_thread)


def steal_share(window: Window, cpu: Cpu) -> float | None:
    """Share of the usable cores' time that the hypervisor gave to others, less one tick; None where unknown."""
    if window.noise is None or window.noise.steal_ns is None:
        return None
    return max(0, window.noise.steal_ns - _STEAL_TICK_NS) / (window.noise.wall_ns * cpu.usable_cores)


def own_extra_cores(window: Window) -> float:
    """Cores that threads of this process other than the measuring ones kept busy; 0 where nobody counted."""
    if window.noise is None:
        return 0.0
    of_process = window.noise.process_cpu_ns / window.noise.wall_ns
    return max(0.0, of_process - window.cpu_share * window.threads)


def qps(window: Window, cpu: Cpu) -> float:
    """Throughput in queries per second of the time that other work left to the threads.

    Windows that lost more than can be corrected are set aside; what is shown of them is corrected that far only.
    """
    return window.qps / (1 - min(lost_share(window, cpu), MAX_CORRECTED_SHARE))


def own_waits(rounds: Iterable[Round], threads: int) -> list[float]:
    """How often a measuring thread went to sleep, per query, in each visit with ``threads`` threads."""
    return [
        sum(thread.voluntary_switches for thread in visit.window.per_thread) / visit.window.completed
        for round_ in rounds
        for visit in round_.at(threads)
    ]


def wait_for_each_other(rounds: Sequence[Round], threads: int) -> bool:
    """Whether ``threads`` threads go to sleep more often, per query, than one thread ever does: they share a lock.

    How much of a thread's delay other work took from it is then unknown: a thread that is woken to find the lock taken
    again was delayed for nothing. The threads of one predictor may sleep, too, but do so with one thread as well.
    """
    if threads < 2:
        return False
    alone, together = own_waits(rounds, 1), own_waits(rounds, threads)
    return bool(alone and together) and statistics.median(together) > max(alone) + MIN_WAITS


def control_qps(visit: Visit, cpu: Cpu) -> float:
    """``qps`` of the control workload, which was measured with as many threads right after the window.

    Raises:
        ValueError: there was no control.
    """
    if visit.control is None:
        raise ValueError(f"a visit with {counted(visit.window.threads, 'thread')} has no control")
    return qps(visit.control, cpu)


def outside_share(window: Window) -> float:
    """Time between queries over time inside them, of the thread that was inside them for longest."""
    return window.open_ns / max(thread.inside_ns for thread in window.per_thread) - 1


def overlap(window: Window) -> float:
    """The share of the window that its least present thread was inside queries."""
    return min(thread.inside_ns for thread in window.per_thread) / window.open_ns


def objection(rounds: Iterable[Round], threads: int) -> str | None:
    """Why the windows with ``threads`` threads do not measure the predictor, human-readable; None when they do."""
    windows = [visit.window for round_ in rounds for visit in round_.at(threads)]
    if not windows:
        return None
    running = counted(threads, "thread")
    outside = statistics.median([outside_share(window) for window in windows])
    if outside > MAX_OUTSIDE_SHARE:
        return (
            f"with {running} {outside:.1%} of the time passed outside queries (at most {MAX_OUTSIDE_SHARE:.0%}): the "
            "queries are too short to be measured one by one on this machine; serve larger batches"
        )
    together = statistics.median([overlap(window) for window in windows])
    if together < MIN_OVERLAP:
        return (
            f"with {running} one of them was at work for only {together:.0%} of the window: they did not run side by "
            "side; give a longer --paddle-window"
        )
    return None
