"""Says what to do about a sweep that failed or was not decided: one sentence, for every reporter with room for one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_paddle_mt.checks import against, drift

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_paddle_mt.records import Sweep

#: Between what failed and the limit that is offered instead: the next run will not measure quite the same.
_SPARE = 0.05


def next_step(sweep: Sweep) -> str:
    """What to do about a failed sweep, and how to accept it where the model can do no better."""
    worst: dict[str, float] = {}
    for verdict in sweep.verdicts:
        if verdict.status == "fail" and verdict.observed is not None:
            worst[verdict.check] = min(verdict.observed, worst.get(verdict.check, verdict.observed))
    limits = {}
    if "linear" in worst:
        limits["min_efficiency"] = max(0.01, worst["linear"] - _SPARE)
    if "collapse" in worst:
        limits["max_collapse"] = min(0.99, 1 - worst["collapse"] + _SPARE)
    ways = [f"if the model can do no better, {_limits_said(sweep.nodeid, limits)}"] if limits else []
    if drift.NAME in worst:
        ways.append("if these figures are meant, accept them with --paddle-baseline-update")
    if against.NAME in worst:
        margin = 1 / worst[against.NAME] - 1 + _SPARE
        ways.append(f"if it is meant to take longer, allow that for this run: --paddle-max-drift={margin:.2f}")
    return f"Remove the cause or, {'; '.join(ways)}" if ways else "Remove the cause"


def _limits_said(nodeid: str, limits: Mapping[str, float]) -> str:
    """Where to write these limits: at the test, or as options of ``paddle-mt sweep``, which has no file of tests."""
    if nodeid.partition("::")[0].endswith(".py"):
        arguments = ", ".join(f"{name}={limit:.2f}" for name, limit in limits.items())
        return f"say so for this test: @pytest.mark.paddle_scaling({arguments})"
    options = " ".join(f"--paddle-{name.replace('_', '-')}={limit:.2f}" for name, limit in limits.items())
    return f"say so for this model: {options}"


def why_or_next(sweep: Sweep) -> str | None:
    """What to do about a sweep that failed, or why it was not gated, which says what to do, too; else None."""
    if sweep.smoke_reason is not None:
        return f"why: {sweep.smoke_reason}"
    if sweep.status == "fail":
        step = next_step(sweep)
        return f"next: {step[0].lower()}{step[1:]}"
    reasons = list(dict.fromkeys(one.reason for one in sweep.verdicts if one.status == sweep.status))
    if sweep.status in {"pass", "calibrating"} or not reasons:
        return None
    return f"why: {reasons[0]}" + (f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else "")
