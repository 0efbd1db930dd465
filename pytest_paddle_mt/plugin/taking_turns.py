"""Lets the tests of several processes use the machine side by side, or one of them alone.

Guarantees
    * While a process has the machine alone, no other one uses it.
    * Who waits for it alone is not overtaken: others that come later wait behind.
    * The kernel gives up what a process holds when it ends, however it ends.
"""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class Machine:
    """The machine, as the processes see it that were given the same ``path``, a file that need not exist.

    One process holds it once at most, with others or alone.
    """

    def __init__(self, path: Path) -> None:
        #: Held while a process waits for the machine; whoever comes later waits for it.
        self._door = os.open(path.with_name(f"{path.name}-door"), os.O_RDWR | os.O_CREAT)
        self._room = os.open(path, os.O_RDWR | os.O_CREAT)
        self._is_alone = False

    def use(self) -> None:
        """Wait until no other process has it alone; then use it together with others."""
        self._enter(fcntl.LOCK_SH)

    def use_alone(self) -> None:
        """Wait until no other process uses it; then have it alone. What was held before is given up first."""
        if not self._is_alone:
            self._enter(fcntl.LOCK_EX)

    def leave(self) -> None:
        """Stop using it. Safe to call twice."""
        self._is_alone = False
        fcntl.flock(self._room, fcntl.LOCK_UN)

    def _enter(self, how: int) -> None:
        self.leave()
        fcntl.flock(self._door, fcntl.LOCK_EX)
        try:
            fcntl.flock(self._room, how)
        finally:
            fcntl.flock(self._door, fcntl.LOCK_UN)
        self._is_alone = how == fcntl.LOCK_EX
