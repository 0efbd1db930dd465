"""Decides the outcome of a test whose body passed although one of its sweeps was not gated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_paddle_mt.errors import GateFailure

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_paddle_mt.records import Sweep

NOT_GATED = "NOT gated: "  #: How the reason of a test that was not gated begins.


def decide_outcome(sweeps: Iterable[Sweep], *, strict: bool) -> None:
    """Skip the test of these sweeps if one was not gated, or fail it under ``--paddle-strict``.

    Raises:
        GateFailure: a sweep was not gated, and ``strict``.
        pytest.skip.Exception: a sweep was not gated.
    """
    from pytest_paddle_mt.records import GATED_STATUSES  # not above: sessions without sweeps import this module, too

    not_gated = [sweep for sweep in sweeps if sweep.gate and sweep.status not in GATED_STATUSES]
    if not not_gated:
        return
    reason = NOT_GATED + "; ".join(not_gated_reason(sweep) for sweep in not_gated)
    if strict:
        raise GateFailure(f"{reason}\n--paddle-strict makes that a failure.")
    pytest.skip(reason)


def not_gated_reason(sweep: Sweep) -> str:
    """Why a sweep was not gated, in one sentence."""
    if sweep.smoke_reason is not None:
        return f"smoke run only ({sweep.smoke_reason})"
    worst = [verdict for verdict in sweep.verdicts if verdict.status == sweep.status]
    return f"{sweep.status}: {worst[0].reason}" if worst else "no_data: no check had anything to judge"
