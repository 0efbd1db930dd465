"""Measures a sweep on open workers, has it judged and concludes: what one side and two share."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_paddle_mt.checks import Evidence
from pytest_paddle_mt.machine.versions import measured_versions
from pytest_paddle_mt.records import Sweep, Warning
from pytest_paddle_mt.statistics import resident_memory
from pytest_paddle_mt.statistics.points import points_of, universal_scalability
from pytest_paddle_mt.sweeps import known_work, placing
from pytest_paddle_mt.sweeps.right_answers import LongerWarmUps, with_share
from pytest_paddle_mt.sweeps.rounds import Judgement, first_window_at, run_rounds, window_at
from pytest_paddle_mt.workers.opened import InForks

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from pytest_paddle_mt.baselines import Run, Stored
    from pytest_paddle_mt.cause import Cause
    from pytest_paddle_mt.checks import OtherSide
    from pytest_paddle_mt.records import Against, Point, Round, Side, Subject, Verdict, Visit
    from pytest_paddle_mt.sweeps.rounds import Stop
    from pytest_paddle_mt.sweeps.terms import Terms
    from pytest_paddle_mt.workers import Worker
    from pytest_paddle_mt.workers.launch import Place
    from pytest_paddle_mt.workers.opened import Opened


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Judged:
    """What one look found."""

    evidence: Evidence
    verdicts: tuple[Verdict, ...] = ()
    notes: tuple[Warning, ...] = ()  #: What is reported of a curve, and does not gate.

    @property
    def undecided(self) -> frozenset[int]:
        """The thread counts that verdicts need more rounds of."""
        return needed(self.evidence, [verdict for verdict in self.verdicts if verdict.status == "inconclusive"])


def needed(evidence: Evidence, verdicts: Sequence[Verdict]) -> frozenset[int]:
    """The thread counts that these verdicts are about, and those that they are compared with."""
    return with_compared(evidence, {verdict.threads for verdict in verdicts})


def with_compared(evidence: Evidence, about: Collection[int | None]) -> frozenset[int]:
    """These thread counts, and those that they are compared with; None among them stands for all."""
    if None in about:
        return frozenset(evidence.thread_counts)
    compared = {1, evidence.linear_count} if about and evidence.other is None else set()
    return frozenset(compared.union(threads for threads in about if threads is not None))


class Measuring:
    """A sweep on open workers."""

    def __init__(self, terms: Terms, opened: Opened) -> None:
        self.terms = terms
        self.workers = opened.workers
        self.subject = opened.subjects["this"]
        self.cpu = terms.cpu_of(opened.subjects)
        #: Measures the probe with so many threads after each window; None: nothing does.
        self.probe: known_work.KnownWork | None = None

    def rounds(
        self,
        workers: Sequence[Mapping[Side, Worker]],
        seed: Sequence[int],
        judge: Callable[[tuple[Round, ...], Mapping[int, float]], Judgement],
        undecided: Callable[[Judgement], Collection[int]],
        control: known_work.KnownWork | None = None,
        thread_counts: tuple[int, ...] | None = None,
    ) -> tuple[tuple[Round, ...], Judgement]:
        """Measure these thread counts, or all, until everything is decided or the schedule ends; see ``run_rounds``.

        ``judge`` is given the confidence of each thread count's intervals too: that of the latest look for which the
        count was measured.
        """
        terms = self.terms
        schedule = dataclasses.replace(
            terms.schedule,
            thread_counts=thread_counts or terms.schedule.thread_counts,
            at_once=self.cpu.at_once if self.subject.device == "cpu" else None,
        )
        turns = placing.turns(terms.pin, schedule.thread_counts)
        stops = schedule.order(schedule.thread_counts, np.random.default_rng(0), schedule.at_once)
        sides = len({stop.side for stop in stops})
        confidences: dict[int, float] = {}
        warmed: set[tuple[Worker, int]] = set()
        warm_ups = LongerWarmUps(terms.answers, schedule.looks[0] * len(stops) // sides)

        def measure(worker: Worker, stop: Stop) -> Visit:
            if (worker, stop.threads) in warmed:
                plan = window_at(schedule.window, stop.threads, schedule.at_once)
            else:
                plan = first_window_at(schedule, stop.threads, schedule.at_once)
                warmed.add((worker, stop.threads))
            plan = dataclasses.replace(warm_ups.plan(plan, stop), cpus=turns.next(stop.threads, stop.side))
            visit = known_work.visit(worker, stop, plan, self.probe, control)
            warm_ups.measured(visit.window, stop.side)
            return visit

        def judge_with_share(rounds: tuple[Round, ...], share: float) -> Judgement:
            confidences.update(dict.fromkeys(_counts(rounds[-1:]), terms.confidence(share)))
            return judge(rounds, dict(confidences))

        try:
            return run_rounds(
                workers,
                schedule,
                np.random.default_rng(seed),
                measure=measure,
                judge=judge_with_share,
                undecided=undecided,
                clock=time.monotonic,
                progress=terms.progress,
            )
        finally:
            terms.progress(None)

    def evidence(
        self,
        rounds: tuple[Round, ...],
        confidences: Mapping[int, float],
        linear_until: int,
        stored: Stored | None = None,
        other: OtherSide | None = None,
    ) -> Evidence:
        """What the checks judge on: the rounds of this side, and what there is to compare them with."""
        return Evidence(
            rounds=rounds,
            points=self.points(rounds, confidences),
            thread_counts=_counts(rounds) or self.terms.schedule.thread_counts,
            limits=self.terms.limits,
            linear_until=linear_until,
            cpu=self.cpu,
            confidences=confidences,
            allowed_rounds=(self.terms.schedule.looks[0], self.terms.schedule.looks[-1]),
            stored=stored,
            other=other,
            versions=measured_versions(),
        )

    def points(self, rounds: tuple[Round, ...], confidences: Mapping[int, float]) -> tuple[Point, ...]:
        """What the rounds of one side show."""
        return points_of(rounds, _counts(rounds), self.cpu, confidences)

    def ask(self, evidence: Evidence) -> tuple[Verdict, ...]:
        """The verdicts of every check."""
        return tuple(verdict for check in self.terms.checks for verdict in check.judge(evidence))


def _counts(rounds: tuple[Round, ...]) -> tuple[int, ...]:
    """The thread counts that these rounds visited, ascending."""
    return tuple(sorted({visit.window.threads for one in rounds for visit in one.visits}))


def concluded(
    terms: Terms,
    subject: Subject,
    points: tuple[Point, ...],
    verdicts: tuple[Verdict, ...],
    warnings: Iterable[Warning],
    linear_until: tuple[int | None, str],
    *,
    late: Sequence[str] = (),
    against: Against | None = None,
    rounds: Sequence[Round] = (),
    accepted_runs: tuple[Run, ...] = (),
    cause: Cause | None = None,
) -> Sweep:
    """A finished sweep.

    Args:
        terms: of the sweep.
        subject: what the side that is judged served.
        points: of that side; none where nothing was measured.
        verdicts: of the checks.
        warnings: the doubts; not asked for in a smoke run.
        linear_until: the largest thread count that the linear check judges, and why.
        late: what went wrong in fresh processes after their last window, human-readable.
        against: the other side of a comparison.
        rounds: of the side that is judged; none where nothing was measured.
        accepted_runs: of the stored baseline that it was compared with.
        cause: why it does not scale; None where it does, or nobody asked.
    """
    doubts: tuple[Warning, ...] = ()
    if terms.smoke_reason is None:
        doubts = (*warnings, *placing.doubts(rounds), *(Warning(kind="fork_ended_badly", text=note) for note in late))
    return Sweep(
        nodeid=terms.nodeid,
        subject=with_share(subject, rounds),
        thread_counts=terms.schedule.thread_counts if points else (),
        limits=terms.limits,
        linear_until=linear_until[0],
        linear_until_reason=linear_until[1],
        usable_cores=terms.cores.usable,
        points=points,
        usl=universal_scalability(points),
        warnings=doubts,
        verdicts=verdicts,
        seed=terms.seed,
        gate=terms.gate,
        smoke_reason=terms.smoke_reason,
        elapsed_s=time.monotonic() - terms.started_s,
        against=against,
        accepted_runs=accepted_runs,
        peak_rss_bytes=resident_memory.peak_rss_bytes(rounds),
        pin=terms.pin,
        cause=cause,
    )


def in_forks(terms: Terms, places: Mapping[Side, Place | None] | None) -> InForks:
    """Opens as many forks for each side as the terms say, one at least; see ``InForks``."""
    return InForks(
        terms.item,
        places,
        count=max(1, terms.forks),
        seed=terms.seed,
        threads=terms.schedule.thread_counts[-1],
        cores=terms.cores.usable,
    )
