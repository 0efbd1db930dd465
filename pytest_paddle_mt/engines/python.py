"""The python engine: the stock API on Python threads. What Python servers do, the GIL included.

The loop is the native one's, written again in Python: warm up on the measuring threads, open when all are steady, close
while all still run, count what starts and completes inside. A query starts when the one before it has ended: whatever
a thread spends between the two, waiting for the GIL above all, is what its client waits for too.
"""

from __future__ import annotations

import resource
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_paddle_mt.errors import QueryFailed, UsageError
from pytest_paddle_mt.records import ThreadWindow, Window
from pytest_paddle_mt.statistics import latency
from pytest_paddle_mt.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    from pytest_paddle_mt.engines import Workload
    from pytest_paddle_mt.predictors.pool import PredictorPool
    from pytest_paddle_mt.records import WindowPlan

    Query = Callable[[Any, Mapping[str, npt.NDArray[Any]]], object]

#: The supervisor looks for the end of the window, and for Ctrl-C, this often.
_POLL_S = 0.05


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

    def __init__(
        self, pool: PredictorPool, inputs: Sequence[Mapping[str, npt.NDArray[Any]]], query: Query | None
    ) -> None:
        self._pool = pool
        self._inputs = inputs
        self._query = query
        self._calls: list[Callable[[int], None]] = []

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
            return _Loop(self._calls[:threads], plan).run()

    def close(self) -> None:
        """Let go of the predictors; threads end with their window."""
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


class _Loop:
    """One window on Python threads.

    Guarantees: slot i is written by thread i and read after it was joined; ``run`` returns or raises only when every
    thread has been joined; after a failure or an interruption nothing of the window is returned.
    """

    def __init__(self, calls: Sequence[Callable[[int], None]], plan: WindowPlan) -> None:
        self._calls = calls
        self._plan = plan
        self._slots = [_Slot() for _ in calls]
        self._lock = threading.Lock()
        self._steady = 0
        self._served = 0
        self._all_served = threading.Event()
        self._opened = threading.Event()
        self._closed = False
        self._opened_ns = 0
        self._closed_ns = 0

    def run(self) -> Window:
        threads = [
            threading.Thread(target=self._serve, args=(index,), name=f"paddle-mt-{index}", daemon=True)
            for index in range(len(self._calls))
        ]
        try:
            for thread in threads:
                thread.start()
            self._supervise()
        finally:
            self._closed = True
            for thread in threads:
                if thread.ident is not None:  # None: it could not be started
                    thread.join()
        for index, slot in enumerate(self._slots):
            if slot.error is not None:
                raise QueryFailed(
                    thread=index,
                    query=slot.query,
                    threads=len(self._calls),
                    message=f"{type(slot.error).__name__}: {slot.error}",
                ) from slot.error
        return Window(
            threads=len(self._calls),
            opened_ns=self._opened_ns,
            open_ns=self._closed_ns - self._opened_ns,
            per_thread=tuple(slot.thread_window() for slot in self._slots),
            noise=None,
        )

    def _supervise(self) -> None:
        while not self._opened.wait(_POLL_S):
            if self._closed:
                return
        deadline_ns = self._opened_ns + round(self._plan.window_s * NS_PER_S)
        while not self._closed:
            left_s = (deadline_ns - time.monotonic_ns()) / NS_PER_S
            if left_s > 0:
                time.sleep(min(left_s, _POLL_S))
            elif self._all_served.wait(_POLL_S):
                break
        self._closed = True
        self._closed_ns = time.monotonic_ns()  # after it was closed: no counted query ended later

    def _serve(self, index: int) -> None:
        slot = self._slots[index]
        try:
            self._loop(slot, self._calls[index])
        except BaseException as error:  # a thread must not die unseen, whatever a user's query raises
            slot.error = error
            self._closed = True

    def _loop(self, slot: _Slot, call: Callable[[int], None]) -> None:
        plan = self._plan
        clock = time.monotonic_ns
        is_open = self._opened.is_set
        starts, ends = slot.starts_ns, slot.ends_ns
        warm_ns = clock() + round(plan.warmup_s * NS_PER_S)
        steady = False
        end_ns = clock()
        while not self._closed:
            was_open = is_open()
            if was_open and slot.before is None:
                slot.before = _usage()
                end_ns = clock()
            start_ns = end_ns
            call(slot.query)
            end_ns = clock()
            slot.query += 1
            if was_open:
                if self._closed:
                    break
                starts.append(start_ns)
                ends.append(end_ns)
                if len(ends) == plan.min_queries:
                    self._count_served()
            elif not steady and slot.query >= plan.warmup_queries and end_ns >= warm_ns:
                steady = True
                self._count_steady()
        slot.after = _usage()

    def _count_steady(self) -> None:
        with self._lock:
            self._steady += 1
            if self._steady == len(self._calls):
                self._opened_ns = time.monotonic_ns()
                self._opened.set()

    def _count_served(self) -> None:
        with self._lock:
            self._served += 1
            if self._served == len(self._calls):
                self._all_served.set()


class _Slot:
    """What one thread writes down."""

    def __init__(self) -> None:
        self.query = 0
        self.starts_ns: list[int] = []
        self.ends_ns: list[int] = []
        self.before: tuple[int, int, int, int, int | None] | None = None
        self.after: tuple[int, int, int, int, int | None] | None = None
        self.error: BaseException | None = None

    def thread_window(self) -> ThreadWindow:
        assert self.before is not None and self.after is not None
        starts_ns = np.array(self.starts_ns, dtype=np.int64)
        ends_ns = np.array(self.ends_ns, dtype=np.int64)
        wall, cpu, voluntary, involuntary = (
            after - before for before, after in zip(self.before[:4], self.after[:4], strict=True)
        )
        delays = (self.before[4], self.after[4])
        return ThreadWindow(
            queries=len(self.ends_ns),
            first_completion_ns=self.ends_ns[0],
            last_completion_ns=self.ends_ns[-1],
            busy_ns=int((ends_ns - starts_ns).sum()),
            latencies=latency.exact(ends_ns - starts_ns),
            wall_ns=wall,
            cpu_ns=cpu,
            voluntary_switches=voluntary,
            involuntary_switches=involuntary,
            run_delay_ns=None if delays[0] is None or delays[1] is None else delays[1] - delays[0],
        )


def _usage() -> tuple[int, int, int, int, int | None]:
    """Of the calling thread: wall ns, CPU ns, voluntary and involuntary switches, run delay in ns (None: unknown)."""
    usage = resource.getrusage(resource.RUSAGE_THREAD)
    return time.monotonic_ns(), time.thread_time_ns(), usage.ru_nvcsw, usage.ru_nivcsw, _run_delay_ns()


def _run_delay_ns() -> int | None:
    try:
        with open("/proc/thread-self/schedstat", "rb") as file:
            return int(file.read().split()[1])
    except (OSError, IndexError, ValueError):
        return None
