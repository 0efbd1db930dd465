"""The callable engine: any Python callables on Python threads, one for each; it needs no Paddle."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from pytest_paddle_mt.engines.python_session import PythonSession
from pytest_paddle_mt.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_paddle_mt.engines import Workload


class CallableEngine:
    """Calls what it is given; see ``Engine``. The runner chooses it for a list of callables."""

    name = "callable"
    needs_pool = True
    checks_answers = True
    takes_query = False
    serves_only = "a list with a callable for each thread: concurrent_runner([one, two])"

    def open(self, workload: Workload) -> PythonSession:
        """Start work on a pool of callables, whose query is ``call``."""
        if workload.pool is None:
            raise UsageError(f"the callable engine serves {self.serves_only}")
        return PythonSession(workload.pool, workload)


def call(one: Any, inputs: Mapping[str, Any]) -> object:
    """A query of a callable: with the input set if there is one, else without arguments."""
    return one(inputs) if inputs else one()


def refuse_arguments(one: Any, inputs: Mapping[str, Any]) -> None:
    """Refuse a callable that cannot be called like that, as far as its signature shows it.

    Raises:
        UsageError: it cannot.
    """
    try:
        signature = inspect.signature(one)
    except (TypeError, ValueError):  # a built-in function may have none
        return
    try:
        signature.bind(*((inputs,) if inputs else ()))
    except TypeError as error:
        how = "with the input set that the test has" if inputs else "without arguments: the test has no paddle_inputs"
        raise UsageError(f"the callable {one!r} is called {how}, and its signature is {signature}: {error}") from None
