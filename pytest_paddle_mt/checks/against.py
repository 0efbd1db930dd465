"""Is this side slower than the other, by more than ``max_drift``? Judged per thread count, on paired rounds."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pytest_paddle_mt.records import Verdict
from pytest_paddle_mt.statistics import pairs, validity
from pytest_paddle_mt.statistics.intervals import MIN_VALUES
from pytest_paddle_mt.units import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_paddle_mt.records import Cpu, PairedRound, Side, Status

#: Name of the check.
NAME = "against"


def limit(max_drift: float) -> float:
    """The smallest throughput over the other side's that passes: a query may take 1 + ``max_drift`` times as long."""
    return 1 / (1 + max_drift)


def judge(
    rounds: Sequence[PairedRound],
    thread_counts: Sequence[int],
    *,
    cpu: Cpu,
    max_drift: float,
    confidence: float,
    names: tuple[str, str],
) -> tuple[Verdict, ...]:
    """One verdict per thread count.

    Pass when the whole interval of the ratio is at or above the limit, fail when it is below, else inconclusive. A side
    that is faster passes, however much.

    Args:
        rounds: measured so far.
        thread_counts: those to judge.
        cpu: how many threads find a core, of the side whose predictors need more.
        max_drift: largest accepted slow-down, as a share of the time of a query.
        confidence: of each interval, looks and comparisons accounted for.
        names: what this side and the other are called.
    """
    return tuple(_at(rounds, threads, cpu, limit(max_drift), confidence, names) for threads in thread_counts)


def undecidable(status: Status, reason: str, max_drift: float) -> Verdict:
    """The verdict where the two sides could not be measured against each other."""
    return Verdict(check=NAME, threads=None, status=status, observed=None, limit=limit(max_drift), reason=reason)


def _at(
    rounds: Sequence[PairedRound], threads: int, cpu: Cpu, least: float, confidence: float, names: tuple[str, str]
) -> Verdict:
    this, other = names
    series = pairs.ratio_series(rounds, threads, lambda window: validity.qps(window, cpu))
    interval = pairs.ratio_interval(series, confidence)
    observed = math.exp(float(series.mean())) if len(series) else None
    what = f"QPS of {this} over {other} with {counted(threads, 'thread')}"

    def verdict(status: Status, reason: str) -> Verdict:
        return Verdict(check=NAME, threads=threads, status=status, observed=observed, limit=least, reason=reason)

    sides: tuple[Side, Side] = ("this", "other")
    for side, name in zip(sides, names, strict=True):
        objection = validity.objection([one.of(side) for one in rounds], threads)
        if objection is not None:
            return verdict("inconclusive", f"{name}: {objection}")
    if interval is None or observed is None:
        return verdict(
            "inconclusive",
            f"{what} could not be judged: an interval needs {counted(MIN_VALUES, 'round')} and there "
            f"{'is' if len(series) == 1 else 'are'} {len(series)}; give more --paddle-rounds or a larger "
            "--paddle-budget",
        )
    measured = f"{what} is {observed:.3f} ({interval.low:.3f} to {interval.high:.3f}, {counted(len(series), 'round')})"
    if interval.high < least:
        return verdict("fail", f"{measured}, below the limit {least:.3f}")
    if interval.low < least:
        return verdict(
            "inconclusive",
            f"{measured}: the interval holds the limit {least:.3f}; give more --paddle-rounds and a larger "
            "--paddle-budget, or a quieter machine",
        )
    faster = f": {this} is faster" if interval.low > 1 else ""
    return verdict("pass", f"{measured}, at or above the limit {least:.3f}{faster}")
