"""Holds what any other runtime is served by: a Python callable for each thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_paddle_mt.errors import UsageError
from pytest_paddle_mt.predictors.pool import PredictorPool

if TYPE_CHECKING:
    from collections.abc import Sequence


class CallablePool(PredictorPool):
    """Callables in place of predictors. One that several threads may call at once may be there several times.

    Raises:
        UsageError: one cannot be called.
    """

    engine = "callable"

    def __init__(self, callables: Sequence[Any]) -> None:
        for index, one in enumerate(callables):
            if not callable(one):
                raise UsageError(
                    f"object {index} of {len(callables)} cannot be called, and the first one can: it is a "
                    f"{type(one).__name__}; give a callable for each thread, or say by query=... what to do with each"
                )
        self._set_up(None, None, len(callables), True, None)
        self._predictors = list(callables)
        self.noun = "callable"

    def facts(self) -> dict[str, str]:
        """What reporters print of the runtime: nobody knows which it is."""
        return {"measured": "callables of the test's own"}
