"""The command ``paddle-mt``: one module for each of its subcommands.

A subcommand is a module with ``add(subparsers)``, which adds its parser and sets ``run=`` to a function that takes the
parsed arguments and returns an exit code.
"""

from __future__ import annotations

import argparse
import os
import sys
from difflib import get_close_matches
from typing import TYPE_CHECKING, NoReturn

from pytest_paddle_mt import __version__
from pytest_paddle_mt.command import report, sweep
from pytest_paddle_mt.errors import PaddleMtError

if TYPE_CHECKING:
    from collections.abc import Sequence

USAGE_ERROR = 2  #: Exit code, as argparse has it.

_COMMANDS = {"sweep": sweep, "report": report}
_EXAMPLES = """\
for instance:
  paddle-mt sweep model/inference.json --paddle-threads=8 --paddle-json=results.json
  paddle-mt report results.json
"""


class _Parser(argparse.ArgumentParser):
    """Says in one line what is wrong and where to look; argparse prints a usage that may be another parser's."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE_ERROR, f"{self.prog}: {message} (see {self.prog} --help)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code.

    Args:
        arguments: without the name of the command; None takes those of the process.
    """
    given = sys.argv[1:] if arguments is None else list(arguments)
    parser = _Parser(
        prog="paddle-mt",
        description="Does this Paddle model serve more queries per second with more threads?",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"paddle-mt {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for subcommand in _COMMANDS.values():
        subcommand.add(subparsers)
    if not given:
        parser.print_help(sys.stderr)
        return USAGE_ERROR
    if not given[0].startswith("-") and given[0] not in _COMMANDS:
        parser.error(f"there is no command {given[0]!r}{_instead(given[0])}")
    chosen = parser.parse_args(given)
    try:
        code: int = chosen.run(chosen)
    except PaddleMtError as error:
        print(f"paddle-mt: {error}", file=sys.stderr)
        return USAGE_ERROR
    return code


def _instead(word: str) -> str:
    """What may have been meant by a word that is no command, as a question; empty where that is not known."""
    close = get_close_matches(word, _COMMANDS, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    files = {".json": "sweep", ".pdmodel": "sweep", ".pdiparams": "sweep"}
    command = "sweep" if os.path.isdir(word) else files.get(os.path.splitext(word)[1])
    return f"; did you mean paddle-mt {command} {word}?" if command else ""
