"""Drives a sweep: which window next, on which worker, and when to stop. Knows no engine, check or reporter."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_paddle_mt.records import Round

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np

    from pytest_paddle_mt.records import Decided, Window, WindowPlan
    from pytest_paddle_mt.workers import Worker


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Schedule:
    """How a sweep is measured."""

    #: Ascending; the first is 1.
    thread_counts: tuple[int, ...]
    window: WindowPlan
    #: Numbers of rounds after which the checks are asked; the last is the most that are measured.
    looks: tuple[int, ...]
    #: Wall time that the rounds may take, in seconds. A round that would not end in time is not begun.
    budget_s: float


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Progress:
    """Where a sweep stands."""

    round_index: int
    rounds_most: int
    window_index: int
    windows_per_round: int
    threads: int
    elapsed_s: float


def visiting_order(thread_counts: tuple[int, ...], rng: np.random.Generator) -> tuple[int, ...]:
    """One round: every count above one in random order and back, bracketed by one thread: (1, a, b, b, a, 1).

    A machine that becomes steadily faster or slower then favours no thread count.
    """
    middle = [int(threads) for threads in rng.permutation([threads for threads in thread_counts if threads > 1])]
    return (1, *middle, *reversed(middle), 1)


def shortest_round_s(schedule: Schedule) -> float:
    """What a round takes at least, in seconds: its windows and warm-ups, however fast the queries are."""
    return 2 * len(schedule.thread_counts) * (schedule.window.window_s + schedule.window.warmup_s)


def run_rounds(
    workers: Sequence[Worker],
    schedule: Schedule,
    rng: np.random.Generator,
    *,
    decided: Decided,
    clock: Callable[[], float],
    progress: Callable[[Progress], None],
    probe: Callable[[int], Window] | None = None,
    control: Callable[[int], Window] | None = None,
) -> tuple[Round, ...]:
    """Measure rounds until a look finds everything decided, the last look is reached, or the budget is used up.

    At least one round is measured, however small the budget.

    Args:
        workers: measure the windows, in turn: each round is of one worker.
        schedule: what to measure.
        rng: draws the order of each round.
        decided: asked after each look, with the rounds so far.
        clock: monotonic seconds.
        progress: told before each window.
        probe: measures a short window of work that fills a core, with so many threads, right after each window.
        control: measures a window of the control workload with so many threads, right after that.
    """
    started_s = clock()
    rounds: list[Round] = []
    longest_s = 0.0
    while len(rounds) < schedule.looks[-1]:
        began_s = clock()
        if rounds and began_s - started_s + longest_s > schedule.budget_s:
            break
        worker = workers[len(rounds) % len(workers)]
        order = visiting_order(schedule.thread_counts, rng)
        windows = []
        for index, threads in enumerate(order):
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
            window = worker.measure(threads, schedule.window)
            windows.append(
                dataclasses.replace(
                    window,
                    probe=None if probe is None else probe(threads),
                    control=None if control is None else control(threads),
                )
            )
        rounds.append(Round(index=len(rounds), fork=worker.fork, windows=tuple(windows)))
        longest_s = max(longest_s, clock() - began_s)
        if len(rounds) in schedule.looks and decided(tuple(rounds)):
            break
    return tuple(rounds)
