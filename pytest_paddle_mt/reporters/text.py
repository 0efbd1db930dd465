"""Formats what the tables share: numbers in few characters, words for verdicts, wrapped sentences."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from pytest_paddle_mt.records import STATUSES_WORST_FIRST

if TYPE_CHECKING:
    from pytest_paddle_mt.records import Point, Status, Sweep

WIDTH = 80

#: The statuses that are too long for a table.
_SHORT = {"inconclusive": "unclear", "not_comparable": "not comp", "no_data": "no data", "calibrating": "calibr."}


def verdict(sweep: Sweep, threads: int) -> str:
    """The worst verdict on a thread count, in at most eight characters; empty without one."""
    worst = status(sweep, threads)
    return "" if worst is None else _SHORT.get(worst, worst)


def status(sweep: Sweep, threads: int) -> Status | None:
    """The worst status of the verdicts on a thread count; None without one.

    A test that is skipped as not comparable has not passed, so neither has any of its thread counts.
    """
    statuses = [verdict.status for verdict in sweep.verdicts if verdict.threads == threads]
    worst = next((status for status in STATUSES_WORST_FIRST if status in statuses), None)
    return "not_comparable" if worst == "pass" and sweep.status == "not_comparable" else worst


def fixed(value: float | None) -> str:
    """Two decimals below 10, none above, at most four characters; a dash for None."""
    if value is None:
        return "-"
    return f"{value:.2f}" if value < 10 else f"{min(value, 9999):.0f}"


def efficiency(point: Point) -> str:
    """The efficiency with its interval; a dash without one."""
    if point.efficiency is None:
        return "-"
    interval = point.efficiency_interval
    span = "" if interval is None else f" ({fixed(interval.low)}-{fixed(interval.high)})"
    return f"{fixed(point.efficiency)}{span}"


def number(value: float) -> str:
    """Three significant digits, in six characters (seven from a million on): 0.0421, 42.1, 42137, 12.3M."""
    if value < 0.001:
        return "<0.001"
    if value >= 1000:
        return f"{value:.0f}" if value < 1e6 else f"{value / 1e6:.1f}M"
    decimals = 4 if value < 0.1 else 3 if value < 1 else 2 if value < 10 else 1
    return f"{value:.{decimals}f}"


def wrapped(sentence: str, *, break_long_words: bool = True) -> list[str]:
    """A sentence in lines of the table's width; longer ones where it has words, such as paths, that must stay whole."""
    return textwrap.wrap(
        sentence,
        WIDTH,
        initial_indent="  ",
        subsequent_indent="    ",
        break_on_hyphens=False,
        break_long_words=break_long_words,
    )
