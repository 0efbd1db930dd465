"""Measures windows on the native loop: what the engines on it share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_paddle_mt.engines import MAX_STORED_QUERIES
from pytest_paddle_mt.errors import QueryFailed
from pytest_paddle_mt.machine.noise import NoiseSensor
from pytest_paddle_mt.records import Latencies, ThreadWindow, Window
from pytest_paddle_mt.statistics import latency
from pytest_paddle_mt.statistics.counting import fraction_inside
from pytest_paddle_mt.units import NS_PER_S

if TYPE_CHECKING:
    from pytest_paddle_mt import _native
    from pytest_paddle_mt.records import WindowPlan


def measure(loop: _native.ClosedLoop, threads: int, plan: WindowPlan, max_stored: int = MAX_STORED_QUERIES) -> Window:
    """Measure one window with the first ``threads`` targets of ``loop``.

    Raises:
        QueryFailed: a query failed in one of the threads.
    """
    sensor = NoiseSensor()
    window = loop.measure(
        threads,
        window_ns=round(plan.window_s * NS_PER_S),
        min_queries=plan.min_queries,
        expected_queries=plan.expected_queries,
        warmup_ns=round(plan.warmup_s * NS_PER_S),
        warmup_queries=plan.warmup_queries,
        max_stored=max_stored,
    )
    if window.failure is not None:
        failure = window.failure
        raise QueryFailed(thread=failure.thread, query=failure.query, threads=threads, message=failure.message)
    return Window(
        threads=threads,
        opened_ns=window.opened_ns,
        open_ns=window.closed_ns - window.opened_ns,
        per_thread=tuple(_thread_window(thread, window.opened_ns, window.closed_ns) for thread in window.threads),
        noise=sensor.read(),
    )


def _thread_window(thread: _native.ThreadRecord, opened_ns: int, closed_ns: int) -> ThreadWindow:
    edges = (thread.at_opening_ns, thread.at_closing_ns)
    return ThreadWindow(
        open_ns=closed_ns - opened_ns,
        completed=thread.queries + sum(fraction_inside(*query, opened_ns, closed_ns) for query in edges),
        queries=thread.queries,
        first_completion_ns=thread.first_completion_ns,
        last_completion_ns=thread.last_completion_ns,
        busy_ns=thread.busy_ns,
        latencies=_latencies(thread),
        wall_ns=thread.wall_ns,
        cpu_ns=thread.cpu_ns,
        voluntary_switches=thread.voluntary_switches,
        involuntary_switches=thread.involuntary_switches,
        run_delay_ns=thread.run_delay_ns,
    )


def _latencies(thread: _native.ThreadRecord) -> Latencies:
    bins = thread.bins
    return latency.from_bins(bins) if len(bins) else latency.exact(thread.ends_ns - thread.starts_ns)
