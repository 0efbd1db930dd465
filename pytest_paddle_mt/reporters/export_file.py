"""Writes the sweeps for another service, ``--paddle-export=FORMAT:FILE``, after each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_paddle_mt import exports
from pytest_paddle_mt.files import write_atomically
from pytest_paddle_mt.units import counted

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
        self._path = path
        self._sweeps: dict[str, Sweep] = {}
        self._written = 0  #: How many sweeps the file contains.

    def sweep_finished(self, finished: Finished) -> None:
        """Write the file with every sweep so far; an earlier attempt of the same test is replaced.

        Raises:
            OSError: it cannot be written, and contains what it did before. The next sweep is written with this one.
        """
        if finished.sweep.smoke_reason is not None:
            return
        self._sweeps[finished.sweep.nodeid] = finished.sweep
        try:
            write_atomically(self._path, exports.text(self._form, [*self._sweeps.values()]))
        except OSError as error:
            raise OSError(
                f"{self._path} could not be written: {error.strerror or error}; it contains {self._written} of "
                f"{counted(len(self._sweeps), 'sweep')} of this session. Check free space and permissions there, or "
                "give another file with --paddle-export"
            ) from error
        self._written = len(self._sweeps)

    def session_finished(self, sweeps: Sequence[Sweep], terminal: pytest.TerminalReporter) -> None:
        """Print where the file is; where sweeps are missing in it, the session prints why."""
        if self._written and self._written == len(self._sweeps):
            terminal.write_line(f"paddle-mt: {self._form} of {counted(self._written, 'sweep')} in {self._path}")
