"""Bencher Metric Format: JSON for ``bencher run --adapter json``. Latencies are in ns, as Bencher's own measure is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pytest_paddle_mt.exports import name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_paddle_mt.records import Interval, Point, Sweep


def text(sweeps: Sequence[Sweep]) -> str:
    """A benchmark for each thread count, with its measures."""
    document = {name(sweep, point): _measures(point) for sweep in sweeps for point in sweep.points}
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def _measures(point: Point) -> dict[str, dict[str, float]]:
    latency = point.latency
    measures = {
        "throughput": _metric(point.qps, point.qps_interval),
        "scaling-efficiency": _metric(point.efficiency, point.efficiency_interval),
        "latency": _metric(latency.mean_ns),
        "latency-p50": _metric(latency.p50_ns),
        "latency-p90": _metric(latency.p90_ns),
        "latency-p99": _metric(latency.p99_ns),
        "peak-memory": _metric(point.peak_rss_bytes),
    }
    return {measure: metric for measure, metric in measures.items() if metric is not None}


def _metric(value: float | None, interval: Interval | None = None) -> dict[str, float] | None:
    if value is None:
        return None
    bounds = {} if interval is None else {"lower_value": interval.low, "upper_value": interval.high}
    return {"value": value, **bounds}
