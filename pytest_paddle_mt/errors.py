"""Errors that users see. Each message gives the fact, the value and the next step."""

from __future__ import annotations

import pytest


class PaddleMtError(Exception):
    """Base of every error that this package raises on purpose."""


class UsageError(PaddleMtError):
    """What the user wrote cannot be used: an option, a marker argument, a fixture, an argument of a call."""


class ModelError(PaddleMtError):
    """The model cannot be served: it does not load, or its first answer is not a number."""


class InputError(PaddleMtError):
    """The inputs do not fit the model, or cannot be made from its own specification."""


class EngineUnavailable(PaddleMtError):
    """An engine cannot drive this Paddle on this platform; the message names one that can."""


class ForkFailed(PaddleMtError):
    """A fork died, hung, or did not reach ``concurrent_runner``; the sweep was discarded."""


class BaselineError(PaddleMtError):
    """A stored baseline cannot be read, is not there though one is required, or cannot be written."""


class QueryFailed(PaddleMtError):
    """A query failed in one thread; the window was stopped, all threads were joined, its data discarded.

    Attributes:
        thread: index of the failing thread, from 0.
        query: index of the failing query in that thread, from 0, warm-up included.
        threads: number of threads that were running.
        message: what the predictor said.
    """

    def __init__(self, *, thread: int, query: int, threads: int, message: str) -> None:
        self.thread = thread
        self.query = query
        self.threads = threads
        self.message = message
        super().__init__(
            f"query {query} of thread {thread} failed while {threads} thread{'s' if threads > 1 else ''} ran: "
            f"{message.strip()}\nThe window was stopped, every thread joined and its data discarded."
        )


class GateFailure(pytest.fail.Exception):  # type: ignore[name-defined,misc]  # pytest types it as Any
    """A sweep failed its gate, or was not gated under ``--paddle-strict``. Prints its message and no traceback."""

    __module__ = "builtins"  # as pytest's own: the short summary has room for the reason, not for where this lives

    def __init__(self, message: str) -> None:
        super().__init__(message, pytrace=False)
