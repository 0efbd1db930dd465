"""Says before the start what is to be measured, and how long that may take."""

from __future__ import annotations

from pytest_paddle_mt.sweeps.rounds import Schedule, shortest_round_s
from pytest_paddle_mt.units import counted


def announcement(
    nodeid: str, engine: str, schedule: Schedule, smoke: str | None, threads_note: str | None, forks: int
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
    shortest_s = shortest_round_s(schedule)
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
