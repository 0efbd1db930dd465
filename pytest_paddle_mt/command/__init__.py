"""The command ``paddle-mt``: what the plugin does, without a test of one's own. One module for each subcommand."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pytest_paddle_mt import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``paddle-mt`` with these arguments (by default those of the process), and return the exit status."""
    from pytest_paddle_mt.command import sweep

    parser = argparse.ArgumentParser(prog="paddle-mt", description="Thread scaling of Paddle models.")
    parser.add_argument("--version", action="version", version=f"pytest-paddle-mt {__version__}")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (sweep,):
        command.add(subparsers)
    given = parser.parse_args(arguments)
    status: int = given.run(given)
    return status
