"""The only module of the verdict benches that imports what the package does not publish.

They judge stored rounds by the code that ships, so they need parts of it that a user does not.
"""

from __future__ import annotations

import functools
import math
import time
from typing import TYPE_CHECKING, Any

import numpy as np

import pytest_paddle_mt
from pytest_paddle_mt.baselines import WINDOW_RUNS, Figures, ProbeFigures, Run, Series, rule, schema
from pytest_paddle_mt.checks import Evidence, confirmation
from pytest_paddle_mt.checks import against as against_check
from pytest_paddle_mt.checks.linear import LinearCheck
from pytest_paddle_mt.engines import SyntheticWork, Workload
from pytest_paddle_mt.engines.native import NativeEngine
from pytest_paddle_mt.engines.synthetic import SyntheticEngine
from pytest_paddle_mt.machine.cores import available_cores
from pytest_paddle_mt.machine.facts import cpu_model, machine_key
from pytest_paddle_mt.machine.math_threads import park_idle_math_threads
from pytest_paddle_mt.machine.versions import paddle_version
from pytest_paddle_mt.plugin.options import (
    DEFAULT_MAX_COLLAPSE,
    DEFAULT_MAX_DRIFT,
    DEFAULT_MAX_P99_DRIFT,
    DEFAULT_ROUNDS,
)
from pytest_paddle_mt.predictors.pool import PredictorPool
from pytest_paddle_mt.records import Cpu, Latencies, Limits, Noise, Round, ThreadWindow, Window, WindowPlan
from pytest_paddle_mt.statistics import drift, intervals, pairs, scaling, validity
from pytest_paddle_mt.sweeps import known_work, one_side, paired, two_sides
from pytest_paddle_mt.sweeps.rounds import Schedule, run_rounds
from pytest_paddle_mt.workers.in_process import InProcessWorker

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "DEFAULT_ROUNDS",
    "LIMITS",
    "WINDOW_RUNS",
    "Cpu",
    "Figures",
    "Latencies",
    "Noise",
    "ProbeFigures",
    "Round",
    "Run",
    "Series",
    "SyntheticWork",
    "ThreadWindow",
    "Window",
    "WindowPlan",
    "against_check",
    "available_cores",
    "compared",
    "confirmation",
    "cpu_model",
    "drift",
    "drifted",
    "intervals",
    "machine_key",
    "paddle_version",
    "pairs",
    "rule",
    "scaling",
    "schema",
    "validity",
]

#: The defaults, with ``min_efficiency`` as stated in docs/statistics.md.
LIMITS = Limits(
    min_efficiency=0.85,
    max_collapse=float(DEFAULT_MAX_COLLAPSE),
    linear_until=None,
    max_drift=float(DEFAULT_MAX_DRIFT),
    max_p99_drift=float(DEFAULT_MAX_P99_DRIFT),
)
SIDES = two_sides.SIDES


def compared(accepted: Sequence[Run], new: Run) -> tuple[rule.Comparison, ...]:
    """What the rule says of ``new``."""
    series = Series(setting={}, anchor=rule.anchor_of(accepted[: drift.FULL_RUNS]), runs=tuple(accepted))
    return rule.compare(series, new.points, LIMITS)


def drifted(accepted: Sequence[Run], new: Run) -> bool:
    """Whether ``new`` has drifted."""
    return any(one.drifted for one in compared(accepted, new))


def versions() -> str:
    """What was measured with."""
    return f"pytest-paddle-mt {pytest_paddle_mt.__version__}, paddlepaddle {paddle_version()}"


def confidence(looks: Sequence[int]) -> float:
    """The confidence of each interval of a sweep of one and two threads."""
    return scaling.confidence_after_looks(one_side.ALPHA, len(looks))


def linear_verdicts(rounds: Sequence[Round], threads: int, confidence: float, beside_control: bool) -> list[Any]:
    """What the linear check concludes from rounds of one thread and ``threads``."""
    evidence = Evidence(
        rounds=tuple(rounds),
        thread_counts=(1, threads),
        limits=LIMITS,
        linear_until=threads,
        cpu=Cpu(usable_cores=threads, math_threads=1),
        confidence=confidence,
        relative_to_control=beside_control,
    )
    return LinearCheck().judge(evidence)


def synthetic_worker(work: SyntheticWork, threads: int, seed: int = 0) -> Any:
    """A worker of this process that serves known work, ready for so many threads."""
    served = Workload(pool=None, inputs=(), query=None, synthetic=work, seed=seed)
    return _ready(SyntheticEngine().open(served), threads)


def model_worker(config: Any, inputs: dict[str, Any], threads: int) -> Any:
    """A worker of this process that serves a model on the native engine, ready for so many threads."""
    park_idle_math_threads()
    served = Workload(pool=PredictorPool(config), inputs=[inputs], query=None, synthetic=None, seed=0)
    return _ready(NativeEngine().open(served), threads)


def _ready(session: Any, threads: int) -> Any:
    worker = InProcessWorker(session)
    worker.prepare(threads)
    return worker


def rounds_with_control(worker: Any, threads: int, rounds: int, plan: WindowPlan) -> tuple[Round, ...]:
    """So many rounds of one thread and ``threads``, with the control workload after every window."""
    schedule = Schedule(thread_counts=(1, threads), window=plan, looks=(rounds,), budget_s=math.inf)
    control = known_work.known_work_worker(SyntheticEngine(), known_work.CONTROL_WORK, threads, 1)
    with control as controlled:
        return run_rounds(
            [worker],
            schedule,
            np.random.default_rng(1),
            decided=lambda _: False,
            clock=time.monotonic,
            progress=lambda _: None,
            control=functools.partial(controlled.measure, plan=known_work.CONTROL_WINDOW),
        )


class Comparison:
    """Two workers of this process, compared as ``concurrent_runner.compare`` compares them."""

    def __init__(
        self, thread_counts: tuple[int, ...], plan: WindowPlan, looks: tuple[int, ...], budget_s: float
    ) -> None:
        self._schedule = Schedule(thread_counts=thread_counts, window=plan, looks=looks, budget_s=budget_s)
        self._cpu = Cpu(usable_cores=available_cores().usable, math_threads=1)
        self.confidence = two_sides.confidence_of(self._schedule)

    def measure(self, this: Any, other: Any, max_drift: float, seed: int) -> Any:
        """Rounds until everything is decided, the last look is reached or the budget is used up."""
        return paired.run(
            [(this, other)],
            self._schedule,
            np.random.default_rng(seed),
            decided=lambda so_far: all(status != "inconclusive" for status in self.statuses(so_far, max_drift)),
            clock=time.monotonic,
            progress=lambda _: None,
        )

    def statuses(self, measured: Any, max_drift: float) -> list[str]:
        """What is concluded at each thread count."""
        verdicts = against_check.judge(
            measured,
            self._schedule.thread_counts,
            cpu=self._cpu,
            max_drift=max_drift,
            confidence=self.confidence,
            names=("this side", "the other"),
        )
        return [verdict.status for verdict in verdicts]

    def log_ratios(self, measured: Any, threads: int) -> list[float]:
        """ln of the throughput of this side over the other's in each round, as it is judged."""
        return pairs.ratio_series(measured, threads, lambda window: validity.qps(window, self._cpu)).tolist()

    def log_ratios_as_measured(self, measured: Any, threads: int) -> list[float]:
        """The same from throughput as measured, with the time that other work took left in."""
        return pairs.ratio_series(measured, threads).tolist()
