"""The python engine: the stock API on Python threads. What Python servers do, the GIL included."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_paddle_mt.engines.python_crew import PythonCrew
from pytest_paddle_mt.engines.python_loop import PythonLoop
from pytest_paddle_mt.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_paddle_mt.engines import InputSets, Query, Workload
    from pytest_paddle_mt.predictors.pool import PredictorPool
    from pytest_paddle_mt.records import Window, WindowPlan


#: What oneDNN's errors become in Python: of ``.json`` models, and of ``.pdmodel``.
_ONEDNN_ERRORS = ("std::exception", "could not execute a primitive")


class PythonEngine:
    """Drives predictors through ``paddle.inference`` on Python threads; see ``Engine``."""

    name = "python"
    needs_pool = True
    takes_query = True

    def open(self, workload: Workload) -> PythonSession:
        """Start work on a pool of predictors."""
        if workload.pool is None:
            raise UsageError("the python engine serves predictors; call concurrent_runner(predictor_pool)")
        return PythonSession(workload.pool, workload.inputs, workload.query)


class PythonSession:
    """The python engine at work on one pool."""

    def __init__(self, pool: PredictorPool, inputs: InputSets, query: Query | None) -> None:
        self._pool = pool
        self._inputs = inputs
        self._query = query
        self._calls: list[Callable[[int], None]] = []
        self._crew = PythonCrew()

    def prepare(self, threads: int) -> None:
        """Serve a first query with each predictor."""
        while len(self._calls) < threads:
            index = len(self._calls)
            if self._query is None:
                self._pool.answer(index, self._inputs[0])
                self._calls.append(self._stock_call(index))
            else:
                self._calls.append(self._own_call(index, self._query))

    def measure(self, threads: int, plan: WindowPlan) -> Window:
        """Measure one window."""
        self.prepare(threads)
        with self._pool.in_use():
            return PythonLoop(self._calls[:threads], plan, _advice).run(self._crew)

    def close(self) -> None:
        """Join every thread and let go of the predictors."""
        self._crew.close()
        self._calls.clear()

    def _stock_call(self, index: int) -> Callable[[int], None]:
        predictor = self._pool[index]
        input_sets = [self._pool.copies_in(index, one) for one in self._inputs]
        outputs = list(self._pool.handles(index).outputs.values())

        def call(query: int) -> None:
            for copy_in in input_sets[query % len(input_sets)]:
                copy_in()
            predictor.run()
            for handle in outputs:
                handle.copy_to_cpu()

        return call

    def _own_call(self, index: int, own: Query) -> Callable[[int], None]:
        predictor = self._pool[index]
        inputs = self._inputs

        def call(query: int) -> None:
            own(predictor, inputs[query % len(inputs)])

        return call


def _advice(error: BaseException) -> str:
    """What may have led to an error that does not show it; empty for one that needs no advice."""
    if not any(text in str(error) for text in _ONEDNN_ERRORS):
        return ""
    return (
        ". Paddle with oneDNN fails like this where a new thread runs two models after an earlier thread that did has "
        "ended, in a server that starts a thread per request, too: keep threads, run each sweep in a fresh process "
        "with --paddle-forks=1, or call config.disable_mkldnn() or config.set_mkldnn_cache_capacity(1)"
    )
