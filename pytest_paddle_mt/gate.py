"""``concurrent_runner``: measures a sweep for a test, has it judged and recorded, and fails the test on a ``fail``."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Callable

from pytest_paddle_mt import comparison, environment, messages, runner, serving, sweeping
from pytest_paddle_mt.comparison import SIDES
from pytest_paddle_mt.errors import PaddleMtError, UsageError
from pytest_paddle_mt.ledger import identity_of
from pytest_paddle_mt.options import DEFAULT_MAX_DRIFT_AGAINST
from pytest_paddle_mt.records import Subject, Warning, WindowPlan, record
from pytest_paddle_mt.reporters import Finished
from pytest_paddle_mt.results import ComparisonResult, SweepResult
from pytest_paddle_mt.session import GateFailure
from pytest_paddle_mt.statistics import scaling
from pytest_paddle_mt.workers import SERVER, elsewhere, in_process

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    import pytest

    from pytest_paddle_mt.baselines import Stored
    from pytest_paddle_mt.engines import Engine, SyntheticWork
    from pytest_paddle_mt.predictors import PredictorPool
    from pytest_paddle_mt.records import Side, Sweep
    from pytest_paddle_mt.serving import Query
    from pytest_paddle_mt.session import Session
    from pytest_paddle_mt.settings import Settings
    from pytest_paddle_mt.workers.in_process import InProcessWorker
    from pytest_paddle_mt.workers.launch import Place

#: A smoke run: the shortest window that has a throughput, once.
_SMOKE_WINDOW = WindowPlan(window_s=0.0, min_queries=2, warmup_s=0.0, warmup_queries=1)


@record
class _Asked:
    """What one call of the runner is to measure."""

    engine: Engine
    thread_counts: tuple[int, ...]
    cores: environment.Cores
    seed: int
    gate: bool
    #: When it began, on ``time.monotonic``, in seconds.
    started_s: float


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
        self._serving = serving.Serving(settings=settings, engine=engine, engines=session.engines(), inputs=inputs)
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

        Slower means: a query takes more than 1.05 times as long, or 1 + ``--paddle-max-drift`` where that is given, at
        some thread count.

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
        in_process.take_crash_signals_back(self._item.config)
        engine = self._serving.engine_for(served, query)
        pool = serving.pool_of(served, engine)
        cpu, cores = serving.cpu_and_cores(pool)
        asked = self._asked(engine, cores, gate)
        counts, seed = asked.thread_counts, asked.seed
        serving.refuse_too_few(pool, counts)
        server = self._item.config.stash.get(SERVER, None)
        if server is not None:
            server.serve(lambda: self._serving.opened(engine, pool, served, query, server.seed, server.describe))
        smoke = self._session.smoke_reason()
        forks = self._session.forks(self._item)
        place = None if smoke else self._session.against()
        if place is not None:
            return self._against(place, asked)
        schedule = self._schedule(counts, smoke, self._settings.budget_s)
        self._announce(
            messages.announcement(
                self._item.nodeid, engine.name, schedule, smoke, self._settings.threads_note, self._settings.forks
            )
        )
        terms = sweeping.Terms(
            item=self._item,
            settings=self._settings,
            schedule=schedule,
            cpu=cpu,
            seed=seed,
            gate=gate,
            smoke_reason=smoke,
            checks=self._session.checks(),
            synthetic=self._session.engines()["synthetic"],
            started_s=asked.started_s,
        )
        test = identity_of(self._item)

        def look_up(subject: Subject) -> Stored:
            __tracebackhide__ = True
            return self._session.ledger().look_up(self._item.nodeid, test, subject, counts, gate=gate)

        notes: list[str] = []
        if forks:
            opened = sweeping.in_forks(self._item, forks, seed, counts[-1], cores.usable, notes)
        else:
            worker, subject, _ = self._serving.opened(engine, pool, served, query, seed)
            opened = sweeping.in_process(worker, subject, counts[-1])
        sweep, stored = sweeping.sweep(opened, terms, look_up, self._announce, self._progress, notes)
        complete = len(sweep.rounds) >= schedule.looks[0]
        self._session.ledger().measured(sweep, test, stored, cpu, complete=complete)
        self._finish(sweep)
        return SweepResult(sweep, cpu)

    def _against(self, place: Place, asked: _Asked) -> SweepResult:
        """Measure this interpreter and another in turn."""
        __tracebackhide__ = True
        here = self._item.config.rootpath
        other = elsewhere.ask(place, here)
        if asked.engine.needs_pool and not other.has_paddle:
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
            asked,
        )
        forks = self._session.forks(self._item)
        late: list[str] = []
        absence = elsewhere.absence(self._item, place)
        opened = (
            comparison.in_forks(
                self._item, forks, asked.seed, (None, place), asked.thread_counts[-1], asked.cores.usable, late
            )
            if absence is None
            else comparison.absent(absence)
        )
        return self._compared(opened, terms, asked.engine, forks, late)

    def _compare(
        self,
        a: PredictorPool | SyntheticWork | Sequence[Any],
        b: PredictorPool | SyntheticWork | Sequence[Any],
        query: Query | None,
        gate: bool,
    ) -> ComparisonResult:
        __tracebackhide__ = True
        self._refuse_misuse()
        in_process.take_crash_signals_back(self._item.config)
        served = {"this": b, "other": a}
        engines = {side: self._serving.engine_for(one, query) for side, one in served.items()}
        engine = engines["this"]
        if engine is not engines["other"]:
            raise UsageError(
                "compare was given predictors and synthetic work, which cannot be compared; give it two of a kind"
            )
        pools = {side: serving.pool_of(one, engine) for side, one in served.items()}
        asked = self._asked(engine, environment.cores(), gate)
        counts, seed = asked.thread_counts, asked.seed
        for pool in pools.values():
            serving.refuse_too_few(pool, counts)

        def opened(side: Side, seed: int, describe: bool) -> tuple[InProcessWorker, Subject, float | None]:
            return self._serving.opened(engine, pools[side], served[side], query, seed, describe)

        server = self._item.config.stash.get(SERVER, None)
        if server is not None:
            server.serve(lambda: opened(server.side, server.seed, server.describe))
        here = None if self._session.smoke_reason() else self._session.against()
        notes = ["compare measures both in this interpreter; --paddle-against has no part in it"] if here else []
        described = (serving.described(b, pools["this"]), serving.described(a, pools["other"]))
        terms = self._terms(("b", "a"), described, tuple(notes), asked)
        forks = 0 if terms.smoke_reason else self._settings.forks
        late: list[str] = []
        if forks:
            both = comparison.in_forks(self._item, forks, seed, (None, None), counts[-1], asked.cores.usable, late)
        else:
            with contextlib.ExitStack() as opening:  # where the second cannot be opened, the first is closed
                sides = []
                for side in SIDES:
                    worker, subject, _ = opened(side, seed, True)
                    opening.callback(worker.close)
                    sides.append((worker, subject))
                opening.pop_all()
            both = comparison.in_process(sides[0], sides[1], counts[-1])
        return self._compared(both, terms, engine, forks, late)

    def _terms(
        self, names: tuple[str, str], described: tuple[str, str], notes: tuple[str, ...], asked: _Asked
    ) -> comparison.Terms:
        settings, smoke = self._settings, self._session.smoke_reason()
        # Both sides are measured, so it may take twice as long, where nobody said how long.
        longer = 1 if "budget" in settings.sources else len(SIDES)
        # What both sides meet in one job cancels: there is no spread between runs to allow for, as in a baseline.
        limits = settings.limits
        if "max_drift" not in settings.sources:
            limits = dataclasses.replace(limits, max_drift=float(DEFAULT_MAX_DRIFT_AGAINST))
        return comparison.Terms(
            nodeid=self._item.nodeid,
            names=names,
            described=described,
            notes=notes if settings.threads_note is None else (*notes, settings.threads_note),
            schedule=self._schedule(asked.thread_counts, smoke, settings.budget_s * longer),
            limits=limits,
            usable_cores=asked.cores.usable,
            seed=asked.seed,
            gate=asked.gate,
            smoke_reason=smoke,
            stated=Subject(
                engine=asked.engine.name,
                device=settings.device,
                batch_size=None,
                pool=None,
                math_threads=None,
                gil=None,
            ),
            started_s=asked.started_s,
        )

    def _compared(
        self,
        opened: AbstractContextManager[comparison.Opened],
        terms: comparison.Terms,
        engine: Engine,
        forks: int,
        late: list[str],
    ) -> ComparisonResult:
        """Measure, record and judge; ``late`` fills with what goes wrong after the last window."""
        __tracebackhide__ = True
        self._session.ledger().refuse(self._item.nodeid, "a comparison measures two sides, and has no baseline")
        self._announce(comparison.announcement(terms, engine.name, forks))
        sweep, shown = comparison.sweep(opened, terms, self._progress)
        ended_badly = tuple(Warning(kind="fork_ended_badly", text=note) for note in late)
        sweep = dataclasses.replace(sweep, warnings=(*sweep.warnings, *ended_badly))
        self._finish(sweep)
        return ComparisonResult(sweep, shown, lambda: self._session.settle(self._item))

    def _finish(self, sweep: Sweep) -> None:
        """Tell everybody of a sweep, and only then fail its test where it failed its gate."""
        __tracebackhide__ = True
        self._session.sweep_finished(Finished(sweep=sweep, item=self._item, benchmark=self._benchmark))
        if sweep.gate and sweep.status == "fail":
            raise GateFailure(messages.failure(sweep))

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

    def _asked(self, engine: Engine, cores: environment.Cores, gate: bool) -> _Asked:
        return _Asked(
            engine=engine,
            thread_counts=self._thread_counts(cores.usable),
            cores=cores,
            seed=self._session.drawn_seed if self._settings.seed is None else self._settings.seed,
            gate=gate,
            started_s=time.monotonic(),
        )

    def _thread_counts(self, usable_cores: int) -> tuple[int, ...]:
        if self._settings.thread_counts is not None:
            return self._settings.thread_counts
        counts = {1, usable_cores}
        power = 2
        while power < usable_cores:
            counts.add(power)
            power *= 2
        return tuple(sorted(counts))

    def _schedule(self, counts: tuple[int, ...], smoke: str | None, budget_s: float) -> runner.Schedule:
        settings = self._settings
        return runner.Schedule(
            thread_counts=counts,
            window=_SMOKE_WINDOW if smoke else settings.window,
            looks=(1,) if smoke else scaling.looks(settings.rounds_min, settings.rounds_max),
            budget_s=budget_s,
        )
