"""Writes ``--paddle-markdown=FILE``, for a comment on a pull request: after every sweep, whole or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_paddle_mt.files import write_atomically
from pytest_paddle_mt.reporters import markdown
from pytest_paddle_mt.units import counted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pytest

    from pytest_paddle_mt.records import Sweep
    from pytest_paddle_mt.reporters import Finished

_COMMENT_MOST = 65_000  #: Bytes of a page; GitHub takes 65536 characters of a comment.


class MarkdownReporter:
    """Writes the Markdown file; see ``Reporter``."""

    name = "markdown"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._sweeps: dict[str, Sweep] = {}
        self._written = 0  #: How many sweeps the file contains.

    def sweep_finished(self, finished: Finished) -> None:
        """Write the file with every sweep so far; an earlier attempt of the same test is replaced.

        Raises:
            OSError: it cannot be written, and contains what it did before. The next sweep is written with this one.
        """
        self._sweeps[finished.sweep.nodeid] = finished.sweep
        self._write(markdown.page([*self._sweeps.values()], _COMMENT_MOST))
        self._written = len(self._sweeps)

    def session_finished(self, sweeps: Sequence[Sweep], terminal: pytest.TerminalReporter) -> None:
        """Print where the file is; where sweeps are missing in it, the session prints why."""
        if self._written == len(self._sweeps):
            terminal.write_line(f"paddle-mt: Markdown of {counted(self._written, 'sweep')} in {self._path}")

    def not_measured(self, tests: int, reason: str, terminal: pytest.TerminalReporter) -> None:
        """Write that nothing was judged, as under pytest-xdist."""
        try:
            self._write(markdown.not_measured(tests, reason))
        except OSError as error:
            terminal.write_line(f"paddle-mt: ERROR: {error}")

    def _write(self, page: str) -> None:
        try:
            write_atomically(self._path, page)
        except OSError as error:
            raise OSError(
                f"{self._path} could not be written: {error.strerror or error}. Check free space and permissions "
                "there, or give another file with --paddle-markdown"
            ) from error
