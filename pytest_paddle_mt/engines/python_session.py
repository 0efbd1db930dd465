"""A pool at work on Python threads, the GIL included: what the engines on them share."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from pytest_paddle_mt.engines.python_crew import PythonCrew
from pytest_paddle_mt.engines.python_loop import PythonLoop
from pytest_paddle_mt.predictors.advice import on_query

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_paddle_mt.engines import InputSets, Query, Workload
    from pytest_paddle_mt.predictors.pool import PredictorPool
    from pytest_paddle_mt.records import Window, WindowPlan


class PythonSession:
    """Queries of one pool on Python threads: its own, or a user's."""

    def __init__(self, pool: PredictorPool, workload: Workload) -> None:
        self._pool = pool
        self._workload = workload
        self._query = workload.query
        self._golden = workload.golden
        self._calls: list[Callable[[int], None]] = []
        self._crew = PythonCrew()
        self._returned: list[Any] = []  # slot i: what the query of thread i returned last, read between windows

    def prepare(self, threads: int) -> None:
        """Serve a first query with each predictor."""
        while len(self._calls) < threads:
            index = len(self._calls)
            if self._query is None:
                self._pool.answer(index, self._workload.inputs[0])
                self._calls.append(self._pool.call(index, self._inputs_of(index)))
            else:
                self._returned.append(None)
                self._calls.append(self._own_call(index, self._query))

    def measure(self, threads: int, plan: WindowPlan) -> Window:
        """Measure one window."""
        self.prepare(threads)
        with self._pool.in_use():
            checks = None if self._golden is None else [self._check(thread, threads) for thread in range(threads)]
            loop = PythonLoop(self._calls[:threads], plan, on_query, checks)
            window = loop.run(self._crew)
            compared = loop.compared
            for check, queries in zip(checks or (), loop.served, strict=False):
                compared += check(queries - 1)
        return dataclasses.replace(window, served=sum(loop.served), compared=compared)

    def close(self) -> None:
        """Join every thread and let go of the predictors."""
        self._crew.close()
        self._calls.clear()
        self._returned.clear()

    def _check(self, thread: int, threads: int) -> Callable[[int], bool]:
        """Compares what a query of the thread, its last one, returned or left in its predictor with what is right."""
        golden, turn = self._golden, self._workload.turn(thread)
        assert golden is not None, "else nothing is compared"

        def check(query: int) -> bool:
            answer = self._pool.outputs(thread) if self._query is None else self._returned[thread]
            return golden.check(thread, query, threads, answer, turn)

        return check

    def _inputs_of(self, index: int) -> InputSets:
        return [self._workload.inputs[one] for one in self._workload.turn(index)]

    def _own_call(self, index: int, own: Query) -> Callable[[int], None]:
        predictor = self._pool[index]
        inputs, returned = self._inputs_of(index), self._returned

        def call(query: int) -> None:
            own(predictor, inputs[query % len(inputs)])

        def kept_call(query: int) -> None:
            returned[index] = None  # as a server would, it lets go of one answer before it asks for the next
            returned[index] = own(predictor, inputs[query % len(inputs)])

        return call if self._golden is None else kept_call
