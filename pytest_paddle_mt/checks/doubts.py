"""Collects the doubts about a measurement, and adds the visible causes to the reasons of failed verdicts."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from pytest_paddle_mt.checks import causes, drift
from pytest_paddle_mt.records import Cpu, Warning
from pytest_paddle_mt.statistics import validity
from pytest_paddle_mt.statistics.points import pooled_latencies
from pytest_paddle_mt.units import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_paddle_mt.records import Point, Round, Subject, Verdict


def explained(
    verdicts: tuple[Verdict, ...], subject: Subject, rounds: Sequence[Round], cpu: Cpu
) -> tuple[Verdict, ...]:
    """The verdicts, with the visible causes why it does not scale added to every failure, except drift."""
    found = []
    for verdict in verdicts:
        found_causes = (
            causes.causes(subject, rounds, verdict.threads, cpu)
            if verdict.status == "fail" and verdict.threads is not None and verdict.check != drift.NAME
            else []
        )
        if found_causes:
            reason = f"{verdict.reason}. Cause: {'; '.join(found_causes)}"
            verdict = dataclasses.replace(verdict, reason=reason)
        found.append(verdict)
    return tuple(found)


def warnings(
    subject: Subject,
    rounds: Sequence[Round],
    points: Sequence[Point],
    cpu: Cpu,
    threads_note: str | None,
) -> tuple[Warning, ...]:
    """What a reader of the verdicts has to know besides."""
    found = []
    if threads_note is not None:
        found.append(Warning(kind="threads_added", text=threads_note))
    if subject.gil == "held":
        paddle = subject.facts.get("paddle", "this Paddle")
        found.append(
            Warning(
                kind="gil_held",
                text=f"Predictor.run() of {paddle} holds the GIL: Python threads will not scale, whatever the native "
                "engine shows; 3.2.2 releases it",
            )
        )
    if subject.gil == "unknown":
        found.append(
            Warning(kind="gil_unknown", text="the GIL probe could not tell whether Predictor.run() holds the GIL")
        )
    for point in points:
        running = counted(point.threads, "thread")
        taken = point.set_aside_rounds - point.shared_core_rounds
        if taken:
            found.append(
                Warning(
                    kind="preempted",
                    text=f"{running}: other work took the cores away in {taken} of "
                    f"{point.rounds} rounds, which were set aside; use a quieter machine for a quicker verdict",
                )
            )
        if point.shared_core_rounds:
            found.append(
                Warning(
                    kind="cores_shared",
                    text=f"{running}: fewer cores than threads ran them in {point.shared_core_rounds} of "
                    f"{point.rounds} rounds, which were set aside: a probe that fills cores shows two threads on one "
                    "core, as a hypervisor may put them",
                )
            )
        if point.lost_share > validity.MAX_LOST_SHARE:
            found.append(
                Warning(
                    kind="lost_time",
                    text=f"{running}: other work took {point.lost_share:.0%} of their time; throughput and efficiency "
                    "have that taken out, latencies have not where no round was left alone",
                )
            )
        objection = validity.objection(rounds, point.threads)
        if objection is not None:
            found.append(Warning(kind="not_the_predictor", text=objection))
        if pooled_latencies(rounds, point.threads).thinned:
            found.append(
                Warning(
                    kind="thinned",
                    text=f"{running}: too many queries to keep each timestamp; percentiles are from bins "
                    "and right to 1 %; a shorter --paddle-window keeps them all",
                )
            )
    return tuple(found)
