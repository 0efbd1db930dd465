"""Records made by hand, and an engine that serves them: what a test knows beforehand, it can judge."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pytest_paddle_mt.baselines import WINDOW_RUNS, Baseline, Fact, Figures, Run, Series, Stored, anchor
from pytest_paddle_mt.checks import Evidence, OtherSide
from pytest_paddle_mt.engines import PROBE_WORK, Workload
from pytest_paddle_mt.engines.synthetic import SyntheticEngine
from pytest_paddle_mt.machine.versions import measured_versions
from pytest_paddle_mt.records import (
    Against,
    Cpu,
    Interval,
    LatencySummary,
    Limits,
    Measured,
    Noise,
    Point,
    Ratio,
    Round,
    Side,
    Subject,
    Sweep,
    ThreadWindow,
    Verdict,
    Visit,
    Warning,
    Window,
    WindowPlan,
)
from pytest_paddle_mt.statistics import latency
from pytest_paddle_mt.statistics.points import points_of

NS_PER_S = 1_000_000_000

SIDES: tuple[Side, Side] = ("this", "other")


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
    """
    query_ns = threads / qps * NS_PER_S
    wall_ns = round(queries * query_ns)

    def thread(share: float) -> ThreadWindow:
        own = max(2, round(queries * share))
        busy_ns = round(query_ns * (1 - outside))
        return ThreadWindow(
            queries=own,
            first_completion_ns=round(query_ns),
            last_completion_ns=round(own * query_ns),
            busy_ns=own * busy_ns,
            latencies=latency.exact(np.full(own, busy_ns)),
            wall_ns=wall_ns,
            cpu_ns=round(wall_ns * cpu_share),
            voluntary_switches=0,
            involuntary_switches=round(switches_per_s * wall_ns / NS_PER_S),
            run_delay_ns=None if delay_share is None else round(wall_ns * delay_share),
        )

    return Window(
        threads=threads,
        opened_ns=0,
        open_ns=wall_ns,
        per_thread=(thread(at_work), *(thread(1.0) for _ in range(threads - 1))),
        noise=Noise(
            steal_ns=None if stolen_cores is None else round(wall_ns * stolen_cores),
            process_cpu_ns=round(wall_ns * (cpu_share * threads + other_cores)),
            wall_ns=wall_ns,
        ),
    )


def round_of(qps: Mapping[int, float], index: int = 0, *, at: int | None = None, **disturbed: Any) -> Round:
    """A round (1, a, b, b, a, 1); its windows with ``at`` threads are built with ``disturbed``."""
    middle = [threads for threads in qps if threads > 1]
    order = [1, *middle, *reversed(middle), 1]
    windows = [window(threads, qps[threads], **(disturbed if threads == at else {})) for threads in order]
    return round_with(*windows, index=index)


def round_with(*windows: Window, index: int = 0, fork: int = 0) -> Round:
    """A round of one side with these windows."""
    return Round(index=index, visits=tuple(Visit(side="this", fork=fork, window=one) for one in windows))


def rounds_of(qps: Mapping[int, float], count: int = 8, *, ripple: float = 0.0, **disturbed: Any) -> tuple[Round, ...]:
    """``count`` rounds; throughput beyond one thread swings by ``ripple`` around ``qps`` from round to round."""
    return tuple(
        round_of(
            {threads: value * (1 + ripple * (-1) ** index) if threads > 1 else value for threads, value in qps.items()},
            index,
            **disturbed,
        )
        for index in range(count)
    )


def beside_control(
    rounds: Iterable[Round], qps: Mapping[int, float], *, at: int | None = None, **disturbed: Any
) -> tuple[Round, ...]:
    """``rounds``, each visit with a control of ``qps``; controls with ``at`` threads are built with ``disturbed``."""
    return _beside(rounds, "control", qps, at, disturbed)


def probed(
    rounds: Iterable[Round], qps: Mapping[int, float], *, at: int | None = None, **disturbed: Any
) -> tuple[Round, ...]:
    """``rounds``, each visit with a probe of ``qps``; probes with ``at`` threads are built with ``disturbed``."""
    return _beside(rounds, "probe", qps, at, disturbed)


def _beside(
    rounds: Iterable[Round], name: str, qps: Mapping[int, float], at: int | None, disturbed: Mapping[str, Any]
) -> tuple[Round, ...]:
    def with_it(own: Visit) -> Visit:
        threads = own.window.threads
        return dataclasses.replace(own, **{name: window(threads, qps[threads], **(disturbed if threads == at else {}))})

    return tuple(dataclasses.replace(one, visits=tuple(map(with_it, one.visits))) for one in rounds)


def paired_rounds(
    this: Mapping[int, float], other: Mapping[int, float], count: int = 8, *, ripple: float = 0.0, **disturbed: Any
) -> tuple[Round, ...]:
    """``count`` rounds of two sides; this side's throughput swings by ``ripple``, its windows are ``disturbed``."""
    rounds = []
    for index in range(count):
        visits: list[Visit] = []
        for threads in this:
            mine = window(threads, this[threads] * (1 + ripple * (-1) ** index), **disturbed)
            theirs = window(threads, other[threads])
            this_one, other_one = Visit(side="this", fork=1, window=mine), Visit(side="other", fork=2, window=theirs)
            visits += [this_one, other_one, other_one, this_one]
        rounds.append(Round(index=index, visits=tuple(visits)))
    return tuple(rounds)


def against(**changes: Any) -> Against:
    """Another side that is 1.5 times as fast with two threads and equal with one, unless said otherwise."""
    known: dict[str, Any] = {
        "names": ("this side", "the other"),
        "described": ("/new/bin/python in /repo", "/old/bin/python in /repo"),
        "subject": subject(identity={"paddlepaddle": "3.2.2"}),
        "differences": ("paddlepaddle 3.3.1 against 3.2.2",),
        "points": (point(1, 40, efficiency=1.0), point(2, 78)),
        "ratios": (ratio(1, 1.0), ratio(2, 0.667)),
    }
    return Against(**{**known, **changes})


def ratio(threads: int, qps: float, **changes: Any) -> Ratio:
    """A ratio with an interval of 2 % to each side, unless said otherwise."""
    known: dict[str, Any] = {
        "threads": threads,
        "qps": qps,
        "qps_interval": Interval(low=0.98 * qps, high=1.02 * qps),
        "p50": 1 / qps,
        "rounds": 8,
    }
    return Ratio(**{**known, **changes})


def evidence(
    rounds: Sequence[Round],
    *,
    min_efficiency: float = 0.85,
    max_collapse: float = 0.15,
    linear_until: int = 2,
    usable_cores: int = 2,
    math_threads: int = 1,
    confidence: float = 0.95,
    relative_to_control: bool = False,
    stored: Stored | None = None,
    max_drift: float = 0.10,
    max_p99_drift: float = 0.25,
    names: tuple[str, str] = ("this side", "the other"),
) -> Evidence:
    """Evidence as ``concurrent_runner`` gives it to the checks; of a comparison where the rounds have two sides."""
    counts = tuple(sorted({visit.window.threads for one in rounds for visit in one.visits}))
    cpu = Cpu(usable_cores=usable_cores, math_threads=math_threads)
    both = tuple(rounds)
    rounds, others = (tuple(one.of(side) for one in both) for side in SIDES)
    compared = any(one.visits for one in others)
    return Evidence(
        rounds=rounds,
        points=points_of(rounds, counts, cpu, confidence),
        thread_counts=counts,
        limits=limits(
            min_efficiency=min_efficiency,
            max_collapse=max_collapse,
            max_drift=max_drift,
            max_p99_drift=max_p99_drift,
        ),
        linear_until=linear_until,
        cpu=cpu,
        confidence=confidence,
        relative_to_control=relative_to_control,
        stored=stored,
        other=OtherSide(names=names, both=both, points=points_of(others, counts, cpu, confidence))
        if compared
        else None,
        versions=measured_versions(),
    )


def limits(
    *,
    min_efficiency: float = 0.85,
    max_collapse: float = 0.15,
    linear_until: int | None = None,
    max_drift: float = 0.10,
    max_p99_drift: float = 0.25,
) -> Limits:
    """Limits; those that are the default unless said otherwise."""
    return Limits(
        min_efficiency=min_efficiency,
        max_collapse=max_collapse,
        linear_until=linear_until,
        max_drift=max_drift,
        max_p99_drift=max_p99_drift,
    )


def subject(**changes: Any) -> Subject:
    """MobileNetV1 on the native engine, unless said otherwise."""
    known: dict[str, Any] = {
        "engine": "native",
        "device": "cpu",
        "batch_size": 1,
        "pool": "clone",
        "math_threads": 1,
        "gil": "released",
        "facts": {"paddle": "paddlepaddle 3.2.2"},
    }
    return Subject(**{**known, **changes})


def point(threads: int, qps: float, **changes: Any) -> Point:
    """A point with an interval around everything, unless said otherwise."""
    known: dict[str, Any] = {
        "threads": threads,
        "qps": qps,
        "qps_interval": Interval(low=0.97 * qps, high=1.03 * qps),
        "efficiency": 0.98,
        "efficiency_interval": Interval(low=0.95, high=1.01) if threads > 1 else None,
        "latency": latency_summary(threads / qps * NS_PER_S),
        "queries": 800,
        "fairness": 0.99,
        "rounds": 8,
        "set_aside_rounds": 0,
        "shared_core_rounds": 0,
        "lost_share": 0.0,
    }
    return Point(**{**known, **changes})


def latency_summary(mean_ns: float, **changes: Any) -> LatencySummary:
    """Latencies around ``mean_ns``, with every percentile unless said otherwise."""
    known: dict[str, Any] = {
        "mean_ns": mean_ns,
        "min_ns": 0.9 * mean_ns,
        "max_ns": 2.0 * mean_ns,
        "p50_ns": mean_ns,
        "p90_ns": 1.2 * mean_ns,
        "p99_ns": 1.6 * mean_ns,
    }
    return LatencySummary(**{**known, **changes})


def verdict(status: str = "pass", threads: int | None = 2, **changes: Any) -> Verdict:
    """A verdict of the linear check, unless said otherwise."""
    known: dict[str, Any] = {
        "check": "linear",
        "threads": threads,
        "status": status,
        "observed": 0.98,
        "limit": 0.85,
        "reason": f"scaling efficiency with {threads} threads is 0.98 (0.95 to 1.01)",
    }
    return Verdict(**{**known, **changes})


def sweep(**changes: Any) -> Sweep:
    """A sweep over one and two threads that passed, unless said otherwise."""
    known: dict[str, Any] = {
        "nodeid": "test_scaling.py::test_serving_scales",
        "subject": subject(),
        "thread_counts": (1, 2),
        "limits": limits(),
        "linear_until": 2,
        "linear_until_reason": "2 usable cores",
        "usable_cores": 2,
        "points": (point(1, 40, efficiency=1.0), point(2, 78)),
        "usl": None,
        "warnings": (),
        "verdicts": (verdict(),),
        "seed": 7,
        "gate": True,
        "smoke_reason": None,
        "elapsed_s": 12.3,
    }
    return Sweep(**{**known, **changes})


def measured(**changes: Any) -> Measured:
    """What was measured for ``sweep``, unless said otherwise."""
    known: dict[str, Any] = {
        "cpu": Cpu(usable_cores=2, math_threads=1),
        "rounds": rounds_of({1: 40, 2: 78}),
        "confirmation": (),
    }
    return Measured(**{**known, **changes})


def run_figures(threads: int, qps: float, **changes: Any) -> Figures:
    """What a run measured, latencies around ``threads / qps`` and one thread at 40 QPS, unless said otherwise."""
    mean_ns = threads / qps * NS_PER_S
    known: dict[str, Any] = {
        "threads": threads,
        "rounds": 12,
        "queries": 2400,
        "qps": qps,
        "efficiency": qps / (40.0 * threads) if threads > 1 else 1.0,
        "p5_ns": 0.95 * mean_ns,
        "p50_ns": mean_ns,
        "p90_ns": 1.2 * mean_ns,
        "p99_ns": 1.6 * mean_ns,
        "probe": None,
        "peak_rss_bytes": 300_000_000,
        "forks": (),
    }
    return Figures(**{**known, **changes})


def run_of(*points: Figures, **changes: Any) -> Run:
    """An accepted run."""
    known: dict[str, Any] = {
        "date": "2026-01-31T12:00:00Z",
        "commit": "0123456789abcdef0123456789abcdef01234567",
        "versions": measured_versions(),
    }
    return Run(points=points, **{**known, **changes})


#: A machine, and a setting, for a baseline.
MACHINE: dict[str, Fact] = {
    "cpu_model": "Fake CPU",
    "instruction_set": "avx2",
    "usable_cores": 2,
    "quota_cores": None,
    "smt": "off",
}
SETTING: dict[str, Fact] = {
    "device": "cpu",
    "batch_size": 1,
    "pool": "clone",
    "math_threads": 1,
    "onednn": "off",
    "idle_math_threads": "KMP_BLOCKTIME=0",
}


def series_of(*runs: Run, setting: Mapping[str, Fact] = SETTING) -> Series:
    """Accepted runs, and the anchor that they have."""
    return Series(setting=setting, anchor=anchor.of_runs(runs), runs=runs[-WINDOW_RUNS:])


def baseline(*qps: float, threads: int = 2, **changes: Any) -> Baseline:
    """A baseline of as many accepted runs, given the throughput of each with ``threads`` threads."""
    known: dict[str, Any] = {
        "test": "test_scaling.py::test_serving_scales",
        "engine": "native",
        "machine": MACHINE,
        "series": series_of(*(run_of(run_figures(threads, one)) for one in qps or (40.0,))),
        "before": None,
    }
    return Baseline(**{**known, **changes})


def stored(baseline: Baseline | None, *, objection: str | None = None, accepting: bool = False) -> Stored:
    """What was looked up for a test."""
    return Stored(baseline=baseline, path=Path("baselines/fake/test.json"), objection=objection, accepting=accepting)


def warning(text: str, kind: str = "preempted") -> Warning:
    """A doubt."""
    return Warning(kind=kind, text=text)


class FakeEngine:
    """An engine whose throughput is known beforehand: the windows are built, nothing is measured.

    Throughput beyond one thread swings from round to round, by half a percent unless said otherwise. Windows with
    ``at`` threads are built with ``disturbed``.
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
        #: Thread counts in the order in which they were asked for, since it was opened.
        self.asked: list[int] = []

    def open(self, workload: Workload) -> FakeEngine:
        """Start work."""
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


def give_every_thread_a_core() -> None:
    """Let the probe find a core for each thread, for as long as this process lives, whatever this machine does."""
    real = SyntheticEngine.open

    def open_probe(engine: SyntheticEngine, workload: Workload) -> Any:
        if workload.synthetic == PROBE_WORK:
            return FakeEngine({n: 500.0 * n for n in range(1, 65)}, name="probe", swing=0.0)
        return real(engine, workload)

    SyntheticEngine.open = open_probe  # type: ignore[method-assign,assignment]


def thread_counts(rounds: Iterable[Round]) -> list[int]:
    """Thread counts in the order in which they were measured."""
    return [visit.window.threads for one in rounds for visit in one.visits]
