"""The closed loop on Python threads.

It is the native one, written again in Python: warm up on the measuring threads, open when all are steady, close while
all still run, count what starts and completes inside. A query starts when the one before it has ended: whatever a
thread spends between the two, waiting for the GIL above all, is what its client waits for too.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from typing import TYPE_CHECKING

import numpy as np

from pytest_paddle_mt.engines.thread_usage import usage_of_this_thread, used_between
from pytest_paddle_mt.errors import QueryFailed
from pytest_paddle_mt.machine.noise import NoiseSensor
from pytest_paddle_mt.records import ThreadWindow, Window
from pytest_paddle_mt.statistics import latency
from pytest_paddle_mt.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_paddle_mt.engines.thread_usage import ThreadUsage
    from pytest_paddle_mt.records import WindowPlan

#: The supervisor looks for the end of the window, and for Ctrl-C, this often.
_POLL_S = 0.05


class PythonLoop:
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
        """Measure the window.

        Raises:
            QueryFailed: a query failed in one of the threads.
        """
        threads = [
            threading.Thread(target=self._serve, args=(index,), name=f"paddle-mt-{index}", daemon=True)
            for index in range(len(self._calls))
        ]
        sensor = NoiseSensor()
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
            noise=sensor.read(),
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
                slot.before = usage_of_this_thread()
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
        slot.after = usage_of_this_thread()

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
        self.before: ThreadUsage | None = None
        self.after: ThreadUsage | None = None
        self.error: BaseException | None = None

    def thread_window(self) -> ThreadWindow:
        assert self.before is not None and self.after is not None
        latencies_ns = np.array(self.ends_ns, dtype=np.int64) - np.array(self.starts_ns, dtype=np.int64)
        return ThreadWindow(
            queries=len(self.ends_ns),
            first_completion_ns=self.ends_ns[0],
            last_completion_ns=self.ends_ns[-1],
            busy_ns=int(latencies_ns.sum()),
            latencies=latency.exact(latencies_ns),
            **dataclasses.asdict(used_between(self.before, self.after)),
        )
