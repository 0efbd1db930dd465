"""Writes the text of a failed test: which checks failed, what to do, and the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_paddle_mt.reporters.advice import next_step
from pytest_paddle_mt.reporters.terminal import table

if TYPE_CHECKING:
    from pytest_paddle_mt.records import Sweep


def failure(sweep: Sweep) -> str:
    """What a failed test prints: the verdicts that failed, and the small table."""
    failed = [verdict for verdict in sweep.verdicts if verdict.status == "fail"]
    lines = [f"{verdict.check}: {verdict.reason}" for verdict in failed]
    if sweep.cause is not None:
        lines.append(sweep.cause.line)
    lines += [next_step(sweep), "", *table(sweep)]
    lines.append(f"seed {sweep.seed} (--paddle-seed={sweep.seed} repeats the order of the windows)")
    return "\n".join(lines)
