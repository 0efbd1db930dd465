"""Decides how far throughput should grow: as far as the cores allow; on a GPU, up to where it is saturated.

A stored curve goes before what is seen today: a change that saturates the GPU sooner is not to pass for that.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from pytest_paddle_mt.baselines import rule
from pytest_paddle_mt.checks import gpu_causes
from pytest_paddle_mt.records import Warning
from pytest_paddle_mt.statistics import validity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_paddle_mt.baselines import Series, Stored
    from pytest_paddle_mt.checks import Evidence
    from pytest_paddle_mt.records import Cpu, Limits, Round, Verdict

_OF_THE_CURVE = frozenset({"linear", "collapse"})  #: The checks that ask how a curve should look.


def linear_until(
    limits: Limits,
    counts: Sequence[int],
    cpu: Cpu,
    cores: str,
    device: str,
    stored: Stored | None = None,
    survey: Sequence[Round] = (),
) -> tuple[int, str]:
    """The largest thread count up to which throughput should grow linearly, and why, human-readable.

    ``cores`` are the usable cores in words; ``device`` is where the model runs; ``survey`` shows how busy a GPU is.
    """
    if limits.linear_until is not None:
        return limits.linear_until, "as asked for"
    series = _accepted(stored)
    if device != "cpu" and series is not None:
        reached = rule.linear_up_to(series, counts, limits.min_efficiency)
        return reached, "up to which the stored curve of this GPU is linear"
    saturated = gpu_causes.saturated_at(survey) if device != "cpu" else None
    if saturated is not None:
        at, evidence = saturated
        below = max((threads for threads in counts if threads < at), default=1)
        where = "the largest count before the GPU is saturated" if at > 1 else "it saturates the GPU"
        return below, f"{where}: {evidence}"
    if device != "cpu":
        return counts[-1], "the largest count asked for, since a GPU's threads do not compete for cores"
    each = f" over {cpu.math_threads} math threads a predictor" if cpu.math_threads > 1 else ""
    return max(1, cpu.usable_cores // cpu.math_threads), f"{cores}{each}"


def in_words_of_a_gpu(verdicts: Sequence[Verdict], limits: Limits, survey: Sequence[Round]) -> tuple[Verdict, ...]:
    """The verdicts, with a reason that fits where a GPU is saturated before any count that could be linear."""
    saturated = gpu_causes.saturated_at(survey) if limits.linear_until is None else None
    if saturated is None:
        return tuple(verdicts)
    at, evidence = saturated
    why = (
        "one thread saturates the GPU, so no thread count above one can be judged"
        if at == 1
        else f"{at} threads saturate the GPU, and no count between one and that was measured, so none can be judged"
    )
    text = f"{why}: {evidence}; record the curve with --paddle-baseline-update, and drift judges it from then on"
    return tuple(
        dataclasses.replace(one, reason=text) if one.check == "linear" and one.threads is None else one
        for one in verdicts
    )


def gating(
    verdicts: Sequence[Verdict], evidence: Evidence, device: str
) -> tuple[tuple[Verdict, ...], tuple[Warning, ...]]:
    """Which of the verdicts gate, and what is only reported.

    How far a GPU should scale is unknown until a curve is recorded. While recording, any measured curve is accepted;
    afterwards, the drift check compares later runs with it. Elsewhere, and where ``--paddle-linear-until`` says how
    far, every verdict gates.
    """
    stored = evidence.stored
    if device == "cpu" or stored is None or evidence.limits.linear_until is not None:
        return tuple(verdicts), ()
    series = _accepted(stored)
    kept, notes = [], []
    for verdict in verdicts:
        known = None if series is None or stored.accepting else _known(verdict, evidence, series)
        if verdict.check not in _OF_THE_CURVE or verdict.status == "pass":
            kept.append(verdict)
        elif stored.accepting and _measured(verdict, evidence):
            recorded = f"does not gate while the curve is recorded: {verdict.reason}"
            kept.append(dataclasses.replace(verdict, status="calibrating", reason=recorded))
        elif known:
            notes.append(known)
        else:
            kept.append(verdict)
    return tuple(kept), tuple(notes)


def _accepted(stored: Stored | None) -> Series | None:
    """The accepted runs that this one can be compared with."""
    if stored is None or stored.baseline is None or stored.objection is not None or stored.edited is not None:
        return None
    return stored.baseline.series


def _measured(verdict: Verdict, evidence: Evidence) -> bool:
    """Whether what it is about was measured well enough for later runs to be held against it."""
    if any(validity.objection(evidence.rounds, threads) for threads in evidence.thread_counts):
        return False
    if verdict.threads is None:
        return True
    found = next(point for point in evidence.points if point.threads == verdict.threads)
    return found.efficiency_interval is not None


def _known(verdict: Verdict, evidence: Evidence, series: Series) -> Warning | None:
    """The note on a verdict that only repeats the accepted curve; None where it adds something."""
    limits = evidence.limits
    judged = any(rule.mean(series, threads, rule.EFFICIENCY) is not None for threads in evidence.thread_counts)
    if verdict.check == "linear" and verdict.threads is None and judged:
        text = (
            f"the stored curve is below an efficiency of {limits.min_efficiency:.2f} beyond 1 thread, so linear growth "
            "was not judged; drift was"
        )
        return Warning(kind="curve_not_linear", text=text)
    if verdict.check == "collapse" and verdict.threads is not None:
        base = evidence.linear_count
        before, after = (rule.mean(series, threads, rule.QPS) for threads in (base, verdict.threads))
        if before is None or after is None or verdict.observed is None:
            return None
        accepted, least = after / before, 1 - limits.max_collapse
        if accepted < least and verdict.observed >= least * accepted:
            text = (
                f"the stored curve falls to {accepted:.2f} of its QPS from {base} to {verdict.threads} threads, this "
                f"one to {verdict.observed:.2f}, so collapse did not fail it"
            )
            return Warning(kind="curve_falls", text=text)
    return None
