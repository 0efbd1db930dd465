"""Reads results files, and refuses what is none before anything of it is shown."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, NoReturn

from pytest_paddle_mt.errors import UsageError
from pytest_paddle_mt.html_report.words import clean

if TYPE_CHECKING:
    from pathlib import Path

Document = dict[str, Any]  #: A results file, as JSON.

SCHEMA = 1

_NUMBER = (int, float)
_MAYBE = (int, float, type(None))

#: What the page needs of a sweep; whatever else there is may be missing, as in files of other versions.
_POINT = {"threads": int, "qps": _NUMBER, "latency_ms": dict, "speedup": _MAYBE, "efficiency": _MAYBE}
_VERDICT = {"check": str, "status": str, "reason": str}
_SWEEP = {
    "nodeid": str,
    "engine": str,
    "device": str,
    "status": str,
    "points": [_POINT],
    "windows": [{"round": int, "threads": int, "qps": _NUMBER, "stage": str}],
    "verdicts": [_VERDICT],
    "warnings": [{"kind": str, "text": str}],
}
_DOCUMENT = {"schema": int, "plugin_version": str, "created_utc": str, "environment": dict, "sweeps": [_SWEEP]}


def read(path: Path) -> Document:
    """A results file.

    Raises:
        UsageError: it cannot be read, or is no results file of this schema.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}; give a file that --paddle-json wrote") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no text: {error.reason}; give a file that --paddle-json wrote") from error
    try:
        document = json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is no JSON: {error}; give a file that --paddle-json wrote") from error
    found = document.get("schema") if isinstance(document, dict) else None
    if found != SCHEMA:
        raise UsageError(
            f"{path} has schema {found!r} and this version reads schema {SCHEMA}; give a file that --paddle-json wrote"
        )
    wrong = _wrong(document, _DOCUMENT, "")
    if wrong is not None:
        raise UsageError(f"{path} is no results file: {clean(wrong)}; give a file that --paddle-json wrote")
    checked: Document = document
    return checked


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse(text)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no finite number")


def _wrong(value: Any, shape: Any, where: str) -> str | None:
    """What in ``value`` has another shape; None where nothing has."""
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return f"{where} is no object"
        for name, of_member in shape.items():
            if name not in value:
                return f"{where}.{name}".lstrip(".") + " is missing"
            wrong = _wrong(value[name], of_member, f"{where}.{name}".lstrip("."))
            if wrong is not None:
                return wrong
        return None
    if isinstance(shape, list):
        if not isinstance(value, list):
            return f"{where} is no list"
        found = (_wrong(one, shape[0], f"{where}[{index}]") for index, one in enumerate(value))
        return next((one for one in found if one is not None), None)
    if not isinstance(value, shape) or isinstance(value, bool):
        return f"{where} is {str(value)[:40]!r}"
    return None
