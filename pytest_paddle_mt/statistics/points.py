"""Turns rounds into points: what is shown of each thread count."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from pytest_paddle_mt import gpu
from pytest_paddle_mt.records import Interval, Point
from pytest_paddle_mt.statistics import latency, scaling, selection, validity
from pytest_paddle_mt.statistics.intervals import mean_interval

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    from pytest_paddle_mt.records import Cpu, Latencies, Round, UniversalScalability, Visit

_WIDEST = 2.0  #: An interval that reaches further than this factor from its figure shows only that too little is known.


def points_of(
    rounds: Sequence[Round], thread_counts: Sequence[int], cpu: Cpu, confidences: Mapping[int, float]
) -> tuple[Point, ...]:
    """One point per thread count. Rounds that were set aside are counted, and left out of everything else.

    Throughput and efficiency have the time taken out that other work took, unless the threads wait for each other;
    latencies are those of the rounds that it left alone. Where it left none alone, all are shown. There is no
    efficiency where every round was set aside, or where the windows do not measure the predictor. ``confidences`` are
    those of the intervals of each thread count.
    """
    return tuple(_point(rounds, threads, cpu, confidences[threads]) for threads in thread_counts)


def pooled_latencies(rounds: Sequence[Round], threads: int) -> Latencies:
    """The latencies of every query with ``threads`` threads in these rounds."""
    return latency.merge(
        [thread.latencies for one in rounds for visit in one.at(threads) for thread in visit.window.per_thread]
    )


def latency_rounds(rounds: Sequence[Round], threads: int, cpu: Cpu) -> Sequence[Round]:
    """The rounds whose latencies with ``threads`` threads are shown: those that other work left alone, else all."""
    return selection.undisturbed(rounds, threads, cpu) or rounds


def throughputs(rounds: Sequence[Round], threads: int, cpu: Cpu) -> npt.NDArray[np.float64]:
    """QPS of each round with ``threads`` threads, shape (k,): of those that were not set aside, else of all."""
    usable = selection.usable(rounds, threads, cpu) or rounds
    return scaling.throughput_series(usable, threads, qps=credited(rounds, cpu))


def credited(rounds: Sequence[Round], cpu: Cpu) -> Callable[[Visit], float]:
    """Throughput of a visit in queries per second, with the time taken out that other work took.

    As measured where the threads wait for each other: then that time is not known.
    """
    counts = {visit.window.threads for one in rounds for visit in one.visits}
    doubtful = {n for n in counts if validity.wait_for_each_other(rounds, n)}
    return lambda visit: visit.window.qps if visit.window.threads in doubtful else validity.qps(visit.window, cpu)


def shown_interval(figure: float, interval: Interval | None) -> Interval | None:
    """The interval of a figure that is shown and not judged; None where it is wider than a factor of 2 either way.

    The logarithms of few rounds, one of which was disturbed, have intervals such as 0.008 to 277,000 queries a second.
    """
    known = interval is not None and interval.low * _WIDEST >= figure and interval.high <= _WIDEST * figure
    return interval if known else None


def universal_scalability(measured: Sequence[Point]) -> UniversalScalability | None:
    """Fit of the Universal Scalability Law to the points; None below three thread counts."""
    return scaling.universal_scalability(
        np.array([point.threads for point in measured], dtype=np.float64),
        np.array([point.qps for point in measured], dtype=np.float64),
    )


def _point(rounds: Sequence[Round], threads: int, cpu: Cpu, confidence: float) -> Point:
    shared = selection.on_shared_cores(rounds, threads, cpu)
    usable = selection.usable(rounds, threads, cpu)
    qps_of_rounds = throughputs(rounds, threads, cpu)
    log_efficiencies = scaling.efficiency_series(usable, threads, qps=credited(rounds, cpu))
    pooled = pooled_latencies(latency_rounds(rounds, threads, cpu), threads)
    rounds = [one for one in rounds if one.at(threads)]
    efficiency, efficiency_interval = _efficiency(log_efficiencies, confidence)
    if any(validity.objection(rounds, n) for n in (1, threads)):
        efficiency, efficiency_interval = None, None
    qps = scaling.geometric_mean(qps_of_rounds)
    assert qps is not None, "a point has at least one round"
    windows = [visit.window for one in usable or rounds for visit in one.at(threads)]
    return Point(
        threads=threads,
        qps=qps,
        qps_interval=shown_interval(qps, scaling.geometric_mean_interval(qps_of_rounds, confidence)),
        efficiency=1.0 if threads == 1 else efficiency,
        efficiency_interval=None if threads == 1 else efficiency_interval,
        latency=latency.summary(pooled),
        thinned=pooled.thinned,
        queries=sum(window.queries for window in windows),
        fairness=float(np.median([window.fairness for window in windows])),
        rounds=len(rounds),
        set_aside_rounds=len(rounds) - len(usable),
        shared_core_rounds=len(shared),
        lost_share=float(np.mean([validity.lost_share(window, cpu) for window in windows])),
        peak_rss_bytes=_peak_rss_bytes(rounds, threads),
        throttled_rounds=sum(
            any(validity.throttled(v.window) for n in {1, threads} for v in one.at(n)) for one in rounds
        ),
        gpu=gpu.together([window.gpu for window in windows if window.gpu is not None]),
    )


def _peak_rss_bytes(rounds: Sequence[Round], threads: int) -> int | None:
    """Peak memory of the largest process after its first window with ``threads`` threads: a peak only grows."""
    first: dict[int, int] = {}
    for one in rounds:
        for visit in one.at(threads):
            noise = visit.window.noise
            if noise is not None and noise.peak_rss_bytes is not None:
                first.setdefault(visit.fork, noise.peak_rss_bytes)
    return max(first.values(), default=None)


def _efficiency(log_efficiencies: np.ndarray, confidence: float) -> tuple[float | None, Interval | None]:
    if not len(log_efficiencies):
        return None, None
    interval = mean_interval(log_efficiencies, confidence)
    return float(np.exp(log_efficiencies.mean())), (
        None if interval is None else Interval(low=math.exp(interval.low), high=math.exp(interval.high))
    )
