"""What no source may do, as a fault would show there that no test can cause everywhere."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = sorted((ROOT / "pytest_paddle_mt").rglob("*.py"))

#: Calls of the module ``time`` that read what a person or a time server sets, or may.
_WALL_CLOCKS = {"time", "time_ns", "localtime", "gmtime", "ctime", "asctime", "clock_gettime", "clock_gettime_ns"}
#: Calls of the classes of ``datetime`` that read it, too; and where there is one, for the date that a file has.
_DATES = {"now", "utcnow", "today"}
_WRITE_A_DATE = [
    "pytest_paddle_mt/baselines/ledger.py",
    "pytest_paddle_mt/reporters/html_file.py",
    "pytest_paddle_mt/reporters/json_file.py",
]
#: NVML is asked for what other processes did since a date; where the clock is stepped, that is unknown.
_ASKS_NVML = "pytest_paddle_mt/machine/gpu.py"


@pytest.fixture(scope="module")
def nodes() -> list[tuple[str, ast.AST]]:
    """Every node of the package that a test here looks for, with its place."""
    looked_for = (ast.Attribute, ast.Name, ast.Import, ast.ImportFrom, ast.Assert)
    return [
        (f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}", node)
        for path in PACKAGE
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, looked_for)
    ]


@pytest.mark.fault("machine", "the clock is stepped during a sweep", "no figure changes: only dates are read from it")
def test_no_duration_is_taken_from_a_clock_that_somebody_sets(nodes: list[tuple[str, ast.AST]]) -> None:
    uses = [
        place
        for place, node in nodes
        if (
            isinstance(node, ast.Attribute)
            and node.attr in _WALL_CLOCKS
            and ast.unparse(node.value) == "time"
            and not place.startswith(f"{_ASKS_NVML}:")
        )
        or (isinstance(node, ast.ImportFrom) and node.module == "time")
        or (isinstance(node, ast.Import) and any(one.name == "time" and one.asname for one in node.names))
    ]
    dates = [place for place, node in nodes if isinstance(node, ast.Attribute) and node.attr in _DATES]
    native = [
        path.name
        for path in (ROOT / "native").glob("*.[ch]*")
        if re.search(r"system_clock|CLOCK_REALTIME|gettimeofday|high_resolution_clock", path.read_text())
    ]
    assert (uses, native) == ([], [])
    assert [place.rpartition(":")[0] for place in dates] == _WRITE_A_DATE


@pytest.mark.fault("machine", "Python runs with `-O` or PYTHONOPTIMIZE=2", "everything is refused that is without it")
def test_an_assertion_of_the_package_only_tells_the_type_checker_what_is_not_none(
    nodes: list[tuple[str, ast.AST]],
) -> None:
    others = []
    for place, node in nodes:
        if isinstance(node, ast.Assert):
            parts = node.test.values if isinstance(node.test, ast.BoolOp) else [node.test]
            if not all(ast.unparse(part).endswith("is not None") for part in parts):
                others.append(place)
    dropped = [
        place
        for place, node in nodes
        if (isinstance(node, ast.Attribute) and node.attr == "__doc__")
        or (isinstance(node, ast.Name) and node.id in ("__doc__", "__debug__"))
    ]
    assert (others, dropped) == ([], [])
