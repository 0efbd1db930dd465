"""Errors that users see. Each message gives the fact, the value and the next step."""

from __future__ import annotations

import pytest


class PaddleMtError(Exception):
    """Base of every error that this package raises on purpose."""


class UsageError(PaddleMtError):
    """An option, a marker argument, a fixture or an argument of a call cannot be used."""


class ModelError(PaddleMtError):
    """The model cannot be served: it does not load, or its first answer is not a number."""


class InputError(PaddleMtError):
    """The inputs do not fit the model, or cannot be made from the model's own input shapes."""


class EngineUnavailable(PaddleMtError):
    """An engine cannot drive this Paddle on this platform; the message names one that can."""


class ForkFailed(PaddleMtError):
    """A fork died, hung, or did not reach ``concurrent_runner``; the sweep was discarded."""


class BaselineError(PaddleMtError):
    """A stored baseline cannot be read or written, or is required and missing."""


class _OfQuery(PaddleMtError):
    """What went wrong with one query of one thread.

    Attributes:
        thread: index of the thread, from 0.
        query: index of the query in that thread, from 0, warm-up included.
        threads: number of threads that were running.
        message: what went wrong, without where.
    """

    def __init__(self, *, thread: int, query: int, threads: int, message: str) -> None:
        self.thread = thread
        self.query = query
        self.threads = threads
        self.message = message
        super().__init__(self._text(f"while {threads} thread{'s' if threads > 1 else ''} ran"))

    def _text(self, when: str) -> str:
        raise NotImplementedError


class QueryFailed(_OfQuery):
    """A query failed in one thread. The window was stopped, all threads joined, and its data discarded.

    Attributes:
        thread: index of the failing thread, from 0.
        query: index of the failing query in that thread, from 0, warm-up included.
        threads: number of threads that were running.
        message: the error message of the predictor.
    """

    def _text(self, when: str) -> str:
        return (
            f"query {self.query} of thread {self.thread} failed {when}: {self.message.strip()}\n"
            "The window was stopped, every thread joined and its data discarded."
        )


class WrongAnswer(_OfQuery):
    """A query was answered under load, and not as the same inputs were before. The window's data was discarded.

    Attributes:
        thread: index of the thread, from 0.
        query: index of the query in that thread, from 0, warm-up included.
        threads: number of threads that were running.
        message: the input set, and what differs.
    """

    def _text(self, when: str) -> str:
        return (
            f"query {self.query} of thread {self.thread} was answered wrongly {when}: {self.message}\n"
            "Expected is what predictor 0 answered before, single-threaded. Give each thread a predictor of its own "
            "(the one that the query is called with), and keep all clones of a .pdmodel model until the last thread "
            "has ended: on Paddle 3.x the end of one spoils the answers of the others. Where the model draws its "
            "answers, or to measure it anyway: --paddle-answers=off"
        )


class GateFailure(pytest.fail.Exception):  # type: ignore[name-defined,misc]  # pytest types it as Any
    """A sweep failed its gate, or was not gated under ``--paddle-strict``. Prints its message and no traceback."""

    __module__ = "builtins"  # like pytest's own: so the short summary prints the reason, and no module name

    def __init__(self, message: str) -> None:
        super().__init__(message, pytrace=False)
