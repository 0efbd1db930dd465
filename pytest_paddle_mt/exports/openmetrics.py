"""OpenMetrics text, for Prometheus and what else reads that: gauges by test, engine, device and thread count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_paddle_mt.records import STATUSES_WORST_FIRST
from pytest_paddle_mt.units import printable, seconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_paddle_mt.records import Point, Sweep

_STATUS = "paddle_mt_status"


def text(sweeps: Sequence[Sweep]) -> str:
    """Families of metrics, each with its samples, and the mark of the end."""
    lines = []
    for family, (unit, meaning) in _GAUGES.items():
        lines += [f"# TYPE {family} gauge", f"# HELP {family} {meaning}"]
        lines += [f"# UNIT {family} {unit}"] if unit else []
        for sweep in sweeps:
            for point in sweep.points:
                labels = {**_labels(sweep), "threads": str(point.threads)}
                lines += [_sample(family, {**labels, **more}, value) for more, value in _values(family, point)]
    lines += [f"# TYPE {_STATUS} stateset", f"# HELP {_STATUS} The worst verdict of a test."]
    for sweep in sweeps:
        for status in STATUSES_WORST_FIRST:
            lines.append(_sample(_STATUS, {**_labels(sweep), _STATUS: status}, int(sweep.status == status)))
    return "\n".join([*lines, "# EOF", ""])


#: The families of metrics: their units, by which their names end, and what they mean.
_GAUGES = {
    "paddle_mt_throughput": ("", "Queries per second, all threads together."),
    "paddle_mt_scaling_efficiency_ratio": ("ratio", "Throughput over that of one thread, over the threads."),
    "paddle_mt_latency_seconds": ("seconds", "Latency of a query."),
    "paddle_mt_peak_memory_bytes": ("bytes", "Peak resident memory after the first window with this thread count."),
}


def _values(family: str, point: Point) -> Iterator[tuple[dict[str, str], float]]:
    """The samples of one thread count: further labels, and the value."""
    latency = point.latency
    statistics = {
        "mean": latency.mean_ns,
        "p50": latency.p50_ns,
        "p90": latency.p90_ns,
        "p99": latency.p99_ns,
        "max": latency.max_ns,
    }
    found: dict[str, list[tuple[dict[str, str], float | None]]] = {
        "paddle_mt_throughput": [({}, point.qps)],
        "paddle_mt_scaling_efficiency_ratio": [({}, point.efficiency)],
        "paddle_mt_latency_seconds": [
            ({"statistic": key}, None if value is None else seconds(value)) for key, value in statistics.items()
        ],
        "paddle_mt_peak_memory_bytes": [({}, point.peak_rss_bytes)],
    }
    for more, value in found[family]:
        if value is not None:
            yield more, value


def _labels(sweep: Sweep) -> dict[str, str]:
    return {"test": sweep.nodeid, "engine": sweep.subject.engine, "device": sweep.subject.device}


def _sample(family: str, labels: Mapping[str, str], value: float) -> str:
    written = ",".join(f'{key}="{_escaped(label)}"' for key, label in labels.items())
    return f"{family}{{{written}}} {value!r}"


def _escaped(label: str) -> str:
    return printable(label).replace("\\", "\\\\").replace('"', '\\"')
