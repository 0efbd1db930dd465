"""``concurrent_runner``: measures a sweep for a test, has it judged and recorded, and fails the test on a ``fail``."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Callable

import numpy as np

from pytest_paddle_mt import comparison, control, environment, gil, identity, messages, runner, summary, validity
from pytest_paddle_mt import confirmation as confirming
from pytest_paddle_mt.baselines import rule
from pytest_paddle_mt.checks import Evidence, comparisons, drift
from pytest_paddle_mt.comparison import SIDES
from pytest_paddle_mt.engines import SyntheticWork, Workload
from pytest_paddle_mt.errors import PaddleMtError, UsageError
from pytest_paddle_mt.inputs import DefaultInputs, InputsOnDemand, checked_inputs, default_inputs, input_sets
from pytest_paddle_mt.ledger import identity_of
from pytest_paddle_mt.predictors import PredictorPool, model_name
from pytest_paddle_mt.records import Confirmation, Subject, Sweep, Verdict, Warning, WindowPlan
from pytest_paddle_mt.reporters import Finished
from pytest_paddle_mt.results import ComparisonResult, SweepResult
from pytest_paddle_mt.session import GateFailure
from pytest_paddle_mt.statistics import scaling
from pytest_paddle_mt.units import NS_PER_S
from pytest_paddle_mt.workers import SERVER, elsewhere
from pytest_paddle_mt.workers.fork import Crew
from pytest_paddle_mt.workers.in_process import InProcessWorker

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt
    import pytest

    from pytest_paddle_mt.baselines import Stored
    from pytest_paddle_mt.engines import Engine
    from pytest_paddle_mt.inputs import InputSet
    from pytest_paddle_mt.records import Decided, Round, Side, Window
    from pytest_paddle_mt.session import Session
    from pytest_paddle_mt.settings import Settings
    from pytest_paddle_mt.workers import Worker
    from pytest_paddle_mt.workers.launch import Place

    Judge = Callable[[Sequence[Round], bool], tuple[Verdict, ...]]
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

    def compare(
        self,
        a: PredictorPool | SyntheticWork | Sequence[Any],
        b: PredictorPool | SyntheticWork | Sequence[Any],
        *,
        query: Query | None = None,
        gate: bool = True,
    ) -> ComparisonResult:
        """Measure two configurations or two models in turn, and fail the test when ``b`` is slower than ``a``.

        Slower means: a query takes more than 1 + ``--paddle-max-drift`` times as long, at some thread count.

        Args:
            a: what is compared with: a pool, a list of predictors, or known work for the ``synthetic`` engine.
            b: what is judged, of the same kind.
            query: a server's own path, ``query(predictor, inputs)``, the same for both.
            gate: False judges and records, and never touches the outcome of the test.

        Raises:
            GateFailure: ``b`` is slower.
            UsageError: the call cannot be carried out as written.
            QueryFailed: a query failed in one of the threads.
        """
        __tracebackhide__ = True
        try:
            return self._compare(a, b, query, gate)
        except PaddleMtError as error:
            raise error.with_traceback(None)  # noqa: B904  # as above

    def _sweep(
        self, served: PredictorPool | SyntheticWork | Sequence[Any], query: Query | None, gate: bool
    ) -> SweepResult:
        __tracebackhide__ = True
        self._refuse_misuse()
        engine = self._engine_for(served, query)
        pool = self._pool_of(served, engine)
        cpu, cores = self._cpu(pool)
        counts = self._thread_counts(cores.usable)
        self._refuse_too_few(pool, counts)
        server = self._item.config.stash.get(SERVER, None)
        if server is not None:
            server.serve(lambda: self._opened(engine, pool, served, query, server.seed, server.describe))
        smoke = self._session.smoke_reason()
        forks = self._session.forks(self._item)
        started_s = time.monotonic()
        seed = self._settings.seed if self._settings.seed is not None else self._session.drawn_seed
        place = None if smoke else self._session.against()
        if place is not None:
            return self._against(place, engine, counts, cores, seed, started_s, gate)
        looks = (1,) if smoke else scaling.looks(self._settings.rounds_min, self._settings.rounds_max)
        schedule = runner.Schedule(
            thread_counts=counts,
            window=_SMOKE_WINDOW if smoke else self._settings.window,
            looks=looks,
            budget_s=self._settings.budget_s,
        )
        confidence = scaling.confidence_after_looks(ALPHA, len(looks), comparisons(counts))
        self._announce(
            messages.announcement(
                self._item.nodeid, engine.name, schedule, smoke, self._settings.threads_note, self._settings.forks
            )
        )
        notes: list[str] = []
        opened = (
            self._in_forks(forks, counts[-1], cores.usable, seed, notes)
            if forks
            else self._in_process(*self._opened(engine, pool, served, query, seed), counts[-1])
        )
        synthetic = self._session.engines()["synthetic"]
        with opened as (workers, subject), control.opened(synthetic, control.PROBE_WORK, counts[-1], seed) as filling:
            probe = (
                None
                if smoke or subject.device != "cpu"
                else lambda threads: filling.measure(threads, control.PROBE_WINDOW)
            )
            test = identity_of(self._item)
            stored = (
                None if smoke else self._session.ledger().look_up(self._item.nodeid, test, subject, counts, gate=gate)
            )
            until, until_reason = linear_until(self._settings, counts, cpu, subject.device, stored)

            def evidence_of(rounds: Sequence[Round], beside_control: bool) -> Evidence:
                return Evidence(
                    rounds=tuple(rounds),
                    thread_counts=counts,
                    limits=self._settings.limits,
                    linear_until=until,
                    cpu=cpu,
                    confidence=confidence,
                    relative_to_control=beside_control,
                    stored=stored,
                )

            def judge(rounds: Sequence[Round], beside_control: bool) -> tuple[Verdict, ...]:
                evidence = evidence_of(rounds, beside_control)
                return tuple(verdict for check in self._session.checks() for verdict in check.judge(evidence))

            rounds = self._measure(
                workers,
                schedule,
                np.random.default_rng(seed),
                lambda so_far: all(verdict.status != "inconclusive" for verdict in judge(so_far, False)),
                probe,
            )
            verdicts, notes_on_drift = (
                ((), ()) if smoke else drift.settled(judge(rounds, False), evidence_of(rounds, False), subject.device)
            )
            confirmation = None
            if confirming.needed(verdicts):
                confirmation, verdicts = self._confirm(
                    verdicts, workers, probe, schedule, seed, cores.usable, judge, notes
                )
        verdicts = messages.explained(verdicts, subject, rounds, cpu)
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
            confirmation=confirmation,
            points=points,
            usl=summary.universal_scalability(points),
            warnings=()
            if smoke
            else (
                *messages.warnings(subject, rounds, points, cpu, self._settings.threads_note),
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
            raise GateFailure(messages.failure(sweep))
        return SweepResult(sweep, cpu)

    def _against(
        self,
        place: Place,
        engine: Engine,
        counts: tuple[int, ...],
        cores: environment.Cores,
        seed: int,
        started_s: float,
        gate: bool,
    ) -> SweepResult:
        """Measure this interpreter and another in turn."""
        __tracebackhide__ = True
        here = self._item.config.rootpath
        other = elsewhere.ask(place, here)
        if engine.needs_pool and not other.has_paddle:
            raise UsageError(
                f"{place.python} (Python {other.python}) has no Paddle, which this test serves; install it there: "
                f"{place.python} -m pip install paddlepaddle"
            )
        itself = elsewhere.is_here(place, here)
        notes = ["the other side is this interpreter and this rootdir (A/A): no side is slower"] if itself else []
        terms = self._terms(
            ("this side", "the other"),
            (f"{sys.executable} in {here}", f"{place.python} in {place.rootdir}"),
            tuple(notes),
            counts,
            cores,
            seed,
            started_s,
            gate,
            engine,
        )
        forks = self._session.forks(self._item)
        late: list[str] = []
        absence = elsewhere.absence(self._item, place)
        opened = (
            comparison.in_forks(self._item, forks, seed, (None, place), counts[-1], cores.usable, late)
            if absence is None
            else comparison.absent(absence)
        )
        return self._compared(opened, terms, engine, forks, late)

    def _compare(
        self,
        a: PredictorPool | SyntheticWork | Sequence[Any],
        b: PredictorPool | SyntheticWork | Sequence[Any],
        query: Query | None,
        gate: bool,
    ) -> ComparisonResult:
        __tracebackhide__ = True
        self._refuse_misuse()
        served = {"this": b, "other": a}
        engines = {side: self._engine_for(one, query) for side, one in served.items()}
        engine = engines["this"]
        if engine is not engines["other"]:
            raise UsageError(
                "compare was given predictors and synthetic work, which cannot be compared; give it two of a kind"
            )
        pools = {side: self._pool_of(one, engine) for side, one in served.items()}
        cores = environment.cores()
        counts = self._thread_counts(cores.usable)
        for pool in pools.values():
            self._refuse_too_few(pool, counts)

        def opened(side: Side, seed: int, describe: bool) -> tuple[InProcessWorker, Subject, float | None]:
            return self._opened(engine, pools[side], served[side], query, seed, describe)

        server = self._item.config.stash.get(SERVER, None)
        if server is not None:
            server.serve(lambda: opened(server.side, server.seed, server.describe))
        started_s = time.monotonic()
        seed = self._settings.seed if self._settings.seed is not None else self._session.drawn_seed
        here = None if self._session.smoke_reason() else self._session.against()
        notes = ["compare measures both in this interpreter; --paddle-against has no part in it"] if here else []
        described = (_described(b, pools["this"]), _described(a, pools["other"]))
        terms = self._terms(("b", "a"), described, tuple(notes), counts, cores, seed, started_s, gate, engine)
        forks = 0 if terms.smoke_reason else self._settings.forks
        late: list[str] = []
        if forks:
            both = comparison.in_forks(self._item, forks, seed, (None, None), counts[-1], cores.usable, late)
        else:
            this, other = (opened(side, seed, True)[:2] for side in SIDES)
            both = comparison.in_process(this, other, counts[-1])
        return self._compared(both, terms, engine, forks, late)

    def _terms(
        self,
        names: tuple[str, str],
        described: tuple[str, str],
        notes: tuple[str, ...],
        counts: tuple[int, ...],
        cores: environment.Cores,
        seed: int,
        started_s: float,
        gate: bool,
        engine: Engine,
    ) -> comparison.Terms:
        settings, smoke = self._settings, self._session.smoke_reason()
        # Both sides are measured, so it may take twice as long, where nobody said how long.
        longer = 1 if "budget" in settings.sources else len(SIDES)
        return comparison.Terms(
            nodeid=self._item.nodeid,
            names=names,
            described=described,
            notes=notes if settings.threads_note is None else (*notes, settings.threads_note),
            schedule=runner.Schedule(
                thread_counts=counts,
                window=_SMOKE_WINDOW if smoke else settings.window,
                looks=(1,) if smoke else scaling.looks(settings.rounds_min, settings.rounds_max),
                budget_s=settings.budget_s * longer,
            ),
            limits=settings.limits,
            usable_cores=cores.usable,
            seed=seed,
            gate=gate,
            smoke_reason=smoke,
            stated=Subject(
                engine=engine.name, device=settings.device, batch_size=None, pool=None, math_threads=None, gil=None
            ),
            started_s=started_s,
        )

    def _compared(
        self,
        opened: contextlib.AbstractContextManager[comparison.Opened],
        terms: comparison.Terms,
        engine: Engine,
        forks: int,
        late: list[str],
    ) -> ComparisonResult:
        """Measure, record and judge; ``late`` fills with what goes wrong after the last window."""
        __tracebackhide__ = True
        self._announce(comparison.announcement(terms, engine.name, forks))
        sweep, shown = comparison.sweep(opened, terms, self._progress)
        ended_badly = tuple(Warning(kind="fork_ended_badly", text=note) for note in late)
        sweep = dataclasses.replace(sweep, warnings=(*sweep.warnings, *ended_badly))
        self._session.sweep_finished(Finished(sweep=sweep, item=self._item, benchmark=self._benchmark))
        if terms.gate and sweep.status == "fail":
            raise GateFailure(messages.failure(sweep))
        return ComparisonResult(sweep, shown, lambda: self._session.settle(self._item))

    def _refuse_too_few(self, pool: PredictorPool | None, counts: tuple[int, ...]) -> None:
        if pool is not None and pool.size is not None and pool.size < counts[-1]:
            raise UsageError(
                f"{counts[-1]} threads need {counts[-1]} predictors and the pool has {pool.size}; give it more, or "
                f"measure fewer with --paddle-threads={pool.size}"
            )

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
        if isinstance(given, InputsOnDemand):  # made for the pool that the fixture knows of
            given = DefaultInputs({}, None)
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
        self,
        engine: Engine,
        pool: PredictorPool | None,
        served: object,
        query: Query | None,
        seed: int,
        describe: bool = False,
    ) -> tuple[InProcessWorker, Subject, float | None]:
        """A worker in this process, what it serves, and how long the first query took, in seconds, if there was one.

        ``describe`` adds what exactly it serves, which takes reading the model's files.
        """
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
        if describe:
            subject = dataclasses.replace(subject, identity=identity.describe(subject, pool, inputs, query or work))
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
        hurry, told = True, False
        try:
            try:
                crew.prepare(threads, side_by_side)
                yield crew.workers, crew.subject
                hurry = False
            except Exception:
                hurry, told = False, True  # an error is no reason to leave fixtures standing; Ctrl-C is
                raise
        finally:
            try:
                crew.close(hurry)
            finally:
                for fork, text in crew.outputs.items():
                    self._item.add_report_section("call", f"output of fork {fork}", text)
                notes += [] if told else crew.notes

    def _measure(
        self,
        workers: Sequence[Worker],
        schedule: runner.Schedule,
        rng: np.random.Generator,
        decided: Decided,
        probe: Callable[[int], Window] | None,
        beside: Callable[[int], Window] | None = None,
    ) -> tuple[Round, ...]:
        try:
            return runner.run(
                workers,
                schedule,
                rng,
                decided=decided,
                clock=time.monotonic,
                progress=self._progress,
                probe=probe,
                control=beside,
            )
        finally:
            self._progress(None)

    def _confirm(
        self,
        first: tuple[Verdict, ...],
        workers: Sequence[Worker],
        probe: Callable[[int], Window] | None,
        schedule: runner.Schedule,
        seed: int,
        side_by_side: int,
        judge: Judge,
        notes: list[str],
    ) -> tuple[Confirmation, tuple[Verdict, ...]]:
        """Measure a failure again, in fresh processes and beside a control workload, and judge it by both.

        Args:
            first: what the checks said of the sweep.
            workers: what measured it; they measure again where no fresh process can.
            probe: as in the sweep.
            schedule: as in the sweep.
            seed: of the sweep.
            side_by_side: how many fresh processes are started at once.
            judge: asks the checks, of these rounds, and whether relative to the control workload.
            notes: what goes wrong in the fresh processes is added.
        """
        threads = schedule.thread_counts[-1]
        self._announce(f"paddle-mt: {self._item.nodeid}: failed; measuring it again before that is believed")

        def again(these: Sequence[Worker], beside: Worker) -> tuple[Round, ...]:
            return self._measure(
                these,
                schedule,
                np.random.default_rng([seed, 1]),
                lambda rounds: confirming.settled(first, judge(rounds, False), judge(rounds, True)),
                probe,
                lambda n: beside.measure(n, control.CONTROL_WINDOW),
            )

        failed = None
        with control.opened(self._session.engines()["synthetic"], control.CONTROL_WORK, threads, seed) as beside:
            try:
                with self._in_forks(max(1, self._settings.forks), threads, side_by_side, seed, notes) as (fresh, _):
                    rounds = again(fresh, beside)
            except PaddleMtError as error:
                failed = str(error)
                notes.append(f"a fresh process could not confirm the failure, so what had measured it did: {failed}")
                rounds = again(workers, beside)
        several = self._settings.forks > 1
        if failed is None:
            where = f"{self._settings.forks} fresh processes" if several else "a fresh process"
        else:
            where = "the same processes" if self._settings.forks else "this process"
        verdicts = confirming.confirmed(first, judge(rounds, False), judge(rounds, True), where)
        return Confirmation(in_this_process=failed, rounds=rounds), verdicts


def _batch_size(array: Any) -> int | None:
    """First dimension of an array; None for a scalar, or for what a user's own query takes instead of arrays."""
    shape = getattr(array, "shape", ())
    return int(shape[0]) if shape else None


def _described(served: object, pool: PredictorPool | None) -> str:
    """What ``compare`` was given, for people."""
    return identity.name_of(served) if pool is None else model_name(pool.config)


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
