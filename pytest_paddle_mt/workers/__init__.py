"""Who measures a window. A worker owns predictors and answers one request: measure n threads for this long."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_paddle_mt.records import Side, Subject, Window, WindowPlan


class Worker(Protocol):
    """Measures windows, one at a time; where it lives is its own affair."""

    @property
    def fork(self) -> int:
        """Which fresh process it lives in, from 1; 0: this process."""

    def prepare(self, threads: int) -> None:
        """Make everything that windows of up to ``threads`` threads need."""

    def measure(self, threads: int, plan: WindowPlan) -> Window:
        """Measure one window.

        Raises:
            QueryFailed: a query failed; nothing of the window is returned.
        """

    def close(self) -> None:
        """Stop every thread. Safe to call twice."""


class Server(Protocol):
    """Stands in for the runner where this process is a fork: measures what its parent asks for."""

    @property
    def seed(self) -> int:
        """Seed of whatever the engine draws at random, from the parent."""

    @property
    def side(self) -> Side:
        """Which of the two things that ``compare`` was given is served here."""

    @property
    def describe(self) -> bool:
        """Whether to say what exactly is served: digests of the model's files, versions."""

    def serve(self, opened: Callable[[], tuple[Worker, Subject, float | None]]) -> NoReturn:
        """Serve until the parent has enough, and end the test; never returns.

        Args:
            opened: checks what is served; gives the worker, what it serves, and how long the first query took in
                seconds, if there was one.
        """


#: In the config of a fork, and of nothing else.
SERVER: pytest.StashKey[Server] = pytest.StashKey()
