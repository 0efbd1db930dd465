"""One window of the closed loop on Python threads.

It is the native one, written again in Python: warm up on the measuring threads, open some queries after all are
steady, close while all still run, count what starts and completes inside, and keep up the load until the queries that
were under way at the close have completed. A query starts when the one before it has ended: whatever a thread spends
between the two, waiting for the GIL above all, is what its client waits for too.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import threading
import time
from typing import TYPE_CHECKING

import numpy as np

from pytest_paddle_mt.engines.affinity import Pinning
from pytest_paddle_mt.engines.instrumentation import without_instrumentation
from pytest_paddle_mt.engines.thread_usage import usage_of_this_thread, used_between
from pytest_paddle_mt.errors import QueryFailed, WrongAnswer
from pytest_paddle_mt.interrupts import held_back
from pytest_paddle_mt.machine.noise import NoiseSensor
from pytest_paddle_mt.records import ThreadWindow, Window
from pytest_paddle_mt.statistics import latency
from pytest_paddle_mt.statistics.counting import ends_inside, fraction_inside, time_inside_ns
from pytest_paddle_mt.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_paddle_mt.engines.python_crew import PythonCrew
    from pytest_paddle_mt.engines.thread_usage import ThreadUsage
    from pytest_paddle_mt.records import Noise, WindowPlan

_POLL_S = 0.05  #: The supervisor looks for Ctrl-C this often.
#: The window opens two mean queries after the last thread has become steady, one where there are more than two threads,
#: but not sooner than this; ``native/closed_loop.cpp`` has the reasons, here and below.
_SETTLE_NS = 100_000
#: How long threads wait for one that they starve, in ns and in mean queries of the fastest; the larger counts.
_PATIENCE_NS = 3e8
_PATIENCE_QUERIES = 20
_PAUSE_S = 0.001


class PythonLoop:
    """One window on Python threads.

    Guarantees: slot i is written by thread i and read after that has finished; ``run`` returns only when no thread
    serves any more, and raises only when every thread has been joined; after a failure or an interruption nothing of
    the window is returned.
    """

    def __init__(
        self,
        calls: Sequence[Callable[[int], None]],
        plan: WindowPlan,
        advice: Callable[[str], str] = lambda message: "",
        checks: Sequence[Callable[[int], bool]] | None = None,
    ) -> None:
        """Nothing runs yet.

        Args:
            calls: serves the query of an index, one for each thread.
            plan: how long to measure.
            advice: what to add to the message of an error of a query.
            checks: looks at what the last query of a thread, of an index, answered, and returns whether it compared it;
                one for each thread. It is called between two queries, until the thread is steady, so never in a window.
        """
        self._calls = calls
        self._advice = advice
        self._checks = checks
        self._plan = plan
        self._slots = [_Slot(Pinning(plan.cpus, index, len(calls))) for index in range(len(calls))]
        self._lock = threading.Lock()
        self._steady = 0
        self._served = 0
        self._complete = 0
        self._finished = 0
        self._warm_ns = 0  # time of the warm-up of all threads, less their first queries
        self._warm_queries = 0
        self._over = threading.Event()  # no thread serves any more
        self._stopped = False
        # Infinite until they are decided.
        self._opened_ns: float = math.inf
        self._closed_ns: float = math.inf
        self._length_ns = 0
        self._latest_close_ns: float = math.inf
        self._fastest_ns = math.inf  # the shortest mean query of a thread in its warm-up
        self._patience_ns = 0.0

    def run(self, crew: PythonCrew) -> Window:
        """Measure the window with the first threads of ``crew``, with tracers and profilers off.

        Raises:
            QueryFailed: a query failed in one of the threads.
            WrongAnswer: a check found one.
        """
        with without_instrumentation():
            noise = self._serve_by(crew)
        opened_ns, closed_ns = int(self._opened_ns), int(self._closed_ns)
        return Window(
            threads=len(self._calls),
            opened_ns=opened_ns,
            open_ns=closed_ns - opened_ns,
            per_thread=tuple(slot.thread_window(opened_ns, closed_ns) for slot in self._slots),
            noise=noise,
        )

    @property
    def compared(self) -> int:
        """How many answers the checks compared."""
        return sum(slot.compared for slot in self._slots)

    @property
    def served(self) -> list[int]:
        """How many queries each thread served, those of the warm-up and after the close too."""
        return [slot.query for slot in self._slots]

    def _serve_by(self, crew: PythonCrew) -> Noise:
        """Serve until the window is over; what else the machine did meanwhile."""
        sensor = NoiseSensor()
        try:
            crew.start([functools.partial(self._serve, index) for index in range(len(self._calls))])
            while not self._over.wait(_POLL_S):
                pass  # a wait without end would not let Ctrl-C in
            self._raise_failure()
        except BaseException:
            self._stopped = True
            with held_back():
                crew.close()
            raise
        return sensor.read()

    def _raise_failure(self) -> None:
        for index, slot in enumerate(self._slots):
            if isinstance(slot.error, WrongAnswer):
                raise slot.error
            if slot.error is not None:
                raise QueryFailed(
                    thread=index,
                    query=slot.query,
                    threads=len(self._calls),
                    message=f"{type(slot.error).__name__}: {slot.error}{self._advice(str(slot.error))}",
                ) from slot.error

    def _serve(self, index: int) -> None:
        slot = self._slots[index]
        try:
            self._loop(slot, self._calls[index], None if self._checks is None else self._checks[index])
        except BaseException as error:  # a thread must not die unseen, whatever a user's query raises
            slot.error = error
            self._stopped = True
        slot.pinning.restore()
        with self._lock:
            self._finished += 1
            last = self._finished == len(self._calls)
        if last:
            self._over.set()

    def _loop(self, slot: _Slot, call: Callable[[int], None], check: Callable[[int], bool] | None) -> None:
        start_ns, end_ns = self._serve_until_open(slot, call, check)
        starts, ends = slot.starts_ns, slot.ends_ns
        clock = time.monotonic_ns
        min_queries = self._plan.min_queries
        if start_ns < self._opened_ns:
            slot.at_opening = (start_ns, end_ns)
        while not self._stopped:
            if end_ns > self._closed_ns and end_ns > self._decided_close():
                if start_ns >= self._opened_ns:
                    slot.at_closing = (start_ns, end_ns)
                break
            if start_ns >= self._opened_ns:
                starts.append(start_ns)
                ends.append(end_ns)
                if len(ends) == min_queries:
                    self._count_served()
                if end_ns > self._latest_close_ns and len(ends) >= min_queries:
                    self._close_now()
            start_ns = end_ns
            call(slot.query)
            end_ns = clock()
            slot.query += 1
        slot.after = usage_of_this_thread()
        slot.pinned = slot.pinning.holds()
        self._count_complete()
        enough_ns = clock() + self._patience_ns
        while not self._stopped and clock() < enough_ns:
            call(slot.query)
            slot.query += 1

    def _serve_until_open(
        self, slot: _Slot, call: Callable[[int], None], check: Callable[[int], bool] | None
    ) -> tuple[int, int]:
        """Warm up until the window is open; start and end of the first query that ended inside."""
        plan = self._plan
        clock = time.monotonic_ns
        start_ns = end_ns = clock()
        first_ns = all_ns = 0  # of queries alone
        warm_ns = end_ns + round(plan.warmup_s * NS_PER_S)
        enough_ns = math.inf  # steady for long enough to let the others have their turn
        while end_ns <= self._opened_ns and not self._stopped:
            while end_ns > enough_ns and self._opened_ns == math.inf and not self._stopped:
                time.sleep(_PAUSE_S)
                start_ns = end_ns = clock()
            if slot.before is None and self._opened_ns < math.inf:
                slot.before = usage_of_this_thread()
                end_ns = clock()
            start_ns = end_ns
            call(slot.query)
            end_ns = clock()
            slot.query += 1
            all_ns += end_ns - start_ns
            if slot.query == 1:
                slot.pinning.pin()
                first_ns = all_ns
            if check is not None and enough_ns == math.inf:
                slot.compared += check(slot.query - 1)
                end_ns = clock()
            if enough_ns == math.inf and slot.query >= plan.warmup_queries and end_ns >= warm_ns:
                later = slot.query - 1  # the first query is slower than the others
                time_ns = all_ns - first_ns if later else all_ns
                enough_ns = end_ns + self._count_steady(time_ns, max(later, 1))
        slot.before = slot.before or usage_of_this_thread()
        return start_ns, end_ns

    def _count_steady(self, time_ns: int, queries: int) -> float:
        """The last thread to become steady decides when the window opens, from what all served in their warm-up.

        Returns how long to wait for the others in ns, by the fastest thread: what a thread waits for a lock is no time
        of its query.
        """
        with self._lock:
            self._warm_ns += time_ns
            self._warm_queries += queries
            self._fastest_ns = min(self._fastest_ns, time_ns / queries)
            self._patience_ns = max(_PATIENCE_NS, _PATIENCE_QUERIES * self._fastest_ns)
            self._steady += 1
            if self._steady < len(self._calls):
                return self._patience_ns
            plan, query_ns = self._plan, self._warm_ns / self._warm_queries
            self._length_ns = max(round(plan.window_s * NS_PER_S), round(plan.expected_queries * query_ns))
            settle_queries = 1 if len(self._calls) > 2 else 2
            opened_ns = time.monotonic_ns() + max(round(settle_queries * query_ns), _SETTLE_NS)
            needed_ns = max(self._length_ns, plan.min_queries * self._fastest_ns)
            self._latest_close_ns = opened_ns + self._patience_ns + 10 * needed_ns
            if plan.min_queries == 0:
                self._closed_ns = opened_ns + self._length_ns
            self._opened_ns = opened_ns
            return self._patience_ns

    def _count_served(self) -> None:
        """The last thread to complete its queries closes the window."""
        with self._lock:
            self._served += 1
            last = self._served == len(self._calls)
        if last:
            self._close_now()

    def _close_now(self) -> None:
        """Close the window when its time is over, or now; what is decided stays."""
        with self._lock:
            if self._closed_ns == math.inf:
                self._closed_ns = 0  # whoever ends a query meanwhile waits in _decided_close
                self._closed_ns = max(self._opened_ns + self._length_ns, time.monotonic_ns())

    def _decided_close(self) -> float:
        with self._lock:
            return self._closed_ns

    def _count_complete(self) -> None:
        """Until every thread has completed the query that was under way at the close, the others keep up the load.

        Those lose patience with one that waits for them.
        """
        with self._lock:
            self._complete += 1
            if self._complete == len(self._calls):
                self._stopped = True


class _Slot:
    """What one thread writes down."""

    def __init__(self, pinning: Pinning) -> None:
        self.pinning = pinning
        self.pinned = False
        self.query = 0
        self.compared = 0  #: Answers that its check compared.
        self.starts_ns: list[int] = []  #: Start and end of each counted query.
        self.ends_ns: list[int] = []
        #: Start and end of the query that was under way when the window opened, and when it closed; zeros: none was.
        self.at_opening = (0, 0)
        self.at_closing = (0, 0)
        self.before: ThreadUsage | None = None
        self.after: ThreadUsage | None = None
        self.error: BaseException | None = None

    def thread_window(self, opened_ns: int, closed_ns: int) -> ThreadWindow:
        assert self.before is not None and self.after is not None
        edges = (self.at_opening, self.at_closing)
        at_edges = sum(fraction_inside(*query, opened_ns, closed_ns) for query in edges)
        inside_ns = sum(time_inside_ns(*query, opened_ns, closed_ns) for query in edges)
        starts_ns, ends_ns = np.array(self.starts_ns, dtype=np.int64), np.array(self.ends_ns, dtype=np.int64)
        latencies_ns = ends_ns - starts_ns
        completed, inside_ns = len(ends_ns) + at_edges, int(latencies_ns.sum()) + inside_ns
        if ends_inside(self.at_opening, opened_ns, closed_ns):
            latencies_ns = np.append(latencies_ns, self.at_opening[1] - self.at_opening[0])
        return ThreadWindow(
            open_ns=closed_ns - opened_ns,
            completed=completed,
            inside_ns=inside_ns,
            queries=len(latencies_ns),
            first_completion_ns=self.ends_ns[0] if self.ends_ns else 0,
            last_completion_ns=self.ends_ns[-1] if self.ends_ns else 0,
            busy_ns=int(latencies_ns.sum()),
            latencies=latency.exact(latencies_ns),
            pinned=self.pinned,
            **dataclasses.asdict(used_between(self.before, self.after)),
        )
