"""Drives the rounds of a sweep: which window comes next, on which worker, and when to stop.

One loop serves one side and two. It knows no engine, check or reporter.
"""

from __future__ import annotations

import dataclasses
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from pytest_paddle_mt.records import Round
from pytest_paddle_mt.statistics.looks import AlphaSpending

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from pytest_paddle_mt.records import Side, Visit, WindowPlan
    from pytest_paddle_mt.workers import Worker

    #: Draws the stops of one round: from the thread counts, the random numbers, and how many threads can run at once.
    Order = Callable[[tuple[int, ...], np.random.Generator, int | None], tuple["Stop", ...]]

Judgement = TypeVar("Judgement")

_THIS_FIRST: tuple[Side, ...] = ("this", "other", "other", "this")
_OTHER_FIRST: tuple[Side, ...] = ("other", "this", "this", "other")


class Stop(NamedTuple):
    """What is measured next: so many threads, of this side."""

    threads: int
    side: Side = "this"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Schedule:
    """How a sweep is measured."""

    thread_counts: tuple[int, ...]  #: Ascending; the first is 1.
    window: WindowPlan
    #: Queries of each thread that warm up the first window of a worker with so many threads, at least.
    first_warmup_queries: int = 0
    order: Order  #: Draws the stops of each round: ``one_side`` or ``two_sides``.
    #: Numbers of rounds after which the checks are asked; the last is the most that are measured.
    looks: tuple[int, ...]
    #: Wall time that the rounds may take, in seconds. A round is not begun if it would end later by lasting as long as
    #: the longest of the last three.
    budget_s: float
    at_once: int | None = None  #: How many threads can run at once; None: all.


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Progress:
    """Where a sweep stands."""

    round_index: int
    rounds_most: int
    window_index: int
    windows_per_round: int
    threads: int
    elapsed_s: float
    left_s: float  #: How much longer the rounds take at most, in seconds: by the budget, and by the rounds so far.


def one_side(thread_counts: tuple[int, ...], rng: np.random.Generator, at_once: int | None = None) -> tuple[Stop, ...]:
    """One round: every count above one in random order and back, bracketed by one thread: (1, a, b, c, b, a, 1).

    A machine that becomes steadily faster or slower then favours no thread count. Counts beyond ``at_once`` stand in
    the middle, once: they take the longest, and only tell whether throughput collapses.
    """

    def shuffled(counts: list[int]) -> list[int]:
        return [int(threads) for threads in rng.permutation(counts)]

    above_one = [threads for threads in thread_counts if threads > 1]
    twice = shuffled([threads for threads in above_one if at_once is None or threads <= at_once])
    once = shuffled([threads for threads in above_one if at_once is not None and threads > at_once])
    return tuple(Stop(threads) for threads in (1, *twice, *once, *reversed(twice), 1))


def two_sides(thread_counts: tuple[int, ...], rng: np.random.Generator, at_once: int | None = None) -> tuple[Stop, ...]:
    """One round: the thread counts in random order; for each, this, other, other, this or the other way round.

    Whatever can run at once, every count is asked whether one side is slower.

    Neighbouring windows of the two sides see the same machine, so what it does to both cancels in their ratio. A
    machine that becomes steadily faster or slower within the four windows favours no side, and as each of the two
    orders is drawn with probability 1/2, neither does one that changes in another way.
    """
    stops = []
    for threads in rng.permutation(thread_counts):
        sides = _THIS_FIRST if rng.random() < 0.5 else _OTHER_FIRST
        stops += [Stop(int(threads), side) for side in sides]
    return tuple(stops)


def window_at(plan: WindowPlan, threads: int, at_once: int | None) -> WindowPlan:
    """The window for ``threads`` threads, of which ``at_once`` can run at once; None: all.

    Those beyond take turns: a query takes longer, and there are more of them. So as many queries of all threads
    together say as much of throughput, in the time that they take without the threads beyond; one of each at least.
    """
    share = 1.0 if at_once is None else min(1.0, at_once / threads)
    return dataclasses.replace(
        plan,
        expected_queries=plan.expected_queries and max(1, round(share * plan.expected_queries)),
        warmup_queries=plan.warmup_queries and max(1, round(share * plan.warmup_queries)),
    )


def first_window_at(schedule: Schedule, threads: int, at_once: int | None) -> WindowPlan:
    """The first window of a worker with ``threads`` threads: it is warmed up for longer, see ``window_at``."""
    warmup_queries = max(schedule.window.warmup_queries, schedule.first_warmup_queries)
    return window_at(dataclasses.replace(schedule.window, warmup_queries=warmup_queries), threads, at_once)


def shortest_round_s(schedule: Schedule) -> float:
    """The least time that a round takes, in seconds: its windows and warm-ups, however fast the queries are."""
    stops = schedule.order(schedule.thread_counts, np.random.default_rng(0), schedule.at_once)  # as many in each draw
    return len(stops) * (schedule.window.window_s + schedule.window.warmup_s)


def run_rounds(
    workers: Sequence[Mapping[Side, Worker]],
    schedule: Schedule,
    rng: np.random.Generator,
    *,
    measure: Callable[[Worker, Stop], Visit],
    judge: Callable[[tuple[Round, ...], float], Judgement],
    undecided: Callable[[Judgement], Collection[int]],
    clock: Callable[[], float],
    progress: Callable[[Progress], None],
) -> tuple[tuple[Round, ...], Judgement]:
    """Measure rounds until a look finds everything decided, the last look is reached, or the budget is used up.

    At least one round is measured, however small the budget. One worker measures at a time. After a look, rounds visit
    only the thread counts that are still needed.

    Args:
        workers: a worker for each side; each round is measured by one entry, in turn.
        schedule: what to measure.
        rng: draws the order of each round.
        measure: measures one stop on one worker.
        judge: judges the rounds so far, at each look and at the end; the second argument is the share of
            ``looks.ALPHA`` that this look has.
        undecided: the thread counts that are still needed after a look; empty: all is decided.
        clock: monotonic seconds.
        progress: called before each window.

    Returns:
        The rounds, and what was judged of all of them.
    """
    started_s = clock()
    rounds: list[Round] = []
    seconds: list[float] = []  # of the rounds with these counts
    counts = schedule.thread_counts
    spending = AlphaSpending(schedule.looks)
    while len(rounds) < schedule.looks[-1]:
        began_s = clock()
        longest_s = max(seconds[-3:], default=0.0)
        if rounds and began_s - started_s + longest_s > schedule.budget_s:
            break
        of_sides = workers[len(rounds) % len(workers)]
        stops = schedule.order(counts, rng, schedule.at_once)
        visits = []
        for index, stop in enumerate(stops):
            at = {"round_index": len(rounds), "rounds_most": schedule.looks[-1], "windows_per_round": len(stops)}
            elapsed_s = clock() - started_s
            left_s = schedule.budget_s - elapsed_s
            if longest_s:
                rest_s = longest_s * (schedule.looks[-1] - len(rounds)) - (elapsed_s - (began_s - started_s))
                left_s = min(left_s, rest_s)
            progress(
                Progress(**at, window_index=index, threads=stop.threads, elapsed_s=elapsed_s, left_s=max(0.0, left_s))
            )
            visits.append(measure(of_sides[stop.side], stop))
        rounds.append(Round(index=len(rounds), visits=tuple(visits)))
        seconds.append(clock() - began_s)
        if len(rounds) in schedule.looks[:-1]:
            left_s = started_s + schedule.budget_s - clock()
            reachable = len(rounds) + _that_fit(left_s, seconds, schedule.looks[-1])
            judgement = judge(tuple(rounds), spending.at_look(len(rounds), reachable))
            needed = tuple(n for n in counts if n in undecided(judgement))
            if not needed:
                return tuple(rounds), judgement
            if needed != counts:
                counts, seconds = needed, []
    return tuple(rounds), judge(tuple(rounds), spending.at_end(len(rounds)))


def _that_fit(left_s: float, seconds: Sequence[float], most: int) -> int:
    """How many rounds are foreseen to fit into ``left_s`` seconds, ``most`` at most: each as long as the median."""
    one_s = statistics.median(seconds)
    return int(min(most, max(0.0, left_s) / one_s)) if one_s > 0 else most
