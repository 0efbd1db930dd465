"""Writes ``--paddle-markdown=FILE``, for a comment on a pull request: after every sweep, whole or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_paddle_mt.reporters import markdown
from pytest_paddle_mt.reporters.session_file import SessionFile

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
        self._file: SessionFile[Sweep] = SessionFile(
            path, "--paddle-markdown", lambda sweeps: markdown.page(sweeps, _COMMENT_MOST)
        )

    def sweep_finished(self, finished: Finished) -> None:
        """Write the file with every sweep so far.

        Raises:
            OSError: it cannot be written, and contains what it did before. The next sweep is written with this one.
        """
        self._file.add(finished.sweep.nodeid, finished.sweep)

    def session_finished(self, sweeps: Sequence[Sweep], terminal: pytest.TerminalReporter) -> None:
        """Print where the file is."""
        self._file.tell("Markdown", terminal)

    def not_measured(self, tests: int, reason: str, terminal: pytest.TerminalReporter) -> None:
        """Write that nothing was judged, as under pytest-xdist."""
        try:
            self._file.replace(markdown.not_measured(tests, reason))
        except OSError as error:
            terminal.write_line(f"paddle-mt: ERROR: {error}")
