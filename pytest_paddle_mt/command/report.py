"""``paddle-mt report``: makes a page with charts of results files."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_paddle_mt.errors import UsageError
from pytest_paddle_mt.files import write_atomically
from pytest_paddle_mt.units import counted

if TYPE_CHECKING:
    import argparse


def add(subparsers: Any) -> None:
    """Add the parser of this subcommand."""
    parser = subparsers.add_parser(
        "report",
        help="make an HTML page with charts of results files",
        description="Makes one HTML page of results files that --paddle-json wrote. It loads nothing, and can be "
        "opened from disk and as a CI artifact.",
    )
    parser.add_argument("results", metavar="RESULTS.json", nargs="+", type=Path, help="a results file")
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        default="report.html",
        type=Path,
        help="the page to write; default: report.html",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the page.

    Raises:
        UsageError: a file is no results file, the page would replace one, or cannot be written or made.
    """
    if importlib.util.find_spec("jinja2") is None:
        raise UsageError("the report needs Jinja2, which is not installed; pip install 'pytest-paddle-mt[report]'")
    from pytest_paddle_mt.html_report import documents, page

    output: Path = arguments.output
    paths = list(dict.fromkeys(arguments.results))
    if os.path.realpath(output) in {os.path.realpath(path) for path in paths}:
        raise UsageError(f"-o {output} is one of the results files, which would be lost; give another name")
    read = {str(path): documents.read(path) for path in paths}
    try:
        text = page(read)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        named = ", ".join(read)
        raise UsageError(
            f"{named}: a member has a form that this version does not know ({error!r}); write the results "
            "again with this version"
        ) from error
    try:
        write_atomically(output, text)
    except OSError as error:
        raise UsageError(f"{output} could not be written: {error.strerror or error}; give another file") from error
    print(f"report of {counted(len(paths), 'results file')} in {output}")
    return 0
