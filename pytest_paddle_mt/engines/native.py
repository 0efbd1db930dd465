"""The native engine: copy in, run, copy out, on C++ threads without the GIL. What Paddle's C++ servers do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_paddle_mt import _native
from pytest_paddle_mt.engines.answers import same
from pytest_paddle_mt.engines.closed_loop import LoopSession
from pytest_paddle_mt.errors import EngineUnavailable, UsageError
from pytest_paddle_mt.predictors import libpaddle

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from pytest_paddle_mt.engines import Workload
    from pytest_paddle_mt.engines.answers import Answer
    from pytest_paddle_mt.predictors.pool import PredictorPool
    from pytest_paddle_mt.records import Window, WindowPlan


#: A query is served this often both ways before the native answers count as others: by chance, once in 10^12.
_MOST_TRIES = 20


class NativeEngine:
    """Drives predictors through the functions that libpaddle exports; see ``Engine``."""

    name = "native"
    needs_pool = True
    checks_answers = True
    takes_query = False

    def open(self, workload: Workload) -> NativeSession:
        """Start work on a pool of predictors."""
        if workload.pool is None:
            raise UsageError("the native engine serves predictors; call concurrent_runner(predictor_pool)")
        return NativeSession(workload.pool, workload)


class NativeSession(LoopSession):
    """The native engine at work on one pool."""

    def __init__(self, pool: PredictorPool, workload: Workload) -> None:
        super().__init__()
        self._pool = pool
        self._workload = workload
        self._golden = workload.golden
        self._targets: list[_native.PaddleTarget] = []

    def targets(self, threads: int) -> list[_native.PaddleTarget]:
        """A target for each predictor, proven by one query served both ways."""
        input_sets = self._host_inputs()
        right = self._right_answers()
        while len(self._targets) < threads:
            self._targets.append(self._proven_target(len(self._targets), input_sets, right))
        return self._targets

    def measure(self, threads: int, plan: WindowPlan) -> Window:
        """Measure one window; meanwhile the pool cannot be closed."""
        self.prepare(threads)
        with self._pool.in_use():
            return super().measure(threads, plan)

    def check_answers(self, served: Sequence[int]) -> int:
        """Compare what the last query of each thread copied out, and what differed in its warm-up."""
        if self._golden is None:
            return 0
        compared = 0
        for thread, queries in enumerate(served):
            target = self._targets[thread]
            for query, outputs in [*target.others(), (queries - 1, target.outputs())]:
                turn = self._workload.turn(thread)
                compared += self._golden.check(thread, query, len(served), self._named(thread, outputs), turn)
            compared += target.compared - len(target.others())
        return compared

    def _named(self, index: int, outputs: Sequence[_native.HostArray]) -> Answer:
        return dict(zip(self._pool.handles(index).outputs, map(libpaddle.numpy_array, outputs), strict=True))

    def _host_inputs(self) -> list[list[_native.HostArray]]:
        names = list(self._pool.handles(0).inputs)
        return [[libpaddle.host_array(one[name]) for name in names] for one in self._workload.inputs]

    def _right_answers(self) -> list[list[_native.HostArray | None]] | None:
        """For each input set, what the outputs are to be; None for those that are not compared."""
        golden = self._golden
        if golden is None:
            return None
        names = list(self._pool.handles(0).outputs)
        return [
            [None if golden.is_drawn(name) else libpaddle.host_array(answer[name]) for name in names]
            if (answer := golden.answers.get(index)) is not None
            else []
            for index in range(len(self._workload.inputs))
        ]

    def _proven_target(
        self,
        index: int,
        input_sets: list[list[_native.HostArray]],
        right: list[list[_native.HostArray | None]] | None,
    ) -> _native.PaddleTarget:
        """A target whose answers to one input set fit those that the stock Python way gives."""
        handles = self._pool.handles(index)
        turn = self._workload.turn(index)
        at = turn.index(0) if 0 in turn else 0  # the first input set was asked before
        target = _native.PaddleTarget(
            libpaddle.api(),
            libpaddle.predictor_pointer(self._pool[index]),
            [libpaddle.tensor_pointer(handle) for handle in handles.inputs.values()],
            [libpaddle.tensor_pointer(handle) for handle in handles.outputs.values()],
            [input_sets[one] for one in turn],
            right=None if right is None else _native.RightAnswers([right[one] for one in turn]),
        )
        by_python: list[Answer] = []
        by_native: list[Answer] = []
        for _ in range(_MOST_TRIES):
            by_python.append(self._pool.answer(index, self._workload.inputs[turn[at]]))
            target.query(at)
            by_native.append(self._named(index, target.outputs()))
            if agree(by_python, by_native):
                return target
        raise EngineUnavailable(
            f"predictor {index} answers the same query differently when it is called natively: this Paddle does "
            "not fit the native engine. Measure the stock Python way instead with --paddle-engine=python"
        )


def agree(stock: Sequence[Answer], native: Sequence[Answer]) -> bool:
    """Whether answers to one query that were given natively fit those of the stock Python way.

    Each output has the type and the shape that all stock answers have. Where these are alike in value, too, a native
    one equals them; a model that draws its answers may give others in between. So n answers each way disagree by
    chance with a probability of at most 4^-n: p^n that the stock ones are alike, (1 - p)^n that no native one is.
    """
    return all(_agree([answer[name] for answer in stock], [answer[name] for answer in native]) for name in stock[0])


def _agree(stock: Sequence[npt.NDArray[Any]], native: Sequence[npt.NDArray[Any]]) -> bool:
    first, *others = stock
    if any(one.dtype != first.dtype or one.ndim != first.ndim for one in native):
        return False
    if any(one.shape != first.shape for one in others):
        return True
    alike = [one for one in native if one.shape == first.shape]
    if not all(same(first, one) for one in others):
        return len(alike) == len(native)
    return any(same(first, one) for one in alike)
