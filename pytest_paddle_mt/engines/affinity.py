"""Keeps the calling thread on some CPUs as long as it serves a window; ``native/affinity.h`` in Python."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class Pinning:
    """Knows the CPUs of thread ``index`` of ``threads``, and pins it when it is told to.

    OpenMP gives a thread its own affinity in the first parallel region, so a thread is pinned after its first query.
    ``restore`` gives it back the affinity that it had before.
    """

    def __init__(self, cpus: Sequence[int], index: int, threads: int) -> None:
        self._cpus = {cpus[index]} if threads <= len(cpus) else set(cpus)
        self._before: set[int] | None = None

    def pin(self) -> None:
        """Pin the calling thread. Does nothing where no CPU was given, or where the kernel refuses."""
        if self._cpus and self._before is None:
            before = os.sched_getaffinity(0)
            try:
                os.sched_setaffinity(0, self._cpus)
            except OSError:
                return  # a cpuset that shrank: ``holds`` reports it
            self._before = before

    def holds(self) -> bool:
        """Whether the thread has exactly those CPUs now; a query may have changed it."""
        return self._before is not None and os.sched_getaffinity(0) == self._cpus

    def restore(self) -> None:
        """Give the calling thread the affinity that it had before it was pinned. Safe to call twice."""
        if self._before is not None:
            with contextlib.suppress(OSError):  # none of those CPUs is left to this process
                os.sched_setaffinity(0, self._before)
            self._before = None
