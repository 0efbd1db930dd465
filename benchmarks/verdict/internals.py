"""The only module of the verdict benches that imports what the package does not publish.

They judge stored rounds by the code that ships, so they need parts of it that a user does not.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import os
import time
from typing import TYPE_CHECKING, Any

import numpy as np

import pytest_paddle_mt
from pytest_paddle_mt.baselines import WINDOW_RUNS, Figures, ProbeFigures, Run, Series, anchor, rule, schema
from pytest_paddle_mt.checks import Evidence, OtherSide, confirmation
from pytest_paddle_mt.checks import against as against_check
from pytest_paddle_mt.checks import causes as causes_check
from pytest_paddle_mt.checks.linear import LinearCheck
from pytest_paddle_mt.engines import SyntheticWork, Workload
from pytest_paddle_mt.engines.native import NativeEngine
from pytest_paddle_mt.engines.python import PythonEngine
from pytest_paddle_mt.engines.synthetic import SyntheticEngine
from pytest_paddle_mt.machine import placement
from pytest_paddle_mt.machine.cores import available_cores
from pytest_paddle_mt.machine.facts import cpu_model, machine_key
from pytest_paddle_mt.machine.math_threads import park_idle_math_threads
from pytest_paddle_mt.machine.versions import paddle_version
from pytest_paddle_mt.plugin import parsers
from pytest_paddle_mt.plugin.options import BY_KEY, EXPECTED_QUERIES, WARMUP_QUERIES
from pytest_paddle_mt.predictors import gil
from pytest_paddle_mt.predictors.pool import PredictorPool
from pytest_paddle_mt.records import (
    Cpu,
    Latencies,
    Limits,
    Noise,
    Round,
    Subject,
    ThreadWindow,
    Visit,
    Window,
    WindowPlan,
)
from pytest_paddle_mt.statistics import drift, intervals, pairs, scaling, selection, unknown_loss, validity
from pytest_paddle_mt.statistics import looks as stop_rule
from pytest_paddle_mt.statistics.points import points_of
from pytest_paddle_mt.sweeps import diagnosis, known_work
from pytest_paddle_mt.sweeps.rounds import Schedule, one_side, run_rounds, two_sides
from pytest_paddle_mt.workers.in_process import InProcessWorker

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "DEFAULT_ROUNDS",
    "LIMITS",
    "WINDOW",
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
    "Visit",
    "Window",
    "WindowPlan",
    "against_check",
    "anchor",
    "available_cores",
    "compared",
    "confirmation",
    "cpu_model",
    "drift",
    "drifted",
    "efficiency_as_judged",
    "efficiency_as_measured",
    "first_stage",
    "intervals",
    "likely_cause",
    "machine_key",
    "one_round",
    "paddle_version",
    "pairs",
    "placed_rounds",
    "points_of",
    "probing",
    "rule",
    "scaling",
    "schema",
    "selection",
    "stop_rule",
    "unknown_loss",
    "validity",
]

#: The defaults, with ``min_efficiency`` as stated in docs/statistics.md.
LIMITS = Limits(
    min_efficiency=0.85,
    max_collapse=parsers.max_collapse(BY_KEY["max_collapse"].default),
    linear_until=None,
    max_drift=parsers.drift(BY_KEY["max_drift"].default),
    max_p99_drift=parsers.drift(BY_KEY["max_p99_drift"].default),
)
#: Fewest and most rounds of a sweep.
DEFAULT_ROUNDS = parsers.rounds(BY_KEY["rounds"].default)
SIDES = ("this", "other")
#: The window of a sweep by default.
WINDOW = WindowPlan(
    window_s=parsers.window(BY_KEY["window"].default)[0],
    min_queries=0,
    warmup_s=parsers.warmup(BY_KEY["warmup"].default),
    warmup_queries=WARMUP_QUERIES,
    expected_queries=EXPECTED_QUERIES,
)


def probing(threads: int) -> Any:
    """The probe for up to so many threads: a context manager, as a sweep has it."""
    return known_work.probing(SyntheticEngine(), threads, 1)


def compared(accepted: Sequence[Run], new: Run) -> tuple[rule.Comparison, ...]:
    """What the rule says of ``new``."""
    series = Series(setting={}, anchor=anchor.of_runs(accepted), runs=tuple(accepted))
    return rule.compare(series, new.points, LIMITS)


def drifted(accepted: Sequence[Run], new: Run) -> bool:
    """Whether ``new`` has drifted."""
    return any(one.drifted for one in compared(accepted, new))


def versions() -> str:
    """What was measured with."""
    return f"pytest-paddle-mt {pytest_paddle_mt.__version__}, paddlepaddle {paddle_version()}"


def confidence(looks: Sequence[int]) -> float:
    """The confidence of each interval of a sweep of one and two threads, where the budget allows all looks."""
    return stop_rule.confidence(1 / len(looks))


#: Replays judge every stored window hundreds of times; what was taken from one is worked out once.
validity.lost_share = functools.cache(validity.lost_share)
validity.set_aside = functools.cache(validity.set_aside)


@functools.cache
def _cpu(threads: int) -> Cpu:
    """A machine with a core for each of so many threads: one object, which the caches above know again."""
    return Cpu(usable_cores=threads, math_threads=1)


def linear_verdicts(
    rounds: Sequence[Round],
    threads: int,
    confidence: float,
    beside_control: bool,
    limit: float = LIMITS.min_efficiency,
) -> list[Any]:
    """What the linear check concludes from rounds of one thread and ``threads``."""
    cpu = _cpu(threads)
    evidence = Evidence(
        rounds=tuple(rounds),
        points=(),  # the check reads the rounds
        thread_counts=(1, threads),
        limits=dataclasses.replace(LIMITS, min_efficiency=limit),
        linear_until=threads,
        cpu=cpu,
        confidences={1: confidence, threads: confidence},
        relative_to_control=beside_control,
    )
    return LinearCheck().judge(evidence)


def efficiency_as_judged(rounds: Sequence[Round], threads: int, cpu: Cpu) -> Any:
    """ln E of the usable rounds, with the time that other work took taken out."""
    usable = selection.usable(rounds, threads, cpu)
    return scaling.efficiency_series(usable, threads, lambda visit: validity.qps(visit.window, cpu))


def efficiency_as_measured(rounds: Sequence[Round], threads: int) -> Any:
    """ln E of all rounds, with the time that other work took left in."""
    return scaling.efficiency_series(rounds, threads)


def synthetic_worker(work: SyntheticWork, threads: int, seed: int = 0) -> Any:
    """A worker of this process that serves known work, ready for so many threads."""
    served = Workload(pool=None, inputs=(), query=None, synthetic=work, seed=seed)
    return _ready(SyntheticEngine().open(served), threads)


def model_worker(config: Any, inputs: dict[str, Any], threads: int, engine: str = "native") -> Any:
    """A worker of this process that serves a model, ready for so many threads."""
    park_idle_math_threads()
    served = Workload(pool=PredictorPool(config), inputs=[inputs], query=None, synthetic=None, seed=0)
    return _ready({"native": NativeEngine, "python": PythonEngine}[engine]().open(served), threads)


def gil_state(config: Any, inputs: dict[str, Any]) -> str:
    """Whether ``Predictor.run()`` of this Paddle holds the GIL, as a sweep probes it."""
    pool = PredictorPool(config)
    pool.answer(0, inputs)
    return gil.probe(pool[0].run)


def _ready(session: Any, threads: int) -> Any:
    worker = InProcessWorker(session)
    worker.prepare(threads)
    return worker


def placed_rounds(worker: Any, probe: Any, threads: int, rounds: int, plan: WindowPlan, pinned: bool) -> Any:
    """So many rounds of one thread and ``threads``, with the probe after every window, as a sweep measures them.

    ``pinned``: the threads stay on cores of their own, in turn; else the scheduler places them.
    """
    counts = (1, threads)
    cpus, cores = placement.in_order_of_use(os.sched_getaffinity(0)) if pinned else ((), 0)
    turns = placement.Turns(cpus, cores, counts)

    def visit(worker: Any, stop: Any) -> Visit:
        placed = dataclasses.replace(plan, cpus=turns.next(stop.threads))
        return known_work.visit(worker, stop, placed, probe)

    return _rounds(worker, counts, rounds, plan, visit, None)


def _rounds(worker: Any, counts: tuple[int, ...], rounds: int, plan: WindowPlan, visit: Any, seed: int | None) -> Any:
    """So many rounds of these thread counts, each of whose windows ``visit`` measures."""
    found, _ = run_rounds(
        [{"this": worker}],
        Schedule(thread_counts=counts, window=plan, order=one_side, looks=(rounds,), budget_s=math.inf),
        np.random.default_rng(seed),
        measure=visit,
        judge=lambda rounds, _: len(rounds),
        undecided=lambda _: counts,
        clock=time.monotonic,
        progress=lambda _: None,
    )
    return found


def first_stage(worker: Any, probe: Any, threads: int) -> tuple[Any, str]:
    """The rounds of one thread and ``threads`` that a sweep by default measures before it confirms, and its status."""
    for cached in (validity.lost_share, validity.set_aside):
        cached.cache_clear()  # the windows of the sweep before
    counts = (1, threads)
    schedule = Schedule(
        thread_counts=counts,
        window=WINDOW,
        order=one_side,
        looks=stop_rule.looks(*DEFAULT_ROUNDS),
        budget_s=parsers.budget(BY_KEY["budget"].default),
    )

    def judge(rounds: Any, share: float) -> str:
        verdicts = linear_verdicts(rounds, threads, stop_rule.confidence(share), beside_control=False)
        return str(verdicts[0].status)

    return run_rounds(
        [{"this": worker}],
        schedule,
        np.random.default_rng(),
        measure=lambda worker, stop: known_work.visit(worker, stop, WINDOW, probe),
        judge=judge,
        undecided=lambda status: counts if status == "inconclusive" else (),
        clock=time.monotonic,
        progress=lambda _: None,
    )


def one_round(worker: Any, probe: Any, threads: int, plan: WindowPlan) -> Round:
    """One round of one thread and ``threads``, with the probe after every window."""
    stops = one_side((1, threads), np.random.default_rng())
    return Round(index=0, visits=tuple(known_work.visit(worker, stop, plan, probe) for stop in stops))


def rounds_with_control(
    worker: Any, threads: int, rounds: int, plan: WindowPlan, probe: Any = None
) -> tuple[Round, ...]:
    """So many rounds of one thread and ``threads``, with the control workload after every window, and the probe."""
    with known_work.controlling(SyntheticEngine(), threads, 1) as control:

        def visit(worker: Any, stop: Any) -> Visit:
            return known_work.visit(worker, stop, plan, probe, control)

        return tuple(_rounds(worker, (1, threads), rounds, plan, visit, 1))


def recorded_cause(rounds: Sequence[Round]) -> Any:
    """The likely cause why two threads of recorded rounds do not scale; None where they do."""
    recorded = Subject(engine="native", device="cpu", batch_size=1, pool=None, math_threads=1, gil=None)
    seen = causes_check.observed(recorded, rounds, 2, Cpu(usable_cores=2, math_threads=1))
    return None if seen is None else causes_check.likely(seen)


def likely_cause(worker: Any, facts: dict[str, Any], math_threads: int, plan: WindowPlan, rounds: int) -> Any:
    """The likely cause why one and two threads of a worker do not scale, as a sweep of so many rounds finds it.

    None where the sweep scales.
    """
    cpu = Cpu(usable_cores=available_cores().usable, math_threads=math_threads)
    with known_work.probing(SyntheticEngine(), 2, 1) as probe:

        def visit(worker: Any, stop: Any) -> Visit:
            return known_work.visit(worker, stop, plan, probe)

        found = _rounds(worker, (1, 2), rounds, plan, visit, 1)
    level = dict.fromkeys((1, 2), confidence((rounds,)))
    evidence = Evidence(
        rounds=tuple(found),
        points=points_of(found, (1, 2), cpu, level),
        thread_counts=(1, 2),
        limits=LIMITS,
        linear_until=cpu.at_once,
        cpu=cpu,
        confidences=level,
    )
    subject = Subject(
        **{"engine": "synthetic", "device": "cpu", "batch_size": 1, "pool": None, "gil": None, **facts},
        math_threads=math_threads,
    )
    return diagnosis.likely_cause(LinearCheck().judge(evidence), evidence, subject, worker, plan, SyntheticEngine(), 1)


class Comparison:
    """Two workers of this process, compared as ``concurrent_runner.compare`` compares them."""

    def __init__(
        self, thread_counts: tuple[int, ...], plan: WindowPlan, looks: tuple[int, ...], budget_s: float
    ) -> None:
        self._schedule = Schedule(
            thread_counts=thread_counts, window=plan, order=two_sides, looks=looks, budget_s=budget_s
        )
        self._cpu = Cpu(usable_cores=available_cores().usable, math_threads=1)

    def measure(self, this: Any, other: Any, max_drift: float, seed: int) -> tuple[Any, list[str]]:
        """Rounds until everything is decided, the last look is reached or the budget is used up; and what it is."""
        return run_rounds(
            [{"this": this, "other": other}],
            self._schedule,
            np.random.default_rng(seed),
            measure=lambda worker, stop: known_work.visit(worker, stop, self._schedule.window),
            judge=lambda so_far, share: self._statuses(so_far, max_drift, share),
            undecided=lambda statuses: self._schedule.thread_counts if "inconclusive" in statuses else (),
            clock=time.monotonic,
            progress=lambda _: None,
        )

    def _statuses(self, measured: Any, max_drift: float, share: float) -> list[str]:
        """What is concluded at each thread count by a look with this share of alpha."""
        counts = self._schedule.thread_counts
        confidences = dict.fromkeys(counts, stop_rule.confidence(share, len(counts)))
        this, other = (tuple(one.of(side) for one in measured) for side in SIDES)
        evidence = Evidence(
            rounds=this,
            points=points_of(this, counts, self._cpu, confidences),
            thread_counts=counts,
            limits=dataclasses.replace(LIMITS, max_drift=max_drift),
            linear_until=1,
            cpu=self._cpu,
            confidences=confidences,
            other=OtherSide(
                names=("this side", "the other"),
                both=tuple(measured),
                points=points_of(other, counts, self._cpu, confidences),
            ),
        )
        return [verdict.status for verdict in against_check.AgainstCheck().judge(evidence)]

    def log_ratios(self, measured: Any, threads: int) -> list[float]:
        """ln of the throughput of this side over the other's in each round, as it is judged."""
        return pairs.ratio_series(measured, threads, lambda visit: validity.qps(visit.window, self._cpu)).tolist()

    def log_ratios_as_measured(self, measured: Any, threads: int) -> list[float]:
        """The same from throughput as measured, with the time that other work took left in."""
        return pairs.ratio_series(measured, threads).tolist()
