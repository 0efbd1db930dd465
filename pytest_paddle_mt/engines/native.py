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

    from pytest_paddle_mt.engines import InputSets, Workload
    from pytest_paddle_mt.engines.answers import Answer, Golden
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
        return NativeSession(workload.pool, workload.inputs, workload.golden)


class NativeSession(LoopSession):
    """The native engine at work on one pool."""

    def __init__(self, pool: PredictorPool, inputs: InputSets, golden: Golden | None = None) -> None:
        super().__init__()
        self._pool = pool
        self._inputs = inputs
        self._golden = golden
        self._targets: list[_native.PaddleTarget] = []

    def targets(self, threads: int) -> list[_native.PaddleTarget]:
        """A target for each predictor, proven by one query served both ways."""
        input_sets = self._host_inputs()
        while len(self._targets) < threads:
            self._targets.append(self._proven_target(len(self._targets), input_sets))
        return self._targets

    def measure(self, threads: int, plan: WindowPlan) -> Window:
        """Measure one window; meanwhile the pool cannot be closed."""
        self.prepare(threads)
        with self._pool.in_use():
            return super().measure(threads, plan)

    def check_answers(self, served: Sequence[int]) -> None:
        """Compare what the last query of each thread copied out with the golden answer."""
        if self._golden is not None:
            for thread, queries in enumerate(served):
                self._golden.check(thread, queries - 1, len(served), self._copied_out(thread, self._targets[thread]))

    def _copied_out(self, index: int, target: _native.PaddleTarget) -> Answer:
        return dict(zip(self._pool.handles(index).outputs, map(libpaddle.numpy_array, target.outputs()), strict=True))

    def _host_inputs(self) -> list[list[_native.HostArray]]:
        names = list(self._pool.handles(0).inputs)
        return [[libpaddle.host_array(one[name]) for name in names] for one in self._inputs]

    def _proven_target(self, index: int, input_sets: list[list[_native.HostArray]]) -> _native.PaddleTarget:
        """A target whose answers to the first input set fit those that the stock Python way gives."""
        handles = self._pool.handles(index)
        target = _native.PaddleTarget(
            libpaddle.api(),
            libpaddle.predictor_pointer(self._pool[index]),
            [libpaddle.tensor_pointer(handle) for handle in handles.inputs.values()],
            [libpaddle.tensor_pointer(handle) for handle in handles.outputs.values()],
            input_sets,
            index,
        )
        by_python: list[Answer] = []
        by_native: list[Answer] = []
        for _ in range(_MOST_TRIES):
            by_python.append(self._pool.answer(index, self._inputs[0]))
            target.query(-index % len(self._inputs))  # its own input sets begin with another one
            by_native.append(self._copied_out(index, target))
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
