"""Writes the text of a failed test: which checks failed, what to do, and the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_paddle_mt.checks import against, drift
from pytest_paddle_mt.reporters.terminal import table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_paddle_mt.records import Sweep, Verdict

#: Between what failed and the limit that is offered instead: the next run will not measure quite the same.
_SPARE = 0.05


def _acceptance(failed: Sequence[Verdict]) -> str:
    """What to do about a failure, and how to accept it where the model can do no better."""
    worst: dict[str, float] = {}
    for verdict in failed:
        if verdict.observed is not None:
            worst[verdict.check] = min(verdict.observed, worst.get(verdict.check, verdict.observed))
    arguments = []
    if "linear" in worst:
        arguments.append(f"min_efficiency={max(0.01, worst['linear'] - _SPARE):.2f}")
    if "collapse" in worst:
        arguments.append(f"max_collapse={min(0.99, 1 - worst['collapse'] + _SPARE):.2f}")
    ways = []
    if arguments:
        mark = f"@pytest.mark.paddle_scaling({', '.join(arguments)})"
        ways.append(f"if the model can do no better, say so for this test: {mark}")
    if drift.NAME in worst:
        ways.append("if these figures are meant, accept them with --paddle-baseline-update")
    if against.NAME in worst:
        margin = 1 / worst[against.NAME] - 1 + _SPARE
        ways.append(f"if it is meant to take longer, allow that for this run: --paddle-max-drift={margin:.2f}")
    return f"Remove the cause or, {'; '.join(ways)}" if ways else "Remove the cause"


def failure(sweep: Sweep) -> str:
    """What a failed test prints: the verdicts that failed, and the small table."""
    failed = [verdict for verdict in sweep.verdicts if verdict.status == "fail"]
    lines = [f"{verdict.check}: {verdict.reason}" for verdict in failed]
    if sweep.cause is not None:
        lines.append(sweep.cause.line)
    lines += [_acceptance(failed), "", *table(sweep)]
    lines.append(f"seed {sweep.seed} (--paddle-seed={sweep.seed} repeats the order of the windows)")
    return "\n".join(lines)
