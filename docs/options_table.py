"""Writes the tables of options.md from the rows of ``pytest_paddle_mt.plugin.options``: run it after changing a row."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_paddle_mt.plugin.options import MARKER_ONLY, OPTIONS

if TYPE_CHECKING:
    from collections.abc import Iterable

PAGE = Path(__file__).with_name("options.md")


def options() -> str:
    """The table of all options."""
    rows = []
    for option in OPTIONS:
        default = f"`{option.default}`" if option.default else option.unset
        if option.default_two_sides:
            default += f"; of a comparison `{option.default_two_sides}`"
        written = option.name if option.metavar is None else f"{option.name}={option.metavar}"
        rows.append((f"`{written}`", "yes" if option.per_test else "no", default, f"{option.meaning}."))
    return _table(("Option", "Marker", "Default", "Meaning"), rows)


def marker_only() -> str:
    """The table of the arguments that only the marker has."""
    rows = [(f"`{one.key}`", f"`{one.values}`", f"`{one.default!r}`", f"{one.meaning}.") for one in MARKER_ONLY]
    return _table(("Marker argument", "Values", "Default", "Meaning"), rows)


def with_tables(page: str) -> str:
    """The text of the page with both tables replaced."""
    for name, table in (("options", options()), ("marker-only", marker_only())):
        mark = f"<!-- {name}: written by options_table.py -->"
        page = re.sub(rf"{mark}\n(\|.*\n)*", lambda _, new=f"{mark}\n{table}": new, page)  # type: ignore[misc]
    return page


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
