"""Writes the report, ``--paddle-html=FILE``: one HTML page with charts, made of what the results file would contain.

Written after every sweep, as the results file is.
"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

from pytest_paddle_mt.reporters.session_file import SessionFile

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
        self._entry, self._document = entry, document
        self._created = datetime.datetime.now(datetime.timezone.utc)
        self._file: SessionFile[Entry] = SessionFile(path, "--paddle-html", self._page)

    def sweep_finished(self, finished: Finished) -> None:
        """Write the page with every sweep so far.

        Raises:
            OSError: it cannot be written, and contains what it did before. The next sweep is written with this one.
        """
        self._file.add(finished.sweep.nodeid, self._entry(finished.sweep, finished.measured))

    def session_finished(self, sweeps: Sequence[Sweep], terminal: pytest.TerminalReporter) -> None:
        """Print where the page is."""
        self._file.tell("report", terminal)

    def _page(self, entries: list[Entry]) -> str:
        from pytest_paddle_mt.html_report import page

        return page({"this run": self._document(entries, self._created)})
