"""Writes the tables of reliability.md from the marks ``fault`` of the tests: run it after changing a mark.

A mark has three texts: the part of the plugin, what happens, and what a user then sees. It stands on a test, or on one
of its parameters; a text may be a constant of the module.
"""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).with_name("reliability.md")
ROOT = PAGE.parents[1]


class Row(NamedTuple):
    """A fault, and the test that shows what becomes of it."""

    part: str
    happens: str
    seen: str
    test: str


@functools.cache
def rows() -> list[Row]:
    """Every mark, in the order of the files."""
    found = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        if "pytest.mark.fault(" not in text:
            continue
        module = ast.parse(text)
        constants = {ast.unparse(one.targets[0]): one.value for one in module.body if isinstance(one, ast.Assign)}
        for function in ast.walk(module):
            if isinstance(function, ast.FunctionDef):
                test = f"{path.relative_to(ROOT / 'tests')}::{function.name}"
                calls = [one for mark in function.decorator_list for one in ast.walk(mark) if isinstance(one, ast.Call)]
                for call in calls:
                    if ast.unparse(call.func) == "pytest.mark.fault":
                        texts = [constants.get(ast.unparse(text), text) for text in call.args]
                        found.append(Row(*map(ast.literal_eval, texts), test))
    return found


def table(part: str) -> str:
    """The rows of one part."""
    lines = ["| What happens | What you see | Test |", "|---|---|---|"]
    lines += [f"| {one.happens} | {one.seen} | `{one.test}` |" for one in rows() if one.part == part]
    return "".join(f"{line}\n" for line in lines)


def with_tables(page: str) -> str:
    """The text of the page with every table replaced."""
    mark = r"(<!-- (.*): written by reliability_table.py -->\n)(?:\|.*\n)*"
    return re.sub(mark, lambda found: found[1] + table(found[2]), page)


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
