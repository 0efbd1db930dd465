"""Computes the anchor of a series: the means of its first accepted runs, which stay the same from then on."""

from __future__ import annotations

import dataclasses
from statistics import geometric_mean
from typing import TYPE_CHECKING, Any

from pytest_paddle_mt.baselines import ANCHOR_RUNS, Anchor, AnchorFigures, ProbeFigures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_paddle_mt.baselines import Figures, Run

#: The figures that an anchor has besides the probe's: attributes of ``Figures`` and of ``AnchorFigures``.
_KEYS = ("qps", "efficiency", "p5_ns", "p50_ns", "p99_ns")


def of_runs(runs: Sequence[Run]) -> Anchor:
    """The anchor of a series that begins with ``runs``, made of the first ``ANCHOR_RUNS`` of them.

    It has the thread counts that all of these runs have.
    """
    first = [{point.threads: point for point in run.points} for run in runs[:ANCHOR_RUNS]]
    common = sorted(set.intersection(*(set(points) for points in first)))
    return Anchor(runs=len(first), points=tuple(_means([points[threads] for points in first]) for threads in common))


def completed(anchor: Anchor, runs: Sequence[Run]) -> Anchor:
    """``anchor`` with the figures that its runs lacked, once ``ANCHOR_RUNS`` of ``runs`` have them: the first of those.

    A run may have had too few queries for a percentile, and thread counts may be added later. A point that gets such a
    figure loses its probe, as the two were measured in different runs: by the rule (``docs/baselines.md``), runs are
    then compared with this point of the anchor without the probe, until a new series begins.
    """
    known = {point.threads: point for point in anchor.points}
    measured = [point for run in runs for point in run.points]
    found = (
        _completed(known.get(threads), [point for point in measured if point.threads == threads])
        for threads in sorted({*known, *(point.threads for point in measured)})
    )
    return Anchor(runs=anchor.runs, points=tuple(point for point in found if point is not None))


def _completed(own: AnchorFigures | None, measured: Sequence[Figures]) -> AnchorFigures | None:
    """``own`` with the means that it lacks, and then without a probe; None where there is no throughput yet."""
    if own is None and len(measured) < ANCHOR_RUNS:
        return None
    own = own or _means(measured[:ANCHOR_RUNS])
    added: dict[str, Any] = {}
    for key in (key for key in _KEYS if getattr(own, key) is None):
        having = [point for point in measured if getattr(point, key) is not None][:ANCHOR_RUNS]
        if len(having) == ANCHOR_RUNS:
            added[key] = _mean(having, key)
    return dataclasses.replace(own, probe=None, **added) if added else own


def _means(points: Sequence[Figures]) -> AnchorFigures:
    """Figures that some of ``points`` lack are None, and so is the probe where they had different ones."""
    probes = [point.probe for point in points if point.probe is not None]
    probe = None
    if len(probes) == len(points) and len({one.work for one in probes}) == 1:
        probe = ProbeFigures(work=probes[0].work, qps=geometric_mean([one.qps for one in probes]))
    means: dict[str, Any] = {key: _mean(points, key) for key in _KEYS}
    return AnchorFigures(threads=points[0].threads, probe=probe, **means)


def _mean(points: Sequence[Figures], key: str) -> float | None:
    values = [getattr(point, key) for point in points]
    return None if None in values else geometric_mean(values)
