"""Gives a test what ``concurrent_runner`` measured and concluded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_paddle_mt.errors import UsageError
from pytest_paddle_mt.statistics import latency
from pytest_paddle_mt.statistics.points import latency_rounds, pooled_latencies
from pytest_paddle_mt.units import ms

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_paddle_mt.records import Against, Cpu, Interval, Latencies, Measured, Point, Ratio, Round, Sweep


class PointResult:
    """One thread count of a sweep, for a test's own assertions."""

    def __init__(self, point: Point, latencies: Latencies) -> None:
        self.threads = point.threads  #: Number of threads.
        #: Throughput in queries per second of the time that other work left to the threads.
        self.qps = point.qps
        #: Throughput over that of one thread; None when every round was set aside.
        self.speedup = point.speedup
        self.efficiency = point.efficiency  #: Speedup over threads; None when every round was set aside.
        #: Throughput of the slowest thread over that of the fastest, median over windows.
        self.fairness = point.fairness
        self.queries = point.queries  #: Completed queries inside the windows.
        self._latencies = latencies

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


class SideResult:
    """One side of a comparison: what was measured of it."""

    def __init__(self, points: Sequence[Point], rounds: Sequence[Round], cpu: Cpu) -> None:
        self._points = points
        self._rounds = rounds
        self._cpu = cpu

    def at(self, threads: int) -> PointResult:
        """What was measured with ``threads`` threads.

        Raises:
            UsageError: that thread count was not measured.
        """
        __tracebackhide__ = True
        for point in self._points:
            if point.threads == threads:
                latencies = pooled_latencies(latency_rounds(self._rounds, threads, self._cpu), threads)
                return PointResult(point, latencies)
        raise _not_measured(threads, [point.threads for point in self._points])


class SweepResult(SideResult):
    """A finished sweep: what was measured and what was concluded."""

    def __init__(self, sweep: Sweep, measured: Measured) -> None:
        super().__init__(sweep.points, [one.of("this") for one in measured.rounds], measured.cpu)
        self.sweep = sweep
        self.measured = measured
        self.thread_counts = sweep.thread_counts  #: The thread counts measured, ascending.
        self.status = sweep.status  #: The worst of the verdicts.
        self.verdicts = sweep.verdicts  #: What each check concluded.


class ComparisonResult(SweepResult):
    """A finished comparison. What ``SweepResult`` gives is of the side that is judged: ``b``, or this interpreter.

    Where nothing could be measured (the sides serve different inputs, the test is missing on one), asking for a figure
    ends the test as it would end after its body: skipped with the reason, or failed under ``--paddle-strict``.
    """

    def __init__(self, sweep: Sweep, measured: Measured, unmeasured: Callable[[], None]) -> None:
        super().__init__(sweep, measured)
        self._unmeasured = unmeasured

    @property
    def b(self) -> SideResult:
        """The side that is judged."""
        __tracebackhide__ = True
        self._need_figures()
        return SideResult(self._points, self._rounds, self._cpu)

    @property
    def a(self) -> SideResult:
        """The side that it is compared with."""
        __tracebackhide__ = True
        rounds = [one.of("other") for one in self.measured.rounds]
        return SideResult(self._need_figures().points, rounds, self._cpu)

    def at(self, threads: int) -> PointResult:
        """What was measured of the side that is judged with ``threads`` threads.

        Raises:
            UsageError: that thread count was not measured.
        """
        __tracebackhide__ = True
        self._need_figures()
        return super().at(threads)

    def ratio(self, threads: int) -> float:
        """Throughput of the side that is judged over the other's; above 1 where it is faster.

        Raises:
            UsageError: that thread count was not measured.
        """
        __tracebackhide__ = True
        return self._ratio(threads).qps

    def ratio_interval(self, threads: int) -> Interval | None:
        """Confidence interval of ``ratio``; None below four rounds, or where it is wider than a factor of 2 either way.

        Raises:
            UsageError: that thread count was not measured.
        """
        __tracebackhide__ = True
        return self._ratio(threads).qps_interval

    def _ratio(self, threads: int) -> Ratio:
        __tracebackhide__ = True
        for ratio in self._need_figures().ratios:
            if ratio.threads == threads:
                return ratio
        raise _not_measured(threads, self.thread_counts)

    def _need_figures(self) -> Against:
        __tracebackhide__ = True
        if not self.sweep.points:
            self._unmeasured()
            raise UsageError(f"nothing was measured: {'; '.join(verdict.reason for verdict in self.verdicts)}")
        assert self.sweep.against is not None, "a comparison has two sides"
        return self.sweep.against


def _not_measured(threads: int, measured: Sequence[int]) -> UsageError:
    return UsageError(
        f"{threads!r} threads were not measured; measured: {', '.join(map(str, measured))}. Ask for them with "
        "--paddle-threads, or with @pytest.mark.paddle_scaling(threads=[...])"
    )
