"""Measures windows in this process or in forks: a worker owns predictors and measures n threads for so long."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_paddle_mt.records import Side, Subject, Window, WindowPlan


class Worker(Protocol):
    """Measures windows, one at a time, in this process or in another."""

    @property
    def fork(self) -> int:
        """The number of the fork that it lives in, from 1; 0: this process."""

    def prepare(self, threads: int) -> None:
        """Make everything that windows of up to ``threads`` threads need."""

    def measure(self, threads: int, plan: WindowPlan) -> Window:
        """Measure one window.

        Raises:
            QueryFailed, WrongAnswer: a query failed, or was answered wrongly; nothing of the window is returned.
        """

    def close(self) -> None:
        """Stop every thread. Safe to call twice."""


class Server(Protocol):
    """Takes the place of the runner in a fork: measures what the parent asks for."""

    @property
    def seed(self) -> int:
        """Seed of whatever the engine draws at random, from the parent."""

    @property
    def side(self) -> Side:
        """Which of the two things that ``compare`` was given is measured here."""

    @property
    def describe(self) -> bool:
        """Whether to describe what exactly is served: digests of the model's files, versions."""

    def serve(self, open_worker: Callable[[], tuple[Worker, Subject, float | None]]) -> NoReturn:
        """Measure until the parent has enough, and end the test; never returns.

        Args:
            open_worker: checks what the test hands over, and returns the worker, what it serves, and how long the first
                query took in seconds; None if there was none.
        """


SERVER: pytest.StashKey[Server] = pytest.StashKey()  #: Set only in the config of a fork.
