"""Judges a ratio of throughputs against its limit, by one interval over bracketed rounds: what checks share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_paddle_mt.records import Verdict
from pytest_paddle_mt.statistics import scaling, validity
from pytest_paddle_mt.statistics.intervals import MIN_VALUES, mean_interval
from pytest_paddle_mt.units import counted

if TYPE_CHECKING:
    import numpy.typing as npt

    from pytest_paddle_mt.checks import Evidence
    from pytest_paddle_mt.records import Round, Status, Visit


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Question:
    """A ratio to be judged against a lower limit."""

    check: str
    threads: int
    #: What the ratio is, human-readable: ``scaling efficiency with 4 threads``.
    what: str
    limit: float
    #: The ratio is of the throughput with ``threads`` threads over that with so many.
    base: int
    #: What that ratio is for linear growth, or for whatever else the limit is a share of.
    ideal: float


def judge(question: Question, evidence: Evidence) -> Verdict:
    """Pass when the whole interval is at or above the limit, fail when it is below, else inconclusive."""
    threads, base = question.threads, question.base
    log_ratios = _log_ratios(question, evidence)
    objection = validity.objection(evidence.rounds, threads) or validity.objection(evidence.rounds, base)
    observed = float(np.exp(log_ratios.mean())) if len(log_ratios) else None
    interval = mean_interval(log_ratios, evidence.confidence)
    if objection is not None:
        return _verdict(question, observed, "inconclusive", objection)
    if interval is None or observed is None:
        return _verdict(question, observed, "inconclusive", f"{question.what} {_too_little(question, evidence)}")
    low, high = math.exp(interval.low), math.exp(interval.high)
    measured = f"{question.what} is {observed:.2f} ({low:.2f} to {high:.2f}, {counted(len(log_ratios), 'round')})"
    if low >= question.limit:
        return _verdict(question, observed, "pass", f"{measured}, at or above the limit {question.limit:.2f}")
    if high < question.limit:
        return _verdict(question, observed, "fail", f"{measured}, below the limit {question.limit:.2f}")
    return _verdict(
        question,
        observed,
        "inconclusive",
        f"{measured}: the interval contains the limit {question.limit:.2f}; give more --paddle-rounds and a larger "
        "--paddle-budget, or a quieter machine",
    )


def _log_ratios(question: Question, evidence: Evidence) -> npt.NDArray[np.float64]:
    """ln of the ratio over its ideal in each usable round, float64, shape (k,)."""
    cpu, threads, base = evidence.cpu, question.threads, question.base

    def usable(one: Round) -> bool:
        return validity.usable(one, threads, cpu, base)

    def corrected(visit: Visit) -> float:
        return validity.qps(visit.window, cpu)

    def over_control(visit: Visit) -> float:
        return validity.qps_over_control(visit, cpu)

    if evidence.relative_to_control:  # the control has the ideal ratio in it
        return scaling.ratio_series(evidence.rounds, threads, base, usable, over_control)
    return scaling.ratio_series(evidence.rounds, threads, base, usable, corrected) - math.log(question.ideal)


def _too_little(question: Question, evidence: Evidence) -> str:
    """Why there is no interval, human-readable."""
    cpu, rounds = evidence.cpu, len(evidence.rounds)
    usable = [one for one in evidence.rounds if validity.usable(one, question.threads, cpu, question.base)]
    shared = [one for one in evidence.rounds if validity.cores_shared(one, question.threads, cpu)]
    aside = rounds - len(usable)
    if not aside:
        cause = (
            f"{counted(rounds, 'round')} {'is' if rounds == 1 else 'are'} too few for an interval, which needs "
            f"{MIN_VALUES}"
        )
        step = "give more --paddle-rounds or a larger --paddle-budget"
    elif 2 * len(shared) > aside:
        cause = (
            f"two threads had one core between them in {len(shared)} of {counted(rounds, 'round')}, as a probe that "
            "fills cores shows"
        )
        step = "run it where each thread has a core, or give --paddle-linear-until, up to which each has one"
    else:
        cause = f"other work on this machine took the cores away in {aside} of {counted(rounds, 'round')}"
        step = "run it on a quieter machine"
    return f"could not be judged: {cause}; {step}"


def _verdict(question: Question, observed: float | None, status: Status, reason: str) -> Verdict:
    return Verdict(
        check=question.check,
        threads=question.threads,
        status=status,
        observed=observed,
        limit=question.limit,
        reason=reason,
    )
