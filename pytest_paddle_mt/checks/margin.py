"""The rule that the checks share: is a ratio worse than its limit? One interval over bracketed rounds decides."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from pytest_paddle_mt.records import Verdict, record
from pytest_paddle_mt.statistics.intervals import MIN_VALUES, mean_interval
from pytest_paddle_mt.units import counted

if TYPE_CHECKING:
    import numpy.typing as npt

    from pytest_paddle_mt.records import Status


@record
class Question:
    """A ratio to be judged against a lower limit."""

    check: str
    threads: int
    #: What the ratio is, for people: ``scaling efficiency with 4 threads``.
    what: str
    limit: float
    #: Rounds that measured it.
    rounds: int
    #: Why the windows do not measure the predictor; None when they do.
    objection: str | None


def judge(question: Question, log_ratios: npt.NDArray[np.float64], confidence: float) -> Verdict:
    """Pass when the whole interval is at or above the limit, fail when it is below, else inconclusive.

    Args:
        question: what is judged.
        log_ratios: logarithm of the ratio in each usable round, float64, shape (k,).
        confidence: of the interval for their mean.
    """
    observed = float(np.exp(log_ratios.mean())) if len(log_ratios) else None
    interval = mean_interval(log_ratios, confidence)
    if question.objection is not None:
        return _verdict(question, observed, "inconclusive", question.objection)
    if interval is None or observed is None:
        aside, rounds = question.rounds - len(log_ratios), counted(question.rounds, "round")
        cause = (
            f"other work on this machine took the cores away in {aside} of {rounds}"
            if aside
            else f"{rounds} {'is' if question.rounds == 1 else 'are'} too few for an interval, which needs {MIN_VALUES}"
        )
        step = "run it on a quieter machine" if aside else "give more --paddle-rounds or a larger --paddle-budget"
        return _verdict(question, observed, "inconclusive", f"{question.what} could not be judged: {cause}; {step}")
    low, high = math.exp(interval.low), math.exp(interval.high)
    measured = f"{question.what} is {observed:.2f} ({low:.2f} to {high:.2f})"
    if low >= question.limit:
        return _verdict(question, observed, "pass", f"{measured}, at or above the limit {question.limit:.2f}")
    if high < question.limit:
        return _verdict(question, observed, "fail", f"{measured}, below the limit {question.limit:.2f}")
    return _verdict(
        question,
        observed,
        "inconclusive",
        f"{measured}: the interval holds the limit {question.limit:.2f}; give more --paddle-rounds and a larger "
        "--paddle-budget, or a quieter machine",
    )


def _verdict(question: Question, observed: float | None, status: Status, reason: str) -> Verdict:
    return Verdict(
        check=question.check,
        threads=question.threads,
        status=status,
        observed=observed,
        limit=question.limit,
        reason=reason,
    )
