"""The python engine: the stock API on Python threads. What Python servers do, the GIL included."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_paddle_mt.engines.python_session import PythonSession
from pytest_paddle_mt.errors import UsageError

if TYPE_CHECKING:
    from pytest_paddle_mt.engines import Workload


class PythonEngine:
    """Drives predictors through ``paddle.inference`` on Python threads; see ``Engine``."""

    name = "python"
    needs_pool = True
    checks_answers = True
    takes_query = True

    def open(self, workload: Workload) -> PythonSession:
        """Start work on a pool of predictors."""
        if workload.pool is None:
            raise UsageError("the python engine serves predictors; call concurrent_runner(predictor_pool)")
        return PythonSession(workload.pool, workload)
