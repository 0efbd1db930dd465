"""Known measurements, to test checks, reporters and the tests of a model with: nothing is measured.

``FakeEngine`` is an engine whose throughput is known beforehand, ``known_machine`` hides the machine that runs the
test, and ``window`` builds one measurement. Together they make a verdict certain, however busy the machine is.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_paddle_mt.engines import PROBE_WORK
from pytest_paddle_mt.engines.synthetic import SyntheticEngine
from pytest_paddle_mt.records import Noise, ThreadWindow, Window
from pytest_paddle_mt.statistics import latency
from pytest_paddle_mt.sweeps.diagnosis import ARITHMETIC_WORK, STREAM_WORK
from pytest_paddle_mt.sweeps.known_work import CONTROL_WORK
from pytest_paddle_mt.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_paddle_mt.engines import Workload
    from pytest_paddle_mt.records import WindowPlan


def window(
    threads: int,
    qps: float,
    *,
    queries: int = 100,
    outside: float = 0.0,
    at_work: float = 1.0,
    cpu_share: float = 1.0,
    delay_share: float | None = 0.0,
    stolen_cores: float | None = 0.0,
    other_cores: float = 0.0,
    switches_per_s: float = 0.0,
    sleeps_per_query: float = 0.0,
    system_share: float = 0.0,
    faults_per_query: float = 0.0,
    idle_cores: float | None = None,
    cpus: tuple[int, ...] = (),
    peak_rss_bytes: int | None = 300_000_000,
    rss_bytes: int | None = None,
) -> Window:
    """A window whose threads share ``qps`` evenly and are at work all the time.

    Args:
        threads: number of threads.
        qps: of all threads together.
        queries: of each thread.
        outside: share of each thread's time that passed between queries.
        at_work: share of the window in which thread 0 was seen.
        cpu_share: CPU time over wall time of each thread.
        delay_share: share of each thread's time in which it was ready but had no core; None: the kernel does not say.
        stolen_cores: cores that the hypervisor gave to others; None: unknown.
        other_cores: cores that other threads of this process kept busy.
        switches_per_s: involuntary context switches of each thread.
        sleeps_per_query: voluntary context switches of each thread.
        system_share: share of the CPU time of each thread that was the kernel's.
        faults_per_query: page faults of each thread.
        idle_cores: cores that nothing ran on; None: unknown.
        cpus: the CPUs that each thread may run on; empty: unknown.
        peak_rss_bytes: peak memory of the process; None: unknown.
        rss_bytes: memory of the process when the window ended; None: unknown.
    """
    query_ns = threads / qps * NS_PER_S
    wall_ns = round(queries * query_ns)

    def thread(share: float) -> ThreadWindow:
        return _thread_window(
            query_ns,
            max(2, round(queries * share)),
            round(query_ns * (1 - outside)),
            open_ns=wall_ns,
            wall_ns=wall_ns,
            completed=wall_ns / query_ns,
            inside_ns=round(wall_ns * share * (1 - outside)),
            cpu_ns=round(wall_ns * cpu_share),
            voluntary_switches=round(sleeps_per_query * queries * share),
            involuntary_switches=round(switches_per_s * wall_ns / NS_PER_S),
            run_delay_ns=None if delay_share is None else round(wall_ns * delay_share),
            system_ns=round(wall_ns * cpu_share * system_share),
            minor_faults=round(faults_per_query * queries * share),
            cpus=cpus,
        )

    noise = Noise(
        steal_ns=None if stolen_cores is None else round(wall_ns * stolen_cores),
        process_cpu_ns=round(wall_ns * (cpu_share * threads + other_cores)),
        wall_ns=wall_ns,
        peak_rss_bytes=peak_rss_bytes,
        rss_bytes=rss_bytes,
        idle_ns=None if idle_cores is None else round(wall_ns * idle_cores),
    )
    per_thread = (thread(at_work), *(thread(1.0) for _ in range(threads - 1)))
    return Window(threads=threads, opened_ns=0, open_ns=wall_ns, per_thread=per_thread, noise=noise)


def _thread_window(query_ns: float, queries: int, latency_ns: int, **of_thread: Any) -> ThreadWindow:
    """A thread that begins a query every ``query_ns``, each of which takes ``latency_ns``."""
    return ThreadWindow(
        queries=queries,
        first_completion_ns=round(query_ns),
        last_completion_ns=round(queries * query_ns),
        busy_ns=queries * latency_ns,
        latencies=latency.exact(np.full(queries, latency_ns)),
        **of_thread,
    )


class FakeEngine:
    """An engine whose throughput is known beforehand: its windows are built, nothing is measured.

    Args:
        qps: throughput of all threads together, by thread count.
        name: what ``--paddle-engine`` and the marker's ``engine`` call it.
        swing: throughput beyond one thread swings from round to round by this share.
        at: the thread count whose windows are disturbed; None: no window is.
        disturbed: how they are disturbed; keyword arguments of ``window``.
    """

    needs_pool = False
    takes_query = False

    def __init__(
        self,
        qps: Mapping[int, float],
        *,
        name: str = "fake",
        swing: float = 0.005,
        at: int | None = None,
        **disturbed: Any,
    ) -> None:
        self.name = name
        self._qps = dict(qps)
        self._swing = swing
        self._at = at
        self._disturbed = disturbed
        self.asked: list[int] = []  #: The thread counts of the windows since ``open``, in their order.

    def open(self, workload: Workload) -> FakeEngine:
        """Start work: the engine is its own session."""
        self.asked = []
        return self

    def prepare(self, threads: int) -> None:
        """Nothing to prepare."""

    def measure(self, threads: int, plan: WindowPlan) -> Window:
        """Build the window."""
        self.asked.append(threads)
        swing = 0.0 if threads == 1 else self._swing * (-1) ** (self.asked.count(1) // 2)
        disturbed = self._disturbed if threads == self._at else {}
        return window(threads, self._qps[threads] * (1 + swing), **disturbed)

    def close(self) -> None:
        """Nothing to stop."""


@contextlib.contextmanager
def known_machine(qps: Mapping[int, float] | None = None, *, control: bool = True) -> Iterator[None]:
    """Let the probe, the control workload and the load beside which a cause is sought show known throughput.

    So it is in this process, whatever else the machine does.

    Args:
        qps: throughput of both, by thread count; None: each thread has a core, up to 64 threads.
        control: False leaves the control workload as it is, which then is measured.
    """
    known = qps or {threads: 500.0 * threads for threads in range(1, 65)}
    works = (PROBE_WORK, STREAM_WORK, ARITHMETIC_WORK, *([CONTROL_WORK] if control else []))
    real = SyntheticEngine.open

    def open_known(engine: SyntheticEngine, workload: Workload) -> Any:
        if workload.synthetic in works:
            return FakeEngine(known, name="known", swing=0.0)
        return real(engine, workload)

    SyntheticEngine.open = open_known  # type: ignore[assignment,method-assign]
    try:
        yield
    finally:
        SyntheticEngine.open = real  # type: ignore[method-assign]
