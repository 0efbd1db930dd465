"""From rounds to points: what is shown of each thread count."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from pytest_paddle_mt import validity
from pytest_paddle_mt.records import Interval, Point
from pytest_paddle_mt.statistics import latency, scaling
from pytest_paddle_mt.statistics.intervals import mean_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_paddle_mt.records import Latencies, Round, UniversalScalability
    from pytest_paddle_mt.validity import Cpu


def points(rounds: Sequence[Round], thread_counts: Sequence[int], cpu: Cpu, confidence: float) -> tuple[Point, ...]:
    """One point per thread count. Rounds in which it was preempted are counted, and left out of everything else.

    Where every round of a thread count was preempted, all of them are shown, without an efficiency.
    """
    return tuple(_point(rounds, threads, cpu, confidence) for threads in thread_counts)


def pooled_latencies(rounds: Sequence[Round], threads: int) -> Latencies:
    """The latencies of every query with ``threads`` threads in these rounds."""
    return latency.merge(
        [thread.latencies for one in rounds for window in one.at(threads) for thread in window.per_thread]
    )


def usable_rounds(rounds: Sequence[Round], threads: int, cpu: Cpu) -> list[Round]:
    """The rounds that say something about ``threads`` threads."""
    return [one for one in rounds if validity.usable(one, threads, cpu)]


def universal_scalability(measured: Sequence[Point]) -> UniversalScalability | None:
    """Fit of the Universal Scalability Law to the points; None below three thread counts."""
    return scaling.universal_scalability(
        np.array([point.threads for point in measured], dtype=np.float64),
        np.array([point.qps for point in measured], dtype=np.float64),
    )


def _point(rounds: Sequence[Round], threads: int, cpu: Cpu, confidence: float) -> Point:
    usable = usable_rounds(rounds, threads, cpu)
    shown = usable or list(rounds)
    log_efficiencies = scaling.efficiency_series(usable, threads)
    throughputs = scaling.throughput_series(shown, threads)
    efficiency, efficiency_interval = _efficiency(log_efficiencies, confidence)
    qps = scaling.geometric_mean(throughputs)
    assert qps is not None, "a point has at least one round"
    windows = [window for one in shown for window in one.at(threads)]
    return Point(
        threads=threads,
        qps=qps,
        qps_interval=scaling.geometric_mean_interval(throughputs, confidence),
        efficiency=1.0 if threads == 1 else efficiency,
        efficiency_interval=None if threads == 1 else efficiency_interval,
        latency=latency.summary(pooled_latencies(shown, threads)),
        queries=sum(window.queries for window in windows),
        fairness=float(np.median([window.fairness for window in windows])),
        rounds=len(rounds),
        preempted_rounds=len(rounds) - len(usable),
        peak_rss_bytes=_peak_rss_bytes(rounds, threads),
    )


def _peak_rss_bytes(rounds: Sequence[Round], threads: int) -> int | None:
    """What the largest process had had after its first window with ``threads`` threads: a peak only grows."""
    first: dict[int, int] = {}
    for one in rounds:
        for window in one.at(threads):
            if window.noise is not None and window.noise.peak_rss_bytes is not None:
                first.setdefault(one.fork, window.noise.peak_rss_bytes)
    return max(first.values(), default=None)


def _efficiency(log_efficiencies: np.ndarray, confidence: float) -> tuple[float | None, Interval | None]:
    if not len(log_efficiencies):
        return None, None
    interval = mean_interval(log_efficiencies, confidence)
    return float(np.exp(log_efficiencies.mean())), (
        None if interval is None else Interval(low=math.exp(interval.low), high=math.exp(interval.high))
    )
