"""One side measured, judged and, where it failed, measured again: a sweep, from opened workers to its record."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_paddle_mt.checks import Evidence, comparisons, curve, drift
from pytest_paddle_mt.checks import confirmation as confirming
from pytest_paddle_mt.checks.doubts import explained, warnings
from pytest_paddle_mt.engines import PROBE_WORK
from pytest_paddle_mt.errors import PaddleMtError
from pytest_paddle_mt.records import Confirmation, Sweep, Warning
from pytest_paddle_mt.statistics import scaling
from pytest_paddle_mt.statistics.points import points_of, universal_scalability
from pytest_paddle_mt.sweeps import known_work
from pytest_paddle_mt.sweeps.rounds import Progress, Schedule, run_rounds
from pytest_paddle_mt.workers.crew import Crew

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    import pytest

    from pytest_paddle_mt.baselines import Stored
    from pytest_paddle_mt.checks import Check
    from pytest_paddle_mt.engines import Engine
    from pytest_paddle_mt.records import Cpu, Decided, Round, Settings, Subject, Verdict, Window
    from pytest_paddle_mt.workers import Worker

    #: Workers that measure in turn, and what each of them serves.
    Opened = tuple[Sequence[Worker], Subject]
    #: What the checks say of these rounds; with True, relative to the control workload.
    Judge = Callable[[Sequence[Round], bool], tuple[Verdict, ...]]

#: Chance that the intervals of one sweep, all looks and thread counts together, miss; half of it on each side.
ALPHA = 0.02


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Terms:
    """What a sweep is carried out by."""

    #: The test; a fresh process that confirms a failure runs it, too.
    item: pytest.Item
    settings: Settings
    schedule: Schedule
    #: How many threads can run at once.
    cpu: Cpu
    seed: int
    gate: bool
    #: Why nothing is judged, in a smoke run; None otherwise.
    smoke_reason: str | None
    #: Who is asked for verdicts.
    checks: Sequence[Check]
    #: The engine that serves the probe and the control workload.
    synthetic: Engine
    #: When it began, on ``time.monotonic``, in seconds.
    started_s: float


def sweep(
    opened: AbstractContextManager[Opened],
    terms: Terms,
    look_up: Callable[[Subject], Stored],
    announce: Callable[[str], None],
    progress: Callable[[Progress | None], None],
    notes: list[str],
) -> tuple[Sweep, Stored | None]:
    """Open the workers, measure and judge; what failed is measured again before that is believed.

    Args:
        opened: opens the workers, and closes them.
        terms: what it is carried out by.
        look_up: gives what is stored for what the workers serve; not asked in a smoke run.
        announce: told before a failure is measured again.
        progress: told before each window, and None at the end.
        notes: what went wrong in fresh processes after their last window; complete once ``opened`` has closed them.

    Returns:
        The sweep, and what is stored for it; None in a smoke run.

    Raises:
        PaddleMtError: it could not be measured, or what is stored cannot be read.
    """
    __tracebackhide__ = True
    settings, schedule, cpu, smoke = terms.settings, terms.schedule, terms.cpu, terms.smoke_reason
    counts, confidence = schedule.thread_counts, confidence_of(schedule)
    probing = known_work.known_work_worker(terms.synthetic, PROBE_WORK, counts[-1], terms.seed)
    with opened as (workers, subject), probing as filling:
        stored = None if smoke else look_up(subject)
        until, until_reason = curve.linear_until(settings.limits, counts, cpu, subject.device, stored)

        def fill(threads: int) -> Window:
            return filling.measure(threads, known_work.PROBE_WINDOW)

        def evidence_of(rounds: Sequence[Round], beside_control: bool) -> Evidence:
            return Evidence(
                rounds=tuple(rounds),
                thread_counts=counts,
                limits=settings.limits,
                linear_until=until,
                cpu=cpu,
                confidence=confidence,
                relative_to_control=beside_control,
                stored=stored,
            )

        def judge(rounds: Sequence[Round], beside_control: bool) -> tuple[Verdict, ...]:
            evidence = evidence_of(rounds, beside_control)
            return tuple(verdict for check in terms.checks for verdict in check.judge(evidence))

        def settled(rounds: Sequence[Round]) -> tuple[tuple[Verdict, ...], tuple[Warning, ...]]:
            return curve.settled(judge(rounds, False), evidence_of(rounds, False), subject.device)

        probe = None if smoke or subject.device != "cpu" else fill
        rounds = _measure(
            workers,
            schedule,
            np.random.default_rng(terms.seed),
            lambda so_far: all(verdict.status != "inconclusive" for verdict in settled(so_far)[0]),
            progress,
            probe,
        )
        verdicts, notes_on_curve = ((), ()) if smoke else settled(rounds)
        confirmation = None
        if confirming.needed(verdicts):
            confirmation, verdicts = _confirm(verdicts, workers, terms, judge, probe, announce, progress, notes)
    verdicts = explained(verdicts, subject, rounds, cpu)
    points = points_of(rounds, counts, cpu, confidence)
    found = Sweep(
        nodeid=terms.item.nodeid,
        subject=subject,
        thread_counts=counts,
        limits=settings.limits,
        linear_until=until,
        linear_until_reason=until_reason,
        usable_cores=cpu.usable_cores,
        rounds=rounds,
        confirmation=confirmation,
        points=points,
        usl=universal_scalability(points),
        warnings=()
        if smoke
        else (
            *warnings(subject, rounds, points, cpu, settings.threads_note),
            *notes_on_curve,
            *drift.notes(evidence_of(rounds, False)),
            *(Warning(kind="fork_ended_badly", text=note) for note in notes),
        ),
        verdicts=verdicts,
        seed=terms.seed,
        gate=terms.gate,
        smoke_reason=smoke,
        elapsed_s=time.monotonic() - terms.started_s,
    )
    return found, stored


@contextlib.contextmanager
def in_process(worker: Worker, subject: Subject, threads: int) -> Iterator[Opened]:
    """A worker in this process, ready for ``threads`` threads."""
    try:
        worker.prepare(threads)
        yield [worker], subject
    finally:
        worker.close()


@contextlib.contextmanager
def in_forks(item: pytest.Item, count: int, seed: int, threads: int, cores: int, notes: list[str]) -> Iterator[Opened]:
    """Workers in fresh processes, ready for ``threads`` threads; what goes wrong later is added to ``notes``.

    Args:
        item: the test.
        count: how many.
        seed: seed of whatever the engine draws at random.
        threads: the largest thread count.
        cores: how many are started at once.
        notes: what goes wrong after the last window is added.
    """
    crew = Crew(item, count, seed)
    hurry, told = True, False
    try:
        try:
            crew.prepare(threads, cores)
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
                item.add_report_section("call", f"output of fork {fork}", text)
            notes += [] if told else crew.notes


def confidence_of(schedule: Schedule) -> float:
    """Confidence of each interval: ``ALPHA`` shared by the looks and the thread counts that one look judges."""
    return scaling.confidence_after_looks(ALPHA, len(schedule.looks), comparisons(schedule.thread_counts))


def _measure(
    workers: Sequence[Worker],
    schedule: Schedule,
    rng: np.random.Generator,
    decided: Decided,
    progress: Callable[[Progress | None], None],
    probe: Callable[[int], Window] | None,
    beside: Callable[[int], Window] | None = None,
) -> tuple[Round, ...]:
    try:
        return run_rounds(
            workers,
            schedule,
            rng,
            decided=decided,
            clock=time.monotonic,
            progress=progress,
            probe=probe,
            control=beside,
        )
    finally:
        progress(None)


def _confirm(
    first: tuple[Verdict, ...],
    workers: Sequence[Worker],
    terms: Terms,
    judge: Judge,
    probe: Callable[[int], Window] | None,
    announce: Callable[[str], None],
    progress: Callable[[Progress | None], None],
    notes: list[str],
) -> tuple[Confirmation, tuple[Verdict, ...]]:
    """Measure a failure again, in fresh processes and beside a control workload, and judge it by both.

    Args:
        first: what the checks said of the sweep.
        workers: what measured it; they measure again where no fresh process can.
        terms: of the sweep.
        judge: asks the checks, of these rounds, and whether relative to the control workload.
        probe: as in the sweep.
        announce: told before anything is measured.
        progress: as in the sweep.
        notes: what goes wrong in the fresh processes is added.
    """
    threads, forks = terms.schedule.thread_counts[-1], terms.settings.forks
    announce(f"paddle-mt: {terms.item.nodeid}: failed; measuring it again before that is believed")

    def again(these: Sequence[Worker], beside: Worker) -> tuple[Round, ...]:
        return _measure(
            these,
            terms.schedule,
            np.random.default_rng([terms.seed, 1]),
            lambda rounds: confirming.settled(first, judge(rounds, False), judge(rounds, True)),
            progress,
            probe,
            lambda n: beside.measure(n, known_work.CONTROL_WINDOW),
        )

    failed = None
    afresh = in_forks(terms.item, max(1, forks), terms.seed, threads, terms.cpu.usable_cores, notes)
    with known_work.known_work_worker(terms.synthetic, known_work.CONTROL_WORK, threads, terms.seed) as beside:
        try:
            with afresh as (fresh, _):
                rounds = again(fresh, beside)
        except PaddleMtError as error:
            failed = str(error)
            notes.append(f"a fresh process could not confirm the failure, so what had measured it did: {failed}")
            rounds = again(workers, beside)
    several = forks > 1
    if failed is None:
        where = f"{forks} fresh processes" if several else "a fresh process"
    else:
        where = "the same processes" if forks else "this process"
    verdicts = confirming.confirmed(first, judge(rounds, False), judge(rounds, True), where)
    return Confirmation(in_this_process=failed, rounds=rounds), verdicts
