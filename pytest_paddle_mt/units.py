"""Converts measurements and texts to human-readable ones; everywhere else they stay as they are, in ns and seconds."""

from __future__ import annotations

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
BYTES_PER_MB = 1_000_000


def ms(duration_ns: float) -> float:
    """Convert nanoseconds to milliseconds."""
    return duration_ns / NS_PER_MS


def seconds(duration_ns: float) -> float:
    """Convert nanoseconds to seconds."""
    return duration_ns / NS_PER_S


def megabytes(size_bytes: float) -> float:
    """Convert bytes to megabytes (10^6)."""
    return size_bytes / BYTES_PER_MB


def printable(text: str) -> str:
    """``text`` with escapes for what is not printed as it is: control characters, ends of lines, lone surrogates."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def counted(number: int, noun: str) -> str:
    """``1 thread``, ``2 threads``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
