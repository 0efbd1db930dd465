"""Measures one side, judges it, and measures a failure again before it is believed."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_paddle_mt.checks import Evidence, confirmation, curve, drift
from pytest_paddle_mt.checks.doubts import doubts, explained
from pytest_paddle_mt.errors import PaddleMtError
from pytest_paddle_mt.machine.versions import measured_versions
from pytest_paddle_mt.records import Measured, Sweep, Warning
from pytest_paddle_mt.statistics.points import points_of, universal_scalability
from pytest_paddle_mt.sweeps import known_work
from pytest_paddle_mt.sweeps.measuring import measure_rounds
from pytest_paddle_mt.workers.opened import InForks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_paddle_mt.baselines import Stored
    from pytest_paddle_mt.records import Round, Side, Subject, Verdict, Window
    from pytest_paddle_mt.sweeps.terms import Terms
    from pytest_paddle_mt.workers import Worker
    from pytest_paddle_mt.workers.opened import Opened, Opener


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Judged:
    """What one look found."""

    evidence: Evidence
    verdicts: tuple[Verdict, ...] = ()
    #: What is reported of a curve, and does not gate.
    notes: tuple[Warning, ...] = ()

    @property
    def undecided(self) -> frozenset[int]:
        """The thread counts that verdicts need more rounds of."""
        return _needed(self.evidence, [verdict for verdict in self.verdicts if verdict.status == "inconclusive"])


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
        opened = opening.enter_context(opener)
        stored = None if terms.smoke_reason else look_up(opened.subjects["this"])
        side = _OneSide(terms, opened, stored)
        if terms.smoke_reason is None and side.subject.device == "cpu":
            side.probe = opening.enter_context(
                known_work.probing(terms.synthetic, terms.schedule.thread_counts[-1], terms.seed)
            )
        rounds, judged = side.measure()
        again = side.confirm(judged.verdicts) if confirmation.needed(judged.verdicts) else _NOT_AGAIN
    verdicts = judged.verdicts if again.verdicts is None else again.verdicts
    measured = Measured(cpu=side.cpu, rounds=rounds, confirmation=again.rounds)
    return side.concluded(judged, verdicts, (*again.notes, *opener.notes)), measured, stored


def _needed(evidence: Evidence, verdicts: Sequence[Verdict]) -> frozenset[int]:
    """The thread counts that these verdicts are about, and those that they are compared with."""
    if not verdicts:
        return frozenset()
    about = {verdict.threads for verdict in verdicts}
    if None in about:
        return frozenset(evidence.thread_counts)
    return frozenset({1, evidence.linear_count, *(n for n in about if n is not None)})


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Again:
    """What measuring a failure again found."""

    rounds: tuple[Round, ...] = ()
    #: With every failure confirmed or taken back; None where nothing had failed.
    verdicts: tuple[Verdict, ...] | None = None
    #: What went wrong in the fresh processes, human-readable.
    notes: tuple[str, ...] = ()


_NOT_AGAIN = _Again()


class _OneSide:
    """The steps of a sweep of one side, on open workers."""

    def __init__(self, terms: Terms, opened: Opened, stored: Stored | None) -> None:
        self.subject = opened.subjects["this"]
        self.cpu = terms.cpu_of(opened.subjects)
        self.probe: Callable[[int], Window] | None = None
        self._terms = terms
        self._workers = opened.workers
        self._stored = stored
        self._linear_until, self._linear_until_reason = curve.linear_until(
            terms.limits, terms.schedule.thread_counts, self.cpu, terms.cores.text, self.subject.device, stored
        )

    def measure(self) -> tuple[tuple[Round, ...], _Judged]:
        """Measure until every check is decided, or as long as the schedule allows."""
        return measure_rounds(
            self._terms,
            self._workers,
            seed=[self._terms.seed],
            judge=self._judge,
            undecided=lambda judged: judged.undecided,
            probe=self.probe,
        )

    def confirm(self, first: tuple[Verdict, ...]) -> _Again:
        """Measure a failure again, in fresh processes and next to a control workload, and judge it by both."""
        terms = self._terms
        threads = terms.schedule.thread_counts[-1]
        terms.announce(f"paddle-mt: {terms.nodeid}: failed; measuring it again before that is believed")
        fresh = InForks(
            terms.item,
            None,
            count=max(1, terms.forks),
            seed=terms.seed,
            threads=threads,
            cores=terms.cores.usable,
        )
        with known_work.controlling(terms.synthetic, threads, terms.seed) as control:
            try:
                with fresh as opened:
                    rounds, answers = self._again(first, opened.workers, control)
            except PaddleMtError as error:
                notes: tuple[str, ...] = (
                    f"a fresh process could not confirm the failure, so what had measured it did: {error}",
                )
                where = "the same processes" if terms.forks else "this process"
                rounds, answers = self._again(first, self._workers, control)
            else:
                notes = tuple(fresh.notes)
                where = f"{terms.forks} fresh processes" if terms.forks > 1 else "a fresh process"
        return _Again(rounds=rounds, verdicts=confirmation.confirmed(first, *answers, where), notes=notes)

    def concluded(self, judged: _Judged, verdicts: tuple[Verdict, ...], late: Sequence[str]) -> Sweep:
        """The sweep, from its last look.

        Args:
            judged: the last look.
            verdicts: the verdicts, confirmed.
            late: what went wrong in fresh processes after their last window, human-readable.
        """
        terms, evidence = self._terms, judged.evidence
        warnings: tuple[Warning, ...] = ()
        if terms.smoke_reason is None:
            warnings = (
                *doubts(self.subject, evidence, terms.threads_note),
                *judged.notes,
                *drift.notes(evidence),
                *(Warning(kind="fork_ended_badly", text=note) for note in late),
            )
        return Sweep(
            nodeid=terms.nodeid,
            subject=self.subject,
            thread_counts=terms.schedule.thread_counts,
            limits=terms.limits,
            linear_until=self._linear_until,
            linear_until_reason=self._linear_until_reason,
            usable_cores=terms.cores.usable,
            points=evidence.points,
            usl=universal_scalability(evidence.points),
            warnings=warnings,
            verdicts=explained(verdicts, self.subject, evidence.rounds, self.cpu),
            seed=terms.seed,
            gate=terms.gate,
            smoke_reason=terms.smoke_reason,
            elapsed_s=time.monotonic() - terms.started_s,
        )

    def _again(
        self, first: tuple[Verdict, ...], workers: Sequence[Mapping[Side, Worker]], control: Callable[[int], Window]
    ) -> tuple[tuple[Round, ...], tuple[tuple[Verdict, ...], tuple[Verdict, ...]]]:
        """Rounds with controls, and what the checks conclude from them: by themselves, and relative to the control."""

        def judge(rounds: tuple[Round, ...]) -> tuple[tuple[Verdict, ...], tuple[Verdict, ...]]:
            evidence = self._evidence(rounds)
            relative = dataclasses.replace(evidence, relative_to_control=True)
            return self._ask(evidence), self._ask(relative)

        everything = self._evidence(())
        needed = _needed(everything, [verdict for verdict in first if verdict.status == "fail"])
        failed = tuple(n for n in self._terms.schedule.thread_counts if n in needed)
        return measure_rounds(
            self._terms,
            workers,
            seed=[self._terms.seed, 1],
            judge=judge,
            undecided=lambda answers: frozenset() if confirmation.answered(first, *answers) else frozenset(failed),
            thread_counts=failed,
            probe=self.probe,
            control=control,
        )

    def _judge(self, rounds: tuple[Round, ...]) -> _Judged:
        evidence = self._evidence(rounds)
        if self._terms.smoke_reason is not None:
            return _Judged(evidence=evidence)
        verdicts, notes = curve.gating(self._ask(evidence), evidence, self.subject.device)
        return _Judged(evidence=evidence, verdicts=verdicts, notes=notes)

    def _ask(self, evidence: Evidence) -> tuple[Verdict, ...]:
        return tuple(verdict for check in self._terms.checks for verdict in check.judge(evidence))

    def _evidence(self, rounds: tuple[Round, ...]) -> Evidence:
        terms = self._terms
        visited = {visit.window.threads for one in rounds for visit in one.visits}
        counts = tuple(n for n in terms.schedule.thread_counts if n in visited or not rounds)
        return Evidence(
            rounds=rounds,
            points=points_of(rounds, tuple(n for n in counts if rounds), self.cpu, terms.confidence),
            thread_counts=counts,
            limits=terms.limits,
            linear_until=self._linear_until,
            cpu=self.cpu,
            confidence=terms.confidence,
            stored=self._stored,
            versions=measured_versions(),
        )
