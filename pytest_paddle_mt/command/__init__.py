"""The command ``paddle-mt``: one module for each of its subcommands.

A subcommand is a module with ``add(subparsers)``, which adds its parser and sets ``run=`` to a function that takes the
parsed arguments and returns an exit code.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from pytest_paddle_mt import __version__
from pytest_paddle_mt.command import sweep
from pytest_paddle_mt.errors import PaddleMtError

if TYPE_CHECKING:
    from collections.abc import Sequence

USAGE_ERROR = 2  #: Exit code, as argparse has it.


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code.

    Args:
        arguments: without the name of the command; None takes those of the process.
    """
    parser = argparse.ArgumentParser(prog="paddle-mt", description="Thread scaling of Paddle models.")
    parser.add_argument("--version", action="version", version=f"paddle-mt {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for subcommand in (sweep,):
        subcommand.add(subparsers)
    chosen = parser.parse_args(arguments)
    try:
        code: int = chosen.run(chosen)
    except PaddleMtError as error:
        print(f"paddle-mt: {error}", file=sys.stderr)  # noqa: T201
        return USAGE_ERROR
    return code
