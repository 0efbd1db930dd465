"""Judges whether latency, throughput and efficiency are as good as in the runs that were accepted before."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pytest_paddle_mt.baselines import digests, figures, rule, words
from pytest_paddle_mt.records import Verdict, Warning
from pytest_paddle_mt.statistics import drift, latency, validity
from pytest_paddle_mt.units import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_paddle_mt.baselines import Series, Stored
    from pytest_paddle_mt.baselines.rule import Comparison
    from pytest_paddle_mt.checks import Evidence
    from pytest_paddle_mt.records import Limits, Status

NAME = "drift"

_RESTORE = "restore its file from version control, or begin a new series with --paddle-baseline-update"

_FEWEST_QUERIES = latency.minimum_queries(0.05)  #: Of p5, the most of the percentiles that every run should have.

_LOGARITHM_MOST = 700.0  #: Of a factor that is printed; the exponential of 710 is no float any more.


class DriftCheck:
    """Latency, throughput and efficiency against the stored baseline, at every thread count that it has."""

    name = NAME

    def judge(self, evidence: Evidence) -> list[Verdict]:
        """One verdict per thread count; none without a baseline, none where this run is to be accepted.

        None relative to a control workload either: what that would add is not known.
        """
        stored = evidence.stored
        if stored is None or stored.accepting or evidence.relative_to_control:
            return []
        return _verdicts(evidence, stored)


def short_of_queries(evidence: Evidence) -> frozenset[int]:
    """The thread counts with too few queries for the latencies that a baseline has of every run, p50 and p5.

    A run without one of them is not compared by it, and weakens the baseline that it joins. The 99th percentile, which
    takes five times the queries, is left to chance. None where nothing is compared or accepted.

    Queries of rounds that other work disturbed count, although their latencies are not compared: beside it no time may
    be enough.
    """
    stored = evidence.stored
    if stored is None:
        return frozenset()
    known = None if stored.objection is not None or stored.edited is not None else stored.baseline
    return frozenset(
        point.threads
        for point in evidence.points
        if point.queries < _FEWEST_QUERIES
        and (stored.accepting or (known is not None and rule.runs_with(known.series, point.threads)))
    )


def notes(evidence: Evidence) -> tuple[Warning, ...]:
    """What is reported and does not gate: what was not compared, and the drift of a run that is to be accepted."""
    stored = evidence.stored
    if stored is None:
        return ()
    if stored.accepting:
        beyond = [
            verdict
            for verdict in _verdicts(evidence, stored)
            if verdict.status in {"fail", "not_comparable"} or (verdict.status == "inconclusive" and verdict.observed)
        ]
        return tuple(
            Warning(kind="drift_accepted", text=f"does not gate, as this run is to be accepted: {one.reason}")
            for one in beyond
        )
    if stored.baseline is None or stored.objection is not None or stored.edited is not None:
        return ()
    series = stored.baseline.series
    return (
        *(Warning(kind="without_digest", text=text) for text in _without_digest(series)),
        *(Warning(kind="not_in_baseline", text=text) for text in _unknown(evidence, series)),
        *(Warning(kind="not_compared", text=text) for text in _not_compared(evidence, series)),
        *(Warning(kind="versions_differ", text=text) for text in _other_versions(evidence, series)),
    )


def _verdicts(evidence: Evidence, stored: Stored) -> list[Verdict]:
    if stored.objection is not None:
        return [_verdict(None, "not_comparable", stored.objection)]
    if stored.edited is not None:
        reason = f"the baseline was edited after it was recorded: {stored.edited}; {_RESTORE}"
        return [_verdict(None, "inconclusive", reason)]
    if stored.baseline is None:
        return []
    series = stored.baseline.series
    comparisons = _comparisons(evidence, series)
    verdicts = []
    for point in evidence.points:
        own = [one for one in comparisons if one.threads == point.threads]
        if not own:
            continue
        objection = validity.objection(evidence.rounds, point.threads)
        if point.set_aside_rounds == point.rounds:
            objection = (
                f"every round with {counted(point.threads, 'thread')} was disturbed by an unknown amount; run it on a "
                "quieter machine"
            )
        verdicts.append(
            _verdict(point.threads, "inconclusive", f"not compared with the baseline: {objection}")
            if objection
            else _judged(own, series, evidence.limits)
        )
    return verdicts


def _judged(comparisons: Sequence[Comparison], series: Series, limits: Limits) -> Verdict:
    """The verdict on one thread count: that of the most telling quantity."""
    worst = _most_telling(comparisons)
    wide = max(comparisons, key=lambda one: one.spread)
    if wide.too_wide and not worst.drifted:
        return _verdict(worst.threads, "inconclusive", _too_wide(wide))
    runs = rule.runs_with(series, worst.threads)
    reason = f"{_change(worst)}, {_limit(worst, limits)}"
    if worst.untold:
        reason += (
            ". But the machine was slower, by more than it varied in the accepted runs, so they do not show what is "
            "due to that. Run it again"
        )
    elif worst.explained:
        assert worst.alone is not None, "it is what is explained"
        reason += (
            f". By itself it is beyond its limit of {words.percent(_factor(worst, worst.alone.limit))}: the machine "
            "was slower, or the test left something at work that slowed the probe, too. Run it again"
        )
    better = [one for one in comparisons if one.improved and not one.anchored]
    if better:
        reason += f". Improved: {'; '.join(_change(one) for one in better)}"
    if runs < drift.FULL_RUNS:
        reason += f". Calibrating: {runs} of {drift.FULL_RUNS} runs accepted, so the limit is still wide"
    status: Status = "calibrating" if runs < drift.FULL_RUNS else "pass"
    if worst.drifted or worst.explained:
        status = "fail" if worst.drifted else "inconclusive"
    return Verdict(
        check=NAME,
        threads=worst.threads,
        status=status,
        observed=_factor(worst, worst.worse),
        limit=_factor(worst, worst.limit),
        reason=reason,
    )


def _most_telling(comparisons: Sequence[Comparison]) -> Comparison:
    """The quantity that uses up most of its limit.

    One that drifted comes first; then one that drifted by itself but not relative to the probe: the machine was slower,
    or the test itself left something at work that slowed the probe, too.
    """
    return max(comparisons, key=lambda one: (one.drifted, one.explained, one.severity))


def _change(one: Comparison) -> str:
    """``p50 latency with 2 threads 22.8 -> 25.1 ms (+10.1 %)``, and what remains of that relative to the probe."""
    changed = words.change(one.quantity.key, one.old, one.new)
    described = f"{one.quantity.name} with {counted(one.threads, 'thread')} {changed}"
    if one.slower is None:
        return described
    if one.untold:
        return f"{described}, while the probe's time changed by {words.percent(one.slower)}"
    left = words.percent(_factor(one, one.worse))
    return f"{described}, {left} relative to the probe, whose time changed by {words.percent(one.slower)}"


def _limit(one: Comparison, limits: Limits) -> str:
    """What the change was held against, and what it could have found."""
    if one.anchored:
        of = f"the first {counted(one.runs, 'accepted run')}, the anchor"
    else:
        of = f"the mean of {counted(one.runs, 'accepted run')}"
    word = "beyond" if one.worse > one.limit else "within"
    how = "an assumed " if one.runs == 1 else "a partly assumed " if one.runs < drift.FULL_RUNS else "a "
    spread = f"{how}spread between runs of {math.expm1(one.spread):.1%}"
    if one.slower is not None and not one.untold:
        spread += " relative to the probe"
    return (
        f"{word} the limit of {words.percent(_factor(one, one.limit))} against {of} ({one.quantity.option()} "
        f"{one.quantity.margin(limits):.0%}, and {spread}); {words.percent(_factor(one, one.detectable))} would be "
        "found 19 times in 20"
    )


def _too_wide(one: Comparison) -> str:
    return (
        f"{one.quantity.name} with {counted(one.threads, 'thread')} has a spread between {one.runs} accepted runs of "
        f"{math.expm1(one.spread):.0%}, and runs on one machine do not differ by more than "
        f"{math.expm1(drift.WIDEST_SPREAD):.0%}: within it, a run may be anything. Look at how its file came about; "
        f"{_RESTORE}"
    )


def _factor(one: Comparison, worse: float) -> float:
    """The quantity over the accepted one where its logarithm is worse by ``worse``."""
    logarithm = worse if one.quantity.more_is_worse else -worse
    return math.exp(max(-_LOGARITHM_MOST, min(logarithm, _LOGARITHM_MOST)))


def _comparisons(evidence: Evidence, series: Series) -> tuple[Comparison, ...]:
    return rule.compare(series, figures.of_sweep(evidence.points, evidence.rounds, evidence.cpu), evidence.limits)


def _unknown(evidence: Evidence, series: Series) -> list[str]:
    """Thread counts that the baseline does not have, human-readable."""
    unknown = [threads for threads in evidence.thread_counts if not rule.runs_with(series, threads)]
    if not unknown:
        return []
    return [f"drift was not judged with {_listed(unknown)}, not in the baseline; --paddle-baseline-update adds that"]


def _not_compared(evidence: Evidence, series: Series) -> list[str]:
    """Quantities that were left out where others were compared, human-readable."""
    compared = {(one.threads, one.quantity.key) for one in _comparisons(evidence, series)}
    lines = []
    for quantity in rule.QUANTITIES:
        left_out = [
            threads
            for threads in evidence.thread_counts
            if rule.runs_with(series, threads)
            and (threads, quantity.key) not in compared
            and not (quantity.key == "efficiency" and threads == 1)
        ]
        if left_out:
            lines.append(
                f"{quantity.name} was not compared with {_listed(left_out)}: this run, or every accepted one, had too "
                "few queries for it, or none in a round that was left alone"
            )
    return lines


def _without_digest(series: Series) -> list[str]:
    """How many accepted runs nothing binds to their sweeps, human-readable."""
    lacking = digests.without(series)
    if not lacking:
        return []
    runs = counted(len(series.runs), "accepted run")
    why = "as an earlier version recorded them: an edit of their figures would not show"
    return [f"{lacking} of {runs} of the baseline have no digest, {why}"]


def _listed(thread_counts: Sequence[int]) -> str:
    """``1, 2 threads``."""
    *others, last = thread_counts
    return ", ".join([*map(str, others), counted(last, "thread")])


def _other_versions(evidence: Evidence, series: Series) -> list[str]:
    """What else is new since the latest accepted run, human-readable: a drift may have its reason there."""
    before, now = series.runs[-1].versions, evidence.versions
    changed = [
        f"{name} {before.get(name)} -> {now.get(name)}"
        for name in dict.fromkeys((*before, *now))
        if before.get(name) != now.get(name)
    ]
    return [f"other versions than in the latest accepted run: {', '.join(changed)}"] if changed else []


def _verdict(threads: int | None, status: Status, reason: str) -> Verdict:
    return Verdict(check=NAME, threads=threads, status=status, observed=None, limit=None, reason=reason)
