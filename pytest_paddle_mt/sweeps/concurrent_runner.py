"""Measures a sweep for a test, has it judged and recorded, and fails the test on a ``fail``."""

from __future__ import annotations

import contextlib
import functools
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from pytest_paddle_mt.errors import GateFailure, PaddleMtError, UsageError
from pytest_paddle_mt.machine.cores import available_cores
from pytest_paddle_mt.records import Subject, WindowPlan
from pytest_paddle_mt.reporters import Finished
from pytest_paddle_mt.reporters.failure import failure
from pytest_paddle_mt.statistics.looks import looks
from pytest_paddle_mt.sweeps import one_side, placing, rounds, serving, two_sides
from pytest_paddle_mt.sweeps.announcement import announcement
from pytest_paddle_mt.sweeps.measuring import in_forks
from pytest_paddle_mt.sweeps.results import ComparisonResult, SweepResult
from pytest_paddle_mt.sweeps.terms import Sides, Terms, thread_counts
from pytest_paddle_mt.workers import elsewhere
from pytest_paddle_mt.workers.opened import InProcess, NoOtherSide

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pytest

    from pytest_paddle_mt.baselines import Stored
    from pytest_paddle_mt.engines import Engine, Query, SyntheticWork
    from pytest_paddle_mt.plugin.session import Session
    from pytest_paddle_mt.predictors.pool import PredictorPool
    from pytest_paddle_mt.records import Measured, Side, Sweep
    from pytest_paddle_mt.settings import Settings
    from pytest_paddle_mt.sweeps.rounds import Progress
    from pytest_paddle_mt.workers.in_process import InProcessWorker
    from pytest_paddle_mt.workers.launch import Place
    from pytest_paddle_mt.workers.opened import Opener

    Served = PredictorPool | SyntheticWork | Sequence[Any]  #: What a test can have measured.

P = ParamSpec("P")
R = TypeVar("R")

#: A smoke run: the shortest window that has a throughput, once.
_SMOKE_WINDOW = WindowPlan(window_s=0.0, min_queries=2, warmup_s=0.0, warmup_queries=1)


def _without_our_frames(method: Callable[P, R]) -> Callable[P, R]:
    """Let an error of ours point to the test's own line, which is what its author can change."""

    @functools.wraps(method)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        __tracebackhide__ = True
        try:
            return method(*args, **kwargs)
        except PaddleMtError as error:
            raise error.with_traceback(None)  # noqa: B904  # the frames are what is left out

    return wrapped


class ConcurrentRunner:
    """Runs one sweep for one test; what the ``concurrent_runner`` fixture is."""

    def __init__(
        self,
        *,
        session: Session,
        item: pytest.Item,
        test: str,
        settings: Settings,
        engine: Engine,
        inputs: Any,
        benchmark: Any,
        announce: Callable[[str], None],
        progress: Callable[[Progress | None], None],
    ) -> None:
        self._session = session
        self._item = item
        self._test = test
        self._settings = settings
        self._serving = serving.Serving(settings=settings, engine=engine, engines=session.engines(), inputs=inputs)
        self._benchmark = benchmark
        self._announce = announce
        self._progress = progress
        self._called = False

    @_without_our_frames
    def __call__(self, served: Served, *, query: Query | None = None, gate: bool = True) -> SweepResult:
        """Sweep the thread counts, judge, record, and fail the test when a check fails.

        Args:
            served: a pool, a list of predictors or callables (one per thread), or work for the ``synthetic`` engine;
                with a query, a pool or any objects, one per thread.
            query: a server's own path, ``query(predictor, inputs)``, measured on the ``python`` engine; it is given the
                object of its thread.
            gate: False judges and records, and never touches the outcome of the test.

        Raises:
            GateFailure: a check failed.
            UsageError: the call cannot be carried out as written.
            QueryFailed: a query failed in one of the threads; nothing of that window is kept.
            WrongAnswer: a thread was answered wrongly under load; nothing of that window is kept.
        """
        __tracebackhide__ = True
        self._begin()
        engine = self._serving.engine_for(served, query)
        pool = serving.pool_of(served, engine, query)
        terms = self._terms(gate, self._session.forks(self._item))
        counts = terms.schedule.thread_counts
        serving.refuse_too_few(pool, counts)
        server = self._session.server
        if server is not None:
            server.serve(lambda: self._serving.worker_for(engine, pool, served, query, server.seed, server.describe))
        place = None if terms.smoke_reason else self._session.against()
        if place is not None:
            return self._against(place, engine, gate)
        self._announce(announcement(terms, engine.name, self._settings.forks))

        def look_up(subject: Subject) -> Stored:
            __tracebackhide__ = True
            return self._session.ledger().look_up(self._item.nodeid, self._test, subject, counts, gate=gate)

        opener: Opener
        if terms.forks:
            opener = in_forks(terms, None)
        else:
            worker, subject, _ = self._serving.worker_for(engine, pool, served, query, terms.seed)
            opener = InProcess({"this": (worker, subject)}, counts[-1])
        sweep, measured, stored = one_side.sweep(opener, terms, look_up)
        complete = len(measured.rounds) >= terms.schedule.looks[0]
        self._session.ledger().measured(sweep, measured, self._test, stored, complete=complete)
        self._finish(sweep, measured)
        return SweepResult(sweep, measured)

    @_without_our_frames
    def compare(self, a: Served, b: Served, *, query: Query | None = None, gate: bool = True) -> ComparisonResult:
        """Measure two configurations or two models in turn, and fail the test when ``b`` is slower than ``a``.

        Slower means: a query takes more than 1.05 times as long, or 1 + ``--paddle-max-drift`` where that is given, at
        some thread count.

        Args:
            a: what is compared with: a pool, a list of predictors or callables, or known work for the ``synthetic``
                engine; with a query, a pool or any objects, one per thread.
            b: what is judged. Where another engine serves it than ``a``, both answer the same inputs first, alike.
            query: a server's own path, ``query(predictor, inputs)``, the same for both.
            gate: False judges and records, and never touches the outcome of the test.

        Raises:
            GateFailure: ``b`` is slower.
            UsageError: the call cannot be carried out as written.
            QueryFailed: a query failed in one of the threads.
            WrongAnswer: a thread was answered wrongly under load.
        """
        __tracebackhide__ = True
        self._begin()
        served: dict[Side, Served] = {"this": b, "other": a}
        engines = self._serving.engines_for(served, query)
        pools = {side: serving.pool_of(one, engines[side], query) for side, one in served.items()}
        for pool in pools.values():
            serving.refuse_too_few(pool, thread_counts(self._settings))

        def worker_for(side: Side, seed: int, describe: bool) -> tuple[InProcessWorker, Subject, float | None]:
            return self._serving.worker_for(engines[side], pools[side], served[side], query, seed, describe)

        server = self._session.server
        if server is not None:
            server.serve(lambda: worker_for(server.side, server.seed, server.describe))
        elsewhere_too = not self._session.smoke_reason() and self._session.against() is not None
        note = "compare measures both in this interpreter; --paddle-against has no part in it"
        described = (serving.described(b, pools["this"]), serving.described(a, pools["other"]))
        notes = [note] if elsewhere_too else []
        names = dict.fromkeys((engines["this"].name, engines["other"].name))
        if len(names) > 1:
            notes += [self._serving.how_alike(pools, query), *serving.on_loops(engines)]
        sides = self._sides(("b", "a"), described, notes, engines["this"])
        terms = self._terms(gate, 0 if self._session.smoke_reason() else self._settings.forks, sides)
        self._announce(announcement(terms, " against ".join(names), terms.forks))
        opener: Opener
        if terms.forks:
            opener = in_forks(terms, {"this": None, "other": None})
        else:
            with contextlib.ExitStack() as opening:  # where the second cannot be opened, the first is closed
                of_sides: dict[Side, tuple[InProcessWorker, Subject]] = {}
                for side in two_sides.SIDES:
                    worker, subject, _ = worker_for(side, terms.seed, True)
                    opening.callback(worker.close)
                    of_sides[side] = (worker, subject)
                opening.pop_all()
            opener = InProcess(of_sides, terms.schedule.thread_counts[-1])
        return self._compared(opener, terms)

    def _against(self, place: Place, engine: Engine, gate: bool) -> ComparisonResult:
        """Measure this interpreter and another in turn."""
        __tracebackhide__ = True
        here = self._session.rootpath
        other = elsewhere.ask(place, here)
        if engine.needs_pool and not hasattr(engine, "serves_only") and not other.has_paddle:
            raise UsageError(
                f"{place.python} (Python {other.python}) has no Paddle, which this test serves; install it there: "
                f"{place.python} -m pip install paddlepaddle"
            )
        note = "the other side is this interpreter and this rootdir (A/A): no side is slower"
        sides = self._sides(
            ("this side", "the other"),
            (f"{sys.executable} in {here}", f"{place.python} in {place.rootdir}"),
            [note] if elsewhere.is_here(place, here) else [],
            engine,
        )
        terms = self._terms(gate, self._session.forks(self._item), sides)
        self._announce(announcement(terms, engine.name, terms.forks))
        absence = elsewhere.absence(self._item, place)
        opener = in_forks(terms, {"this": None, "other": place}) if absence is None else NoOtherSide(absence)
        return self._compared(opener, terms)

    def _compared(self, opener: Opener, terms: Terms) -> ComparisonResult:
        """Measure two sides, record and judge."""
        __tracebackhide__ = True
        assert terms.sides is not None, "these are the terms of a comparison"
        self._session.ledger().refuse(self._item.nodeid, "a comparison measures two sides, and has no baseline")
        sweep, measured = two_sides.sweep(opener, terms, terms.sides)
        self._finish(sweep, measured)
        return ComparisonResult(sweep, measured, lambda: self._session.decide_outcome(self._item))

    def _finish(self, sweep: Sweep, measured: Measured) -> None:
        """Report a sweep to everybody, and only then fail its test if it failed its gate."""
        __tracebackhide__ = True
        self._session.sweep_finished(
            Finished(sweep=sweep, measured=measured, item=self._item, benchmark=self._benchmark)
        )
        if sweep.gate and sweep.status == "fail":
            raise GateFailure(failure(sweep))

    def _begin(self) -> None:
        """Refuse a call from a wrong place or a second one, and let a crash print a report."""
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
        self._session.report_crashes()

    def _sides(self, names: tuple[str, str], described: tuple[str, str], notes: Sequence[str], engine: Engine) -> Sides:
        settings = self._settings
        stated = Subject(
            engine=engine.name, device=settings.device, batch_size=None, pool=None, math_threads=None, gil=None
        )
        added = () if settings.threads_note is None else (settings.threads_note,)
        return Sides(names=names, described=described, notes=(*notes, *added), stated=stated)

    def _terms(self, gate: bool, forks: int, sides: Sides | None = None) -> Terms:
        settings, smoke = self._settings, self._session.smoke_reason()
        placing.refuse_other_cpus(settings.pin, settings.sources.get("pin", ""))
        cores = available_cores(settings.pin)
        return Terms(
            item=self._item,
            forks=forks,
            schedule=rounds.Schedule(
                thread_counts=thread_counts(settings),
                window=_SMOKE_WINDOW if smoke else settings.window,
                first_warmup_queries=0 if smoke else settings.first_warmup_queries,
                order=rounds.one_side if sides is None else rounds.two_sides,
                looks=(1,) if smoke else looks(settings.rounds_min, settings.rounds_max),
                budget_s=settings.budget_s if sides is None else settings.budget_two_sides_s,
                at_once=cores.usable if settings.device == "cpu" else None,
            ),
            limits=settings.limits if sides is None else settings.limits_two_sides,
            cores=cores,
            seed=self._session.drawn_seed if settings.seed is None else settings.seed,
            gate=gate,
            smoke_reason=smoke,
            threads_note=settings.threads_note,
            answers=settings.answers or 0,
            checks=self._session.checks(),
            synthetic=self._session.engines()["synthetic"],
            started_s=time.monotonic(),
            announce=self._announce,
            progress=self._progress,
            sides=sides,
            pin=settings.pin,
            facts={} if self._session.xdist_worker is None else self._session.xdist_worker.share.facts,
        )
