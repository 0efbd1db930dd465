"""Computes the ratio of the two sides of a comparison in each round, and its interval.

What was tried, on which data, and why it is done like this: ``docs/statistics.md``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from pytest_paddle_mt.records import Interval, Ratio, Round
from pytest_paddle_mt.statistics import intervals, scaling
from pytest_paddle_mt.statistics.points import shown_interval

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy.typing as npt

    from pytest_paddle_mt.records import Visit

#: The ratios of neighbouring rounds are taken to be at least this correlated. What lasts longer than a round disturbs
#: both sides alike and cancels, so there is less to allow for than in the efficiency of one side.
MIN_AUTOCORRELATION = 0.0


def log_ratio(round_: Round, threads: int, qps: Callable[[Visit], float] = scaling.throughput) -> float | None:
    """ln QPS of this side - ln QPS of the other with ``threads`` threads, each a mean over its visits.

    None when the round did not visit that count on both sides.
    """
    this, other = (scaling.log_throughput(round_.of(side), threads, qps) for side in ("this", "other"))
    return None if this is None or other is None else this - other


def ratio_series(
    rounds: Iterable[Round], threads: int, qps: Callable[[Visit], float] = scaling.throughput
) -> npt.NDArray[np.float64]:
    """``log_ratio`` of the rounds that have one, float64, shape (k,), in the order given."""
    values = (log_ratio(round_, threads, qps) for round_ in rounds)
    return np.array([value for value in values if value is not None], dtype=np.float64)


def ratio_interval(
    log_ratios: npt.NDArray[np.float64], confidence: float, min_autocorrelation: float = MIN_AUTOCORRELATION
) -> Interval | None:
    """Confidence interval for the geometric mean of the ratio, from its logarithms, shape (k,), in order.

    ``intervals.mean_interval``, taken back from logarithms. None where that is None.
    """
    interval = intervals.mean_interval(log_ratios, confidence, min_autocorrelation)
    return None if interval is None else Interval(low=math.exp(interval.low), high=math.exp(interval.high))


def ratio(
    rounds: Iterable[Round],
    threads: int,
    confidence: float,
    p50_ns: tuple[float | None, float | None],
    qps: Callable[[Visit], float] = scaling.throughput,
) -> Ratio | None:
    """This side over the other with ``threads`` threads; None without a round.

    Args:
        rounds: all of them, with the visits of both sides.
        threads: the thread count.
        confidence: of the interval.
        p50_ns: median latency of this side and the other's, in ns; None when a sample cannot support it.
        qps: throughput of a visit.
    """
    log_ratios = ratio_series(rounds, threads, qps)
    if not len(log_ratios):
        return None
    this_ns, other_ns = p50_ns
    observed = float(np.exp(log_ratios.mean()))
    return Ratio(
        threads=threads,
        qps=observed,
        qps_interval=shown_interval(observed, ratio_interval(log_ratios, confidence)),
        p50=None if this_ns is None or other_ns is None else this_ns / other_ns,
        rounds=len(log_ratios),
    )
