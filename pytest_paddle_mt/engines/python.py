"""The python engine: the stock API on Python threads. What Python servers do, the GIL included."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_paddle_mt.engines.python_crew import PythonCrew
from pytest_paddle_mt.engines.python_loop import PythonLoop
from pytest_paddle_mt.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_paddle_mt.engines import InputSets, Query, Workload
    from pytest_paddle_mt.engines.answers import Golden
    from pytest_paddle_mt.predictors.pool import PredictorPool
    from pytest_paddle_mt.records import Window, WindowPlan


#: What oneDNN's errors become in Python: of ``.json`` models, and of ``.pdmodel``.
_ONEDNN_ERRORS = ("std::exception", "could not execute a primitive")


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
        return PythonSession(workload.pool, workload.inputs, workload.query, workload.golden)


class PythonSession:
    """The python engine at work on one pool."""

    def __init__(self, pool: PredictorPool, inputs: InputSets, query: Query | None, golden: Golden | None) -> None:
        self._pool = pool
        self._inputs = inputs
        self._query = query
        self._golden = golden
        self._calls: list[Callable[[int], None]] = []
        self._crew = PythonCrew()
        self._returned: list[Any] = []  # slot i: what the query of thread i returned last, read between windows

    def prepare(self, threads: int) -> None:
        """Serve a first query with each predictor."""
        while len(self._calls) < threads:
            index = len(self._calls)
            if self._query is None:
                self._pool.answer(index, self._inputs[0])
                self._calls.append(self._stock_call(index))
            else:
                self._returned.append(None)
                self._calls.append(self._own_call(index, self._query))

    def measure(self, threads: int, plan: WindowPlan) -> Window:
        """Measure one window."""
        self.prepare(threads)
        with self._pool.in_use():
            loop = PythonLoop(self._calls[:threads], plan, _advice)
            window = loop.run(self._crew)
            self._check_answers(loop.served)
        return window

    def close(self) -> None:
        """Join every thread and let go of the predictors."""
        self._crew.close()
        self._calls.clear()
        self._returned.clear()

    def _check_answers(self, served: Sequence[int]) -> None:
        """Compare what the last query of each thread returned, or left in its predictor, with the golden answer."""
        if self._golden is not None:
            for thread, queries in enumerate(served):
                answer = self._pool.outputs(thread) if self._query is None else self._returned[thread]
                self._golden.check(thread, queries - 1, len(served), answer)

    def _stock_call(self, index: int) -> Callable[[int], None]:
        predictor = self._pool[index]
        input_sets = [self._pool.copies_in(index, one) for one in self._inputs]
        outputs = list(self._pool.handles(index).outputs.values())

        def call(query: int) -> None:
            for copy_in in input_sets[(index + query) % len(input_sets)]:
                copy_in()
            predictor.run()
            for handle in outputs:
                handle.copy_to_cpu()

        return call

    def _own_call(self, index: int, own: Query) -> Callable[[int], None]:
        predictor = self._pool[index]
        inputs, returned = self._inputs, self._returned

        def call(query: int) -> None:
            own(predictor, inputs[(index + query) % len(inputs)])

        def kept_call(query: int) -> None:
            returned[index] = None  # as a server would, it lets go of one answer before it asks for the next
            returned[index] = own(predictor, inputs[(index + query) % len(inputs)])

        return call if self._golden is None else kept_call


def _advice(error: BaseException) -> str:
    """What may have led to an error that does not show it; empty for one that needs no advice."""
    if not any(text in str(error) for text in _ONEDNN_ERRORS):
        return ""
    return (
        ". Paddle with oneDNN fails like this where a new thread runs two models after an earlier thread that did has "
        "ended, in a server that starts a thread per request, too: keep threads, run each sweep in a fresh process "
        "with --paddle-forks=1, or call config.disable_mkldnn() or config.set_mkldnn_cache_capacity(1)"
    )
