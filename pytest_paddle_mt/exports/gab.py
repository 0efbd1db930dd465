"""JSON for github-action-benchmark with ``tool: customBiggerIsBetter``: throughput and efficiency, and no latency."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pytest_paddle_mt.exports import name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_paddle_mt.records import Interval, Point, Sweep


def text(sweeps: Sequence[Sweep]) -> str:
    """A list with one or two entries for each thread count."""
    entries = [entry for sweep in sweeps for point in sweep.points for entry in _entries(sweep, point)]
    return json.dumps(entries, indent=1, allow_nan=False) + "\n"


def _entries(sweep: Sweep, point: Point) -> Iterator[dict[str, object]]:
    about = f"{sweep.subject.engine} engine, {sweep.subject.device}, {sweep.status}"
    figures = (
        ("throughput", "queries/s", point.qps, point.qps_interval),
        ("scaling efficiency", "of ideal", point.efficiency, point.efficiency_interval),
    )
    for figure, unit, value, interval in figures:
        if value is not None:
            entry = {"name": f"{name(sweep, point)} {figure}", "unit": unit, "value": value, "extra": about}
            yield entry if interval is None else {**entry, "range": _range(interval)}


def _range(interval: Interval) -> str:
    return f"{interval.low:.4g} to {interval.high:.4g}"
