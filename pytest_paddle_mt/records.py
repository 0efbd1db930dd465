"""What was measured and what was concluded: frozen records, passed from the engines up to the reporters.

A record carries no behaviour beyond properties derived from its own fields. Undefined is ``None``, never 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from pytest_paddle_mt.baselines import Run
    from pytest_paddle_mt.cause import Cause
    from pytest_paddle_mt.gpu import GpuLoad

Status = Literal["pass", "fail", "inconclusive", "not_comparable", "no_data", "calibrating"]

#: The statuses of a verdict, the worst first; a test's own status is the worst of its verdicts.
STATUSES_WORST_FIRST: tuple[Status, ...] = ("fail", "inconclusive", "not_comparable", "no_data", "calibrating", "pass")

#: The statuses under which a test has passed its gate or was knowingly let through while a baseline is young.
GATED_STATUSES: frozenset[Status] = frozenset({"pass", "calibrating", "fail"})

#: Every kind of doubt about a measurement: stable words for programs.
WarningKind = Literal[
    "comparison",
    "cores_shared",
    "curve_falls",
    "curve_not_linear",
    "drift_accepted",
    "fork_ended_badly",
    "gil_held",
    "gil_unknown",
    "gpu_not_observed",
    "gpu_shared",
    "gpu_throttled",
    "lost_time",
    "memory_grows",
    "not_compared",
    "not_in_baseline",
    "not_pinned",
    "not_the_predictor",
    "preempted",
    "scaling_not_judged",
    "thinned",
    "threads_added",
    "threads_wait",
    "versions_differ",
    "without_digest",
]

GilState = Literal["held", "released", "unknown"]

PoolMethod = Literal["clone", "predictor_pool", "shared"]  #: How the predictors of a pool are made.
POOL_METHODS: tuple[PoolMethod, ...] = ("clone", "predictor_pool", "shared")

#: The two sides of a comparison: what is judged, and what it is judged against.
Side = Literal["this", "other"]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Interval:
    """A two-sided confidence interval."""

    low: float  #: Lower bound, in the unit of the estimate.
    high: float  #: Upper bound, in the unit of the estimate.


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Cpu:
    """How many threads can run at once."""

    usable_cores: int
    math_threads: int  #: Math threads of each predictor.

    @property
    def at_once(self) -> int:
        """How many predictors find a core for each of their math threads; 1 at least."""
        return max(1, self.usable_cores // self.math_threads)

    def fits(self, threads: int) -> bool:
        """Whether ``threads`` predictors find a core for each of their math threads."""
        return threads * self.math_threads <= self.usable_cores


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class WindowPlan:
    """What a worker is asked for when it measures one window."""

    window_s: float  #: The window lasts at least this long, in seconds.
    #: The window lasts until every thread has completed at least this many queries in it; 0: it lasts its time.
    min_queries: int
    warmup_s: float  #: Every thread warms up for at least this long before the window may open, in seconds.
    warmup_queries: int  #: Every thread completes at least this many queries before the window may open.
    #: The window lasts at least as long as a thread takes for this many queries, by the warm-up of all; 0: no longer.
    expected_queries: int = 0
    #: From its first query on, thread i runs on CPU ``cpus[i]``; on any of them where there are fewer of them than
    #: threads. Empty: wherever the scheduler has it run.
    cpus: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Latencies:
    """The latencies of many queries: each one exactly, or counted in bins once there are too many to keep."""

    #: Latencies in ns, int64, shape (k,), ascending; bin centres when ``counts`` is given.
    values_ns: npt.NDArray[np.int64]
    #: Queries per value, int64, shape (k,); None when every value stands for one query.
    counts: npt.NDArray[np.int64] | None

    @property
    def thinned(self) -> bool:
        """Whether the queries were counted in bins (each within 0.4 % of its latency) instead of kept one by one."""
        return self.counts is not None

    @property
    def queries(self) -> int:
        """How many queries these are."""
        return len(self.values_ns) if self.counts is None else int(self.counts.sum())


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ThreadWindow:
    """What one thread did during one window."""

    open_ns: int  #: How long the window was open, in ns.
    #: Queries inside the window, those under way at its edges by the share of their time that lies inside.
    completed: float
    inside_ns: int  #: Time inside queries while the window was open, in ns.
    queries: int  #: Queries that completed inside the window.
    #: Monotonic time of the first and of the last completion of a query that had started inside, too; 0: none did.
    first_completion_ns: int
    last_completion_ns: int
    busy_ns: int  #: Sum of the latencies of those queries, in ns.
    latencies: Latencies  #: Their latencies.
    wall_ns: int  #: Wall time over which the four figures below were taken, in ns.
    cpu_ns: int  #: CPU time of this thread, in ns.
    voluntary_switches: int  #: Voluntary context switches: the thread waited for something.
    involuntary_switches: int  #: Involuntary context switches: the thread was preempted.
    #: Time this thread was ready to run but had no core, in ns; None where the kernel does not say.
    run_delay_ns: int | None
    pinned: bool = False  #: Whether it still ran on the CPUs that the plan gives it when the window had closed.
    system_ns: int | None = None  #: The part of the CPU time that was the kernel's, in ns; None where nobody counted.
    minor_faults: int | None = None  #: Page faults that needed no disk; None where nobody counted.
    cpus: tuple[int, ...] = ()  #: The CPUs that it may run on; empty where nobody asked.

    @property
    def qps(self) -> float:
        """Throughput: queries inside the window over the time it was open; see ``statistics/counting.py``."""
        return self.completed / self.open_ns * 1e9


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Noise:
    """What the rest of the machine did while a window was measured (warm-up included)."""

    #: CPU time that the hypervisor gave to others while this machine wanted it, in ns; None where unknown.
    steal_ns: int | None
    process_cpu_ns: int  #: CPU time of this whole process, in ns.
    wall_ns: int  #: Wall time of the observation, in ns.
    #: Time for which the CPUs that this process may use were idle, all together, in ns; None where unknown.
    idle_ns: int | None = None
    #: Peak resident memory (VmHWM) of the process when the window ended, in bytes; None if unknown.
    peak_rss_bytes: int | None = None
    #: Resident memory (VmRSS) of the process when the window ended, in bytes; None if unknown.
    rss_bytes: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Window:
    """One measurement: threads in a closed loop, all warm before it opened, all still running when it closed."""

    threads: int  #: Number of threads.
    opened_ns: int  #: When it opened, monotonic, in ns.
    open_ns: int  #: How long it was open, in ns.
    per_thread: tuple[ThreadWindow, ...]  #: One entry per thread.
    noise: Noise | None  #: What the rest of the machine did meanwhile; None where the engine has no sensor.
    served: int = 0  #: Queries of all threads, those of the warm-up and after the close too; 0 where nobody counted.
    compared: int = 0  #: How many of their answers were compared with the right ones.
    gpu: GpuLoad | None = None  #: What the GPU did meanwhile; None where there is none, or it was not observed.

    @property
    def qps(self) -> float:
        """Throughput in queries per second: queries inside, all threads together, over the time it was open."""
        return sum(thread.qps for thread in self.per_thread)

    @property
    def completed(self) -> float:
        """Queries inside the window, all threads together, those at its edges by their share inside."""
        return sum(thread.completed for thread in self.per_thread)

    @property
    def queries(self) -> int:
        """Queries that completed inside the window, all threads together."""
        return sum(thread.queries for thread in self.per_thread)

    @property
    def mean_latency_ns(self) -> float:
        """Mean latency in ns, by Little's law: the time inside queries over the queries inside the window."""
        return sum(thread.inside_ns for thread in self.per_thread) / self.completed

    @property
    def cpu_share(self) -> float:
        """CPU time over wall time of the measuring threads: 1.0 when none of them ever waited."""
        return sum(thread.cpu_ns for thread in self.per_thread) / sum(thread.wall_ns for thread in self.per_thread)

    @property
    def involuntary_switches(self) -> int:
        """How often the measuring threads were preempted."""
        return sum(thread.involuntary_switches for thread in self.per_thread)

    @property
    def fairness(self) -> float:
        """Queries per second of the slowest thread over those of the fastest."""
        rates = [thread.qps for thread in self.per_thread]
        return min(rates) / max(rates)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Visit:
    """One stop of a round: a window of one side, and the known work that was measured right after it."""

    side: Side  #: Whose window it is; ``this`` where there is one side.
    fork: int  #: Which fresh process measured it; 0: this process.
    window: Window
    #: A short window of work that fills a core, with as many threads; None where there was none.
    probe: Window | None = None
    #: A window of the control workload, with as many threads; None where there was none.
    control: Window | None = None
    cpus: tuple[int, ...] = ()  #: Where its threads were placed, as in ``WindowPlan``; empty: nowhere.

    @property
    def pinned(self) -> bool:
        """Whether every thread still ran where it was placed when the window had closed."""
        return bool(self.cpus) and all(thread.pinned for thread in self.window.per_thread)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Round:
    """One pass over every thread count, of every side."""

    index: int  #: Position in the sweep, from 0.
    visits: tuple[Visit, ...]  #: In the order in which they were measured.

    @property
    def fork(self) -> int:
        """Which fresh process measured its first visit; 0: this process."""
        return self.visits[0].fork

    def at(self, threads: int) -> tuple[Visit, ...]:
        """The visits of this round with ``threads`` threads."""
        return tuple(visit for visit in self.visits if visit.window.threads == threads)

    def of(self, side: Side) -> Round:
        """This round with the visits of one side alone."""
        return Round(index=self.index, visits=tuple(visit for visit in self.visits if visit.side == side))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LatencySummary:
    """Latency of one thread count, over all its queries, in ns."""

    mean_ns: float
    min_ns: float
    max_ns: float
    p50_ns: float | None  #: Percentiles are None when the sample cannot support them.
    p90_ns: float | None
    p99_ns: float | None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Point:
    """One thread count of a sweep, all its windows together."""

    threads: int
    qps: float  #: Throughput in queries per second: geometric mean over windows.
    qps_interval: Interval | None  #: Its confidence interval; None where too little is known for one.
    #: Scaling efficiency, QPS(n) / (n QPS(1)), from bracketed rounds; None when no round could be used.
    efficiency: float | None
    #: Its confidence interval; None below the rounds that an interval needs.
    efficiency_interval: Interval | None
    latency: LatencySummary
    queries: int  #: Completed queries inside the windows.
    fairness: float  #: Median over windows of the slowest thread's throughput over the fastest's.
    rounds: int  #: Rounds in which this thread count was measured.
    #: Rounds of those in which the machine disturbed it by an unknown amount, so that they were set aside.
    set_aside_rounds: int
    #: Rounds of those in which two threads had one core between them, as the probe shows.
    shared_core_rounds: int
    #: Mean share of the threads' time that other work took; it is taken out of throughput and efficiency.
    lost_share: float
    #: Whether some latencies were counted in bins, since there were too many queries to keep each one.
    thinned: bool = False
    #: Peak resident memory (VmHWM) after the first window with this thread count, in bytes; None if unknown.
    peak_rss_bytes: int | None = None
    throttled_rounds: int = 0  #: Rounds of ``set_aside_rounds`` in which the GPU was clocked down by heat or a fault.
    gpu: GpuLoad | None = None  #: What the GPU did, all windows together; None where it was not observed.

    @property
    def speedup(self) -> float | None:
        """Speedup over one thread: efficiency times threads."""
        return None if self.efficiency is None else self.efficiency * self.threads


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Ratio:
    """One thread count of a comparison: this side over the other."""

    threads: int
    qps: float  #: Throughput over throughput: geometric mean over rounds.
    qps_interval: Interval | None  #: Its confidence interval; None where too little is known for one.
    p50: float | None  #: Median latency over median latency; None when a sample cannot support one.
    rounds: int  #: Rounds in which this thread count was measured.


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class UniversalScalability:
    """Parameters of the Universal Scalability Law, X(n) = n X(1) / (1 + contention (n - 1) + coherency n (n - 1))."""

    contention: float
    coherency: float


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Warning:
    """A doubt about a measurement, with advice."""

    kind: WarningKind
    text: str  #: The fact, the value and the advice, human-readable.


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Verdict:
    """What one check concluded, about one thread count or about the sweep."""

    check: str  #: Name of the check, for instance ``linear``.
    threads: int | None  #: The thread count judged; None when the whole sweep was.
    status: Status
    observed: float | None  #: The estimate that was judged; None without one.
    limit: float | None  #: The limit it was judged against; None without one.
    reason: str  #: One human-readable sentence.


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Limits:
    """What the checks judge against."""

    min_efficiency: float  #: Smallest accepted scaling efficiency, in (0, 1].
    max_collapse: float  #: Largest accepted loss of throughput beyond ``linear_until``, in (0, 1).
    #: Largest thread count that the linear check judges; None: decide by the usable cores.
    linear_until: int | None
    #: Largest accepted growth of latency, and loss of throughput and efficiency, over a stored baseline or the other
    #: side of a comparison: 0.1 is 10 %.
    max_drift: float
    max_p99_drift: float  #: The same for the 99th percentile of latency.


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ServedInput:
    """One input of the model, as it was served: over all input sets."""

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None  #: Extents, None for one in which the sets differ; None: they differ in rank.
    low: float | None  #: The smallest finite element; None without one.
    high: float | None  #: The largest finite element; None without one.
    made_up: bool  #: Whether the plugin made it up from the model's own specification.

    @property
    def text(self) -> str:
        """Type, shape and range, human-readable: ``float32 (1, 16), 0 to 25.4``."""
        extents = ["..." if extent is None else str(extent) for extent in self.shape or ()]
        shape = "..." if self.shape is None else f"({', '.join(extents)}{',' if len(extents) == 1 else ''})"
        if self.low is None or self.high is None:
            return f"{self.dtype} {shape}"
        span = f"all {self.low:.4g}" if self.low == self.high else f"{self.low:.4g} to {self.high:.4g}"
        return f"{self.dtype} {shape}, {span}"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Subject:
    """What was measured: enough to say whether two measurements are of the same thing."""

    engine: str
    device: str
    batch_size: int | None  #: First dimension of the first input; None when the engine has no inputs.
    #: How the predictors were made, of ``POOL_METHODS``; None when the engine has none.
    pool: str | None
    math_threads: int | None  #: Math threads of each predictor; None when the engine has none.
    #: Whether ``gil_of`` holds the GIL; None when the engine has no predictor.
    gil: GilState | None
    #: What was probed for it: ``run()`` of the predictor, or ``the query`` or ``the callable`` of the user's own.
    gil_of: str = "run()"
    #: Facts that reporters print: versions, the libpaddle that was measured, what was set for the user.
    facts: dict[str, str] = field(default_factory=dict)
    #: What exactly was served, by what, for comparing two sides: digests, versions; empty where nobody asked.
    identity: dict[str, str] = field(default_factory=dict)
    inputs: tuple[ServedInput, ...] = ()  #: What was served; empty where the engine has no inputs that are arrays.


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Against:
    """The other side of a comparison, and how this side compares with it."""

    names: tuple[str, str]  #: What the sides are called: this one, the other.
    described: tuple[str, str]  #: What they are, in a human-readable line each.
    subject: Subject | None  #: What the other side served; None when it never reported that.
    differences: tuple[str, ...]  #: What differs between the sides, human-readable.
    points: tuple[Point, ...]  #: The other side's points.
    ratios: tuple[Ratio, ...]  #: One per thread count that was measured.


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Measured:
    """What was measured in one sweep: every window, with every latency."""

    cpu: Cpu  #: How many threads can run at once; of two sides, of the one whose predictors need more cores.
    rounds: tuple[Round, ...]  #: The rounds that were judged.
    #: The rounds that measured a failure again, with controls; empty when nothing had failed.
    confirmation: tuple[Round, ...] = ()
    survey: tuple[Round, ...] = ()  #: One window with each thread count, long enough to see how busy a GPU is.


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Sweep:
    """What was concluded from one sweep. It holds no window and no latency, so a session can keep all of its sweeps."""

    nodeid: str
    subject: Subject
    thread_counts: tuple[int, ...]
    limits: Limits
    #: Largest thread count that the linear check judges; None in a comparison, which does not judge scaling.
    linear_until: int | None
    linear_until_reason: str  #: Why it is that one, human-readable.
    usable_cores: int
    points: tuple[Point, ...]
    usl: UniversalScalability | None  #: Fit of the Universal Scalability Law; None below three thread counts.
    warnings: tuple[Warning, ...]
    verdicts: tuple[Verdict, ...]
    seed: int  #: Seed of the order of the windows.
    gate: bool  #: Whether the verdicts gate the test.
    smoke_reason: str | None  #: Why nothing was gated, when measuring is off (a smoke run); None otherwise.
    elapsed_s: float  #: Wall time of the sweep, in seconds.
    #: The other side of a comparison; None when there was none. The points above are then this side's.
    against: Against | None = None
    accepted_runs: tuple[Run, ...] = ()  #: Of the stored baseline that it was compared with, the oldest first.
    #: Peak resident memory (VmHWM) of the process with all predictors, the largest where there were several, in bytes;
    #: None if unknown.
    peak_rss_bytes: int | None = None
    pin: tuple[int, ...] = ()  #: CPUs that the threads were placed on; none: the scheduler placed them.
    cause: Cause | None = None  #: The likely cause why it does not scale; None where it does.

    @property
    def status(self) -> Status:
        """The worst of the verdicts; ``no_data`` without one."""
        given = {verdict.status for verdict in self.verdicts}
        return next((status for status in STATUSES_WORST_FIRST if status in given), "no_data")
