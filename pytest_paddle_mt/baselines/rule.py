"""The rule for drift: compares every quantity of a new run with the accepted runs and with their anchor.

Pure functions. The check on drift uses them, and so does the ledger, to decide whether a run belongs to its series.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from statistics import geometric_mean
from typing import TYPE_CHECKING

import numpy as np

from pytest_paddle_mt.baselines import ANCHOR_RUNS, WINDOW_RUNS, Baseline, Series, anchor, digests
from pytest_paddle_mt.statistics import drift

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_paddle_mt.baselines import AnchorFigures, Figures
    from pytest_paddle_mt.records import Limits

    AnyFigures = Figures | AnchorFigures


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Quantity:
    """A figure that may drift."""

    key: str  #: Its attribute in ``Figures``.
    name: str  #: Human-readable.
    more_is_worse: bool  #: True for latencies; False for throughput and efficiency.

    def margin(self, limits: Limits) -> float:
        """Accepted drift."""
        return limits.max_p99_drift if self.key == "p99_ns" else limits.max_drift

    def option(self) -> str:
        """The option that sets the margin."""
        return "--paddle-max-p99-drift" if self.key == "p99_ns" else "--paddle-max-drift"


QPS = Quantity(key="qps", name="QPS", more_is_worse=False)
EFFICIENCY = Quantity(key="efficiency", name="scaling efficiency", more_is_worse=False)

#: Mean latency is not among them: in a closed loop it is threads / QPS. p90 is stored and shown only.
QUANTITIES = (
    Quantity(key="p50_ns", name="p50 latency", more_is_worse=True),
    Quantity(key="p5_ns", name="p5 latency", more_is_worse=True),
    Quantity(key="p99_ns", name="p99 latency", more_is_worse=True),
    QPS,
    EFFICIENCY,
)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Comparison:
    """One quantity of a new run, with one thread count, compared with the accepted runs.

    Where these show that the quantity goes with the probe, it is compared relative to the probe: with what they predict
    for a machine of the speed that the probe measured.
    """

    threads: int
    quantity: Quantity
    old: float  #: Geometric mean of the accepted runs, in the unit of the quantity.
    new: float
    runs: int  #: How many runs ``old`` is the mean of.
    anchored: bool  #: Whether ``old`` is the anchor, not the mean of the rolling window.
    worse: float  #: How much worse the new value is than expected, as a logarithm; negative: better.
    limit: float  #: How much worse it may be, as a logarithm.
    #: Standard deviation of the logarithms of the accepted runs, for the anchor between neighbours; relative to the
    #: probe, it is that around the prediction.
    spread: float
    detectable: float  #: The drift that is found 19 times in 20, as a logarithm.
    #: How much slower the probe was than in the accepted runs, as a factor; below 1: faster. None where the comparison
    #: is not relative to the probe.
    slower: float | None
    alone: Comparison | None  #: The same comparison without the probe; None where this one is without it.
    #: Whether the machine is slower than in the accepted runs by so much more than it varied in them that they cannot
    #: show what is due to it; the figures are then those of ``alone``.
    untold: bool = False

    @property
    def drifted(self) -> bool:
        """Whether it is worse than it may be."""
        return self.worse > self.limit and not self.untold

    @property
    def too_wide(self) -> bool:
        """Whether the accepted runs differ by more than those of one machine do."""
        return self.spread > drift.WIDEST_SPREAD

    @property
    def explained(self) -> bool:
        """Whether it is beyond its limit by itself, but not relative to the probe."""
        return self.alone is not None and self.alone.drifted and not self.drifted

    @property
    def improved(self) -> bool:
        """Whether it is better by more than the limit."""
        return -self.worse > self.limit

    @property
    def severity(self) -> float:
        """The share of the limit that is used up; above 1 it is drift."""
        return self.worse / self.limit


def compare(series: Series, figures: Sequence[Figures], limits: Limits) -> tuple[Comparison, ...]:
    """Every quantity that both the accepted runs and the new one have, thread count by thread count.

    They share the chance of a false alarm, ``drift.FALSE_ALARM``, evenly (Bonferroni).
    """
    asked = [
        (own, quantity, anchored)
        for own in figures
        for quantity in QUANTITIES
        for anchored in (False, True)
        if _value(own, quantity) is not None
        and _accepted(series, own.threads, quantity, anchored)
        and _accepted(series, own.threads, quantity, False)  # their spread decides the limit
    ]
    return tuple(
        _comparison(series, own, quantity, anchored, limits, drift.FALSE_ALARM / len(asked))
        for own, quantity, anchored in asked
    )


def accepted(baseline: Baseline | None, new: Baseline, limits: Limits) -> Baseline:
    """``baseline`` with the one run of ``new`` accepted: added to its series, or as the first of a new series.

    A new series begins where the setting or the machine differs, where a quantity is beyond its limit, for better or
    worse, and where somebody has edited the old one. The series that it replaces is kept as ``before``.
    """
    if baseline is None:
        return new
    old, setting = baseline.series, new.series.setting
    (run,) = new.series.runs
    same = dict(old.setting) == dict(setting) and dict(baseline.machine) == dict(new.machine)
    if (
        not same
        or digests.edited(baseline)
        or any(one.drifted or one.improved for one in compare(old, run.points, limits))
    ):
        return dataclasses.replace(new, before=old)
    runs = (*old.runs, run)
    of_series = anchor.completed(old.anchor, runs) if old.anchor.runs >= ANCHOR_RUNS else anchor.of_runs(runs)
    series = Series(setting=setting, anchor=of_series, runs=runs[-WINDOW_RUNS:])
    return dataclasses.replace(new, series=series, before=baseline.before)


def runs_with(series: Series, threads: int) -> int:
    """How many accepted runs measured this thread count."""
    return sum(1 for run in series.runs for point in run.points if point.threads == threads)


def mean(series: Series, threads: int, quantity: Quantity) -> float | None:
    """Geometric mean of a quantity over the accepted runs; None where no run has it."""
    values = _accepted(series, threads, quantity, False)
    return geometric_mean(values) if values else None


def spread(series: Series, threads: int, quantity: Quantity) -> float | None:
    """Standard deviation of the logarithm of a quantity between the accepted runs; None below two that have it."""
    values = _accepted(series, threads, quantity, False)
    return float(np.std(np.log(values), ddof=1)) if len(values) > 1 else None


def linear_up_to(series: Series, thread_counts: Sequence[int], min_efficiency: float) -> int:
    """The largest of these counts, ascending, up to which the stored curve has the efficiency that is asked for.

    Counts that are not stored are skipped.
    """
    reached = 1
    for threads in thread_counts:
        efficiency = mean(series, threads, EFFICIENCY)
        if efficiency is not None and efficiency < min_efficiency:
            break
        if efficiency is not None:
            reached = threads
    return reached


def _value(figures: AnyFigures, quantity: Quantity) -> float | None:
    if quantity.key == "efficiency" and figures.threads == 1:
        return None  # 1 by definition
    value: float | None = getattr(figures, quantity.key)
    return value


def _accepted(series: Series, threads: int, quantity: Quantity, anchored: bool) -> list[float]:
    """The accepted values: of each run in the window, or of the anchor, where that is the mean of other runs."""
    if anchored:
        in_window = _accepted(series, threads, quantity, False)
        if len(in_window) <= series.anchor.runs and len(series.runs) < WINDOW_RUNS:
            return []  # it is the mean of the very same values
    values = [_value(point, quantity) for point in _points(series, threads, anchored)]
    return [value for value in values if value is not None]


def _points(series: Series, threads: int, anchored: bool) -> list[AnyFigures]:
    points: Sequence[AnyFigures] = series.anchor.points
    if not anchored:
        points = [point for run in series.runs for point in run.points]
    return [point for point in points if point.threads == threads]


def _comparison(
    series: Series, own: Figures, quantity: Quantity, anchored: bool, limits: Limits, alpha: float
) -> Comparison:
    new = _value(own, quantity)
    assert new is not None, "only quantities that the run has are compared"
    margin = quantity.margin(limits)
    in_window = np.log(np.array(_accepted(series, own.threads, quantity, False), dtype=np.float64))
    spread = drift.between_runs(in_window)
    mean, runs = float(in_window.mean()), len(in_window)
    if anchored:
        if len(in_window) >= drift.FULL_RUNS:  # else the assumption is part of it
            spread = drift.between_neighbours(in_window)
        mean, runs = math.log(_accepted(series, own.threads, quantity, True)[0]), series.anchor.runs
    limit = drift.limit(spread, runs, margin, alpha)
    change = math.log(new) - mean
    alone = Comparison(
        threads=own.threads,
        quantity=quantity,
        old=math.exp(mean),
        new=new,
        runs=runs,
        anchored=anchored,
        worse=change if quantity.more_is_worse else -change,
        limit=limit,
        spread=spread.sd,
        detectable=drift.detectable(spread, runs, limit),
        slower=None,
        alone=None,
    )
    return _relative_to_probe(alone, series, own, margin, alpha) or alone


def _relative_to_probe(
    alone: Comparison, series: Series, own: Figures, margin: float, alpha: float
) -> Comparison | None:
    """``alone`` relative to the probe: compared with what the runs predict for a machine of this speed.

    None where the runs do not show that the quantity goes with the probe, and where the machine was no slower, as it
    then explains nothing. Where the probe hardly varied in them, a line through them is no guide to a machine that is
    much slower: its limit would let anything pass.
    """
    now = _with_probe(own, alone.quantity, own)
    if now is None:
        return None
    pairs = (_with_probe(point, alone.quantity, own) for point in _points(series, own.threads, False))
    known = np.array([pair for pair in pairs if pair is not None], dtype=np.float64)
    found = drift.regression(*known.T) if len(known) else None
    if found is None:
        return None
    before, runs, spread = known.mean(axis=0), len(known), found.spread
    if alone.anchored:
        first = _with_probe(_points(series, own.threads, True)[0], alone.quantity, own)
        if first is None:
            return None
        before, runs, spread = np.array(first), alone.runs, found.spread_of_neighbours
    worse, slower = (float(part) for part in np.array(now) - before)
    leverage = found.leverage(slower)
    if leverage > drift.MOST_LEVERAGE:
        untold = alone.drifted and slower > 0
        return dataclasses.replace(alone, slower=math.exp(slower), alone=alone, untold=True) if untold else None
    limit = drift.limit(spread, runs, margin, alpha, leverage)
    relative = dataclasses.replace(
        alone,
        old=math.exp(before[0] if alone.quantity.more_is_worse else -before[0]),
        runs=runs,
        worse=worse - found.slope * slower,
        limit=limit,
        spread=spread.sd,
        detectable=drift.detectable(spread, runs, limit, leverage),
        slower=math.exp(slower),
        alone=alone,
    )
    return None if relative.explained and slower <= 0 else relative


def _with_probe(figures: AnyFigures, quantity: Quantity, new: Figures) -> tuple[float, float] | None:
    """A figure and the probe's time, as logarithms that grow as a machine slows; None without both.

    Efficiency has no such pair, as it is relative to one thread already; nor have figures of another probe.
    """
    value, probe = _value(figures, quantity), figures.probe
    if value is None or probe is None or new.probe is None or quantity is EFFICIENCY:
        return None
    if probe.work != new.probe.work:
        return None
    return (math.log(value) if quantity.more_is_worse else -math.log(value)), -math.log(probe.qps)
