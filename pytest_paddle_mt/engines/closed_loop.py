"""Measures windows on the native loop: what the engines on it share."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from pytest_paddle_mt import _native
from pytest_paddle_mt.engines import MAX_STORED_QUERIES
from pytest_paddle_mt.engines.python_crew import starting_threads
from pytest_paddle_mt.errors import QueryFailed
from pytest_paddle_mt.machine.noise import NoiseSensor
from pytest_paddle_mt.predictors.advice import on_destroyed_clone
from pytest_paddle_mt.records import Latencies, ThreadWindow, Window
from pytest_paddle_mt.statistics import latency
from pytest_paddle_mt.statistics.counting import ends_inside, fraction_inside, time_inside_ns
from pytest_paddle_mt.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_paddle_mt.records import WindowPlan


class LoopSession:
    """An engine session on the native loop. A subclass makes the targets, one for each thread."""

    def __init__(self, max_stored: int = MAX_STORED_QUERIES) -> None:
        self._max_stored = max_stored
        self._loop: _native.ClosedLoop | None = None

    def targets(self, threads: int) -> Sequence[_native.Target]:
        """At least ``threads`` targets."""
        raise NotImplementedError

    def prepare(self, threads: int) -> None:
        """Make the targets and a loop over them, where there are too few."""
        if self._loop is None or len(self._loop) < threads:
            targets = self.targets(threads)
            self.close()
            self._loop = _native.ClosedLoop(targets)

    def measure(self, threads: int, plan: WindowPlan) -> Window:
        """Measure one window.

        Raises:
            QueryFailed: a query failed in one of the threads.
        """
        self.prepare(threads)
        assert self._loop is not None, "it was prepared"
        window, served = measure(self._loop, threads, plan, self._max_stored)
        return dataclasses.replace(window, served=sum(served), compared=self.check_answers(served))

    def check_answers(self, served: Sequence[int]) -> int:
        """Check what the targets hold after a window in which thread i served ``served[i]`` queries.

        Returns:
            How many answers were compared, those that the targets compared themselves too.
        """
        return 0

    def close(self) -> None:
        """Join every thread."""
        if self._loop is not None:
            self._loop.close()
            self._loop = None


def measure(
    loop: _native.ClosedLoop, threads: int, plan: WindowPlan, max_stored: int = MAX_STORED_QUERIES
) -> tuple[Window, list[int]]:
    """Measure one window with the first ``threads`` targets of ``loop``; and how many queries each thread served.

    Raises:
        QueryFailed: a query failed in one of the threads.
    """
    sensor = NoiseSensor()
    with starting_threads():
        window = loop.measure(
            threads,
            window_ns=round(plan.window_s * NS_PER_S),
            min_queries=plan.min_queries,
            expected_queries=plan.expected_queries,
            warmup_ns=round(plan.warmup_s * NS_PER_S),
            warmup_queries=plan.warmup_queries,
            max_stored=max_stored,
            cpus=plan.cpus,
        )
    if window.failure is not None:
        failure = window.failure
        message = failure.message.strip() + on_destroyed_clone(failure.message)
        raise QueryFailed(thread=failure.thread, query=failure.query, threads=threads, message=message)
    measured = Window(
        threads=threads,
        opened_ns=window.opened_ns,
        open_ns=window.closed_ns - window.opened_ns,
        per_thread=tuple(_thread_window(thread, window.opened_ns, window.closed_ns) for thread in window.threads),
        noise=sensor.read(),
    )
    return measured, [thread.served for thread in window.threads]


def _thread_window(thread: _native.ThreadRecord, opened_ns: int, closed_ns: int) -> ThreadWindow:
    made_here = {"latencies", "open_ns", "completed", "inside_ns", "queries", "busy_ns", "cpus"}
    names = (field.name for field in dataclasses.fields(ThreadWindow) if field.name not in made_here)
    edges = (thread.at_opening_ns, thread.at_closing_ns)
    start_ns, end_ns = thread.at_opening_ns
    opening_ns = [end_ns - start_ns] if ends_inside(thread.at_opening_ns, opened_ns, closed_ns) else []
    return ThreadWindow(
        open_ns=closed_ns - opened_ns,
        completed=thread.queries + sum(fraction_inside(*query, opened_ns, closed_ns) for query in edges),
        inside_ns=thread.busy_ns + sum(time_inside_ns(*query, opened_ns, closed_ns) for query in edges),
        queries=thread.queries + len(opening_ns),
        busy_ns=thread.busy_ns + sum(opening_ns),
        latencies=_latencies(thread, opening_ns),
        cpus=tuple(thread.cpus),
        **{name: getattr(thread, name) for name in names},
    )


def _latencies(thread: _native.ThreadRecord, opening_ns: list[int]) -> Latencies:
    bins = thread.bins
    if not len(bins):
        return latency.exact(np.append(thread.ends_ns - thread.starts_ns, np.array(opening_ns, dtype=np.int64)))
    return latency.merge([latency.from_bins(bins), latency.exact(np.array(opening_ns, dtype=np.int64))])
