"""The file of a baseline, schema 1: turns records into text and back, and refuses every text that is not such a file.

One table for each record names its keys in the file; writer and reader both walk it. Latencies are in ms in the file.
Every figure is rounded to five significant digits, so that a diff shows what changed.
"""

from __future__ import annotations

import dataclasses
import datetime
import itertools
import json
import re
from dataclasses import dataclass
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
from pytest_paddle_mt.units import NS_PER_MS, counted, megabytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SCHEMA = 1

#: Bytes that a file may have. Two series of thirty runs with ten thread counts and sixteen forks take 1.6 MB.
MOST_BYTES = 8_000_000

#: What to do about a file that is no baseline.
RESTORE = "restore it from version control, or delete it and record a new one with --paddle-baseline-update"

_PERCENTILES = ("p5_ms", "p50_ms", "p90_ms", "p99_ms")

#: A figure is within these bounds, in the unit of the file; so nothing that is computed from figures overflows.
_LEAST, _MOST = 1e-9, 1e12

#: What moves the cursor, ends a line, changes the direction of writing, or is no character at all.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_COMMAND = re.compile(r"(^|\s)::|##\[")  #: What starts a workflow command, wherever a line is wrapped.

_CONFLICT = re.compile(r"^(<<<<<<<|=======|>>>>>>>|\|\|\|\|\|\|\|)( |$)", re.MULTILINE)


class Unreadable(Exception):
    """This text is no baseline; the message says what is wrong with it, and what to do."""


class _Wrong(Exception):
    """A value is not what it should be; the message gives its path, and what is wrong."""


def to_text(baseline: Baseline) -> str:
    """The text of the file of ``baseline``."""
    members = written(baseline, _TEST) | written(baseline.series, SERIES) | written(baseline, _BEFORE)
    document = {"schema": SCHEMA, **members}
    return json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def from_text(text: str) -> Baseline:
    """The baseline in the text of a file.

    Raises:
        Unreadable: this is no such file.
    """
    size = len(text.encode(errors="surrogatepass"))
    if size > MOST_BYTES:
        raise Unreadable(too_large(size))
    conflict = _CONFLICT.search(text)
    if conflict:
        line = text.count("\n", 0, conflict.start()) + 1
        raise Unreadable(
            f"line {line} is a mark that a merge left ({conflict[1]}); keep one of the two sides as it was, for "
            "instance with git checkout --ours or --theirs"
        )
    try:
        return _baseline(json.loads(text, object_pairs_hook=_without_twins, parse_constant=_no_constant))
    except json.JSONDecodeError as error:
        raise Unreadable(f"it is not JSON ({error}), perhaps cut short; {RESTORE}") from None
    except RecursionError:
        raise Unreadable(f"it is nested more deeply than any baseline is; {RESTORE}") from None
    except (_Wrong, ValueError) as error:
        raise Unreadable(f"{error}; {RESTORE}") from None


def too_large(size: int) -> str:
    """What is wrong with a file of ``size`` bytes, which are too many, and what to do."""
    return f"it has {megabytes(size):.1f} MB, and a baseline has at most {megabytes(MOST_BYTES):.0f} MB; {RESTORE}"


def _baseline(document: object) -> Baseline:
    schema = document.get("schema") if isinstance(document, dict) else None
    if type(schema) is int and schema > SCHEMA:
        raise Unreadable(
            f"it has schema {schema}, and this version of pytest-paddle-mt reads schema {SCHEMA}; install the newer "
            "version that wrote it"
        )
    if type(schema) is not int or schema != SCHEMA:
        raise _Wrong(f"it has no schema {SCHEMA}")
    found = _members(document, "", FILE)
    _check_series(document, "")
    del found["schema"]
    return Baseline(series=Series(**{key: found.pop(key) for key in SERIES}), **found)


# How a table is walked.


def _unchanged(value: Any) -> Any:
    return value


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Kind:
    """What a value may be, in the file and in a record."""

    #: From the file's value and its path to the record's; raises ``_Wrong``.
    read: Callable[[object, str], Any]
    write: Callable[[Any], Any] = _unchanged  #: From the record's value to the file's.
    #: Whether files may lack it, as those of earlier versions do; None is then left out.
    may_lack: bool = False


if TYPE_CHECKING:
    _Table = Mapping[str, _Kind]  #: What each member of an object may be, by its key in the file.
    #: Given a value of the file that has been read, and its path; raises ``_Wrong``.
    _Check = Callable[[Any, str], None]


def _members(value: object, where: str, table: _Table) -> dict[str, Any]:
    """What the object ``value`` contains, by attribute; it must have exactly the keys of ``table``."""
    if not isinstance(value, dict):
        raise _Wrong(f"{where or 'the file'} is {_shown(value)}, not an object")
    found = {}
    for key, kind in table.items():
        path = _path(where, key)
        if key in value:
            found[_attribute(key)] = kind.read(value[key], path)
        elif kind.may_lack:
            found[_attribute(key)] = None
        else:
            raise _Wrong(f"{path} is missing")
    for key in value:
        if key not in table:
            raise _Wrong(f"{_shown(key)}{f' in {where}' if where else ''} is not known")
    return found


def written(record: object, table: _Table) -> dict[str, Any]:
    """What a file contains for a record, by the keys of its table: figures rounded, latencies in ms."""
    values = ((key, kind, getattr(record, _attribute(key))) for key, kind in table.items())
    return {key: kind.write(value) for key, kind, value in values if not (kind.may_lack and value is None)}


def _attribute(key: str) -> str:
    """The attribute of a record that the file has under ``key``: latencies are in ns in records, in ms in the file."""
    return f"{key[:-3]}_ns" if key.endswith("_ms") else key


def _record(made: Callable[..., Any], table: _Table, check: _Check | None = None) -> _Kind:
    def read(value: object, where: str) -> Any:
        members = _members(value, where, table)
        if check is not None:
            check(value, where)
        return made(**members)

    return _Kind(read=read, write=lambda record: written(record, table))


def _list_of(kind: _Kind, check: _Check | None = None) -> _Kind:
    def read(value: object, where: str) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise _Wrong(f"{where} is {_shown(value)}, not a list")
        found = tuple(kind.read(one, f"{where}[{index}]") for index, one in enumerate(value))
        if check is not None:
            check(value, where)
        return found

    return _Kind(read=read, write=lambda values: [kind.write(one) for one in values])


def _optional(kind: _Kind) -> _Kind:
    return _Kind(
        read=lambda value, where: None if value is None else kind.read(value, where),
        write=lambda value: None if value is None else kind.write(value),
    )


def _may_lack(kind: _Kind) -> _Kind:
    return dataclasses.replace(kind, may_lack=True)


def _facts(always: tuple[str, ...], *together: tuple[str, ...]) -> _Kind:
    """Facts by name; those of each group of ``together`` are there all or none."""

    def read(value: object, where: str) -> dict[str, Fact]:
        there = value if isinstance(value, dict) else {}
        more = (name for group in together if any(name in there for name in group) for name in group)
        return _members(value, where, dict.fromkeys((*always, *more), _FACT))

    return _Kind(read=read, write=dict)


def _path(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


# What a value may be.


def _scalar(expected: str, fits: Callable[[Any], bool], unit: float | None = None) -> _Kind:
    """A value for which ``fits``; with a ``unit``, a figure in it, which the record has as a multiple of 1."""

    def read(value: Any, where: str) -> Any:
        if not fits(value):
            raise _Wrong(f"{where} is {_shown(value)}, not {expected}")
        return value if unit is None else value * unit

    return _Kind(read=read) if unit is None else _Kind(read=read, write=lambda value: float(f"{value / unit:.5g}"))


def _read_versions(value: object, where: str) -> dict[str, str | None]:
    names = value if isinstance(value, dict) else ()
    for name in names:
        if not _is_text(name):
            raise _Wrong(f"{where} has the name {_shown(name)}, which is not {_PLAIN_TEXT}")
    return _members(value, where, dict.fromkeys(names, _optional(_TEXT)))


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value != "" and not _CONTROL.search(value)


def _is_text(value: Any) -> bool:
    return _is_name(value) and not _COMMAND.search(value)


def _is_date(value: Any) -> bool:
    if not isinstance(value, str) or not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", value):
        return False
    try:
        datetime.datetime.fromisoformat(value[:-1])
    except ValueError:
        return False
    return True


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{32}", value) is not None


def _is_fact(value: Any) -> bool:
    if type(value) in (int, float):
        return bool(abs(value) <= _MOST)  # false for NaN
    return value is None or value == "" or _is_text(value)


def _is_figure(value: Any) -> bool:
    return type(value) in (int, float) and _LEAST <= value <= _MOST


_PLAIN_TEXT = "text without control characters and workflow commands"

# By type(), as isinstance() takes a bool for an int.
_NAME = _scalar("text without control characters", _is_name)
_TEXT = _scalar(_PLAIN_TEXT, _is_text)
_DATE = _scalar("a time such as 2026-01-31T12:00:00Z", _is_date)
_COUNT = _scalar("a whole number above 0 and below 2^63", lambda value: type(value) is int and 0 < value < 2**63)
_FACT = _scalar(f"text, a number or null, numbers up to {_MOST:g}, {_PLAIN_TEXT}", _is_fact)
_FIGURE = _scalar(f"a number above 0, from {_LEAST:g} to {_MOST:g}", _is_figure, unit=1.0)
_LATENCY = _scalar(f"a number above 0, from {_LEAST:g} to {_MOST:g}", _is_figure, unit=float(NS_PER_MS))
_DIGEST = _scalar("a digest of 32 hexadecimal digits", _is_digest)
_VERSIONS = _Kind(read=_read_versions, write=dict)


# What must hold between values.


def _check_ascending(points: Any, where: str) -> None:
    counts = [point["threads"] for point in points]
    if counts != sorted(set(counts)):
        raise _Wrong(f"{where} has thread counts {_short(', '.join(map(str, counts)))}, which do not ascend")


def _check_points(points: Any, where: str) -> None:
    if not points:
        raise _Wrong(f"{where} is empty")
    _check_ascending(points, where)


def _check_percentiles(point: Any, where: str) -> None:
    known = [(key, point[key]) for key in _PERCENTILES if point[key] is not None]
    for (lower, low), (higher, high) in itertools.pairwise(known):
        if low > high:
            raise _Wrong(f"{where}.{lower} is {low} and {higher} is {high}: percentiles do not fall")


def _check_series(series: Any, where: str) -> None:
    runs, anchored = len(series["runs"]), series["anchor"]["runs"]
    expected = min(runs, ANCHOR_RUNS)
    if not 1 <= runs <= WINDOW_RUNS:
        raise _Wrong(f"{_path(where, 'runs')} has {runs} entries, not 1 to {WINDOW_RUNS}")
    if anchored != expected:
        raise _Wrong(f"{_path(where, 'anchor.runs')} is {anchored} with {counted(runs, 'run')}, not {expected}")


# The tables: one for each record, in the order of the file.

PROBE: _Table = {"work": _TEXT, "qps": _FIGURE}
FORK: _Table = {"fork": _COUNT, "rounds": _COUNT, "qps": _FIGURE, "p50_ms": _optional(_LATENCY)}
POINT: _Table = {
    "threads": _COUNT,
    "rounds": _COUNT,
    "queries": _COUNT,
    "qps": _FIGURE,
    "efficiency": _optional(_FIGURE),
    **dict.fromkeys(_PERCENTILES, _optional(_LATENCY)),
    "probe": _optional(_record(ProbeFigures, PROBE)),
    "peak_rss_bytes": _optional(_COUNT),
    "forks": _list_of(_record(ForkFigures, FORK)),
}
#: Percentiles need not ascend here: they may be means of different runs.
ANCHOR_POINT: _Table = {
    key: POINT[key] for key in ("threads", "qps", "efficiency", "p5_ms", "p50_ms", "p99_ms", "probe")
}
ANCHOR: _Table = {"runs": _COUNT, "points": _list_of(_record(AnchorFigures, ANCHOR_POINT), _check_ascending)}
RUN: _Table = {
    "date": _DATE,
    "commit": _optional(_TEXT),
    "versions": _VERSIONS,
    "points": _list_of(_record(Figures, POINT, _check_percentiles), _check_points),
    "digest": _may_lack(_DIGEST),
}
SERIES: _Table = {
    "setting": _facts(
        ("device", "batch_size", "pool", "math_threads", "onednn", "idle_math_threads"),
        ("math_libraries",),
        ("pinned_to",),
        ("streams",),
        ("xdist",),
    ),
    "anchor": _record(Anchor, ANCHOR),
    "runs": _list_of(_record(Run, RUN)),
    "digest": _may_lack(_DIGEST),
}
_TEST: _Table = {
    "test": _NAME,
    "engine": _NAME,
    "machine": _facts(
        ("cpu_model", "instruction_set", "usable_cores", "quota_cores", "smt"),
        ("gpu_model", "gpu_driver", "cuda", "cudnn"),
    ),
}
_BEFORE: _Table = {"before": _optional(_record(Series, SERIES, _check_series))}
#: A file is a baseline whose series stands in it member by member.
FILE: _Table = {"schema": _COUNT, **_TEST, **SERIES, **_BEFORE}


# What JSON itself allows.


def _no_constant(name: str) -> float:
    raise _Wrong(f"{name} is no figure")


def _without_twins(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in members:
        if name in found:
            raise _Wrong(f"{_shown(name)} stands twice in one object")
        found[name] = value
    return found


def _shown(value: object) -> str:
    return _short(repr(value))


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:40] + "..."
