"""The rule that drift is judged by: every quantity of a new run against the accepted runs and against their anchor.

Pure functions. The check on drift asks them, and whoever accepts a run asks whether it still belongs to its series.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_paddle_mt.baselines import ANCHOR_RUNS, WINDOW_RUNS, Anchor, AnchorFigures, Baseline, ProbeFigures, Series
from pytest_paddle_mt.statistics import drift

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_paddle_mt.baselines import Fact, Figures, Run
    from pytest_paddle_mt.records import Limits

    AnyFigures = Figures | AnchorFigures


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Quantity:
    """Something that may drift."""

    #: Its attribute in ``Figures``.
    key: str
    #: For people.
    name: str
    #: Whether more of it is worse: latencies; False: throughput and efficiency.
    more_is_worse: bool

    def margin(self, limits: Limits) -> float:
        """Accepted drift."""
        return limits.max_p99_drift if self.key == "p99_ns" else limits.max_drift

    def option(self) -> str:
        """The option that sets it."""
        return "--paddle-max-p99-drift" if self.key == "p99_ns" else "--paddle-max-drift"


QPS = Quantity(key="qps", name="QPS", more_is_worse=False)
EFFICIENCY = Quantity(key="efficiency", name="scaling efficiency", more_is_worse=False)

#: Mean latency is threads / QPS in a closed loop, so it is not judged as well; p90 is kept and shown.
QUANTITIES = (
    Quantity(key="p50_ns", name="p50 latency", more_is_worse=True),
    Quantity(key="p5_ns", name="p5 latency", more_is_worse=True),
    Quantity(key="p99_ns", name="p99 latency", more_is_worse=True),
    QPS,
    EFFICIENCY,
)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Comparison:
    """One quantity of a new run, with one thread count, against what was accepted.

    Where accepted runs show that the quantity goes with the probe, it is held against what they predict of a machine
    as fast as the probe found it.
    """

    threads: int
    quantity: Quantity
    #: Geometric mean of the accepted runs, in the unit of the quantity.
    old: float
    new: float
    #: How many accepted runs that mean is of.
    runs: int
    #: Whether ``old`` is the anchor, and not the mean of the rolling window.
    anchored: bool
    #: How much worse the new value is than was to be expected, as a logarithm; below 0: better.
    worse: float
    #: How much worse it may be, as a logarithm.
    limit: float
    #: Spread between the accepted runs, for the anchor between neighbours, as a standard deviation of logarithms;
    #: beside the probe around what it lets expect.
    spread: float
    #: The drift that is found 19 times in 20, as a logarithm.
    detectable: float
    #: How much slower the probe was than in the accepted runs, as a factor, below 1: faster; None where it has no part
    #: in this.
    slower: float | None
    #: Beside the probe: the same comparison without it.
    alone: Comparison | None

    @property
    def drifted(self) -> bool:
        """Whether it is worse than it may be."""
        return self.worse > self.limit

    @property
    def explained(self) -> bool:
        """Whether it is worse than it may be by itself, and not beside the probe."""
        return self.alone is not None and self.alone.drifted and not self.drifted

    @property
    def improved(self) -> bool:
        """Whether it is better by more than it might be worse."""
        return -self.worse > self.limit

    @property
    def severity(self) -> float:
        """How much of the limit is used up: above 1 it is drift."""
        return self.worse / self.limit


def compare(series: Series, figures: Sequence[Figures], limits: Limits) -> tuple[Comparison, ...]:
    """Every quantity that both the accepted runs and the new one have, thread count by thread count.

    The chance of a wrong alarm, ``drift.ALPHA`` for what has drifted by its margin exactly, is shared evenly by all of
    them (Bonferroni).
    """
    asked = [
        (own, quantity, anchored)
        for own in figures
        for quantity in QUANTITIES
        for anchored in (False, True)
        if _value(own, quantity) is not None
        and _accepted(series, own.threads, quantity, anchored)
        and _accepted(series, own.threads, quantity, False)  # whose spread the limit is made of
    ]
    return tuple(
        _comparison(series, own, quantity, anchored, limits, drift.ALPHA / len(asked))
        for own, quantity, anchored in asked
    )


def accepted(
    baseline: Baseline | None,
    run: Run,
    *,
    test: str,
    engine: str,
    machine: Mapping[str, Fact],
    setting: Mapping[str, Fact],
    limits: Limits,
) -> Baseline:
    """``baseline`` with ``run`` accepted: added to its series, or the first of a new series where it does not belong.

    It does not belong where setting or machine are others, or where a quantity lies beyond its limit, for better or
    worse. The series that is replaced is kept as ``before``.
    """
    if baseline is None:
        return Baseline(test=test, engine=engine, machine=machine, series=_new_series(run, setting), before=None)
    old = baseline.series
    same = dict(old.setting) == dict(setting) and dict(baseline.machine) == dict(machine)
    if not same or any(one.drifted or one.improved for one in compare(old, run.points, limits)):
        return Baseline(test=test, engine=engine, machine=machine, series=_new_series(run, setting), before=old)
    runs = (*old.runs, run)
    anchor = _completed(old.anchor, runs) if old.anchor.runs >= ANCHOR_RUNS else anchor_of(runs[:ANCHOR_RUNS])
    series = Series(setting=setting, anchor=anchor, runs=runs[-WINDOW_RUNS:])
    return Baseline(test=test, engine=engine, machine=machine, series=series, before=baseline.before)


def runs_with(series: Series, threads: int) -> int:
    """How many accepted runs measured this thread count."""
    return sum(1 for run in series.runs for point in run.points if point.threads == threads)


def mean(series: Series, threads: int, quantity: Quantity) -> float | None:
    """Geometric mean of a quantity over the accepted runs; None where none of them has it."""
    values = _accepted(series, threads, quantity, False)
    return math.exp(math.fsum(map(math.log, values)) / len(values)) if values else None


def linear_up_to(series: Series, thread_counts: Sequence[int], min_efficiency: float) -> int:
    """The largest of these counts, ascending, up to which the stored curve has the efficiency asked for.

    Counts that are not stored say nothing, and do not end it.
    """
    reached = 1
    for threads in thread_counts:
        efficiency = mean(series, threads, EFFICIENCY)
        if efficiency is not None and efficiency < min_efficiency:
            break
        if efficiency is not None:
            reached = threads
    return reached


def _new_series(run: Run, setting: Mapping[str, Fact]) -> Series:
    return Series(setting=setting, anchor=anchor_of((run,)), runs=(run,))


def anchor_of(runs: Sequence[Run]) -> Anchor:
    """The anchor of a series that begins with these runs, at most ``ANCHOR_RUNS``."""
    by_threads = [{point.threads: point for point in run.points} for run in runs]
    common = sorted(set.intersection(*(set(points) for points in by_threads)))
    points = tuple(_anchor_figures([one[threads] for one in by_threads]) for threads in common)
    return Anchor(runs=len(runs), points=points)


def _completed(anchor: Anchor, runs: Sequence[Run]) -> Anchor:
    """``anchor`` with what its runs lacked, once there are ``ANCHOR_RUNS`` runs that have it: the first of those.

    A percentile may need more queries than a run had, and thread counts may be added later. Figures of one point that
    are of different runs have no probe in common.
    """
    known = {point.threads: point for point in anchor.points}
    measured: dict[int, list[Figures]] = {}
    for run in runs:
        for point in run.points:
            measured.setdefault(point.threads, []).append(point)
    found = []
    for threads in sorted({*known, *measured}):
        points = measured.get(threads, [])
        first = {
            quantity.key: [one for one in points if getattr(one, quantity.key) is not None][:ANCHOR_RUNS]
            for quantity in QUANTITIES
        }
        added = {key: getattr(_anchor_figures(those), key) for key, those in first.items() if len(those) == ANCHOR_RUNS}
        own = known.get(threads)
        if own is None and QPS.key in added:
            own = _anchor_figures(first[QPS.key])
        if own is not None:
            missing = {key: value for key, value in added.items() if getattr(own, key) is None}
            found.append(dataclasses.replace(own, probe=None, **missing) if missing else own)
    return Anchor(runs=anchor.runs, points=tuple(found))


def _anchor_figures(points: Sequence[Figures]) -> AnchorFigures:
    def mean(key: str) -> float | None:
        values = [getattr(point, key) for point in points]
        return None if None in values else math.exp(math.fsum(math.log(value) for value in values) / len(values))

    qps = mean("qps")
    assert qps is not None, "every run has a throughput"
    probes = [point.probe for point in points if point.probe is not None]
    probe = None
    if len(probes) == len(points) and len({one.work for one in probes}) == 1:
        mean_log = math.fsum(math.log(one.qps) for one in probes) / len(probes)
        probe = ProbeFigures(work=probes[0].work, qps=math.exp(mean_log))
    return AnchorFigures(
        threads=points[0].threads,
        qps=qps,
        efficiency=mean("efficiency"),
        p5_ns=mean("p5_ns"),
        p50_ns=mean("p50_ns"),
        p99_ns=mean("p99_ns"),
        probe=probe,
    )


def _value(figures: AnyFigures, quantity: Quantity) -> float | None:
    if quantity.key == "efficiency" and figures.threads == 1:
        return None  # 1 by definition
    value: float | None = getattr(figures, quantity.key)
    return value


def _accepted(series: Series, threads: int, quantity: Quantity, anchored: bool) -> list[float]:
    """What was accepted: the value of each run in the window, or the anchor's where it says something else."""
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
    return _beside_probe(alone, series, own, margin, alpha) or alone


def _beside_probe(alone: Comparison, series: Series, own: Figures, margin: float, alpha: float) -> Comparison | None:
    """``alone``, held against what the runs predict of a machine this fast.

    None where they do not show that it can be predicted, and where the machine was no slower: then it explains nothing.
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
        anchor = _with_probe(_points(series, own.threads, True)[0], alone.quantity, own)
        if anchor is None:
            return None
        before, runs, spread = np.array(anchor), alone.runs, found.spread_of_neighbours
    worse, slower = (float(part) for part in np.array(now) - before)
    leverage = found.leverage(slower)
    limit = drift.limit(spread, runs, margin, alpha, leverage)
    beside = dataclasses.replace(
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
    return None if beside.explained and slower <= 0 else beside


def _with_probe(figures: AnyFigures, quantity: Quantity, new: Figures) -> tuple[float, float] | None:
    """A figure and the probe's time beside it, as logarithms that grow as a machine slows; None without both.

    Efficiency has none: one thread is measured beside it already. What another probe says is not comparable.
    """
    value, probe = _value(figures, quantity), figures.probe
    if value is None or probe is None or new.probe is None or quantity is EFFICIENCY:
        return None
    if probe.work != new.probe.work:
        return None
    return (math.log(value) if quantity.more_is_worse else -math.log(value)), -math.log(probe.qps)
