"""The file of a baseline, schema 1: records to text and back. What is not exactly such a file is refused.

Latencies are in ms there, rounded like every other figure to five digits that count, so that a diff shows what changed.
"""

from __future__ import annotations

import itertools
import json
import re
import sys
from typing import TYPE_CHECKING, Any

from pytest_paddle_mt.baselines import (
    ANCHOR_RUNS,
    WINDOW_RUNS,
    Anchor,
    AnchorFigures,
    Baseline,
    Fact,
    Figures,
    ForkFigures,
    ProbeFigures,
    Run,
    Series,
)
from pytest_paddle_mt.units import NS_PER_MS, ms

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SCHEMA = 1

#: The facts that decide whether a run can be compared; a GPU has the last four, too.
_SETTING = ("device", "batch_size", "pool", "math_threads", "onednn", "idle_math_threads")
#: There only where somebody said something of them.
_SETTING_AT_TIMES = ("math_libraries",)
_MACHINE = ("cpu_model", "instruction_set", "usable_cores", "quota_cores", "smt")
_MACHINE_WITH_GPU = (*_MACHINE, "gpu_model", "gpu_driver", "cuda", "cudnn")

#: Latencies that must not fall in this order.
_ASCENDING = ("p5_ms", "p50_ms", "p90_ms", "p99_ms")

_CONFLICT = re.compile(r"^(<<<<<<<|=======|>>>>>>>|\|\|\|\|\|\|\|)( |$)", re.MULTILINE)


class Unreadable(Exception):
    """This text is no baseline; the message says what is wrong with it, and what to do."""


class _Wrong(Exception):
    """A value is not what it should be: where, and what is wrong."""


def to_text(baseline: Baseline) -> str:
    """The file."""
    document = {
        "schema": SCHEMA,
        "test": baseline.test,
        "engine": baseline.engine,
        "machine": dict(baseline.machine),
        **_series(baseline.series),
        "before": None if baseline.before is None else _series(baseline.before),
    }
    return json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def from_text(text: str) -> Baseline:
    """The baseline in a file.

    Raises:
        Unreadable: this is no such file.
    """
    conflict = _CONFLICT.search(text)
    if conflict:
        line = text.count("\n", 0, conflict.start()) + 1
        raise Unreadable(
            f"line {line} is a mark that a merge left ({conflict[1]}); keep one of the two sides as it was, for "
            "instance with git checkout --ours or --theirs"
        )
    restore = "restore it from version control, or delete it and record a new one with --paddle-baseline-update"
    try:
        document = json.loads(text, object_pairs_hook=_without_twins, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise Unreadable(f"it is not JSON ({error}), perhaps cut short; {restore}") from None
    except (_Wrong, RecursionError, ValueError) as error:
        raise Unreadable(f"{error}; {restore}") from None
    try:
        schema = document.get("schema") if isinstance(document, dict) else None
        if isinstance(schema, int) and not isinstance(schema, bool) and schema > SCHEMA:
            raise Unreadable(
                f"it has schema {schema}, and this version of pytest-paddle-mt reads schema {SCHEMA}; install the "
                "newer version that wrote it"
            )
        if schema != SCHEMA or isinstance(schema, bool):
            raise _Wrong(f"it has no schema {SCHEMA}")
        return _baseline(document)
    except _Wrong as error:
        raise Unreadable(f"{error}; {restore}") from None


# Records to plain data


def _series(series: Series) -> dict[str, Any]:
    return {
        "setting": dict(series.setting),
        "anchor": {
            "runs": series.anchor.runs,
            "points": [_plain_anchor(point) for point in series.anchor.points],
        },
        "runs": [_plain_run(run) for run in series.runs],
    }


def _plain_anchor(point: AnchorFigures) -> dict[str, Any]:
    return {
        "threads": point.threads,
        "qps": _rounded(point.qps),
        "efficiency": _rounded(point.efficiency),
        "p5_ms": _ms(point.p5_ns),
        "p50_ms": _ms(point.p50_ns),
        "p99_ms": _ms(point.p99_ns),
        "probe": _plain_probe(point.probe),
    }


def _plain_probe(probe: ProbeFigures | None) -> dict[str, Any] | None:
    return None if probe is None else {"work": probe.work, "qps": _rounded(probe.qps)}


def _plain_run(run: Run) -> dict[str, Any]:
    return {
        "date": run.date,
        "commit": run.commit,
        "versions": dict(run.versions),
        "points": [_plain_figures(point) for point in run.points],
    }


def _plain_figures(point: Figures) -> dict[str, Any]:
    return {
        "threads": point.threads,
        "rounds": point.rounds,
        "queries": point.queries,
        "qps": _rounded(point.qps),
        "efficiency": _rounded(point.efficiency),
        "p5_ms": _ms(point.p5_ns),
        "p50_ms": _ms(point.p50_ns),
        "p90_ms": _ms(point.p90_ns),
        "p99_ms": _ms(point.p99_ns),
        "probe": _plain_probe(point.probe),
        "peak_rss_bytes": point.peak_rss_bytes,
        "forks": [
            {"fork": fork.fork, "rounds": fork.rounds, "qps": _rounded(fork.qps), "p50_ms": _ms(fork.p50_ns)}
            for fork in point.forks
        ],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.5g}")


def _ms(latency_ns: float | None) -> float | None:
    return None if latency_ns is None else _rounded(ms(latency_ns))


# Plain data to records: every reader takes a value and where it stands.


class _Reader:
    """The members of one object of the file, each asked for once."""

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, dict):
            raise _Wrong(f"{where or 'the file'} is {_shown(value)}, not an object")
        self._members = dict(value)
        self._where = where

    def take(self, name: str, read: Callable[[object, str], Any]) -> Any:
        """The member of this name, as ``read`` reads it."""
        where = f"{self._where}.{name}" if self._where else name
        if name not in self._members:
            raise _Wrong(f"{where} is missing")
        return read(self._members.pop(name), where)

    def end(self) -> None:
        """Refuse members that nobody asked for."""
        if self._members:
            where = f" in {self._where}" if self._where else ""
            raise _Wrong(f"{next(iter(self._members))!r}{where} is not known")


def _baseline(document: object) -> Baseline:
    reader = _Reader(document, "")
    reader.take("schema", _whole)
    baseline = Baseline(
        test=reader.take("test", _text),
        engine=reader.take("engine", _text),
        machine=reader.take("machine", _machine),
        series=_read_series(reader),
        before=reader.take("before", _optional(_before)),
    )
    reader.end()
    return baseline


def _before(value: object, where: str) -> Series:
    reader = _Reader(value, where)
    series = _read_series(reader)
    reader.end()
    return series


def _read_series(reader: _Reader) -> Series:
    setting = reader.take("setting", _facts(_SETTING, _SETTING_AT_TIMES))
    anchor = reader.take("anchor", _read_anchor)
    runs = reader.take("runs", _list(_read_run))
    if not 1 <= len(runs) <= WINDOW_RUNS:
        raise _Wrong(f"runs has {len(runs)} entries, not 1 to {WINDOW_RUNS}")
    if anchor.runs != min(len(runs), ANCHOR_RUNS):
        raise _Wrong(f"anchor.runs is {anchor.runs} beside {len(runs)} runs, not {min(len(runs), ANCHOR_RUNS)}")
    return Series(setting=setting, anchor=anchor, runs=runs)


def _read_anchor(value: object, where: str) -> Anchor:
    reader = _Reader(value, where)
    anchor = Anchor(
        runs=reader.take("runs", _at_least(1)),
        points=_ascending(reader.take("points", _list(_read_anchor_figures)), f"{where}.points"),
    )
    reader.end()
    return anchor


def _read_anchor_figures(value: object, where: str) -> AnchorFigures:
    reader = _Reader(value, where)
    figures = AnchorFigures(
        threads=reader.take("threads", _at_least(1)),
        qps=reader.take("qps", _positive),
        efficiency=reader.take("efficiency", _optional(_positive)),
        p5_ns=reader.take("p5_ms", _optional(_ns)),
        p50_ns=reader.take("p50_ms", _optional(_ns)),
        p99_ns=reader.take("p99_ms", _optional(_ns)),
        probe=reader.take("probe", _optional(_read_probe)),
    )
    reader.end()  # percentiles need not ascend here: they may be means of different runs
    return figures


def _read_run(value: object, where: str) -> Run:
    reader = _Reader(value, where)
    run = Run(
        date=reader.take("date", _date),
        commit=reader.take("commit", _optional(_text)),
        versions=reader.take("versions", _versions),
        points=_ascending(reader.take("points", _list(_read_figures)), f"{where}.points"),
    )
    reader.end()
    if not run.points:
        raise _Wrong(f"{where}.points is empty")
    return run


def _read_figures(value: object, where: str) -> Figures:
    reader = _Reader(value, where)
    figures = Figures(
        threads=reader.take("threads", _at_least(1)),
        rounds=reader.take("rounds", _at_least(1)),
        queries=reader.take("queries", _at_least(1)),
        qps=reader.take("qps", _positive),
        efficiency=reader.take("efficiency", _optional(_positive)),
        p5_ns=reader.take("p5_ms", _optional(_ns)),
        p50_ns=reader.take("p50_ms", _optional(_ns)),
        p90_ns=reader.take("p90_ms", _optional(_ns)),
        p99_ns=reader.take("p99_ms", _optional(_ns)),
        probe=reader.take("probe", _optional(_read_probe)),
        peak_rss_bytes=reader.take("peak_rss_bytes", _optional(_at_least(1))),
        forks=reader.take("forks", _list(_read_fork)),
    )
    reader.end()
    _percentiles_ascend(value, where)
    return figures


def _read_probe(value: object, where: str) -> ProbeFigures:
    reader = _Reader(value, where)
    probe = ProbeFigures(work=reader.take("work", _text), qps=reader.take("qps", _positive))
    reader.end()
    return probe


def _read_fork(value: object, where: str) -> ForkFigures:
    reader = _Reader(value, where)
    figures = ForkFigures(
        fork=reader.take("fork", _at_least(1)),
        rounds=reader.take("rounds", _at_least(1)),
        qps=reader.take("qps", _positive),
        p50_ns=reader.take("p50_ms", _optional(_ns)),
    )
    reader.end()
    return figures


def _machine(value: object, where: str) -> Mapping[str, Fact]:
    with_gpu = isinstance(value, dict) and any(name in value for name in _MACHINE_WITH_GPU[len(_MACHINE) :])
    facts: Mapping[str, Fact] = _facts(_MACHINE_WITH_GPU if with_gpu else _MACHINE)(value, where)
    return facts


def _facts(names: tuple[str, ...], at_times: tuple[str, ...] = ()) -> Callable[[object, str], dict[str, Fact]]:
    def read(value: object, where: str) -> dict[str, Fact]:
        reader = _Reader(value, where)
        given = [name for name in at_times if isinstance(value, dict) and name in value]
        facts = {name: reader.take(name, _fact) for name in (*names, *given)}
        reader.end()
        return facts

    return read


def _fact(value: object, where: str) -> Fact:
    if value is None or (isinstance(value, (str, int, float)) and not isinstance(value, bool)):
        return value
    raise _Wrong(f"{where} is {_shown(value)}, not text, a number or null")


def _versions(value: object, where: str) -> dict[str, str | None]:
    if not isinstance(value, dict):
        raise _Wrong(f"{where} is {_shown(value)}, not an object")
    return {name: _optional(_text)(version, f"{where}.{name}") for name, version in value.items()}


def _optional(read: Callable[[object, str], Any]) -> Callable[[object, str], Any]:
    return lambda value, where: None if value is None else read(value, where)


def _list(read: Callable[[object, str], Any]) -> Callable[[object, str], tuple[Any, ...]]:
    def read_all(value: object, where: str) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise _Wrong(f"{where} is {_shown(value)}, not a list")
        return tuple(read(one, f"{where}[{index}]") for index, one in enumerate(value))

    return read_all


def _ascending(points: tuple[Any, ...], where: str) -> tuple[Any, ...]:
    counts = [point.threads for point in points]
    if counts != sorted(set(counts)):
        raise _Wrong(f"{where} has thread counts {', '.join(map(str, counts))}, which do not ascend")
    return points


def _percentiles_ascend(value: object, where: str) -> None:
    assert isinstance(value, dict), "it has been read"
    known = [(name, value[name]) for name in _ASCENDING if value.get(name) is not None]
    for (lower, low), (higher, high) in itertools.pairwise(known):
        if low > high:
            raise _Wrong(f"{where}.{lower} is {low} and {higher} is {high}: percentiles do not fall")


def _text(value: object, where: str) -> str:
    if isinstance(value, str) and value:
        return value
    raise _Wrong(f"{where} is {_shown(value)}, not text")


def _date(value: object, where: str) -> str:
    text = _text(value, where)
    if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", text):
        return text
    raise _Wrong(f"{where} is {_shown(value)}, not a time such as 2026-01-31T12:00:00Z")


def _whole(value: object, where: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise _Wrong(f"{where} is {_shown(value)}, not a whole number")


def _at_least(fewest: int) -> Callable[[object, str], int]:
    def read(value: object, where: str) -> int:
        number = _whole(value, where)
        if number < fewest:
            raise _Wrong(f"{where} is {number}, below {fewest}")
        return number

    return read


def _positive(value: object, where: str) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= sys.float_info.max:
        return float(value)
    raise _Wrong(f"{where} is {_shown(value)}, not a number above 0")


def _ns(value: object, where: str) -> float:
    return _positive(value, where) * NS_PER_MS


def _no_constant(name: str) -> float:
    raise _Wrong(f"{name} is no figure")


def _without_twins(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in members:
        if name in found:
            raise _Wrong(f"{name!r} stands twice in one object")
        found[name] = value
    return found


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:40] + "..."
