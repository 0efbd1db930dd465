"""Measures two sides in turn, and judges whether one is slower than the other."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from pytest_paddle_mt.checks import OtherSide
from pytest_paddle_mt.checks import against as against_check
from pytest_paddle_mt.predictors import identity
from pytest_paddle_mt.records import Against, Measured, Warning
from pytest_paddle_mt.statistics import pairs, validity
from pytest_paddle_mt.sweeps import placing
from pytest_paddle_mt.sweeps.measuring import Judged, Measuring, concluded
from pytest_paddle_mt.sweeps.right_answers import with_share
from pytest_paddle_mt.workers.fork import Absent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_paddle_mt.checks import Evidence
    from pytest_paddle_mt.records import Point, Ratio, Round, Side, Status, Subject, Sweep
    from pytest_paddle_mt.sweeps.terms import Sides, Terms
    from pytest_paddle_mt.workers.opened import Opened, Opener

#: Whose windows a comparison has: what is judged, and what it is judged against.
SIDES: tuple[Side, Side] = ("this", "other")

_LINEAR_UNTIL = (None, "a comparison does not judge scaling")


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
        with opener as ready:
            opened = placing.placed(ready, terms)
            subjects = (opened.subjects["this"], opened.subjects["other"])
            objection = identity.objection(subjects[0].identity, subjects[1].identity)
            if objection is None or terms.smoke_reason is not None:
                comparison = _TwoSides(terms, sides, opened)
                rounds, judged = comparison.measure()
    except Absent as absent:
        return _unmeasured(terms, sides, "no_data", str(absent), (sides.stated, None))
    if objection is not None and terms.smoke_reason is None:
        return _unmeasured(terms, sides, "not_comparable", objection, subjects)
    return comparison.concluded(judged, opener.notes), Measured(cpu=comparison.cpu, rounds=rounds)


class _TwoSides(Measuring):
    """The steps of a comparison, on open workers."""

    def __init__(self, terms: Terms, sides: Sides, opened: Opened) -> None:
        super().__init__(terms, opened)
        self._sides = sides
        self._other_subject = opened.subjects["other"]

    def measure(self) -> tuple[tuple[Round, ...], Judged]:
        """Measure until every check is decided, or as long as the schedule allows."""
        return self.rounds(self.workers, [self.terms.seed], self._judge, lambda judged: judged.undecided)

    def concluded(self, judged: Judged, late: Sequence[str]) -> Sweep:
        """The sweep, from its last look and from what went wrong in forks after their last window."""
        evidence, other = judged.evidence, judged.evidence.other
        assert other is not None, "two sides were measured"
        against = _against(
            self._sides,
            self.subject,
            with_share(self._other_subject, [one.of("other") for one in other.both]),
            other.points,
            tuple(_ratios(evidence, other)),
        )
        warnings = itertools.chain(_notes(self._sides), _doubts(evidence, other))
        return concluded(
            self.terms,
            self.subject,
            evidence.points,
            judged.verdicts,
            warnings,
            _LINEAR_UNTIL,
            late=late,
            against=against,
            rounds=evidence.rounds,
        )

    def _judge(self, rounds: tuple[Round, ...], confidences: Mapping[int, float]) -> Judged:
        this, theirs = (tuple(one.of(side) for one in rounds) for side in SIDES)
        other = OtherSide(names=self._sides.names, both=rounds, points=self.points(theirs, confidences))
        evidence = self.evidence(this, confidences, 1, other=other)
        return Judged(evidence=evidence, verdicts=() if self.terms.smoke_reason else self.ask(evidence))


def _ratios(evidence: Evidence, other: OtherSide) -> Iterator[Ratio]:
    for this, theirs in zip(evidence.points, other.points, strict=True):
        ratio = pairs.ratio(
            other.both,
            this.threads,
            evidence.confidences[this.threads],
            (this.latency.p50_ns, theirs.latency.p50_ns),
            lambda visit: validity.qps(visit.window, evidence.cpu),
        )
        if ratio is not None:
            yield ratio


def _notes(sides: Sides) -> Iterator[Warning]:
    for note in sides.notes:
        yield Warning(kind="comparison", text=note)


def _doubts(evidence: Evidence, other: OtherSide) -> Iterator[Warning]:
    yield Warning(
        kind="scaling_not_judged",
        text="a comparison judges whether one side is slower; efficiency is shown, and not judged",
    )
    for side, name in zip(SIDES, other.names, strict=True):
        rounds = [one.of(side) for one in other.both]
        for threads in evidence.thread_counts:
            objection = validity.objection(rounds, threads)
            if objection is not None:
                yield Warning(kind="not_the_predictor", text=f"{name}: {objection}")


def _unmeasured(
    terms: Terms, sides: Sides, status: Status, reason: str, subjects: tuple[Subject, Subject | None]
) -> tuple[Sweep, Measured]:
    """A comparison of which nothing was measured."""
    this, other = subjects
    verdicts = () if terms.smoke_reason else (against_check.undecidable(status, reason, terms.limits.max_drift),)
    against = _against(sides, this, other)
    sweep = concluded(terms, this, (), verdicts, _notes(sides), _LINEAR_UNTIL, against=against)
    return sweep, Measured(cpu=terms.cpu_of({"this": this}), rounds=())


def _against(
    sides: Sides,
    this: Subject,
    other: Subject | None,
    points: tuple[Point, ...] = (),
    ratios: tuple[Ratio, ...] = (),
) -> Against:
    return Against(
        names=sides.names,
        described=sides.described,
        subject=other,
        differences=() if other is None else identity.differences(this.identity, other.identity),
        points=points,
        ratios=ratios,
    )
