"""Draws the speedup of each thread count as a bar against the ideal one, with block characters. Fits 80 columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_paddle_mt.reporters import text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_paddle_mt.records import Point

_CELLS = 40  #: Width of the longest bar.
_EIGHTHS = " ▏▎▍▌▋▊▉"
_MISSING = "░"  #: What ideal growth would add.
_MOST = 8  #: More thread counts than this are thinned out.


def drawable(encoding: str | None) -> bool:
    """Whether the characters of a plot exist in this encoding."""
    try:
        ("█" + _MISSING + _EIGHTHS).encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def plot(points: Sequence[Point]) -> list[str]:
    """A bar for each thread count; none where there is nothing to compare."""
    shown = [(point.threads, point.speedup) for point in points if point.speedup is not None]
    if len(shown) < 2:
        return []
    while len(shown) > _MOST:
        shown = [*shown[:-1][::2], shown[-1]]
    longest = max(max(threads, speedup) for threads, speedup in shown)
    lines: list[str] = []
    for threads, speedup in shown:
        name = "speedup" if not lines else ""
        bar = f"{_bar(speedup / longest, threads / longest):<{_CELLS + 1}}"
        lines.append(f"{name:>9} {threads:>5} {bar} {text.fixed(speedup):>4} of {threads}")
    return lines


def _bar(share: float, ideal: float) -> str:
    eighths = round(8 * _CELLS * share)
    full = "█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")
    return full + _MISSING * (round(_CELLS * ideal) - len(full))
