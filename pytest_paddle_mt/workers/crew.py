"""Runs several forks as the workers of one sweep.

Guarantees
    * Forks are started and made ready before the first window; while one measures, the others wait and use no CPU.
    * When ``close`` has returned or raised, no process that these forks started in their process groups is left, and
      none of their files. SIGTERM and SIGHUP leave none either; SIGKILL leaves the files.
"""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_paddle_mt.errors import ForkFailed
from pytest_paddle_mt.interrupts import before_a_signal_ends
from pytest_paddle_mt.units import counted
from pytest_paddle_mt.workers.fork import ForkWorker, not_started

if TYPE_CHECKING:
    import pytest

    from pytest_paddle_mt.records import Subject
    from pytest_paddle_mt.workers.launch import Role

INTERRUPT_S = 5.0  #: After Ctrl-C, for all forks together.


class Crew:
    """Forks that measure one sweep together, and the directory of their output and temporary files."""

    def __init__(self, item: pytest.Item, count: int, seed: int, role: Role | None = None) -> None:
        """Make a crew without starting a fork.

        Args:
            item: the test.
            count: how many forks.
            seed: seed of whatever the engine draws at random.
            role: what they do in a comparison; None: there is no comparison.
        """
        self.workers: list[ForkWorker] = []
        #: What went wrong after the last window, human-readable; complete after ``close``.
        self.notes: list[str] = []
        #: The end of what each fork printed, by fork, where it printed something; complete after ``close``.
        self.outputs: dict[int, str] = {}
        self._item = item
        self._count = count
        self._seed = seed
        self._role = role
        try:
            self._directory = Path(tempfile.mkdtemp(prefix="pytest-paddle-mt-"))
        except OSError as error:  # no folder for temporary files can be written to
            raise not_started(counted(count, "fork"), error) from error
        self._stays = before_a_signal_ends(self._put_away)

    @property
    def subject(self) -> Subject:
        """What every fork serves.

        Raises:
            ForkFailed: they do not serve the same.
        """
        first = self.workers[0].subject
        for worker in self.workers[1:]:
            _check_same(first, worker.subject, worker.fork)
        known = {worker.subject.gil for worker in self.workers} - {"unknown"}
        return dataclasses.replace(
            first,
            gil=known.pop() if len(known) == 1 else "unknown",
            facts={**first.facts, "forks": str(len(self.workers))},
        )

    def prepare(self, threads: int, side_by_side: int) -> None:
        """Start every fork, and let it run the test up to ``concurrent_runner`` and prepare ``threads`` threads.

        Args:
            threads: the largest thread count.
            side_by_side: how many are started at once.

        Raises:
            ForkFailed: one of them could not.
            PaddleMtError: what the test hands over cannot be served.
        """
        first = 1 if self._role is None else self._role.first
        while len(self.workers) < self._count:
            begin = len(self.workers)
            for number in range(first + begin, first + min(begin + side_by_side, self._count)):
                directory = self._directory / f"fork{number}"
                self.workers.append(ForkWorker(number, self._item, self._seed, directory, self._role))
            together = self.workers[begin:]
            for worker in together:
                worker.greet()
            for worker in together:
                worker.await_ready()
                worker.ask_prepare(threads)
            for worker in together:
                worker.await_prepared(threads)

    def close(self, hurry: bool = False) -> None:
        """Let every fork tear down and exit, then kill what is left.

        Args:
            hurry: the user is waiting: stop windows, and give all of them ``INTERRUPT_S`` seconds together.
        """
        try:
            if hurry:
                self._interrupt()
            else:
                for worker in self.workers:
                    worker.ask_stop()
                for worker in self.workers:
                    self.notes += worker.await_end()
        finally:
            for worker in self.workers:
                worker.kill()
            told = [worker for worker in self.workers if not worker.process.quoted]
            self.outputs = {worker.fork: text for worker in told if (text := worker.process.output()).strip()}
            self._put_away()
            self._stays()

    def _put_away(self) -> None:
        for worker in self.workers:
            worker.kill()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _interrupt(self) -> None:
        deadline_s = time.monotonic() + INTERRUPT_S
        for worker in self.workers:
            worker.process.interrupt()
        for worker in self.workers:
            worker.process.wait(deadline_s - time.monotonic())


def _check_same(one: Subject, other: Subject, fork: int) -> None:
    """Refuse forks that serve different things: their rounds could not be averaged."""
    for what in ("engine", "device", "batch_size", "pool", "math_threads", "facts", "identity"):
        first, second = getattr(one, what), getattr(other, what)
        if first != second:
            raise ForkFailed(
                f"fork {fork} serves something else than fork 1: {what.replace('_', ' ')} {second!r} and {first!r}; "
                "what fixtures and the test build must be the same in every process"
            )
