"""Two sides measured in turn and judged: a sweep whose rounds have two sides, from opened workers to its record."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_paddle_mt.checks import against as check
from pytest_paddle_mt.predictors import identity
from pytest_paddle_mt.records import Against, Cpu, Round, Subject, Sweep, Verdict, Warning
from pytest_paddle_mt.statistics import pairs as statistics
from pytest_paddle_mt.statistics import scaling, validity
from pytest_paddle_mt.statistics.points import points_of, universal_scalability
from pytest_paddle_mt.sweeps import paired
from pytest_paddle_mt.units import counted
from pytest_paddle_mt.workers.crew import Crew
from pytest_paddle_mt.workers.fork import Absent
from pytest_paddle_mt.workers.launch import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    import pytest

    from pytest_paddle_mt.records import Limits, PairedRound, Point, Side, Status
    from pytest_paddle_mt.sweeps.rounds import Progress, Schedule
    from pytest_paddle_mt.workers import Worker
    from pytest_paddle_mt.workers.launch import Place

#: Chance that the intervals of one comparison, all looks and thread counts together, miss; half of it on each side.
ALPHA = 0.02

#: Whose windows a comparison has: what is judged, and what it is judged against.
SIDES: tuple[Side, Side] = ("this", "other")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Terms:
    """What a comparison is carried out by."""

    nodeid: str
    #: What this side and the other are called, for people.
    names: tuple[str, str]
    #: What they are, a line each, for people.
    described: tuple[str, str]
    #: More that is to be said of them, for people.
    notes: tuple[str, ...]
    schedule: Schedule
    limits: Limits
    usable_cores: int
    seed: int
    gate: bool
    #: Why nothing is judged, in a smoke run; None otherwise.
    smoke_reason: str | None
    #: What this side serves where neither side gets to say it.
    stated: Subject
    #: When it began, on ``time.monotonic``, in seconds.
    started_s: float


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Opened:
    """Two sides, ready to measure."""

    #: This side's worker and the other's; several pairs measure in turn.
    pairs: tuple[tuple[Worker, Worker], ...]
    #: What each side serves, with its ``identity``.
    subjects: tuple[Subject, Subject]


def sweep(
    opened: AbstractContextManager[Opened], terms: Terms, progress: Callable[[Progress | None], None]
) -> tuple[Sweep, Cpu]:
    """Open both sides, measure and judge them; nothing is measured where they cannot be compared.

    Args:
        opened: opens both sides, and closes them.
        terms: what it is carried out by.
        progress: told before each window, and None at the end.

    Returns:
        The sweep, and what decides which of its rounds are shown: all are.

    Raises:
        PaddleMtError: a side could not measure.
    """
    try:
        with opened as sides:
            objection = identity.objection(sides.subjects[0].identity, sides.subjects[1].identity)
            if objection is not None and terms.smoke_reason is None:
                return _unmeasured(terms, "not_comparable", objection, sides.subjects)
            try:
                rounds = _measure(sides, terms, progress)
            finally:
                progress(None)
    except Absent as absent:
        return _unmeasured(terms, "no_data", str(absent), (terms.stated, None))
    return _finished(terms, sides.subjects, rounds)


@contextlib.contextmanager
def in_forks(
    item: pytest.Item,
    count: int,
    seed: int,
    places: tuple[Place | None, Place | None],
    threads: int,
    cores: int,
    notes: list[str],
) -> Iterator[Opened]:
    """``count`` forks for each side, ready for ``threads`` threads; all of them live until the end.

    Args:
        item: the test.
        count: how many for each side.
        seed: seed of whatever the engine draws at random.
        places: where this side's and the other's run; None: here.
        threads: the largest thread count.
        cores: how many are started at once.
        notes: what goes wrong after the last window is added.
    """
    crews = [
        Crew(item, count, seed, Role(side=side, place=place, first=1 + index * count))
        for index, (side, place) in enumerate(zip(SIDES, places, strict=True))
    ]
    hurry = True
    try:
        try:
            # The other side first: it may have nothing to measure, and then this one need not start.
            for crew in reversed(crews):
                crew.prepare(threads, cores)
            this, other = crews
            yield Opened(
                pairs=tuple(zip(this.workers, other.workers, strict=True)), subjects=(this.subject, other.subject)
            )
            hurry = False
        except Exception:
            hurry = False  # an error is no reason to leave fixtures standing; Ctrl-C is
            raise
    finally:
        try:
            with contextlib.ExitStack() as closing:
                for crew in crews:
                    closing.callback(crew.close, hurry)
        finally:
            for crew in crews:
                for fork, text in crew.outputs.items():
                    item.add_report_section("call", f"output of fork {fork}", text)
                notes += crew.notes


@contextlib.contextmanager
def in_process(this: tuple[Worker, Subject], other: tuple[Worker, Subject], threads: int) -> Iterator[Opened]:
    """Two workers of this process, ready for ``threads`` threads."""
    try:
        for worker, _ in (this, other):
            worker.prepare(threads)
        yield Opened(pairs=((this[0], other[0]),), subjects=(this[1], other[1]))
    finally:
        with contextlib.ExitStack() as closing:
            closing.callback(this[0].close)
            closing.callback(other[0].close)


@contextlib.contextmanager
def absent(reason: str) -> Iterator[Opened]:
    """No sides: the other one has nothing to measure, as could be seen before anything was started.

    Raises:
        Absent: always.
    """
    raise Absent(reason)
    yield


def announcement(terms: Terms, engine: str, forks: int) -> str:
    """What is said before the start: what is compared, and how long it may take."""
    schedule = terms.schedule
    counts = ", ".join(map(str, schedule.thread_counts))
    head = f"paddle-mt: {terms.nodeid}: {engine} engine, threads {counts}, {terms.names[0]} against {terms.names[1]}"
    if terms.smoke_reason is not None:
        return f"{head}: SMOKE RUN, one short round, nothing judged or recorded ({terms.smoke_reason})"
    where = f", in {counted(forks, 'pair')} of forks" if forks else ", in this process"
    shortest_s = paired.shortest_round_s(schedule)
    fewest, most = schedule.looks[0], schedule.looks[-1]
    rounds = f"{fewest} to {most} rounds" if fewest < most else counted(most, "round")
    if not schedule.window.window_s:
        return f"{head}{where}: {rounds}, at most about {schedule.budget_s:.0f} s"
    return (
        f"{head}{where}: {rounds} of {shortest_s:.1f} s or more, about "
        f"{min(fewest * shortest_s, schedule.budget_s):.0f} to {min(most * shortest_s, schedule.budget_s):.0f} s"
    )


def confidence_of(schedule: Schedule) -> float:
    """Confidence of each interval: ``ALPHA`` shared by the looks and, as each is judged, all thread counts."""
    return scaling.confidence_after_looks(ALPHA, len(schedule.looks), len(schedule.thread_counts))


def judge(rounds: Sequence[PairedRound], terms: Terms, cpu: Cpu) -> tuple[Verdict, ...]:
    """What the check says of these rounds."""
    return check.judge(
        rounds,
        terms.schedule.thread_counts,
        cpu=cpu,
        max_drift=terms.limits.max_drift,
        confidence=confidence_of(terms.schedule),
        names=terms.names,
    )


def _measure(sides: Opened, terms: Terms, progress: Callable[[Progress | None], None]) -> tuple[PairedRound, ...]:
    cpu = _cpu(terms, sides.subjects)
    return paired.run(
        sides.pairs,
        terms.schedule,
        np.random.default_rng(terms.seed),
        decided=lambda rounds: all(verdict.status != "inconclusive" for verdict in judge(rounds, terms, cpu)),
        clock=time.monotonic,
        progress=progress,
    )


def _finished(terms: Terms, subjects: tuple[Subject, Subject], rounds: Sequence[PairedRound]) -> tuple[Sweep, Cpu]:
    counts, confidence = terms.schedule.thread_counts, confidence_of(terms.schedule)
    cpu = _cpu(terms, subjects)
    this_rounds, other_rounds = (tuple(one.of(side) for one in rounds) for side in SIDES)
    this_points, other_points = (points_of(one, counts, cpu, confidence) for one in (this_rounds, other_rounds))
    ratios = (
        statistics.ratio(
            rounds,
            this.threads,
            confidence,
            (this.latency.p50_ns, other.latency.p50_ns),
            lambda window: validity.qps(window, cpu),
        )
        for this, other in zip(this_points, other_points, strict=True)
    )
    against = Against(
        names=terms.names,
        described=terms.described,
        subject=subjects[1],
        differences=identity.differences(subjects[0].identity, subjects[1].identity),
        rounds=tuple(rounds),
        points=other_points,
        ratios=tuple(ratio for ratio in ratios if ratio is not None),
    )
    verdicts = () if terms.smoke_reason else judge(rounds, terms, cpu)
    return _record(terms, subjects[0], against, this_rounds, this_points, verdicts), cpu


def _unmeasured(
    terms: Terms, status: Status, reason: str, subjects: tuple[Subject, Subject | None]
) -> tuple[Sweep, Cpu]:
    this, other = subjects
    against = Against(
        names=terms.names,
        described=terms.described,
        subject=other,
        differences=() if other is None else identity.differences(this.identity, other.identity),
        rounds=(),
        points=(),
        ratios=(),
    )
    verdicts = () if terms.smoke_reason else (check.undecidable(status, reason, terms.limits.max_drift),)
    return _record(terms, this, against, (), (), verdicts), Cpu(usable_cores=terms.usable_cores, math_threads=1)


def _record(
    terms: Terms,
    subject: Subject,
    against: Against,
    rounds: tuple[Round, ...],
    points: tuple[Point, ...],
    verdicts: tuple[Verdict, ...],
) -> Sweep:
    return Sweep(
        nodeid=terms.nodeid,
        subject=subject,
        confirmation=None,
        thread_counts=terms.schedule.thread_counts if points else (),
        limits=terms.limits,
        linear_until=1,
        linear_until_reason="a comparison does not judge scaling",
        usable_cores=terms.usable_cores,
        rounds=rounds,
        points=points,
        usl=universal_scalability(points),
        warnings=() if terms.smoke_reason else tuple(_warnings(terms, against, rounds)),
        verdicts=verdicts,
        seed=terms.seed,
        gate=terms.gate,
        smoke_reason=terms.smoke_reason,
        elapsed_s=time.monotonic() - terms.started_s,
        against=against,
    )


def _warnings(terms: Terms, against: Against, this_rounds: Sequence[Round]) -> Iterator[Warning]:
    for note in terms.notes:
        yield Warning(kind="comparison", text=note)
    if not this_rounds:
        return
    yield Warning(
        kind="scaling_not_judged",
        text="a comparison judges whether one side is slower; efficiency is shown, and not judged",
    )
    other_rounds = [one.of("other") for one in against.rounds]
    for name, rounds in zip(terms.names, (this_rounds, other_rounds), strict=True):
        for threads in terms.schedule.thread_counts:
            objection = validity.objection(rounds, threads)
            if objection is not None:
                yield Warning(kind="not_the_predictor", text=f"{name}: {objection}")


def _cpu(terms: Terms, subjects: tuple[Subject, Subject]) -> Cpu:
    each = max(subject.math_threads or 1 for subject in subjects)
    return Cpu(usable_cores=terms.usable_cores, math_threads=each)
