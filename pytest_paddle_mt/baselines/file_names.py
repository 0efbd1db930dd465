"""Names the files of baselines: after their test and engine."""

from __future__ import annotations

import hashlib
import re

_READABLE = 100  #: Length of the readable part of a file's name, so that the whole fits a file name.


def file_name(test: str, engine: str) -> str:
    """The name of the file of a test and an engine: readable and unique."""
    return f"{stem(test)}-{_plain(engine)}.json"


def stem(test: str) -> str:
    """What the names of a test's files begin with, for every engine."""
    readable = _plain(test)[-_READABLE:].lstrip("-.")
    own = hashlib.sha256(test.encode(errors="surrogatepass")).hexdigest()[:8]
    return f"{readable}-{own}" if readable else own


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.]+", "-", text.replace(".py::", "-")).strip("-.")
