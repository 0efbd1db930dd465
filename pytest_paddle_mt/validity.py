"""Was a window a measurement of the predictor at all? Pure functions over records."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pytest_paddle_mt.records import record
from pytest_paddle_mt.units import NS_PER_MS, counted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_paddle_mt.records import Round, Window

#: A window in which its threads were ready but had no core for more than this share of the time is set aside.
MAX_DELAY_SHARE = 0.05
#: The same for time that the hypervisor gave to other machines.
MAX_STEAL_SHARE = 0.05
#: The kernel counts it in ticks: one of them in a short window is as likely rounding as a disturbance.
_STEAL_TICK_NS = 10 * NS_PER_MS
#: Other threads of this process using more than this many cores explain a delay: it is not the machine's fault.
_OWN_EXTRA_CORES = 0.10
#: Without a scheduler that counts delays: preempted more often than this per second and thread, and off the CPU.
_SWITCHES_PER_S = 20.0
_MIN_CPU_SHARE = 0.95

#: The harness may take this share of a thread's time between queries.
MAX_OUTSIDE_SHARE = 0.02
#: Every thread must be seen at work over at least this share of the window.
MIN_OVERLAP = 0.8


@record
class Cpu:
    """How many threads can run at once."""

    usable_cores: int
    #: Math threads of each predictor.
    math_threads: int

    def fits(self, threads: int) -> bool:
        """Whether ``threads`` predictors find a core for each of their math threads."""
        return threads * self.math_threads <= self.usable_cores


def preempted(window: Window, cpu: Cpu) -> bool:
    """Whether the machine took the cores away from threads that fit on them.

    Threads beyond the cores take them from each other; that is their doing, and counts.
    """
    if not cpu.fits(window.threads):
        return False
    steal = steal_share(window, cpu)
    if steal is not None and steal > MAX_STEAL_SHARE:
        return True
    delay = delay_share(window)
    if delay is None:
        wall_s = sum(thread.wall_ns for thread in window.per_thread) / 1e9
        return window.cpu_share < _MIN_CPU_SHARE and window.involuntary_switches > _SWITCHES_PER_S * wall_s
    return delay > MAX_DELAY_SHARE and _own_extra_cores(window) < _OWN_EXTRA_CORES


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


def _own_extra_cores(window: Window) -> float:
    """Cores that threads of this process other than the measuring ones kept busy."""
    if window.noise is None:
        return 0.0
    of_process = window.noise.process_cpu_ns / window.noise.wall_ns
    return of_process - window.cpu_share * window.threads


def usable(round_: Round, threads: int, cpu: Cpu) -> bool:
    """Whether ``round_`` says something about ``threads`` threads: neither they nor the bracket were preempted."""
    return not any(preempted(window, cpu) for window in (*round_.at(threads), *round_.at(1)))


def outside_share(window: Window) -> float:
    """Share of a thread's time that passed between queries: n / (QPS x mean latency) - 1 (Little's law)."""
    return window.threads / (window.qps * window.mean_latency_ns / 1e9) - 1


def overlap(window: Window) -> float:
    """The share of the window over which its least present thread was seen at work."""
    spans = (
        (thread.last_completion_ns - thread.first_completion_ns) * thread.queries / (thread.queries - 1)
        for thread in window.per_thread
    )
    return min(spans) / window.open_ns


def objection(rounds: Iterable[Round], threads: int) -> str | None:
    """Why the windows with ``threads`` threads do not measure the predictor, for people; None when they do."""
    windows = [window for round_ in rounds for window in round_.at(threads)]
    if not windows:
        return None
    running = counted(threads, "thread")
    outside = _median([outside_share(window) for window in windows])
    if outside > MAX_OUTSIDE_SHARE:
        return (
            f"with {running} {outside:.1%} of the time passed outside queries (at most {MAX_OUTSIDE_SHARE:.0%}): the "
            "queries are too short to be measured one by one on this machine; serve larger batches"
        )
    together = _median([overlap(window) for window in windows])
    if together < MIN_OVERLAP:
        return (
            f"with {running} one of them was at work for only {together:.0%} of the window: they did not run side by "
            "side; give a longer --paddle-window"
        )
    return None


def _median(values: list[float]) -> float:
    ordered = sorted(values)
    middle = (len(ordered) - 1) / 2
    return (ordered[math.floor(middle)] + ordered[math.ceil(middle)]) / 2
