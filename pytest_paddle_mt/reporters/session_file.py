"""A file that several reporters write alike: of all sweeps so far, after each of them, whole or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from pytest_paddle_mt.files import write_atomically
from pytest_paddle_mt.units import counted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

_Entry = TypeVar("_Entry")


class SessionFile(Generic[_Entry]):
    """The file of one session.

    Args:
        path: where it is.
        option: what names another file.
        text: makes its content of an entry for each sweep.
    """

    def __init__(self, path: Path, option: str, text: Callable[[list[_Entry]], str]) -> None:
        self._path, self._option, self._text = path, option, text
        self._entries: dict[str, _Entry] = {}
        self._written = 0  #: How many sweeps the file contains.

    def add(self, nodeid: str, entry: _Entry) -> None:
        """Write the file with every sweep so far; an earlier attempt of the same test is replaced.

        Raises:
            OSError: it cannot be written, and contains what it did before. The next sweep is written with this one.
        """
        self._entries[nodeid] = entry
        contains = f"; it contains {self._written} of {counted(len(self._entries), 'sweep')} of this session"
        self.replace(self._text([*self._entries.values()]), contains)
        self._written = len(self._entries)

    def replace(self, text: str, contains: str = "") -> None:
        """Write ``text`` in place of what the file has; ``contains`` is what an error says of that.

        Raises:
            OSError: it cannot be written, and contains what it did before.
        """
        try:
            write_atomically(self._path, text)
        except OSError as error:
            raise OSError(
                f"{self._path} could not be written: {error.strerror or error}{contains}. Check free space and "
                f"permissions there, or give another file with {self._option}"
            ) from error

    def tell(self, what: str, terminal: pytest.TerminalReporter) -> None:
        """Print where the file is; where sweeps are missing in it, the session prints why."""
        if self._written and self._written == len(self._entries):
            terminal.write_line(f"paddle-mt: {what} of {counted(self._written, 'sweep')} in {self._path}")
