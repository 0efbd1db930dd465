"""What a sweep says to people: before it begins, what is to be known beside it, why it failed, and what to do then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_paddle_mt import diagnosis, runner, summary, validity
from pytest_paddle_mt.checks import against, drift
from pytest_paddle_mt.records import Verdict, Warning
from pytest_paddle_mt.reporters.terminal import table
from pytest_paddle_mt.units import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_paddle_mt.records import Point, Round, Subject, Sweep

#: Between what failed and the limit that is offered instead: the next run will not measure quite the same.
_SPARE = 0.05


def announcement(
    nodeid: str, engine: str, schedule: runner.Schedule, smoke: str | None, threads_note: str | None, forks: int
) -> str:
    """What is to be measured and how long that takes, in one line."""
    counts = ", ".join(map(str, schedule.thread_counts))
    head = f"paddle-mt: {nodeid}: {engine} engine, threads {counts}"
    if threads_note is not None:
        head += f" ({threads_note})"
    if smoke is not None:
        where = f", in this process instead of {counted(forks, 'fork')}" if forks else ""
        return f"{head}: SMOKE RUN, one short round{where}, nothing judged or recorded ({smoke})"
    if forks:
        head += f", in {counted(forks, 'fork')}"
    shortest_s = runner.shortest_round_s(schedule)
    fewest, most = schedule.looks[0], schedule.looks[-1]
    rounds = f"{fewest} to {most} rounds" if fewest < most else counted(most, "round")
    if not schedule.window.window_s:  # a number of queries, and how long they take is not known yet
        return (
            f"{head}: {rounds}, {schedule.window.min_queries} queries a thread and window, at most "
            f"about {schedule.budget_s:.0f} s"
        )
    return (
        f"{head}: {rounds} of {shortest_s:.1f} s or more, about "
        f"{min(fewest * shortest_s, schedule.budget_s):.0f} to {min(most * shortest_s, schedule.budget_s):.0f} s"
    )


def explained(
    verdicts: tuple[Verdict, ...], subject: Subject, rounds: Sequence[Round], cpu: validity.Cpu
) -> tuple[Verdict, ...]:
    """The verdicts, with the visible causes why it does not scale added to every failure, except drift."""
    found = []
    for verdict in verdicts:
        causes = (
            diagnosis.causes(subject, rounds, verdict.threads, cpu)
            if verdict.status == "fail" and verdict.threads is not None and verdict.check != drift.NAME
            else []
        )
        if causes:
            reason = f"{verdict.reason}. Cause: {'; '.join(causes)}"
            verdict = Verdict(
                check=verdict.check,
                threads=verdict.threads,
                status=verdict.status,
                observed=verdict.observed,
                limit=verdict.limit,
                reason=reason,
            )
        found.append(verdict)
    return tuple(found)


def warnings(
    subject: Subject,
    rounds: Sequence[Round],
    points: Sequence[Point],
    cpu: validity.Cpu,
    threads_note: str | None,
) -> tuple[Warning, ...]:
    """What a reader of the verdicts has to know besides."""
    found = []
    if threads_note is not None:
        found.append(Warning(kind="threads_added", text=threads_note))
    if subject.gil == "held":
        paddle = subject.facts.get("paddle", "this Paddle")
        found.append(
            Warning(
                kind="gil_held",
                text=f"Predictor.run() of {paddle} holds the GIL: Python threads will not scale, whatever the native "
                "engine shows; 3.2.2 releases it",
            )
        )
    if subject.gil == "unknown":
        found.append(
            Warning(kind="gil_unknown", text="the GIL probe could not tell whether Predictor.run() holds the GIL")
        )
    for point in points:
        running = counted(point.threads, "thread")
        taken = point.preempted_rounds - point.shared_core_rounds
        if taken:
            found.append(
                Warning(
                    kind="preempted",
                    text=f"{running}: other work took the cores away in {taken} of "
                    f"{point.rounds} rounds, which were set aside; use a quieter machine for a quicker verdict",
                )
            )
        if point.shared_core_rounds:
            found.append(
                Warning(
                    kind="cores_shared",
                    text=f"{running}: fewer cores than threads ran them in {point.shared_core_rounds} of "
                    f"{point.rounds} rounds, which were set aside: a probe that fills cores shows two threads on one "
                    "core, as a hypervisor may put them",
                )
            )
        if point.lost_share > validity.MAX_LOST_SHARE:
            found.append(
                Warning(
                    kind="lost_time",
                    text=f"{running}: other work took {point.lost_share:.0%} of their time; throughput and efficiency "
                    "have that taken out, latencies have not where no round was left alone",
                )
            )
        objection = validity.objection(rounds, point.threads)
        if objection is not None:
            found.append(Warning(kind="not_the_predictor", text=objection))
        if summary.pooled_latencies(rounds, point.threads).thinned:
            found.append(
                Warning(
                    kind="thinned",
                    text=f"{running}: too many queries to keep each timestamp; percentiles are from bins "
                    "and right to 1 %; a shorter --paddle-window keeps them all",
                )
            )
    return tuple(found)


def _acceptance(failed: Sequence[Verdict]) -> str:
    """How to let pass what failed, for people who know that the model can do no better."""
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
    lines += [_acceptance(failed), "", *table(sweep)]
    lines.append(f"seed {sweep.seed} (--paddle-seed={sweep.seed} repeats the order of the windows)")
    return "\n".join(lines)
