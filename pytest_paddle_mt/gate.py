"""``concurrent_runner``: measures a sweep for a test, has it judged and recorded, and fails the test on a ``fail``."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any, Callable

import numpy as np

from pytest_paddle_mt import diagnosis, environment, gil, runner, summary, validity
from pytest_paddle_mt.baselines import rule
from pytest_paddle_mt.checks import Evidence, comparisons, drift
from pytest_paddle_mt.engines import SyntheticWork, Workload
from pytest_paddle_mt.errors import PaddleMtError, UsageError
from pytest_paddle_mt.inputs import DefaultInputs, checked_inputs, default_inputs, input_sets
from pytest_paddle_mt.ledger import identity_of
from pytest_paddle_mt.predictors import PredictorPool
from pytest_paddle_mt.records import Subject, Sweep, Verdict, Warning, WindowPlan
from pytest_paddle_mt.reporters import Finished
from pytest_paddle_mt.reporters.terminal import table
from pytest_paddle_mt.results import SweepResult
from pytest_paddle_mt.session import GateFailure
from pytest_paddle_mt.statistics import scaling
from pytest_paddle_mt.units import NS_PER_S, counted
from pytest_paddle_mt.workers import SERVER
from pytest_paddle_mt.workers.fork import Crew
from pytest_paddle_mt.workers.in_process import InProcessWorker

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt
    import pytest

    from pytest_paddle_mt.baselines import Stored
    from pytest_paddle_mt.engines import Engine
    from pytest_paddle_mt.inputs import InputSet
    from pytest_paddle_mt.records import Round
    from pytest_paddle_mt.session import Session
    from pytest_paddle_mt.settings import Settings
    from pytest_paddle_mt.workers import Worker

    Query = Callable[[Any, Mapping[str, npt.NDArray[Any]]], object]

#: Chance that the intervals of one sweep, all looks and thread counts together, miss; half of it on each side.
ALPHA = 0.02

#: A smoke run: the shortest window that has a throughput, once.
_SMOKE_WINDOW = WindowPlan(window_s=0.0, min_queries=2, warmup_s=0.0, warmup_queries=1)


class ConcurrentRunner:
    """Runs one sweep for one test; what the ``concurrent_runner`` fixture is."""

    def __init__(
        self,
        *,
        session: Session,
        item: pytest.Item,
        settings: Settings,
        engine: Engine,
        inputs: Any,
        benchmark: Any,
        announce: Callable[[str], None],
        progress: Callable[[runner.Progress | None], None],
    ) -> None:
        self._session = session
        self._item = item
        self._settings = settings
        self._engine = engine
        self._inputs = inputs
        self._benchmark = benchmark
        self._announce = announce
        self._progress = progress
        self._called = False

    def __call__(
        self,
        served: PredictorPool | SyntheticWork | Sequence[Any],
        *,
        query: Query | None = None,
        gate: bool = True,
    ) -> SweepResult:
        """Sweep the thread counts, judge, record, and fail the test when a check fails.

        Args:
            served: a pool, a list of predictors (one per thread), or work for the ``synthetic`` engine.
            query: a server's own path, ``query(predictor, inputs)``, measured on the ``python`` engine.
            gate: False judges and records, and never touches the outcome of the test.

        Raises:
            GateFailure: a check failed.
            UsageError: the call cannot be carried out as written.
            QueryFailed: a query failed in one of the threads; nothing of that window is kept.
        """
        __tracebackhide__ = True
        try:
            return self._sweep(served, query, gate)
        except PaddleMtError as error:
            raise error.with_traceback(None)  # noqa: B904  # the test's own line is what its author can change

    def _sweep(
        self, served: PredictorPool | SyntheticWork | Sequence[Any], query: Query | None, gate: bool
    ) -> SweepResult:
        __tracebackhide__ = True
        self._refuse_misuse()
        engine = self._engine_for(served, query)
        pool = self._pool_of(served, engine)
        cpu, cores = self._cpu(pool)
        counts = self._thread_counts(cores.usable)
        if pool is not None and pool.size is not None and pool.size < counts[-1]:
            raise UsageError(
                f"{counts[-1]} threads need {counts[-1]} predictors and the pool has {pool.size}; give it more, or "
                f"measure fewer with --paddle-threads={pool.size}"
            )
        server = self._item.config.stash.get(SERVER, None)
        if server is not None:
            server.serve(lambda: self._opened(engine, pool, served, query, server.seed))
        smoke = self._session.smoke_reason()
        forks = self._session.forks(self._item)
        started_s = time.monotonic()
        seed = self._settings.seed if self._settings.seed is not None else self._session.drawn_seed
        looks = (1,) if smoke else scaling.looks(self._settings.rounds_min, self._settings.rounds_max)
        schedule = runner.Schedule(
            thread_counts=counts,
            window=_SMOKE_WINDOW if smoke else self._settings.window,
            looks=looks,
            budget_s=self._settings.budget_s,
        )
        confidence = scaling.confidence_after_looks(ALPHA, len(looks), comparisons(counts))
        self._announce(
            _announcement(
                self._item.nodeid, engine.name, schedule, smoke, self._settings.threads_note, self._settings.forks
            )
        )
        notes: list[str] = []
        opened = (
            self._in_forks(forks, counts[-1], cores.usable, seed, notes)
            if forks
            else self._in_process(*self._opened(engine, pool, served, query, seed), counts[-1])
        )
        with opened as (workers, subject):
            test = identity_of(self._item)
            stored = (
                None if smoke else self._session.ledger().look_up(self._item.nodeid, test, subject, counts, gate=gate)
            )
            until, until_reason = linear_until(self._settings, counts, cpu, subject.device, stored)

            def evidence_of(rounds: Sequence[Round]) -> Evidence:
                return Evidence(
                    rounds=tuple(rounds),
                    thread_counts=counts,
                    limits=self._settings.limits,
                    linear_until=until,
                    cpu=cpu,
                    confidence=confidence,
                    stored=stored,
                )

            def judge(rounds: Sequence[Round]) -> tuple[Verdict, ...]:
                evidence = evidence_of(rounds)
                return tuple(verdict for check in self._session.checks() for verdict in check.judge(evidence))

            rounds = self._measure(workers, schedule, seed, judge)
        verdicts, notes_on_drift = (
            ((), ()) if smoke else drift.settled(judge(rounds), evidence_of(rounds), subject.device)
        )
        verdicts = _explained(verdicts, subject, rounds, cpu)
        points = summary.points(rounds, counts, cpu, confidence)
        sweep = Sweep(
            nodeid=self._item.nodeid,
            subject=subject,
            thread_counts=counts,
            limits=self._settings.limits,
            linear_until=until,
            linear_until_reason=until_reason,
            usable_cores=cores.usable,
            rounds=rounds,
            points=points,
            usl=summary.universal_scalability(points),
            warnings=()
            if smoke
            else (
                *_warnings(subject, rounds, points, cpu, self._settings.threads_note),
                *notes_on_drift,
                *(Warning(kind="fork_ended_badly", text=note) for note in notes),
            ),
            verdicts=verdicts,
            seed=seed,
            gate=gate,
            smoke_reason=smoke,
            elapsed_s=time.monotonic() - started_s,
        )
        self._session.ledger().measured(sweep, test, stored, cpu, complete=len(rounds) >= schedule.looks[0])
        self._session.sweep_finished(Finished(sweep=sweep, item=self._item, benchmark=self._benchmark))
        if gate and sweep.status == "fail":
            raise GateFailure(failure_message(sweep))
        return SweepResult(sweep, cpu)

    def _refuse_misuse(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            raise UsageError(
                f"concurrent_runner was called from thread {threading.current_thread().name!r}; it starts threads of "
                "its own and must be called from the test itself"
            )
        if self._called:
            raise UsageError(
                "concurrent_runner was called twice in one test; one test is one sweep: write a second test, or "
                "parametrise this one"
            )
        self._called = True

    def _engine_for(self, served: object, query: object) -> Engine:
        engine = self._engine
        engines = self._session.engines()
        chosen = self._settings.sources.get("engine")
        if isinstance(served, SyntheticWork):
            return engines["synthetic"]
        if query is None:
            return engine
        if not callable(query):
            raise UsageError(f"query={query!r} cannot be called; give a function query(predictor, inputs)")
        if engine.takes_query:
            return engine
        if chosen is None:
            return engines["python"]
        raise UsageError(
            f"the {engine.name} engine cannot run a query of your own ({chosen}); measure it with "
            "--paddle-engine=python"
        )

    def _pool_of(self, served: object, engine: Engine) -> PredictorPool | None:
        if isinstance(served, SyntheticWork) or not engine.needs_pool:
            return None
        if isinstance(served, PredictorPool):
            if served.closed:
                raise UsageError("the predictor pool is closed; use it inside the test, or make one with a wider scope")
            return served
        if isinstance(served, (list, tuple)):
            return PredictorPool.of(served)
        raise UsageError(
            f"concurrent_runner serves a predictor pool or a list of predictors, got {type(served).__name__}; call "
            "concurrent_runner(predictor_pool)"
        )

    def _cpu(self, pool: PredictorPool | None) -> tuple[validity.Cpu, environment.Cores]:
        cores = environment.cores()
        math_threads = (pool.math_threads if pool is not None else None) or 1
        return validity.Cpu(usable_cores=cores.usable, math_threads=math_threads), cores

    def _thread_counts(self, usable_cores: int) -> tuple[int, ...]:
        if self._settings.thread_counts is not None:
            return self._settings.thread_counts
        counts = {1, usable_cores}
        power = 2
        while power < usable_cores:
            counts.add(power)
            power *= 2
        return tuple(sorted(counts))

    def _inputs_for(self, pool: PredictorPool, query: Query | None) -> list[InputSet]:
        """The input sets: what the model takes, or whatever the user's own query takes."""
        given = self._inputs
        if query is not None and not isinstance(given, DefaultInputs):
            return input_sets(given)
        if isinstance(given, DefaultInputs) and given.predictor is not pool[0]:
            return [
                default_inputs(
                    pool,
                    self._settings.batch_size,
                    batch_size_asked="batch_size" in self._settings.sources,
                )
            ]
        return checked_inputs(pool, given)

    def _subject(
        self, engine: Engine, pool: PredictorPool | None, inputs: Sequence[InputSet], query: Query | None
    ) -> Subject:
        __tracebackhide__ = True  # a query of the user's own may raise here
        if pool is None:
            return Subject(
                engine=engine.name, device="cpu", batch_size=None, pool=None, math_threads=None, gil=None, facts={}
            )
        first = next(iter(inputs[0].values()), None)
        facts = {
            "paddle": f"paddlepaddle {environment.paddle_version()}",
            "measured": "the wheel's own libpaddle",
            "math threads": "unknown" if pool.math_threads is None else str(pool.math_threads),
            "idle math threads": environment.idle_math_threads(),
        }
        if pool.config is not None:
            facts["oneDNN"] = "on" if pool.config.mkldnn_enabled() else "off"
        return Subject(
            engine=engine.name,
            device=pool.device or self._settings.device,
            batch_size=None if first is None else _batch_size(first),
            pool=pool.method,
            math_threads=pool.math_threads,
            gil=gil.probe(pool[0].run),
            facts=facts,
        )

    def _opened(
        self, engine: Engine, pool: PredictorPool | None, served: object, query: Query | None, seed: int
    ) -> tuple[InProcessWorker, Subject, float | None]:
        """A worker in this process, what it serves, and how long the first query took, in seconds, if there was one."""
        __tracebackhide__ = True
        inputs: Sequence[InputSet] = () if pool is None else self._inputs_for(pool, query)
        work = served if isinstance(served, SyntheticWork) else None
        query_s = None if work is None else work.spin_ns / NS_PER_S
        if pool is not None:
            began_s = time.monotonic()
            if query is None:
                pool.answer(0, inputs[0])
            else:
                query(pool[0], inputs[0])
            query_s = time.monotonic() - began_s
        subject = self._subject(engine, pool, inputs, query)
        workload = Workload(pool=pool, inputs=inputs, query=query, synthetic=work, seed=seed)
        return InProcessWorker(engine.open(workload)), subject, query_s

    @contextlib.contextmanager
    def _in_process(
        self, worker: Worker, subject: Subject, query_s: float | None, threads: int
    ) -> Iterator[tuple[Sequence[Worker], Subject]]:
        """A worker in this process, ready for ``threads`` threads."""
        try:
            worker.prepare(threads)
            yield [worker], subject
        finally:
            worker.close()

    @contextlib.contextmanager
    def _in_forks(
        self, forks: int, threads: int, side_by_side: int, seed: int, notes: list[str]
    ) -> Iterator[tuple[Sequence[Worker], Subject]]:
        """Workers in fresh processes, ready for ``threads`` threads; what goes wrong later is added to ``notes``."""
        crew = Crew(self._item, forks, seed)
        hurry = True
        try:
            try:
                crew.prepare(threads, side_by_side)
                yield crew.workers, crew.subject
                hurry = False
            except Exception:
                hurry = False  # an error is no reason to leave fixtures standing; Ctrl-C is
                raise
        finally:
            try:
                crew.close(hurry)
            finally:
                for fork, text in crew.outputs.items():
                    self._item.add_report_section("call", f"output of fork {fork}", text)
                notes += crew.notes

    def _measure(
        self,
        workers: Sequence[Worker],
        schedule: runner.Schedule,
        seed: int,
        judge: Callable[[Sequence[Round]], tuple[Verdict, ...]],
    ) -> tuple[Round, ...]:
        try:
            return runner.run(
                workers,
                schedule,
                np.random.default_rng(seed),
                decided=lambda rounds: all(verdict.status != "inconclusive" for verdict in judge(rounds)),
                clock=time.monotonic,
                progress=self._progress,
            )
        finally:
            self._progress(None)


def _batch_size(array: Any) -> int | None:
    """First dimension of an array; None for a scalar, or for what a user's own query takes instead of arrays."""
    shape = getattr(array, "shape", ())
    return int(shape[0]) if shape else None


def linear_until(
    settings: Settings, counts: tuple[int, ...], cpu: validity.Cpu, device: str, stored: Stored | None = None
) -> tuple[int, str]:
    """The largest thread count that the linear check judges, and why, for people."""
    if settings.limits.linear_until is not None:
        return settings.limits.linear_until, "as asked for"
    if device != "cpu" and stored is not None and stored.baseline is not None and stored.objection is None:
        reached = rule.linear_up_to(stored.baseline.series, counts, settings.limits.min_efficiency)
        return reached, "up to which the stored curve of this GPU is linear"
    if device != "cpu":
        return counts[-1], "the largest count asked for, since a GPU's threads do not compete for cores"
    each = f" over {cpu.math_threads} math threads a predictor" if cpu.math_threads > 1 else ""
    return max(1, cpu.usable_cores // cpu.math_threads), f"{environment.cores().text}{each}"


def _announcement(
    nodeid: str, engine: str, schedule: runner.Schedule, smoke: str | None, threads_note: str | None, forks: int
) -> str:
    counts = ", ".join(map(str, schedule.thread_counts))
    head = f"paddle-mt: {nodeid}: {engine} engine, threads {counts}"
    if threads_note is not None:
        head += f" ({threads_note})"
    if smoke is not None:
        where = f", in this process instead of {counted(forks, 'fork')}" if forks else ""
        return f"{head}: SMOKE RUN, one short round{where}, nothing judged or recorded ({smoke})"
    if forks:
        head += f", in {counted(forks, 'fork')}"
    shortest_s = runner.shortest_round_s(schedule)
    fewest, most = schedule.looks[0], schedule.looks[-1]
    rounds = f"{fewest} to {most} rounds" if fewest < most else counted(most, "round")
    if not schedule.window.window_s:  # a number of queries, and how long they take is not known yet
        return (
            f"{head}: {rounds}, {schedule.window.min_queries} queries a thread and window, at most "
            f"about {schedule.budget_s:.0f} s"
        )
    return (
        f"{head}: {rounds} of {shortest_s:.1f} s or more, about "
        f"{min(fewest * shortest_s, schedule.budget_s):.0f} to {min(most * shortest_s, schedule.budget_s):.0f} s"
    )


def _explained(
    verdicts: tuple[Verdict, ...], subject: Subject, rounds: Sequence[Round], cpu: validity.Cpu
) -> tuple[Verdict, ...]:
    """The verdicts, with the visible causes why it does not scale added to every failure, except drift."""
    explained = []
    for verdict in verdicts:
        causes = (
            diagnosis.causes(subject, rounds, verdict.threads, cpu)
            if verdict.status == "fail" and verdict.threads is not None and verdict.check != drift.NAME
            else []
        )
        if causes:
            reason = f"{verdict.reason}. Cause: {'; '.join(causes)}"
            verdict = Verdict(
                check=verdict.check,
                threads=verdict.threads,
                status=verdict.status,
                observed=verdict.observed,
                limit=verdict.limit,
                reason=reason,
            )
        explained.append(verdict)
    return tuple(explained)


def _warnings(
    subject: Subject,
    rounds: Sequence[Round],
    points: Sequence[Any],
    cpu: validity.Cpu,
    threads_note: str | None,
) -> tuple[Warning, ...]:
    found = []
    if threads_note is not None:
        found.append(Warning(kind="threads_added", text=threads_note))
    if subject.gil == "held":
        paddle = subject.facts.get("paddle", "this Paddle")
        found.append(
            Warning(
                kind="gil_held",
                text=f"Predictor.run() of {paddle} holds the GIL: Python threads will not scale, whatever the native "
                "engine shows; 3.2.2 releases it",
            )
        )
    if subject.gil == "unknown":
        found.append(
            Warning(kind="gil_unknown", text="the GIL probe could not tell whether Predictor.run() holds the GIL")
        )
    for point in points:
        running = counted(point.threads, "thread")
        if point.preempted_rounds:
            found.append(
                Warning(
                    kind="preempted",
                    text=f"{running}: other work took the cores away in {point.preempted_rounds} of "
                    f"{point.rounds} rounds, which were set aside; use a quieter machine for a quicker verdict",
                )
            )
        objection = validity.objection(rounds, point.threads)
        if objection is not None:
            found.append(Warning(kind="not_the_predictor", text=objection))
        if summary.pooled_latencies(rounds, point.threads).thinned:
            found.append(
                Warning(
                    kind="thinned",
                    text=f"{running}: too many queries to keep each timestamp; percentiles are from bins "
                    "and right to 1 %; a shorter --paddle-window keeps them all",
                )
            )
    return tuple(found)


def failure_message(sweep: Sweep) -> str:
    """What a failed test prints: the verdicts that failed, and the small table."""
    failed = [verdict for verdict in sweep.verdicts if verdict.status == "fail"]
    lines = [f"{verdict.check}: {verdict.reason}" for verdict in failed]
    lines += ["", *table(sweep)]
    lines.append(f"seed {sweep.seed} (--paddle-seed={sweep.seed} repeats the order of the windows)")
    return "\n".join(lines)
