"""Computes the efficiency of each round, plans the looks, and fits the Universal Scalability Law."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np

from pytest_paddle_mt.records import Interval, Round, UniversalScalability, Visit
from pytest_paddle_mt.statistics.intervals import MIN_AUTOCORRELATION, mean_interval
from pytest_paddle_mt.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import numpy.typing as npt


def throughput(visit: Visit) -> float:
    """QPS of a window as it was measured."""
    return visit.window.qps


def log_throughput(round_: Round, threads: int, qps: Callable[[Visit], float] = throughput) -> float | None:
    """Mean of ln QPS over the windows with ``threads`` threads of one round; None without such a window."""
    visits = round_.at(threads)
    return math.fsum(math.log(qps(visit)) for visit in visits) / len(visits) if visits else None


def log_ratio(round_: Round, threads: int, base: int, qps: Callable[[Visit], float] = throughput) -> float | None:
    """ln QPS(``threads``) - ln QPS(``base``) in one round, each a mean over its windows; None without one of them.

    The windows with one thread stand around the others, (1, a, b, b, a, 1), so that a steady drift of the machine
    cancels.
    """
    few, many = log_throughput(round_, base, qps), log_throughput(round_, threads, qps)
    return None if few is None or many is None else many - few


def ratio_series(
    rounds: Iterable[Round],
    threads: int,
    base: int,
    qps: Callable[[Visit], float] = throughput,
) -> npt.NDArray[np.float64]:
    """``log_ratio`` of the rounds that have one, float64, shape (k,), in the order given."""
    values = (log_ratio(round_, threads, base, qps) for round_ in rounds)
    return np.array([value for value in values if value is not None], dtype=np.float64)


def efficiency_series(
    rounds: Iterable[Round],
    threads: int,
    qps: Callable[[Visit], float] = throughput,
) -> npt.NDArray[np.float64]:
    """ln E(n) = ln QPS(n) - ln n - ln QPS(1) of the rounds that have one, float64, shape (k,), in that order."""
    return ratio_series(rounds, threads, 1, qps) - math.log(threads)


def throughput_series(
    rounds: Iterable[Round],
    threads: int,
    qps: Callable[[Visit], float] = throughput,
) -> npt.NDArray[np.float64]:
    """QPS of the rounds that measured ``threads`` threads, geometric mean over a round's windows, shape (k,)."""
    values = (log_throughput(round_, threads, qps) for round_ in rounds)
    return np.array([math.exp(value) for value in values if value is not None], dtype=np.float64)


def seconds_per_round(rounds: Sequence[Round]) -> float | None:
    """How long the latest rounds took, in seconds: the median of the last three; None where that is not known."""
    opened_ns = [one.visits[0].window.opened_ns for one in rounds[-4:]]
    seconds = [(later - earlier) / NS_PER_S for earlier, later in itertools.pairwise(opened_ns)]
    return float(np.median(seconds)) if seconds and min(seconds) > 0 else None


def geometric_mean(values: npt.NDArray[np.float64]) -> float | None:
    """Geometric mean of positive values, shape (k,); None without one."""
    return float(np.exp(np.mean(np.log(values)))) if len(values) else None


def geometric_mean_interval(
    values: npt.NDArray[np.float64], confidence: float, min_autocorrelation: float = MIN_AUTOCORRELATION
) -> Interval | None:
    """Confidence interval for the geometric mean of positive values, one per round, shape (k,), in order.

    ``mean_interval`` of the logarithms, taken back. None where that is None.
    """
    interval = mean_interval(np.log(values), confidence, min_autocorrelation)
    return None if interval is None else Interval(low=math.exp(interval.low), high=math.exp(interval.high))


def universal_scalability(
    threads: npt.NDArray[np.integer], qps: npt.NDArray[np.float64]
) -> UniversalScalability | None:
    """Fit X(n) = n X(1) / (1 + a (n - 1) + b n (n - 1)), contention a and coherency b, neither below 0.

    Least squares on the form that is linear in a and b, n X(1) / X(n) - 1 = a (n - 1) + b n (n - 1) (N. Gunther,
    Guerrilla Capacity Planning, 2007, chapters 4 and 5). ``threads`` and ``qps`` have shape (k,), each count once.
    None below three thread counts, or without one thread.
    """
    if len(threads) < 3 or 1 not in threads:
        return None
    n = threads.astype(np.float64)
    target = n * float(qps[threads == 1][0]) / qps - 1
    columns = np.column_stack([n - 1, n * (n - 1)])
    contention, coherency = np.linalg.lstsq(columns, target, rcond=None)[0]
    if min(contention, coherency) < 0:  # then the best pair lies on an edge: one of them is 0
        alone = np.maximum(columns.T @ target / np.sum(columns**2, axis=0), 0.0)
        residuals = np.sum((columns * alone - target[:, np.newaxis]) ** 2, axis=0)
        contention, coherency = (alone[0], 0.0) if residuals[0] <= residuals[1] else (0.0, alone[1])
    return UniversalScalability(contention=float(contention), coherency=float(coherency))
