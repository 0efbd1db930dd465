"""Writes the report, ``--paddle-html=FILE``: one HTML page with charts, made of what the results file would contain.

Written after every sweep, as the results file is.
"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

from pytest_paddle_mt.files import write_atomically
from pytest_paddle_mt.units import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import pytest

    from pytest_paddle_mt.records import Measured, Sweep
    from pytest_paddle_mt.reporters import Finished

    Entry = dict[str, Any]  #: A sweep of the results file.


class HtmlReporter:
    """Writes the report; see ``Reporter``.

    Args:
        path: the file.
        entry: makes the entry of the results file for a sweep.
        document: makes the results file of entries.
    """

    name = "html"

    def __init__(
        self,
        path: Path,
        entry: Callable[[Sweep, Measured], Entry],
        document: Callable[[Sequence[Entry], datetime.datetime], dict[str, Any]],
    ) -> None:
        self._path, self._entry, self._document = path, entry, document
        self._created = datetime.datetime.now(datetime.timezone.utc)
        self._entries: dict[str, Entry] = {}
        self._written = 0  #: How many sweeps the file contains.

    def sweep_finished(self, finished: Finished) -> None:
        """Write the page with every sweep so far; an earlier attempt of the same test is replaced.

        Raises:
            OSError: it cannot be written, and contains what it did before. The next sweep is written with this one.
        """
        from pytest_paddle_mt.html_report import page

        self._entries[finished.sweep.nodeid] = self._entry(finished.sweep, finished.measured)
        text = page({"this run": self._document([*self._entries.values()], self._created)})
        try:
            write_atomically(self._path, text)
        except OSError as error:
            raise OSError(
                f"{self._path} could not be written: {error.strerror or error}; it contains {self._written} of "
                f"{counted(len(self._entries), 'sweep')} of this session. Check free space and permissions there, or "
                "give another file with --paddle-html"
            ) from error
        self._written = len(self._entries)

    def session_finished(self, sweeps: Sequence[Sweep], terminal: pytest.TerminalReporter) -> None:
        """Print where the page is; where sweeps are missing in it, the session prints why."""
        if self._written == len(self._entries):
            terminal.write_line(f"paddle-mt: report of {counted(self._written, 'sweep')} in {self._path}")
