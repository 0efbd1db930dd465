"""Writes the sweeps for another service, ``--paddle-export=FORMAT:FILE``, after each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_paddle_mt import exports
from pytest_paddle_mt.reporters.session_file import SessionFile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pytest

    from pytest_paddle_mt.records import Sweep
    from pytest_paddle_mt.reporters import Finished


class ExportReporter:
    """Writes one file in one format; see ``Reporter``. A smoke run has no figures, and is left out."""

    def __init__(self, form: str, path: Path) -> None:
        self.name = f"export {form}:{path}"
        self._form = form
        self._file: SessionFile[Sweep] = SessionFile(path, "--paddle-export", self._text)

    def sweep_finished(self, finished: Finished) -> None:
        """Write the file with every sweep so far.

        Raises:
            OSError: it cannot be written, and contains what it did before. The next sweep is written with this one.
        """
        if finished.sweep.smoke_reason is None:
            self._file.add(finished.sweep.nodeid, finished.sweep)

    def session_finished(self, sweeps: Sequence[Sweep], terminal: pytest.TerminalReporter) -> None:
        """Print where the file is."""
        self._file.tell(self._form, terminal)

    def _text(self, sweeps: list[Sweep]) -> str:
        return exports.text(self._form, sweeps)
