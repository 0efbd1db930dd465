"""Judges a ratio of throughputs against its limit, by one interval over bracketed rounds: what checks share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from pytest_paddle_mt.records import Verdict
from pytest_paddle_mt.statistics import scaling, selection, unknown_loss, validity
from pytest_paddle_mt.statistics.intervals import MIN_AUTOCORRELATION, MIN_VALUES, mean_interval, values_needed
from pytest_paddle_mt.statistics.looks import MOST_LOOKS, confidence
from pytest_paddle_mt.units import NS_PER_S, counted

if TYPE_CHECKING:
    from collections.abc import Collection

    import numpy.typing as npt

    from pytest_paddle_mt.checks import Evidence
    from pytest_paddle_mt.records import Status, Visit


#: A pass promises a ratio at or above the limit as measured, and with the confidence of the interval no more than this
#: below it.
MARGIN = 0.05


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Question:
    """A ratio to be judged against a lower limit."""

    check: str
    threads: int
    what: str  #: What the ratio is, human-readable: ``scaling efficiency with 4 threads``.
    limit: float
    base: int  #: The ratio is of the throughput with ``threads`` threads over that with so many.
    ideal: float  #: What that ratio is for linear growth, or for whatever else the limit is a share of.


def judge(question: Question, evidence: Evidence) -> Verdict:
    """Judge the ratio by its interval.

    Pass: the ratio as measured is at or above the limit, and its interval is no more than ``MARGIN`` below. Fail: the
    whole interval is below the limit. Else inconclusive.

    Where the threads wait for each other, the time that other work took from them is known only within bounds. Then the
    lowest ratio that it allows must pass, or the highest fail, see ``statistics/unknown_loss.py``.
    """
    threads, base = question.threads, question.base
    objection = validity.objection(evidence.rounds, threads) or validity.objection(evidence.rounds, base)
    waiting = {n for n in (threads, base) if validity.wait_for_each_other(evidence.rounds, n)}
    lowest, highest = (_log_ratios(question, evidence, waiting, credit) for credit in ("least", "most"))
    level = evidence.confidences[threads]
    high_level = level
    if base not in waiting:
        highest, high_level = unknown_loss.highest(lowest, highest, level)
    observed = float(np.exp(highest.mean())) if len(highest) else None
    intervals = [mean_interval(lowest, level), mean_interval(highest, high_level)]
    if objection is not None:
        return _verdict(question, observed, "inconclusive", objection)
    if intervals[0] is None or intervals[1] is None or observed is None:
        return _verdict(question, observed, "inconclusive", f"{question.what} {_too_little(question, evidence)}")
    low, high = math.exp(intervals[0].low), math.exp(intervals[1].high)
    measured = f"{question.what} is {observed:.2f} ({low:.2f} to {high:.2f}, {counted(len(highest), 'round')})"
    at_least = float(np.exp(lowest.mean()))
    if at_least >= question.limit and low >= question.limit - MARGIN:
        return _verdict(question, observed, "pass", f"{measured}, at or above the limit {question.limit:.2f}")
    if high < question.limit:
        return _verdict(question, observed, "fail", f"{measured}, below the limit {question.limit:.2f}")
    if observed >= question.limit and observed - at_least > MARGIN:
        return _verdict(
            question,
            observed,
            "inconclusive",
            f"{measured}: the threads wait for each other, so it is {at_least:.2f} if other work cost them nothing, "
            f"and {observed:.2f} if it cost what it seems to; run it on a quieter machine",
        )
    if at_least >= question.limit:
        missing = still_missing(evidence, lowest, math.log(at_least / (question.limit - MARGIN)), level)
    else:
        missing = still_missing(evidence, highest, math.log(question.limit / observed), high_level)
    decides_nothing = f"the interval contains the limit {question.limit:.2f}; {missing}"
    return _verdict(question, observed, "inconclusive", f"{measured}: {decides_nothing}")


def still_missing(
    evidence: Evidence,
    series: npt.NDArray[np.float64],
    half_width: float,
    level: float,
    min_autocorrelation: float = MIN_AUTOCORRELATION,
) -> str:
    """How much more makes an interval of this confidence, of one count's series, shape (k,), so narrow; human-readable.

    More rounds can have more looks, which share alpha: each is taken to have its share of the most.
    """
    judged = 1 if evidence.other is None else len(evidence.thread_counts)
    level = max(level, confidence(1 / MOST_LOOKS, judged))
    wanted = values_needed(series, level, half_width, min_autocorrelation) if half_width > 0 else None
    if wanted is None:
        return "it is too near to be decided; move the limit, or take a quieter machine"
    measured = len(evidence.rounds)
    rounds = math.ceil(measured * wanted / len(series))  # some rounds are set aside
    more = max(1, rounds - measured)
    options = []
    fewest, most = evidence.allowed_rounds or (measured, measured + more)
    if measured + more > most:
        options.append(f"--paddle-rounds={fewest}:{measured + more}")
    seconds = scaling.seconds_per_round(evidence.rounds)
    took = ""
    if seconds is not None:
        took = f", {seconds * more:.0f} s,"
        first, last = (evidence.rounds[index].visits[0].window.opened_ns for index in (0, -1))
        spent_s = (last - first) / NS_PER_S
        options.append(f"--paddle-budget={10 * math.ceil((spent_s + (more + 1) * seconds) / 10)}")
    would = f"about {counted(more, 'more round')}{took} would decide it"
    return f"{would}: {' '.join(options)}" if options else f"{would}; give a larger --paddle-budget"


def _log_ratios(
    question: Question, evidence: Evidence, waiting: Collection[int], credit: Literal["least", "most"]
) -> npt.NDArray[np.float64]:
    """ln of the ratio over its ideal in each usable round, float64, shape (k,), with the least or the most credit.

    Throughput is credited with the time that other work took. That time is not known of threads that wait for each
    other: the least credit gives them none, and the most gives all of it.
    """
    cpu, threads, base = evidence.cpu, question.threads, question.base

    def throughput(visit: Visit) -> float:
        n = visit.window.threads
        credited = n not in waiting or (credit == "most") == (n == threads)
        qps = validity.qps(visit.window, cpu) if credited else visit.window.qps
        return qps / validity.control_qps(visit, cpu) if evidence.relative_to_control else qps

    usable = selection.usable(evidence.rounds, threads, cpu, base)
    log_ratios = scaling.ratio_series(usable, threads, base, throughput)
    # The control has the ideal ratio in it.
    return log_ratios if evidence.relative_to_control else log_ratios - math.log(question.ideal)


def _too_little(question: Question, evidence: Evidence) -> str:
    """Why there is no interval, human-readable."""
    usable = selection.usable(evidence.rounds, question.threads, evidence.cpu, question.base)
    on_shared_cores = {
        one
        for n in (question.threads, question.base)
        for one in selection.on_shared_cores(evidence.rounds, n, evidence.cpu)
    }
    visited = [one for one in evidence.rounds if one.at(question.threads)]
    shared = on_shared_cores.intersection(visited)
    rounds, aside = len(visited), len(visited) - len(usable)
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
