"""Announces before the start what is going to be measured, and how long that may take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_paddle_mt.sweeps.rounds import Schedule, shortest_round_s
from pytest_paddle_mt.units import counted

if TYPE_CHECKING:
    from pytest_paddle_mt.sweeps.terms import Terms


def announcement(terms: Terms, engine: str, forks: int) -> str:
    """The line that is printed before the start; ``forks`` measure each side, or would have in a smoke run."""
    schedule = terms.schedule
    counts = ", ".join(map(str, schedule.thread_counts))
    head = f"paddle-mt: {terms.nodeid}: {engine} engine, threads {counts}"
    if terms.sides is not None:
        head += f", {terms.sides.names[0]} against {terms.sides.names[1]}"
    elif terms.threads_note is not None:
        head += f" ({terms.threads_note})"
    if terms.smoke_reason is not None:
        where = f", in this process instead of {counted(forks, 'fork')}" if forks else ""
        return f"{head}: SMOKE RUN, one short round{where}, nothing judged or recorded ({terms.smoke_reason})"
    if forks:
        several = counted(forks, "fork") if terms.sides is None else f"{counted(forks, 'pair')} of forks"
        head += f", in {several}"
    elif terms.sides is not None:
        head += ", in this process"
    return f"{head}: {_effort(schedule)}"


def _effort(schedule: Schedule) -> str:
    """How many rounds, of what length."""
    fewest, most = schedule.looks[0], schedule.looks[-1]
    rounds = f"{fewest} to {most} rounds" if fewest < most else counted(most, "round")
    if not schedule.window.window_s:  # a number of queries, and how long they take is not known yet
        queries = f"{schedule.window.min_queries} queries a thread and window"
        return f"{rounds}, {queries}, at most about {schedule.budget_s:.0f} s"
    shortest_s = shortest_round_s(schedule)
    least_s, most_s = (min(count * shortest_s, schedule.budget_s) for count in (fewest, most))
    return f"{rounds} of {shortest_s:.1f} s or more, about {least_s:.0f} to {most_s:.0f} s"
