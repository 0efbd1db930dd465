"""How queries are issued: one engine per file, behind one protocol.

An engine is opened once per sweep and then measures windows. It is added with the hook ``pytest_paddle_mt_engines``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    from pytest_paddle_mt.engines.answers import Golden
    from pytest_paddle_mt.predictors.pool import PredictorPool
    from pytest_paddle_mt.records import Window, WindowPlan

    InputSets = Sequence[Mapping[str, npt.NDArray[Any]]]
    Query = Callable[[Any, Mapping[str, npt.NDArray[Any]]], object]

#: The engines whose queries wait for the GIL, if it is held, and which a tracer would slow down.
ON_PYTHON_THREADS = ("python", "callable", "onnxruntime")

#: Queries kept with their timestamps per window, all threads together: 16 MB. Beyond, latencies are counted in bins.
MAX_STORED_QUERIES = 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SyntheticWork:
    """A query made of known work, for self-tests and as a control; see the ``synthetic`` engine."""

    spin_ns: float = 0.0  #: Arithmetic that takes this long on an idle core, in ns; 0: none.
    #: Arithmetic of so many steps, in place of ``spin_ns``: the same work in every process, however long it takes; 0:
    #: none.
    steps: int = 0
    #: Arithmetic of a kind that fills a core's execution units, so that two hardware threads of one core halve each
    #: other's speed; else one chain of dependent operations, which hardly notices.
    saturating: bool = False
    #: Draw spin times from an exponential distribution with mean ``spin_ns`` instead of keeping them fixed.
    exponential: bool = False
    growth: float = 0.0  #: Each further thread of a window makes the spin this fraction longer.
    locked_fraction: float = 0.0  #: This fraction of the spin holds a lock that all threads share.
    stream_bytes: int = 0  #: Memory of its own that each query reads once, in bytes.
    #: Memory that each query maps, touches page by page and gives back, in bytes, as large allocations do.
    fault_bytes: int = 0
    slow_thread: float = 0.0  #: Thread 1 takes this fraction longer for its spin than the others.
    one_core: bool = False  #: Every thread binds itself to one and the same CPU.
    fail_at: int = 0  #: Index of the query that fails in thread 0; 0: none does.
    #: Index of the query that ends the process with a segmentation fault, in thread 0; 0: none does. For tests of what
    #: a crash in a model leaves behind.
    crash_at: int = 0


#: The probe: fills a core, so that two threads on the hardware threads of one core have half a core each. It is the
#: same work in every process, so that what it reaches also says how fast the machine was, run by run. About 0.1 ms.
PROBE_WORK = SyntheticWork(steps=20_000, saturating=True)
PROBE_REVISION = 1  #: To be raised when the native code of these steps becomes another.


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Workload:
    """What an engine is asked to serve."""

    pool: PredictorPool | None  #: The predictors; None for an engine that needs none.
    inputs: InputSets  #: Input sets; ``turn`` has those of each thread. Empty for an engine that needs none.
    query: Query | None  #: A user's own query, ``query(predictor, inputs)``; None: copy in, run, copy out.
    synthetic: SyntheticWork | None  #: Known work for the synthetic engine; None: its own default.
    seed: int  #: Seed of whatever the engine draws at random.
    #: What answers outside the timed span are compared with; None: nothing is compared.
    golden: Golden | None = None
    #: How many input sets each thread has of its own, so that its answers can be told from those of the others; 0:
    #: none, all threads take all of them.
    own_sets: int = 0

    def turn(self, thread: int) -> tuple[int, ...]:
        """The input sets, by index, that a thread takes in turn."""
        return turn(thread, len(self.inputs), self.own_sets)


def turn(thread: int, input_sets: int, own_sets: int) -> tuple[int, ...]:
    """The input sets, by index, that a thread takes in turn: its own, or all from the one with its number on."""
    first, count = (thread * own_sets, own_sets) if own_sets else (thread, input_sets)
    return tuple((first + index) % input_sets for index in range(count))


class EngineSession(Protocol):
    """An engine at work on one workload, used from one thread."""

    def prepare(self, threads: int) -> None:
        """Make everything that windows of up to ``threads`` threads need."""

    def measure(self, threads: int, plan: WindowPlan) -> Window:
        """Measure one window.

        Raises:
            QueryFailed: a query failed; every thread has been joined.
            WrongAnswer: a query outside the timed span was answered otherwise than ``Workload.golden`` has it.
            KeyboardInterrupt: the user stopped it; every thread has been joined.
        """

    def close(self) -> None:
        """Join every thread. Safe to call twice."""


class Engine(Protocol):
    """A way to issue queries from many threads."""

    @property
    def name(self) -> str:
        """What users write after ``--paddle-engine=``."""

    @property
    def needs_pool(self) -> bool:
        """Whether it serves predictors; an engine that does not is given none."""

    @property
    def takes_query(self) -> bool:
        """Whether it can run a user's own ``query``."""

    def open(self, workload: Workload) -> EngineSession:
        """Start work on a workload.

        Raises:
            EngineUnavailable: it cannot drive this Paddle on this platform.
        """


def built_in() -> list[Engine]:
    """The engines that this package brings."""
    from pytest_paddle_mt.engines.callables import CallableEngine
    from pytest_paddle_mt.engines.native import NativeEngine
    from pytest_paddle_mt.engines.onnxruntime import OnnxRuntimeEngine
    from pytest_paddle_mt.engines.python import PythonEngine
    from pytest_paddle_mt.engines.synthetic import SyntheticEngine

    return [NativeEngine(), PythonEngine(), SyntheticEngine(), CallableEngine(), OnnxRuntimeEngine()]
