"""Python threads that live as long as an engine session, as those of a server do.

What a thread keeps of its own from one query to the next (an arena of memory, oneDNN's caches, what a query stores in a
``threading.local``) is made once for the session, in the first window of the thread, and not for every window.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from typing import TYPE_CHECKING

from pytest_paddle_mt.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Job = Callable[[], None]


@contextlib.contextmanager
def starting_threads() -> Iterator[None]:
    """Say what to do where the system has no room for another thread.

    Raises:
        UsageError: instead of the error for a thread that could not be started, Python's or that of the native loop.
    """
    try:
        yield
    except RuntimeError as error:
        if "start" not in str(error):
            raise
        raise UsageError(
            f"{error}; ask for fewer threads (--paddle-threads), or raise the limits on threads (ulimit -u, the "
            "container's pids) and on memory (ulimit -v)"
        ) from error


class PythonCrew:
    """Threads that wait for jobs; thread i always runs job i.

    Guarantees: no job is begun before there is a thread for each; a waiting thread uses no CPU and holds on to nothing;
    ``close`` returns when every thread has been joined. If it is interrupted, a second call joins the rest.
    """

    def __init__(self) -> None:
        self._members: list[tuple[threading.Thread, queue.SimpleQueue[Job | None]]] = []

    def start(self, jobs: Sequence[Job]) -> None:
        """Let thread i run job i, and make the threads that are missing. A job must not raise.

        Raises:
            UsageError: a thread cannot be started; no job was begun, and ``close`` has to come next.
        """
        with starting_threads():
            while len(self._members) < len(jobs):
                self._hire()
        for job, (_, waiting) in zip(jobs, self._members, strict=False):
            waiting.put(job)

    def close(self) -> None:
        """Let every thread finish its job, and join it. Safe to call twice; ``start`` would make new threads."""
        for _, waiting in self._members:
            waiting.put(None)
        while self._members:
            thread, _ = self._members[-1]
            if thread.ident is not None:  # None: it could not be started
                thread.join()
            self._members.pop()

    def _hire(self) -> None:
        waiting: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        thread = threading.Thread(target=_live, args=(waiting,), name=f"paddle-mt-{len(self._members)}", daemon=True)
        self._members.append((thread, waiting))  # before it starts: an interruption must not leave it behind
        thread.start()


def _live(waiting: queue.SimpleQueue[Job | None]) -> None:
    while (job := waiting.get()) is not None:
        job()
        del job  # else the thread would keep its predictor until the next one
