"""Measures two sides in turn, and judges whether one is slower than the other."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_paddle_mt.checks import Evidence, OtherSide
from pytest_paddle_mt.checks import against as against_check
from pytest_paddle_mt.machine.versions import measured_versions
from pytest_paddle_mt.predictors import identity
from pytest_paddle_mt.records import Against, Measured, Sweep, Warning
from pytest_paddle_mt.statistics import pairs, validity
from pytest_paddle_mt.statistics.points import points_of, universal_scalability
from pytest_paddle_mt.sweeps.measuring import measure_rounds
from pytest_paddle_mt.workers.fork import Absent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_paddle_mt.records import Cpu, Point, Ratio, Round, Side, Status, Subject, Verdict
    from pytest_paddle_mt.sweeps.terms import Sides, Terms
    from pytest_paddle_mt.workers.opened import Opened, Opener

#: Whose windows a comparison has: what is judged, and what it is judged against.
SIDES: tuple[Side, Side] = ("this", "other")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Judged:
    """What one look found."""

    evidence: Evidence
    other: OtherSide
    verdicts: tuple[Verdict, ...]

    @property
    def undecided(self) -> frozenset[int]:
        """The thread counts that verdicts need more rounds of."""
        about = {verdict.threads for verdict in self.verdicts if verdict.status == "inconclusive"}
        return frozenset(self.evidence.thread_counts if None in about else (n for n in about if n is not None))


def sweep(opener: Opener, terms: Terms, sides: Sides) -> tuple[Sweep, Measured]:
    """Open both sides, measure and judge them; nothing is measured where they cannot be compared.

    Args:
        opener: opens both sides, and closes them.
        terms: what it is carried out by.
        sides: what the two sides are.

    Raises:
        PaddleMtError: a side could not measure.
    """
    try:
        with opener as opened:
            subjects = (opened.subjects["this"], opened.subjects["other"])
            objection = identity.objection(subjects[0].identity, subjects[1].identity)
            if objection is None or terms.smoke_reason is not None:
                comparison = _TwoSides(terms, sides, opened)
                rounds, judged = comparison.measure()
    except Absent as absent:
        return _unmeasured(terms, sides, "no_data", str(absent), (sides.stated, None))
    if objection is not None and terms.smoke_reason is None:
        return _unmeasured(terms, sides, "not_comparable", objection, subjects)
    return comparison.concluded(judged, tuple(opener.notes)), Measured(cpu=comparison.cpu, rounds=rounds)


class _TwoSides:
    """The steps of a comparison, on open workers."""

    def __init__(self, terms: Terms, sides: Sides, opened: Opened) -> None:
        self.cpu: Cpu = terms.cpu_of(opened.subjects)
        self._terms = terms
        self._sides = sides
        self._opened = opened

    def measure(self) -> tuple[tuple[Round, ...], _Judged]:
        """Measure until every check is decided, or as long as the schedule allows."""
        return measure_rounds(
            self._terms,
            self._opened.workers,
            seed=[self._terms.seed],
            judge=self._judge,
            undecided=lambda judged: judged.undecided,
        )

    def concluded(self, judged: _Judged, late: tuple[str, ...]) -> Sweep:
        """The sweep, from its last look.

        Args:
            judged: the last look.
            late: what went wrong in fresh processes after their last window, human-readable.
        """
        this, other = (self._opened.subjects[side] for side in SIDES)
        against = Against(
            names=self._sides.names,
            described=self._sides.described,
            subject=other,
            differences=identity.differences(this.identity, other.identity),
            points=judged.other.points,
            ratios=tuple(_ratios(judged)),
        )
        warnings: tuple[Warning, ...] = ()
        if self._terms.smoke_reason is None:
            warnings = (
                *_notes(self._sides),
                *_doubts(judged),
                *(Warning(kind="fork_ended_badly", text=note) for note in late),
            )
        return _concluded(self._terms, this, against, judged.evidence.points, judged.verdicts, warnings)

    def _judge(self, rounds: tuple[Round, ...]) -> _Judged:
        terms = self._terms
        counts = terms.schedule.thread_counts
        this, other = (tuple(one.of(side) for one in rounds) for side in SIDES)
        of_other = OtherSide(
            names=self._sides.names,
            both=rounds,
            points=points_of(other, counts, self.cpu, terms.confidence),
        )
        evidence = Evidence(
            rounds=this,
            points=points_of(this, counts, self.cpu, terms.confidence),
            thread_counts=counts,
            limits=terms.limits,
            linear_until=1,
            cpu=self.cpu,
            confidence=terms.confidence,
            other=of_other,
            versions=measured_versions(),
        )
        verdicts = () if terms.smoke_reason else tuple(one for check in terms.checks for one in check.judge(evidence))
        return _Judged(evidence=evidence, other=of_other, verdicts=verdicts)


def _ratios(judged: _Judged) -> Iterator[Ratio]:
    evidence = judged.evidence
    for this, other in zip(evidence.points, judged.other.points, strict=True):
        ratio = pairs.ratio(
            judged.other.both,
            this.threads,
            evidence.confidence,
            (this.latency.p50_ns, other.latency.p50_ns),
            lambda visit: validity.qps(visit.window, evidence.cpu),
        )
        if ratio is not None:
            yield ratio


def _notes(sides: Sides) -> Iterator[Warning]:
    for note in sides.notes:
        yield Warning(kind="comparison", text=note)


def _doubts(judged: _Judged) -> Iterator[Warning]:
    yield Warning(
        kind="scaling_not_judged",
        text="a comparison judges whether one side is slower; efficiency is shown, and not judged",
    )
    for side, name in zip(SIDES, judged.other.names, strict=True):
        rounds = [one.of(side) for one in judged.other.both]
        for threads in judged.evidence.thread_counts:
            objection = validity.objection(rounds, threads)
            if objection is not None:
                yield Warning(kind="not_the_predictor", text=f"{name}: {objection}")


def _unmeasured(
    terms: Terms, sides: Sides, status: Status, reason: str, subjects: tuple[Subject, Subject | None]
) -> tuple[Sweep, Measured]:
    """A comparison of which nothing was measured."""
    this, other = subjects
    against = Against(
        names=sides.names,
        described=sides.described,
        subject=other,
        differences=() if other is None else identity.differences(this.identity, other.identity),
        points=(),
        ratios=(),
    )
    smoke = terms.smoke_reason is not None
    verdicts = () if smoke else (against_check.undecidable(status, reason, terms.limits.max_drift),)
    concluded = _concluded(terms, this, against, (), verdicts, () if smoke else tuple(_notes(sides)))
    return concluded, Measured(cpu=terms.cpu_of({"this": this}), rounds=())


def _concluded(
    terms: Terms,
    subject: Subject,
    against: Against,
    points: tuple[Point, ...],
    verdicts: tuple[Verdict, ...],
    warnings: tuple[Warning, ...],
) -> Sweep:
    return Sweep(
        nodeid=terms.nodeid,
        subject=subject,
        thread_counts=terms.schedule.thread_counts if points else (),
        limits=terms.limits,
        linear_until=None,
        linear_until_reason="a comparison does not judge scaling",
        usable_cores=terms.cores.usable,
        points=points,
        usl=universal_scalability(points),
        warnings=warnings,
        verdicts=verdicts,
        seed=terms.seed,
        gate=terms.gate,
        smoke_reason=terms.smoke_reason,
        elapsed_s=time.monotonic() - terms.started_s,
        against=against,
    )
