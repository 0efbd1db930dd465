"""What a test gets back from ``concurrent_runner``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_paddle_mt import summary
from pytest_paddle_mt.errors import UsageError
from pytest_paddle_mt.statistics import latency
from pytest_paddle_mt.units import ms

if TYPE_CHECKING:
    from pytest_paddle_mt.records import Latencies, Point, Status, Sweep, Verdict
    from pytest_paddle_mt.validity import Cpu


class PointResult:
    """One thread count of a sweep, for a test's own assertions."""

    def __init__(self, point: Point, latencies: Latencies) -> None:
        self._point = point
        self._latencies = latencies

    @property
    def threads(self) -> int:
        """Number of threads."""
        return self._point.threads

    @property
    def qps(self) -> float:
        """Throughput in queries per second of the time that other work left to the threads."""
        return self._point.qps

    @property
    def speedup(self) -> float | None:
        """Throughput over that of one thread; None when every round was set aside."""
        return self._point.speedup

    @property
    def efficiency(self) -> float | None:
        """Speedup over threads; None when every round was set aside."""
        return self._point.efficiency

    @property
    def fairness(self) -> float:
        """Throughput of the slowest thread over that of the fastest, median over windows."""
        return self._point.fairness

    @property
    def queries(self) -> int:
        """Completed queries inside the windows."""
        return self._point.queries

    def latency_ms(self, percentile: float) -> float:
        """A latency percentile in ms, over the queries of the rounds that other work left alone; of all, without one.

        Args:
            percentile: in (0, 100), for instance 99.

        Raises:
            UsageError: out of range, or the sample is too small for it.
        """
        __tracebackhide__ = True
        if not 0 < percentile < 100:
            raise UsageError(f"latency_ms({percentile!r}) is no percentile; give a number between 0 and 100")
        value_ns = latency.percentile(self._latencies, percentile / 100)
        if value_ns is None:
            needed = latency.minimum_queries(percentile / 100)
            raise UsageError(
                f"p{percentile:g} needs {needed} queries and {self._latencies.queries} were measured with "
                f"{self.threads} threads; give a longer --paddle-window or more --paddle-rounds"
            )
        return ms(value_ns)


class SweepResult:
    """A finished sweep: what was measured and what was concluded."""

    def __init__(self, sweep: Sweep, cpu: Cpu) -> None:
        self.sweep = sweep
        self._cpu = cpu

    @property
    def thread_counts(self) -> tuple[int, ...]:
        """The thread counts measured, ascending."""
        return self.sweep.thread_counts

    @property
    def status(self) -> Status:
        """The worst of the verdicts."""
        return self.sweep.status

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """What each check concluded."""
        return self.sweep.verdicts

    def at(self, threads: int) -> PointResult:
        """What was measured with ``threads`` threads.

        Raises:
            UsageError: that thread count was not measured.
        """
        __tracebackhide__ = True
        for point in self.sweep.points:
            if point.threads == threads:
                rounds = summary.latency_rounds(self.sweep.rounds, threads, self._cpu)
                return PointResult(point, summary.pooled_latencies(rounds, threads))
        measured = ", ".join(map(str, self.thread_counts))
        raise UsageError(
            f"{threads!r} threads were not measured; measured: {measured}. Ask for them with --paddle-threads, or "
            "with @pytest.mark.paddle_scaling(threads=[...])"
        )
