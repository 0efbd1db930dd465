"""Splits the time of a query: where it went with one thread, and where with more. Pure functions over records."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from pytest_paddle_mt.statistics import validity
from pytest_paddle_mt.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_paddle_mt.records import Cpu, Round, Window


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class QueryTime:
    """Where the time of a query went: of a window by its threads' means, of several windows by medians."""

    cpu_ns: float  #: CPU time of the thread that issued it.
    system_ns: float  #: The part of it that was the kernel's.
    #: Ready to run without a core that this process had itself: other work of the machine is taken out.
    delay_ns: float
    waiting_ns: float  #: Neither running nor ready to run; with the delays where this kernel does not count them.
    lost_share: float  #: Share of the threads' time that other work took; in none of the figures above.
    sleeps: float  #: Voluntary context switches.
    faults: float  #: Page faults.
    sleeps_per_s: float  #: Voluntary context switches of all threads, per second.
    faults_per_s: float  #: Page faults of all threads, per second.
    extra_cores: float  #: Cores that other threads of this process kept busy meanwhile.
    idle_cores: float  #: Cores that nothing ran on; -1 where unknown.

    @property
    def total_ns(self) -> float:
        """What a query took of the time that other work left."""
        return self.cpu_ns + self.delay_ns + self.waiting_ns


def of_window(window: Window, cpu: Cpu) -> QueryTime:
    """Where the time of the queries of one window went."""
    wall_ns = sum(thread.wall_ns for thread in window.per_thread)
    query_ns = window.threads / window.qps * NS_PER_S
    lost, delay = validity.lost_share(window, cpu), validity.delay_share(window) or 0.0
    waiting = max(0.0, 1 - window.cpu_share - delay)
    sleeps = sum(thread.voluntary_switches for thread in window.per_thread)
    faults = sum(thread.minor_faults or 0 for thread in window.per_thread)
    in_kernel = sum(thread.system_ns or 0 for thread in window.per_thread) / wall_ns
    noise, per_s = window.noise, window.threads / wall_ns * NS_PER_S
    return QueryTime(
        cpu_ns=window.cpu_share * query_ns,
        system_ns=in_kernel * query_ns,
        delay_ns=max(0.0, 1 - lost - window.cpu_share - waiting) * query_ns,
        waiting_ns=waiting * query_ns,
        lost_share=lost,
        sleeps=sleeps / wall_ns * query_ns,
        faults=faults / wall_ns * query_ns,
        sleeps_per_s=sleeps * per_s,
        faults_per_s=faults * per_s,
        extra_cores=validity.own_extra_cores(window),
        idle_cores=-1.0 if noise is None or noise.idle_ns is None else noise.idle_ns / noise.wall_ns,
    )


def of_windows(windows: Iterable[Window], cpu: Cpu) -> QueryTime:
    """The median of each figure over these windows, one at least."""
    each = [of_window(window, cpu) for window in windows]
    return QueryTime(
        **{field.name: statistics.median([getattr(one, field.name) for one in each]) for field in fields(QueryTime)}
    )


def cpu_by_thread(windows: Sequence[Window]) -> list[float]:
    """The CPU time of a query of thread i, in ns: the median over these windows, which have as many threads each."""
    return [
        statistics.median([window.per_thread[index].cpu_ns / _served(window, index) for window in windows])
        for index in range(windows[0].threads)
    ]


def _served(window: Window, index: int) -> float:
    """Queries of one thread over the time in which its CPU time was counted."""
    thread = window.per_thread[index]
    return max(thread.completed, 1e-9) * thread.wall_ns / thread.open_ns


def cpu_per_query_ns(windows: Iterable[Window]) -> float:
    """CPU time of a query, in ns: the median over windows. What other work takes is not in it."""
    return statistics.median([window.cpu_share * window.threads / window.qps * NS_PER_S for window in windows])


def qps(windows: Iterable[Window]) -> float:
    """Throughput in queries per second: the median over windows."""
    return statistics.median([window.qps for window in windows])


def windows_at(rounds: Iterable[Round], threads: int) -> list[Window]:
    """The windows with ``threads`` threads."""
    return [visit.window for one in rounds for visit in one.at(threads)]


def probes_at(rounds: Iterable[Round], threads: int) -> list[Window]:
    """The windows of the probe with ``threads`` threads."""
    return [visit.probe for one in rounds for visit in one.at(threads) if visit.probe is not None]
