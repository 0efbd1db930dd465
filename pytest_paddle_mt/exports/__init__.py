"""Texts of finished sweeps for other services: one format per file, and one line here.

A format is a function from sweeps to the text of its file. Exports have figures only, never windows or latencies.
"""

from __future__ import annotations

import hashlib
import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_paddle_mt.records import Point, Sweep

#: By its name in ``--paddle-export``, the module of each format.
FORMATS = {"bmf": "bmf", "gab": "gab", "openmetrics": "openmetrics", "csv": "table"}

_LONGEST = 1024  #: Characters that Bencher allows in a name.


def text(form: str, sweeps: Sequence[Sweep]) -> str:
    """The text of the file in the format ``form``."""
    module = importlib.import_module(f"{__name__}.{FORMATS[form]}")
    made: str = module.text(sweeps)
    return made


def name(sweep: Sweep, point: Point) -> str:
    """What a thread count of a test is called: as pytest-benchmark calls it, and never longer than services allow."""
    whole = f"{sweep.nodeid}[threads={point.threads}]"
    if len(whole) <= _LONGEST:
        return whole
    digest = hashlib.sha256(whole.encode(errors="surrogatepass")).hexdigest()[:8]
    return f"{whole[: _LONGEST - 12]}... {digest}"
