"""CSV for spreadsheets and data frames: one row for each test and thread count; what is undefined is empty."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from pytest_paddle_mt.units import ms, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_paddle_mt.records import Interval, Point, Sweep


def text(sweeps: Sequence[Sweep]) -> str:
    """A header, and the rows in the order of the sweeps."""
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for sweep in sweeps:
        writer.writerows(_row(sweep, point) for point in sweep.points)
    return file.getvalue()


#: The columns, named as in the results file.
COLUMNS = [
    "nodeid",
    "engine",
    "device",
    "batch_size",
    "status",
    "linear_until",
    "seed",
    "threads",
    "qps",
    "qps_low",
    "qps_high",
    "speedup",
    "efficiency",
    "efficiency_low",
    "efficiency_high",
    "mean_ms",
    "p50_ms",
    "p90_ms",
    "p99_ms",
    "max_ms",
    "queries",
    "fairness",
    "rounds",
    "set_aside_rounds",
    "peak_rss_bytes",
]


def _row(sweep: Sweep, point: Point) -> dict[str, object]:
    latency = point.latency
    values = (
        printable(sweep.nodeid),
        sweep.subject.engine,
        sweep.subject.device,
        sweep.subject.batch_size,
        sweep.status,
        sweep.linear_until,
        sweep.seed,
        point.threads,
        point.qps,
        *_ends(point.qps_interval),
        point.speedup,
        point.efficiency,
        *_ends(point.efficiency_interval),
        ms(latency.mean_ns),
        *(None if one is None else ms(one) for one in (latency.p50_ns, latency.p90_ns, latency.p99_ns)),
        ms(latency.max_ns),
        point.queries,
        point.fairness,
        point.rounds,
        point.set_aside_rounds,
        point.peak_rss_bytes,
    )
    return dict(zip(COLUMNS, values, strict=True))


def _ends(interval: Interval | None) -> tuple[float | None, float | None]:
    return (None, None) if interval is None else (interval.low, interval.high)
