"""Writes the results file for programs, ``--paddle-json=FILE``: schema 1.

Written after every sweep, so that a later failure loses nothing: to a temporary file next to it, synced, renamed.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
from typing import TYPE_CHECKING, Any

from pytest_paddle_mt import __version__, gpu
from pytest_paddle_mt.machine.facts import describe_environment
from pytest_paddle_mt.reporters.session_file import SessionFile
from pytest_paddle_mt.statistics import latency, validity
from pytest_paddle_mt.units import ms, seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import pytest

    from pytest_paddle_mt.baselines import Run
    from pytest_paddle_mt.records import (
        Against,
        Cpu,
        Interval,
        LatencySummary,
        Measured,
        Point,
        Round,
        ServedInput,
        Sweep,
        Visit,
        Window,
    )
    from pytest_paddle_mt.reporters import Finished

SCHEMA = 1

_MOST_SLOWEST = 20_000  #: A sweep has at most so many figures in its ``slowest_ms``.

#: What the file takes over from a subject and from a point as it is.
_OF_SUBJECT = ("engine", "device", "batch_size", "pool", "math_threads", "gil")
_OF_POINT = (
    *("queries", "fairness", "rounds", "set_aside_rounds", "shared_core_rounds", "throttled_rounds"),
    *("lost_share", "peak_rss_bytes"),
)


class JsonReporter:
    """Writes the results file; see ``Reporter``."""

    name = "json"

    def __init__(self, path: Path) -> None:
        self._created = datetime.datetime.now(datetime.timezone.utc)
        self._file: SessionFile[dict[str, Any]] = SessionFile(path, "--paddle-json", self._text)

    def sweep_finished(self, finished: Finished) -> None:
        """Write the file with every sweep so far.

        Raises:
            OSError: it cannot be written, and contains what it did before. The next sweep is written with this one.
        """
        self._file.add(finished.sweep.nodeid, entry(finished.sweep, finished.measured))

    def session_finished(self, sweeps: Sequence[Sweep], terminal: pytest.TerminalReporter) -> None:
        """Print where the file is."""
        self._file.tell("results", terminal)

    def _text(self, entries: list[dict[str, Any]]) -> str:
        return json.dumps(document(entries, self._created), indent=1) + "\n"


def document(entries: Sequence[dict[str, Any]], created: datetime.datetime) -> dict[str, Any]:
    """The results file, with these entries, as plain data."""
    return {
        "schema": SCHEMA,
        "plugin_version": __version__,
        "created_utc": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "environment": describe_environment(),
        "sweeps": list(entries),
    }


def entry(sweep: Sweep, measured: Measured) -> dict[str, Any]:
    """One sweep of the results file, as plain data."""
    return {
        "nodeid": sweep.nodeid,
        **_members(sweep.subject, _OF_SUBJECT),
        "facts": dict(sweep.subject.facts),
        "inputs": [_input(one) for one in sweep.subject.inputs],
        "usable_cores": sweep.usable_cores,
        "pinned_to": list(sweep.pin),
        "linear_until": sweep.linear_until,
        "linear_until_reason": sweep.linear_until_reason,
        "seed": sweep.seed,
        "status": sweep.status,
        "gated": sweep.gate,
        "smoke_reason": sweep.smoke_reason,
        "elapsed_s": sweep.elapsed_s,
        "peak_rss_bytes": sweep.peak_rss_bytes,
        "points": [_point(point) for point in sweep.points],
        "windows": _windows(measured, of_two_sides=sweep.against is not None),
        "usl": None if sweep.usl is None else dataclasses.asdict(sweep.usl),
        "cause": None if sweep.cause is None else dataclasses.asdict(sweep.cause),
        "verdicts": [dataclasses.asdict(verdict) for verdict in sweep.verdicts],
        "warnings": [dataclasses.asdict(warning) for warning in sweep.warnings],
        "against": None if sweep.against is None else _against(sweep, sweep.against),
        "baseline": {"runs": [_accepted(run) for run in sweep.accepted_runs]} if sweep.accepted_runs else None,
    }


def _accepted(run: Run) -> dict[str, Any]:
    points = [{"threads": point.threads, "qps": point.qps} for point in run.points]
    return {"date": run.date, "commit": run.commit, "points": points}


def _windows(measured: Measured, *, of_two_sides: bool) -> list[dict[str, Any]]:
    """The windows in the order in which they were measured; those of a comparison have their side."""
    stages = (("survey", measured.survey), ("sweep", measured.rounds), ("confirmation", measured.confirmation))
    visits = [visit for _, rounds in stages for one in rounds for visit in one.visits]
    first_ns = min((visit.window.opened_ns for visit in visits), default=0)
    every = _every(visits)
    return [
        {
            **_window(one, visit, measured.cpu, stage),
            "opened_s": round(seconds(visit.window.opened_ns - first_ns), 3),
            "slowest_ms": _slowest(visit.window) if one.index % every == 0 else None,
            **({"side": visit.side} if of_two_sides else {}),
        }
        for stage, rounds in stages
        for one in rounds
        for visit in one.visits
    ]


def _every(visits: Iterable[Visit]) -> int:
    """Every how many rounds windows have the slowest query of each thread, so that the file stays small."""
    return 1 + sum(visit.window.threads for visit in visits) // _MOST_SLOWEST


def _slowest(window: Window) -> list[float | None]:
    """The slowest query of each thread, in ms; None of a thread that completed none."""
    of_threads = (thread.latencies.values_ns for thread in window.per_thread)
    return [round(ms(float(values_ns[-1])), 4) if len(values_ns) else None for values_ns in of_threads]


def _against(sweep: Sweep, against: Against) -> dict[str, Any]:
    return {
        "names": list(against.names),
        "described": list(against.described),
        "identity": {
            "this": dict(sweep.subject.identity),
            "other": None if against.subject is None else dict(against.subject.identity),
        },
        "facts": None if against.subject is None else dict(against.subject.facts),
        "differences": list(against.differences),
        "max_drift": sweep.limits.max_drift,
        "points": [_point(point) for point in against.points],
        "ratios": [
            {
                "threads": ratio.threads,
                "qps": ratio.qps,
                "qps_ci": _interval(ratio.qps_interval),
                "latency_p50": ratio.p50,
                "rounds": ratio.rounds,
            }
            for ratio in against.ratios
        ],
    }


def _input(served: ServedInput) -> dict[str, Any]:
    return {
        "name": served.name,
        "dtype": served.dtype,
        "shape": None if served.shape is None else list(served.shape),
        "min": served.low,
        "max": served.high,
        "made_up": served.made_up,
    }


def _point(point: Point) -> dict[str, Any]:
    return {
        "threads": point.threads,
        "qps": point.qps,
        "qps_ci": _interval(point.qps_interval),
        "speedup": point.speedup,
        "efficiency": point.efficiency,
        "efficiency_ci": _interval(point.efficiency_interval),
        "latency_ms": _latency(point.latency),
        **_members(point, _OF_POINT),
        "gpu": gpu.as_dict(point.gpu),
    }


def _latency(summary: LatencySummary) -> dict[str, float | None]:
    return {
        "mean": ms(summary.mean_ns),
        "p50": _ms(summary.p50_ns),
        "p90": _ms(summary.p90_ns),
        "p99": _ms(summary.p99_ns),
        "max": ms(summary.max_ns),
    }


def _window(one: Round, visit: Visit, cpu: Cpu, stage: str) -> dict[str, Any]:
    window = visit.window
    pooled = latency.merge([thread.latencies for thread in window.per_thread])
    fastest_ns = float(pooled.values_ns[0]) if pooled.queries else None
    return {
        "stage": stage,
        "fork": visit.fork,
        "round": one.index,
        "threads": window.threads,
        "qps": window.qps,
        "queries": window.queries,
        "window_s": seconds(window.open_ns),
        "cpus": list(visit.cpus) if visit.pinned else None,
        "latency_ms": {
            "min": _ms(fastest_ns),
            "p50": _ms(latency.percentile(pooled, 0.50)),
            "p99": _ms(latency.percentile(pooled, 0.99)),
        },
        "cpu_share": window.cpu_share,
        "involuntary_switches": window.involuntary_switches,
        "delay_share": validity.delay_share(window),
        "steal_share": validity.steal_share(window, cpu),
        "lost_share": validity.lost_share(window, cpu),
        "preempted": validity.disturbed(window, cpu),
        "probe": None if visit.probe is None else visit.probe.qps,
        "control": None if visit.control is None else visit.control.qps,
        "gpu": gpu.as_dict(window.gpu),
    }


def _members(record: object, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(record, name) for name in names}


def _interval(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [interval.low, interval.high]


def _ms(latency_ns: float | None) -> float | None:
    return None if latency_ns is None else ms(latency_ns)
