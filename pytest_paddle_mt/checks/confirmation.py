"""Confirms a failure that shows again: in a fresh process, and relative to work that shares nothing.

Pure functions. Everywhere ``first`` is what the checks concluded from the sweep, ``again`` what they conclude from the
rounds that were measured to confirm it, and ``relative`` what they conclude from those rounds with every throughput
divided by that of the control workload.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_paddle_mt.records import Status, Verdict


#: What a failure that does not show again ends as.
_HELD: frozenset[Status] = frozenset({"pass", "calibrating"})


def needed(verdicts: Sequence[Verdict]) -> bool:
    """Whether something failed."""
    return any(verdict.status == "fail" for verdict in verdicts)


def answered(first: Sequence[Verdict], again: Sequence[Verdict], relative: Sequence[Verdict]) -> bool:
    """Whether every failure among ``first`` is confirmed or refuted, so that nothing more need be measured."""
    for verdict in first:
        both = (_same(verdict, again), _same(verdict, relative))
        statuses = {answer.status for answer in both if answer is not None}
        if verdict.status == "fail" and not (_HELD & statuses or statuses == {"fail"}):
            return False
    return True


def confirmed(
    first: Sequence[Verdict], again: Sequence[Verdict], relative: Sequence[Verdict], where: str
) -> tuple[Verdict, ...]:
    """``first``, with every failure confirmed, or inconclusive where it does not show again.

    ``where`` names the processes that measured it again, human-readable.
    """
    return tuple(
        _confirmed(verdict, _same(verdict, again), _same(verdict, relative), where)
        if verdict.status == "fail"
        else verdict
        for verdict in first
    )


def _same(verdict: Verdict, answers: Sequence[Verdict]) -> Verdict | None:
    """The answer to the same question; None where it was not asked: a check may have no use for a control."""
    return next((other for other in answers if (other.check, other.threads) == (verdict.check, verdict.threads)), None)


def _confirmed(verdict: Verdict, again: Verdict | None, relative: Verdict | None, where: str) -> Verdict:
    if again is None:
        return verdict
    if again.status == "fail" and (relative is None or relative.status == "fail"):
        reason = f"{verdict.reason}. Confirmed in {where}: {_number(again)}"
        if relative is not None:
            reason += f", and {_number(relative)} relative to a control workload that shares nothing"
        return dataclasses.replace(verdict, reason=reason)
    if again.status in _HELD:
        doubt = f"measured again in {where} it passed: {again.reason}. Run it again; was something else at work?"
    elif relative is not None and relative.status == "pass":
        doubt = (
            f"the machine itself did not scale meanwhile: relative to a control workload that shares nothing it is "
            f"{_number(relative)}. Run it where the cores are its own"
        )
    elif again.status == "fail" and relative is not None:
        doubt = f"it could not be confirmed in {where} relative to a control workload: {relative.reason}"
    else:
        doubt = f"it could not be confirmed in {where}: {again.reason}"
    return dataclasses.replace(verdict, status="inconclusive", reason=f"{verdict.reason}, but {doubt}")


def _number(verdict: Verdict) -> str:
    return "unknown" if verdict.observed is None else f"{verdict.observed:.2f}"
