"""Drives a comparison: two workers measure in turn, window by window. Knows no engine, check or reporter.

Neighbouring windows of the two sides see the same machine, so what it does to both cancels in their ratio.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_paddle_mt.records import PairedRound, SidedWindow
from pytest_paddle_mt.sweeps.rounds import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np

    from pytest_paddle_mt.records import PairedDecided, Side
    from pytest_paddle_mt.sweeps.rounds import Schedule
    from pytest_paddle_mt.workers import Worker

_THIS_FIRST: tuple[Side, ...] = ("this", "other", "other", "this")
_OTHER_FIRST: tuple[Side, ...] = ("other", "this", "this", "other")

#: Windows that one thread count has in a round.
WINDOWS_PER_COUNT = len(_THIS_FIRST)


def visiting_order(thread_counts: tuple[int, ...], rng: np.random.Generator) -> tuple[tuple[int, Side], ...]:
    """One round: the thread counts in random order; for each, this, other, other, this or the other way round.

    A machine that becomes steadily faster or slower within the four windows favours no side, and as each of the two
    orders is drawn with probability 1/2, neither does one that moves in another way.
    """
    order = []
    for threads in rng.permutation(thread_counts):
        sides = _THIS_FIRST if rng.random() < 0.5 else _OTHER_FIRST
        order += [(int(threads), side) for side in sides]
    return tuple(order)


def shortest_round_s(schedule: Schedule) -> float:
    """What a round takes at least, in seconds: its windows and warm-ups, however fast the queries are."""
    return WINDOWS_PER_COUNT * len(schedule.thread_counts) * (schedule.window.window_s + schedule.window.warmup_s)


def run(
    pairs: Sequence[tuple[Worker, Worker]],
    schedule: Schedule,
    rng: np.random.Generator,
    *,
    decided: PairedDecided,
    clock: Callable[[], float],
    progress: Callable[[Progress], None],
) -> tuple[PairedRound, ...]:
    """Measure rounds until a look finds everything decided, the last look is reached, or the budget is used up.

    At least one round is measured, however small the budget. Exactly one worker measures at any time.

    Args:
        pairs: this side's worker and the other's; each round is of one pair, in turn.
        schedule: what to measure.
        rng: draws the order of each round.
        decided: asked after each look, with the rounds so far.
        clock: monotonic seconds.
        progress: told before each window.
    """
    started_s = clock()
    rounds: list[PairedRound] = []
    longest_s = 0.0
    while len(rounds) < schedule.looks[-1]:
        began_s = clock()
        if rounds and began_s - started_s + longest_s > schedule.budget_s:
            break
        this, other = pairs[len(rounds) % len(pairs)]
        workers: dict[Side, Worker] = {"this": this, "other": other}
        order = visiting_order(schedule.thread_counts, rng)
        windows = []
        for index, (threads, side) in enumerate(order):
            progress(
                Progress(
                    round_index=len(rounds),
                    rounds_most=schedule.looks[-1],
                    window_index=index,
                    windows_per_round=len(order),
                    threads=threads,
                    elapsed_s=clock() - started_s,
                )
            )
            windows.append(SidedWindow(side=side, window=workers[side].measure(threads, schedule.window)))
        rounds.append(PairedRound(index=len(rounds), forks=(this.fork, other.fork), windows=tuple(windows)))
        longest_s = max(longest_s, clock() - began_s)
        if len(rounds) in schedule.looks and decided(tuple(rounds)):
            break
    return tuple(rounds)
