"""Judges whether this side is slower than the other by more than ``max_drift``, at each thread count."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pytest_paddle_mt.checks.margin import still_missing
from pytest_paddle_mt.records import Verdict
from pytest_paddle_mt.statistics import pairs, validity
from pytest_paddle_mt.statistics.intervals import MIN_VALUES
from pytest_paddle_mt.units import counted

if TYPE_CHECKING:
    from pytest_paddle_mt.checks import Evidence, OtherSide
    from pytest_paddle_mt.records import Side, Status

NAME = "against"  #: Name of the check.


def limit(max_drift: float) -> float:
    """The smallest throughput over the other side's that passes: a query may take 1 + ``max_drift`` times as long."""
    return 1 / (1 + max_drift)


class AgainstCheck:
    """QPS of this side over the other's against ``1 / (1 + max_drift)``, at every thread count."""

    name = NAME

    def judge(self, evidence: Evidence) -> list[Verdict]:
        """One verdict per thread count of a comparison; none where there is one side.

        Pass when the whole interval of the ratio is at or above the limit, fail when it is below, else inconclusive. A
        side that is faster passes, however much.
        """
        if evidence.other is None:
            return []
        return [_at(evidence, evidence.other, threads) for threads in evidence.thread_counts]


def undecidable(status: Status, reason: str, max_drift: float) -> Verdict:
    """The verdict where the two sides could not be measured against each other."""
    return Verdict(check=NAME, threads=None, status=status, observed=None, limit=limit(max_drift), reason=reason)


def _at(evidence: Evidence, other: OtherSide, threads: int) -> Verdict:
    least = limit(evidence.limits.max_drift)
    this_name, other_name = other.names
    series = pairs.ratio_series(other.both, threads, lambda visit: validity.qps(visit.window, evidence.cpu))
    interval = pairs.ratio_interval(series, evidence.confidences[threads])
    observed = math.exp(float(series.mean())) if len(series) else None
    what = f"QPS of {this_name} over {other_name} with {counted(threads, 'thread')}"

    def verdict(status: Status, reason: str) -> Verdict:
        return Verdict(check=NAME, threads=threads, status=status, observed=observed, limit=least, reason=reason)

    sides: tuple[tuple[Side, str], ...] = (("this", this_name), ("other", other_name))
    for side, name in sides:
        objection = validity.objection([one.of(side) for one in other.both], threads)
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
        half_width, level = abs(math.log(observed / least)), evidence.confidences[threads]
        missing = still_missing(evidence, series, half_width, level, pairs.MIN_AUTOCORRELATION)
        return verdict("inconclusive", f"{measured}: the interval contains the limit {least:.3f}; {missing}")
    faster = f": {this_name} is faster" if interval.low > 1 else ""
    return verdict("pass", f"{measured}, at or above the limit {least:.3f}{faster}")
