"""Names the likely cause why a sweep does not scale, with its evidence. Pure functions over records.

A query with n threads takes longer than with one: it runs for longer, is kept from a core by this very process, or
waits. The largest of the three decides which causes come into question, and evidence of its own which of these it is.
Where that is missing the cause is unknown: none is better than a wrong one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_paddle_mt.cause import Cause
from pytest_paddle_mt.checks import gpu_causes
from pytest_paddle_mt.engines import ON_PYTHON_THREADS
from pytest_paddle_mt.statistics import query_time, selection, validity
from pytest_paddle_mt.units import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_paddle_mt.cause import CauseKind
    from pytest_paddle_mt.records import Cpu, Limits, Point, Round, Subject, Verdict, Window
    from pytest_paddle_mt.statistics.query_time import QueryTime

#: A query that takes less than this share longer than with one thread has lost nothing that a cause is sought for.
_MIN_LOSS = 0.08
#: What is named must account for this share of the loss.
_MOST = 0.5
#: Other threads of this process may use this share of a core for each measuring thread before they are named.
_MAX_EXTRA = 0.05
#: With more than this share of the usable cores idle, it is not cores that are missing.
_IDLE = 0.2
#: A thread that needs this many times the CPU time of the others is slow.
_SLOW = 1.2
_SLOWEST_IN = 0.8  #: It is the slowest in this share of the windows.
_MIN_FAULTS_PER_S = 1000.0
#: A page fault takes the kernel at most this long, in ns, memory that it clears and gives back included.
_FAULT_NS = 10_000.0
#: Of the time that page faults make threads wait for, the kernel has at least this share of their CPU time.
_IN_KERNEL = 0.3
_MIN_LOST = 0.1  #: Other work that took less than this share of the time is not named.
#: Where the time of a query goes, human-readable.
_WHERE = {"cpu_ns": "running", "delay_ns": "ready without a core", "waiting_ns": "waiting"}
_NO_CORE = 0.05  #: Fewer idle cores than this are none.


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Beside:
    """Windows of one thread, measured while other threads of the process kept the other cores busy."""

    stream: Sequence[Window]  #: They read memory.
    arithmetic: Sequence[Window]  #: They compute, and read no memory.


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Observed:
    """What a cause is sought in."""

    subject: Subject
    rounds: Sequence[Round]
    cpu: Cpu
    threads: int
    alone: QueryTime  #: With one thread.
    together: QueryTime  #: With ``threads`` threads.
    over_cores: bool  #: Whether throughput should only hold, so that sharing the cores is no loss.
    set_aside: bool  #: Whether there is no round that the machine did not disturb by an unknown amount.
    beside: Beside | None = None  #: None: it was not measured.
    survey: Sequence[Round] = ()  #: Shows how busy a GPU is; none where nobody looked.

    @property
    def cpu_growth(self) -> float:
        """By which share a query takes more CPU time than with one thread."""
        return self.together.cpu_ns / self.alone.cpu_ns - 1

    @property
    def losses(self) -> dict[str, float]:
        """What a query takes more than with one thread, by where it goes, in ns."""
        names = ("cpu_ns", "waiting_ns") if self.over_cores else ("cpu_ns", "delay_ns", "waiting_ns")
        return {name: max(0.0, getattr(self.together, name) - getattr(self.alone, name)) for name in names}

    @property
    def loss(self) -> float:
        """By which share a query takes longer than with one thread."""
        return sum(self.losses.values()) / self.alone.total_ns

    def share(self, name: str) -> float:
        """The share of the loss that goes there."""
        losses = self.losses
        total = sum(losses.values())
        return losses[name] / total if total and name in losses else 0.0

    @property
    def cores_full(self) -> bool:
        """Whether nearly all usable cores were busy, as far as is known."""
        return self.together.idle_cores <= _IDLE * self.cpu.usable_cores


def concerned(
    verdicts: Sequence[Verdict], points: Sequence[Point], limits: Limits, usable_cores: int
) -> tuple[int, bool] | None:
    """The thread count that a cause is sought for, and whether it lies beyond the cores; None where all scales.

    A failed verdict comes first, then one that is inconclusive below its limit, then a knee in the curve up to the
    usable cores; of several the worst. One that could not be estimated is the worst of its kind.
    """
    for status in ("fail", "inconclusive"):
        below = [
            (one.observed or 0.0, one.threads, one.check)
            for one in verdicts
            if one.status == status and one.check in ("linear", "collapse") and one.threads is not None
            if one.observed is None or one.limit is None or one.observed < one.limit
        ]
        if below:
            _, threads, check = min(below)
            return threads, check == "collapse"
    knees = [(point.efficiency or 0.0, point.threads) for point in points if 1 < point.threads <= usable_cores]
    return next(((threads, False) for worst, threads in sorted(knees) if worst < limits.min_efficiency), None)


def observed(
    subject: Subject, rounds: Sequence[Round], threads: int, cpu: Cpu, *, over_cores: bool = False
) -> Observed | None:
    """What a cause is sought in; None where there is no window to seek it in.

    Rounds in which the machine disturbed the threads by an unknown amount count where there are no others.
    """
    usable = selection.usable(rounds, threads, cpu)
    kept = usable or [one for one in rounds if one.at(1) and one.at(threads)]
    if threads == 1 or not kept:
        return None
    alone, together = (query_time.of_windows(query_time.windows_at(kept, n), cpu) for n in (1, threads))
    return Observed(
        subject=subject,
        rounds=kept,
        cpu=cpu,
        threads=threads,
        alone=alone,
        together=together,
        over_cores=over_cores,
        set_aside=not usable,
    )


def needs_beside(seen: Observed) -> bool:
    """Whether a query takes more CPU time for no reason that shows, so that it has to be measured beside other work."""
    found = likely(seen)
    return found is not None and found.kind == "unknown" and seen.share("cpu_ns") >= _MOST


def likely(seen: Observed) -> Cause | None:
    """The likely cause; None where nothing was lost."""
    if found := _of_the_gpu(seen):
        return found
    if seen.set_aside and (found := _of_the_machine(seen) or _slower_cores(seen)):
        return found
    if seen.loss < _MIN_LOSS:
        return _of_the_machine(seen)
    for ask in (_gil, _too_few_cores, _waiting, _delay, _cpu):
        found = ask(seen)
        if found is not None:
            return found
    most = [words for name, words in _WHERE.items() if seen.share(name) >= _MOST]
    why = f"most of it {most[0]}, and nothing shows why" if most else "and no single cause accounts for half of it"
    return _cause(seen, "unknown", f"a query takes {seen.loss:.0%} longer, {why}")


def _cause(seen: Observed, kind: CauseKind, text: str, **figures: float) -> Cause:
    known = {
        "loss": seen.loss,
        **{f"{name.removesuffix('_ns')}_share_of_loss": seen.share(name) for name in seen.losses},
        "lost_share": seen.together.lost_share,
        "sleeps_per_s": seen.together.sleeps_per_s,
        "faults_per_s": seen.together.faults_per_s,
        "extra_cores": seen.together.extra_cores,
    }
    if seen.together.idle_cores >= 0:
        known["idle_cores"] = seen.together.idle_cores
    return Cause(kind=kind, threads=seen.threads, text=text, figures={**known, **figures})


def _of_the_gpu(seen: Observed) -> Cause | None:
    """What shows on the GPU; the GIL where that is what it waits for."""
    if seen.subject.device == "cpu" or (seen.loss < _MIN_LOSS and not seen.set_aside):
        return None
    counts = {visit.window.threads for one in seen.rounds for visit in one.visits}
    qps = {n: query_time.qps(query_time.windows_at(seen.rounds, n)) for n in counts}
    growth = {n: qps[n] / qps[1] for n in counts}
    found = gpu_causes.named(gpu_causes.loads(seen.rounds, seen.survey, seen.threads), seen.threads, growth)
    if found is None:
        return None
    if found.kind != "gpu_waits":
        return _cause(seen, found.kind, found.text, **found.figures)
    return _gil(seen) or _cause(seen, found.kind, f"{found.text}{_by_what_kept(seen)}", **found.figures)


def _by_what_kept(seen: Observed) -> str:
    """What keeps the threads from giving a GPU more to do, as far as the CPU shows it."""
    if seen.together.idle_cores >= 0 and seen.cores_full:
        return ", and no usable core is free"
    if seen.share("waiting_ns") < _MOST:
        return ""
    stream = "" if seen.subject.facts.get("streams") == "own" else ", or for the stream that they share"
    return f", which wait for a lock{stream}"


def _of_the_machine(seen: Observed) -> Cause | None:
    lost = seen.together.lost_share
    if lost < _MIN_LOST:
        return None
    return _cause(seen, "contended_machine", f"other work took {lost:.0%} of the threads' time")


def _gil(seen: Observed) -> Cause | None:
    subject = seen.subject
    if subject.engine not in ON_PYTHON_THREADS or subject.gil != "held" or seen.share("waiting_ns") < _MOST:
        return None
    paddle = subject.facts.get("paddle")
    if paddle is None:
        holder = f"{subject.facts.get('runtime', 'its')} run()" if subject.gil_of == "run()" else subject.gil_of
        step = "serve from several processes, or by code that releases it"
    else:
        holder = f"Predictor.run() of {paddle}" if subject.gil_of == "run()" else f"{subject.gil_of} (with {paddle})"
        step = "use a Paddle that releases it (3.2.2 does), or serve from C++ (the native engine)"
    text = f"{holder} holds the GIL, so Python threads take turns: they waited {_waited(seen):.0%} of the time; {step}"
    return _cause(seen, "gil", text, waiting_share=_waited(seen))


def _too_few_cores(seen: Observed) -> Cause | None:
    """Threads that want more cores than there are."""
    cpu, threads = seen.cpu, seen.threads
    if seen.subject.device != "cpu" or cpu.fits(threads) or not seen.cores_full:
        return None
    if cpu.math_threads > 1:
        text = (
            f"{threads} threads of {cpu.math_threads} math threads each want {threads * cpu.math_threads} cores and "
            f"{cpu.usable_cores} are usable"
        )
        return _cause(seen, "math_threads", text)
    if seen.over_cores or seen.share("delay_ns") < _MOST:
        return None
    return _cause(seen, "cores", f"{threads} threads want {threads} cores and {cpu.usable_cores} are usable")


def _waiting(seen: Observed) -> Cause | None:
    if seen.share("waiting_ns") < _MOST:
        return None
    if seen.subject.device != "cpu":
        text = f"threads waited {_waited(seen):.0%} of the time: for the device, or for a lock that they share"
        return _cause(seen, "unknown", text, waiting_share=_waited(seen))
    return _helpers(seen) or _faults(seen, seen.together.system_ns / seen.together.cpu_ns, _IN_KERNEL) or _lock(seen)


def _lock(seen: Observed) -> Cause:
    waited, sleeps = _waited(seen), seen.together.sleeps_per_s
    text = f"threads waited {waited:.0%} of the time ({sleeps:,.0f} voluntary switches/s), while {_free(seen)}"
    if seen.subject.engine in ON_PYTHON_THREADS:
        return _cause(seen, "unknown", f"{text}: the GIL, or a lock that they share", waiting_share=waited)
    if seen.together.sleeps - seen.alone.sleeps < validity.MIN_WAITS:
        return _cause(seen, "unknown", f"{text}, and went to sleep no more often than one thread does")
    return _cause(seen, "lock", text, waiting_share=waited)


def _delay(seen: Observed) -> Cause | None:
    """Threads that are ready, and that this process itself keeps from a core."""
    if seen.share("delay_ns") < _MOST:
        return None
    cpus = {one for window in _windows(seen) for thread in window.per_thread for one in thread.cpus}
    if cpus and len(cpus) < seen.threads:
        named = ", ".join(map(str, sorted(cpus)))
        text = (
            f"{seen.threads} threads may run on CPU {named} only: they are bound to it, and were ready without a core "
            f"for {seen.together.delay_ns / seen.together.total_ns:.0%} of the time, while {_free(seen)}"
        )
        return _cause(seen, "shared_core", text)
    return _helpers(seen)


def _helpers(seen: Observed) -> Cause | None:
    """Helper threads of the predictors that want the same cores."""
    extra, cpu = seen.together.extra_cores, seen.cpu
    wanted = seen.threads * cpu.math_threads + extra
    if extra <= _MAX_EXTRA * seen.threads or wanted <= cpu.usable_cores or not seen.cores_full:
        return None
    text = (
        f"other threads of this process used {extra:.2f} cores meanwhile, of {cpu.usable_cores}: helpers of the "
        "predictors (Paddle runs a .json model with a worker thread for each, a .pdmodel without)"
    )
    return _cause(seen, "helper_threads", text)


def _cpu(seen: Observed) -> Cause | None:
    """A query that takes more CPU time."""
    if seen.subject.device != "cpu" or seen.share("cpu_ns") < _MOST:
        return None
    in_kernel = (seen.together.system_ns - seen.alone.system_ns) / (seen.together.cpu_ns - seen.alone.cpu_ns)
    return _slow_thread(seen) or _faults(seen, in_kernel, _MOST) or _slower_cores(seen) or _memory(seen)


def _slow_thread(seen: Observed) -> Cause | None:
    windows = _windows(seen)
    by_thread = query_time.cpu_by_thread(windows)
    slowest = max(range(seen.threads), key=by_thread.__getitem__)
    in_each = [query_time.cpu_by_thread([window]) for window in windows]
    if sum(max(each) == each[slowest] for each in in_each) < _SLOWEST_IN * len(windows):
        return None
    others = [one for index, one in enumerate(by_thread) if index != slowest]
    times = by_thread[slowest] / (sum(others) / len(others))
    if times < _SLOW or max(others) > _SLOW * min(others) or _without(seen, slowest) > (1 - _MOST) * seen.cpu_growth:
        return None
    text = f"thread {slowest} needs {times:.1f} times the CPU time of the others for a query, window after window"
    return _cause(seen, "slow_thread", text, thread=float(slowest), times=times)


def _without(seen: Observed, slowest: int) -> float:
    """By which share a query of the other threads takes more CPU time than with one thread."""
    others = [one for index, one in enumerate(query_time.cpu_by_thread(_windows(seen))) if index != slowest]
    alone = query_time.cpu_by_thread(query_time.windows_at(seen.rounds, 1))[0]
    return sum(others) / len(others) / alone - 1


def _faults(seen: Observed, in_kernel: float, at_least: float) -> Cause | None:
    per_s = seen.together.faults_per_s
    enough = per_s >= _MIN_FAULTS_PER_S and seen.together.faults * _FAULT_NS >= seen.together.system_ns
    if not enough or in_kernel < at_least:
        return None
    share = seen.together.system_ns / seen.together.cpu_ns
    text = (
        f"threads took {per_s:,.0f} page faults/s ({seen.together.faults:,.0f} a query), and the kernel had "
        f"{share:.0%} of their CPU time: memory is allocated and given back with every query"
    )
    return _cause(seen, "page_faults", text, kernel_share=share)


def _slower_cores(seen: Observed) -> Cause | None:
    """Cores that are slower when several of them work, whatever they work at."""
    probes = [query_time.probes_at(seen.rounds, n) for n in (1, seen.threads)]
    if not all(probes):
        return None
    growth = query_time.cpu_per_query_ns(probes[1]) / query_time.cpu_per_query_ns(probes[0]) - 1
    if growth < max(_MIN_LOSS, _MOST * seen.cpu_growth):
        return None
    speed = 1 / (1 + growth)
    known = f"work that fills a core and shares nothing has {speed:.0%} of its speed when {seen.threads} threads do it"
    if speed < selection.MIN_CORE_SPEED:
        return _cause(seen, "shared_core", f"{known}: threads have a core between them", probe_speed=speed)
    return _cause(seen, "clocks", f"{known}: clocks fall when all cores work", probe_speed=speed)


def _memory(seen: Observed) -> Cause:
    more = f"a query takes {seen.cpu_growth:.0%} more CPU time with {counted(seen.threads, 'thread')}"
    if seen.beside is None:
        return _cause(seen, "unknown", f"{more}: memory, caches, or spinning on a lock", cpu_growth=seen.cpu_growth)
    stream, arithmetic = (query_time.cpu_per_query_ns(one) for one in (seen.beside.stream, seen.beside.arithmetic))
    slower = stream / arithmetic - 1
    each_time = all(
        query_time.cpu_per_query_ns([one]) > query_time.cpu_per_query_ns([other])
        for one, other in zip(seen.beside.stream, seen.beside.arithmetic, strict=True)
    )
    figures = {"cpu_growth": seen.cpu_growth, "beside_stream": slower}
    if slower < max(_MIN_LOSS, _MOST * seen.cpu_growth) or not each_time:
        text = (
            f"{more}; that of one thread takes only {max(0.0, slower):.0%} more beside threads that read memory than "
            "beside threads that compute: not memory bandwidth; spinning on a lock, or more work a query"
        )
        return _cause(seen, "unknown", text, **figures)
    text = (
        f"{more}, and that of one thread takes {slower:.0%} more beside threads that read memory than beside threads "
        "that compute"
    )
    return _cause(seen, "memory_bandwidth", text, **figures)


def _windows(seen: Observed) -> list[Window]:
    return query_time.windows_at(seen.rounds, seen.threads)


def _waited(seen: Observed) -> float:
    return seen.together.waiting_ns / seen.together.total_ns


def _free(seen: Observed) -> str:
    idle, lost = seen.together.idle_cores, seen.together.lost_share
    if idle < _NO_CORE and lost >= _MIN_LOST:
        return f"other work took {lost:.0%} of it"
    return "it is unknown how many cores were free" if idle < 0 else f"{idle:.1f} cores were free"
