"""Formats figures and texts of the page."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from pytest_paddle_mt.units import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

#: What the statuses of the results file are called on the page.
STATUS_WORDS = {
    "pass": "pass",
    "fail": "fail",
    "inconclusive": "inconclusive",
    "not_comparable": "not comparable",
    "no_data": "no data",
    "calibrating": "calibrating",
}


DASH = "\N{EN DASH}"  #: For what is not known.


def clean(text: str) -> str:
    """``text`` with escapes for what no page may contain, such as control characters and lone surrogates."""
    return "\n".join(printable(line) for line in text.split("\n"))


def number(value: float | None) -> str:
    """Three significant digits and separators for thousands: 0.0421, 42.1, 42,137; a dash for None."""
    if value is None:
        return DASH
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    size = abs(value)
    decimals = 0 if size == 0 else 4 if size < 0.1 else 3 if size < 1 else 2 if size < 10 else 1
    return f"{value:.{decimals}f}"


def fixed(value: float | None, decimals: int = 2) -> str:
    """With so many decimals; a dash for None."""
    return DASH if value is None else f"{value:,.{decimals}f}"


def span(interval: Sequence[float] | None, decimals: int | None = None) -> str:
    """An interval, ``0.89 to 1.12``; empty for None."""
    if interval is None:
        return ""
    return " to ".join(number(one) if decimals is None else fixed(one, decimals) for one in interval)


def tick(value: float, ticks: Sequence[float]) -> str:
    """The label of a mark on an axis with marks at ``ticks``."""
    gaps = [later - earlier for earlier, later in itertools.pairwise(ticks)]
    decimals = next((one for one in range(6) if all(round(gap, one) > 0.9 * gap for gap in gaps)), 6)
    return f"{value:,.{decimals}f}"
