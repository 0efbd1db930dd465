"""A failure is believed when it shows again: in a fresh process, and beside work that shares nothing.

Pure functions. Everywhere ``first`` is what the checks said of the sweep, ``again`` what they say of the rounds that
were measured to confirm it, and ``beside_control`` what they say of those rounds with every throughput divided by that
of the control workload.
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


def answered(first: Sequence[Verdict], again: Sequence[Verdict], beside_control: Sequence[Verdict]) -> bool:
    """Whether every failure among ``first`` is confirmed or refuted, so that nothing more need be measured."""
    for verdict in first:
        if verdict.status == "fail":
            both = (_same(verdict, again), _same(verdict, beside_control))
            statuses = {answer.status for answer in both if answer is not None}
            if not (_HELD & statuses or statuses == {"fail"}):
                return False
    return True


def confirmed(
    first: Sequence[Verdict], again: Sequence[Verdict], beside_control: Sequence[Verdict], where: str
) -> tuple[Verdict, ...]:
    """``first``, with every failure confirmed, or inconclusive where it does not show again; ``where``, for people."""
    return tuple(
        _confirmed(verdict, _same(verdict, again), _same(verdict, beside_control), where)
        if verdict.status == "fail"
        else verdict
        for verdict in first
    )


def _same(verdict: Verdict, answers: Sequence[Verdict]) -> Verdict | None:
    """The answer to the same question; None where it was not asked: a check may have no use for a control."""
    return next((other for other in answers if (other.check, other.threads) == (verdict.check, verdict.threads)), None)


def _confirmed(verdict: Verdict, again: Verdict | None, beside_control: Verdict | None, where: str) -> Verdict:
    if again is None:
        return verdict
    if again.status == "fail" and (beside_control is None or beside_control.status == "fail"):
        beside = (
            ""
            if beside_control is None
            else f", and {_number(beside_control)} relative to a control workload that shares nothing"
        )
        return dataclasses.replace(verdict, reason=f"{verdict.reason}. Confirmed in {where}: {_number(again)}{beside}")
    if again.status in _HELD:
        doubt = f"measured again in {where} it passed: {again.reason}. Run it again; was something else at work?"
    elif beside_control is not None and beside_control.status == "pass":
        doubt = (
            f"the machine itself did not scale meanwhile: relative to a control workload that shares nothing it is "
            f"{_number(beside_control)}. Run it where the cores are its own"
        )
    elif again.status == "fail" and beside_control is not None:
        doubt = f"it could not be confirmed in {where} relative to a control workload: {beside_control.reason}"
    else:
        doubt = f"it could not be confirmed in {where}: {again.reason}"
    return dataclasses.replace(verdict, status="inconclusive", reason=f"{verdict.reason}, but {doubt}")


def _number(verdict: Verdict) -> str:
    return "unknown" if verdict.observed is None else f"{verdict.observed:.2f}"
