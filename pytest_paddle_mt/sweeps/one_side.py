"""Measures one side, judges it, and measures a failure again before it is believed."""

from __future__ import annotations

import contextlib
import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from pytest_paddle_mt.checks import confirmation, curve, drift
from pytest_paddle_mt.checks.doubts import doubts
from pytest_paddle_mt.errors import PaddleMtError, WrongAnswer
from pytest_paddle_mt.records import Measured
from pytest_paddle_mt.sweeps import diagnosis, known_work, placing
from pytest_paddle_mt.sweeps.measuring import Judged, Measuring, concluded, in_forks, needed, with_compared
from pytest_paddle_mt.sweeps.rounds import window_at
from pytest_paddle_mt.sweeps.survey import survey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pytest_paddle_mt.baselines import Stored
    from pytest_paddle_mt.cause import Cause
    from pytest_paddle_mt.checks import Evidence
    from pytest_paddle_mt.records import Point, Round, Side, Subject, Sweep, Verdict, Warning
    from pytest_paddle_mt.sweeps.terms import Terms
    from pytest_paddle_mt.workers import Worker
    from pytest_paddle_mt.workers.opened import Opened, Opener


def sweep(opener: Opener, terms: Terms, look_up: Callable[[Subject], Stored]) -> tuple[Sweep, Measured, Stored | None]:
    """Open the workers, measure and judge.

    Args:
        opener: opens the workers, and closes them.
        terms: what it is carried out by.
        look_up: gives what is stored for what the workers serve; not called in a smoke run.

    Returns:
        What was concluded, what was measured, and what is stored for it; the last is None in a smoke run.

    Raises:
        PaddleMtError: it could not be measured, or what is stored cannot be read.
    """
    __tracebackhide__ = True
    with contextlib.ExitStack() as opening:
        opened = placing.placed(opening.enter_context(opener), terms)
        stored = None if terms.smoke_reason else look_up(opened.subjects["this"])
        side = _OneSide(terms, opened, stored, survey(opened, terms))
        if terms.smoke_reason is None and side.subject.device == "cpu":
            side.probe = opening.enter_context(
                known_work.probing(terms.synthetic, terms.schedule.thread_counts[-1], terms.seed)
            )
        rounds, judged = side.measure()
        again = side.confirm(judged.verdicts) if confirmation.needed(judged.verdicts) else _NOT_AGAIN
        verdicts = judged.verdicts if again.verdicts is None else again.verdicts
        cause = side.cause(verdicts, judged.evidence)
    measured = Measured(cpu=side.cpu, rounds=rounds, confirmation=again.rounds, survey=side.survey)
    return side.concluded(judged, verdicts, cause, (*again.notes, *opener.notes)), measured, stored


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Again:
    """What measuring a failure again found."""

    rounds: tuple[Round, ...] = ()
    #: With every failure confirmed or taken back; None where nothing had failed.
    verdicts: tuple[Verdict, ...] | None = None
    notes: tuple[str, ...] = ()  #: What went wrong in the fresh processes, human-readable.


_NOT_AGAIN = _Again()


def _unfinished(judged: Judged) -> frozenset[int]:
    """The thread counts of which more rounds are needed: for a verdict, or for what a baseline has of each run.

    A run that failed is not accepted, and need not be compared by every figure.
    """
    if confirmation.needed(judged.verdicts):
        return judged.undecided
    return judged.undecided | with_compared(judged.evidence, drift.short_of_queries(judged.evidence))


class _Answers(NamedTuple):
    """What the checks conclude from the rounds that confirm a failure: by themselves, and relative to the control."""

    evidence: Evidence
    by_themselves: tuple[Verdict, ...]
    relative: tuple[Verdict, ...]


class _OneSide(Measuring):
    """The steps of a sweep of one side, on open workers."""

    def __init__(self, terms: Terms, opened: Opened, stored: Stored | None, survey: tuple[Round, ...]) -> None:
        super().__init__(terms, opened)
        self._stored = stored
        self.survey = survey
        self._linear_until = curve.linear_until(
            terms.limits, terms.schedule.thread_counts, self.cpu, terms.cores.text, self.subject.device, stored, survey
        )

    def measure(self) -> tuple[tuple[Round, ...], Judged]:
        """Measure until every check is decided and a baseline has its latencies, or as long as the schedule allows."""
        return self.rounds(self.workers, [self.terms.seed], self._judge, _unfinished)

    def confirm(self, first: tuple[Verdict, ...]) -> _Again:
        """Measure a failure again, in fresh processes and next to a control workload, and judge it by both."""
        terms = self.terms
        terms.announce(f"paddle-mt: {terms.nodeid}: failed; measuring it again before that is believed")
        fresh = in_forks(terms, None)
        with known_work.controlling(terms.synthetic, terms.schedule.thread_counts[-1], terms.seed) as control:
            try:
                with fresh as opened:
                    rounds, answers = self._again(first, opened.workers, control)
            except WrongAnswer:
                raise  # a fault of what is served, whatever its throughput
            except PaddleMtError as error:
                notes: tuple[str, ...] = (
                    f"a fresh process could not confirm the failure, so what had measured it did: {error}",
                )
                where = "the same processes" if terms.forks else "this process"
                rounds, answers = self._again(first, self.workers, control)
            else:
                notes = tuple(fresh.notes)
                where = f"{terms.forks} fresh processes" if terms.forks > 1 else "a fresh process"
        return _Again(rounds=rounds, verdicts=confirmation.confirmed(first, *answers, where), notes=notes)

    def cause(self, verdicts: tuple[Verdict, ...], evidence: Evidence) -> Cause | None:
        """The likely cause why it does not scale.

        Where the rounds do not show that, one thread is measured again; not where nothing hangs on the sweep.
        """
        if self.terms.smoke_reason is not None:
            return None
        return diagnosis.likely_cause(
            verdicts,
            evidence,
            self.subject,
            self.workers[0]["this"],
            window_at(self.terms.schedule.window, 1, 1),
            self.terms.synthetic if self.probe is not None and self.terms.gate else None,
            self.terms.seed,
            self.survey,
        )

    def points(self, rounds: tuple[Round, ...], confidences: Mapping[int, float]) -> tuple[Point, ...]:
        """What the rounds show, and how busy the survey found a GPU."""
        busy = {visit.window.threads: visit.window.gpu for one in self.survey for visit in one.visits}

        def surveyed(point: Point) -> Point:
            seen = busy.get(point.threads)
            if point.gpu is None or seen is None:
                return point
            gpu = dataclasses.replace(point.gpu, utilisation=seen.utilisation, other_utilisation=seen.other_utilisation)
            return dataclasses.replace(point, gpu=gpu)

        return tuple(map(surveyed, super().points(rounds, confidences)))

    def concluded(
        self, judged: Judged, verdicts: tuple[Verdict, ...], cause: Cause | None, late: Sequence[str]
    ) -> Sweep:
        """The sweep: its last look, its confirmed verdicts, and what went wrong in forks after their last window."""
        evidence = judged.evidence
        stored = self._stored
        compared = None if stored is None or stored.objection is not None else stored.baseline
        return concluded(
            self.terms,
            self.subject,
            evidence.points,
            verdicts,
            self._warnings(judged),
            self._linear_until,
            late=late,
            rounds=evidence.rounds,
            accepted_runs=() if compared is None else compared.series.runs,
            cause=cause,
        )

    def _warnings(self, judged: Judged) -> Iterator[Warning]:
        yield from doubts(self.subject, judged.evidence, self.terms.threads_note)
        yield from judged.notes
        yield from drift.notes(judged.evidence)

    def _again(
        self, first: tuple[Verdict, ...], workers: Sequence[Mapping[Side, Worker]], control: known_work.KnownWork
    ) -> tuple[tuple[Round, ...], tuple[tuple[Verdict, ...], tuple[Verdict, ...]]]:
        """Rounds with controls, and what the checks conclude from them: by themselves, and relative to the control."""
        failures = [verdict for verdict in first if verdict.status == "fail"]
        failed = needed(self._evidence((), {}), failures)
        drifted = {verdict.threads for verdict in failures if verdict.check == drift.NAME}

        def judge(rounds: tuple[Round, ...], confidences: Mapping[int, float]) -> _Answers:
            evidence = self._evidence(rounds, confidences)
            relative = self.ask(dataclasses.replace(evidence, relative_to_control=True))
            return _Answers(evidence, self.ask(evidence), relative)

        def unanswered(answers: _Answers) -> frozenset[int]:
            if not confirmation.answered(first, answers.by_themselves, answers.relative):
                return failed
            return with_compared(answers.evidence, drifted & drift.short_of_queries(answers.evidence))

        rounds, answers = self.rounds(workers, [self.terms.seed, 1], judge, unanswered, control, tuple(sorted(failed)))
        return rounds, (answers.by_themselves, answers.relative)

    def _judge(self, rounds: tuple[Round, ...], confidences: Mapping[int, float]) -> Judged:
        evidence = self._evidence(rounds, confidences)
        if self.terms.smoke_reason is not None:
            return Judged(evidence=evidence)
        asked = curve.in_words_of_a_gpu(self.ask(evidence), self.terms.limits, self.survey)
        verdicts, notes = curve.gating(asked, evidence, self.subject.device)
        return Judged(evidence=evidence, verdicts=verdicts, notes=notes)

    def _evidence(self, rounds: tuple[Round, ...], confidences: Mapping[int, float]) -> Evidence:
        return self.evidence(rounds, confidences, self._linear_until[0], stored=self._stored)
