"""Adds a pytest-benchmark entry per thread count, so that its files, comparisons and histograms show throughput.

A data point is the seconds per query of one round, so that pytest-benchmark's OPS column is QPS.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from pytest_paddle_mt.statistics.points import throughputs
from pytest_paddle_mt.units import ms

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from pytest_paddle_mt.records import Measured, Point, Sweep
    from pytest_paddle_mt.reporters import Finished


class PytestBenchmarkReporter:
    """Registers entries with pytest-benchmark; see ``Reporter``."""

    name = "pytest-benchmark"

    def __init__(self) -> None:
        self._entries: dict[str, list[Any]] = {}

    def sweep_finished(self, finished: Finished) -> None:
        """Add the entries of a finished sweep; an earlier attempt of the same test is retired."""
        benchmark, sweep = finished.benchmark, finished.sweep
        # pytest-codspeed puts something else in the fixture's place.
        if benchmark is None or sweep.smoke_reason is not None or not hasattr(benchmark, "_make_stats"):
            return
        for entry in self._entries.pop(sweep.nodeid, []):
            entry.fixture.has_error = True
            entry.stats.data.clear()
        entries = [_entry(benchmark, sweep, finished.measured, point) for point in sweep.points]
        self._entries[sweep.nodeid] = entries

        def add_what_the_test_wrote() -> None:
            for entry, point in zip(entries, sweep.points, strict=True):
                entry.group = benchmark.group
                entry.extra_info = {**benchmark.extra_info, **_extra_info(sweep, point)}

        add_what_the_test_wrote()
        benchmark._cleanup_callbacks.append(add_what_the_test_wrote)  # called when the fixture is torn down

    def session_finished(self, sweeps: Sequence[Sweep], terminal: pytest.TerminalReporter) -> None:
        """Does nothing: pytest-benchmark prints its own table."""


def _entry(benchmark: Any, sweep: Sweep, measured: Measured, point: Point) -> Any:
    """The fixture gives one entry per use, so each thread count uses a copy of it."""
    own = copy.copy(benchmark)
    own.name = with_threads(benchmark.name, point.threads)
    own.fullname = with_threads(benchmark.fullname, point.threads)
    own.param = f"{benchmark.param}-threads={point.threads}" if benchmark.param else f"threads={point.threads}"
    own.params = {**(benchmark.params or {}), "threads": point.threads}
    own.has_error = False
    own.cprofile_stats = None
    entry = own._make_stats(iterations=1)
    rounds = [one.of("this") for one in measured.rounds]
    for qps in throughputs(rounds, point.threads, measured.cpu):
        entry.update(float(1 / qps))
    return entry


def with_threads(name: str, threads: int) -> str:
    """``test_x`` becomes ``test_x[threads=4]``, ``test_x[mobilenet]`` becomes ``test_x[mobilenet-threads=4]``."""
    return f"{name[:-1]}-threads={threads}]" if name.endswith("]") else f"{name}[threads={threads}]"


def _extra_info(sweep: Sweep, point: Point) -> dict[str, Any]:
    latency = point.latency
    return {
        "engine": sweep.subject.engine,
        "threads": point.threads,
        "qps": point.qps,
        "speedup": point.speedup,
        "efficiency": point.efficiency,
        "p50_ms": None if latency.p50_ns is None else ms(latency.p50_ns),
        "p90_ms": None if latency.p90_ns is None else ms(latency.p90_ns),
        "p99_ms": None if latency.p99_ns is None else ms(latency.p99_ns),
        "status": sweep.status,
        "gil": sweep.subject.gil,
    }
