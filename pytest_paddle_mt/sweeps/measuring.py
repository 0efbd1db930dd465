"""Measures the rounds of one sweep on open workers, with its probe and its control workload."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING

import numpy as np

from pytest_paddle_mt.sweeps import known_work
from pytest_paddle_mt.sweeps.rounds import Judgement, run_rounds

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from pytest_paddle_mt.records import Round, Side, Window
    from pytest_paddle_mt.sweeps.terms import Terms
    from pytest_paddle_mt.workers import Worker


def measure_rounds(
    terms: Terms,
    workers: Sequence[Mapping[Side, Worker]],
    *,
    seed: Sequence[int],
    judge: Callable[[tuple[Round, ...]], Judgement],
    undecided: Callable[[Judgement], Collection[int]],
    probe: Callable[[int], Window] | None = None,
    control: Callable[[int], Window] | None = None,
    thread_counts: tuple[int, ...] | None = None,
) -> tuple[tuple[Round, ...], Judgement]:
    """Measure until a look finds everything decided, or as long as the schedule allows; see ``run_rounds``.

    Args:
        terms: of the sweep.
        workers: a worker for each side; each round is measured by one entry, in turn.
        seed: of the order of the windows.
        judge: judges the rounds so far.
        undecided: the thread counts that are still needed after a look; empty: everything is decided.
        probe: measures the probe with so many threads, after each window.
        control: measures the control workload with so many threads, after that.
        thread_counts: those to measure; None: all of the schedule.
    """
    schedule = terms.schedule
    if thread_counts is not None:
        schedule = dataclasses.replace(schedule, thread_counts=thread_counts)
    try:
        return run_rounds(
            workers,
            schedule,
            np.random.default_rng(seed),
            measure=lambda worker, stop: known_work.visit(worker, stop, terms.schedule.window, probe, control),
            judge=judge,
            undecided=undecided,
            clock=time.monotonic,
            progress=terms.progress,
        )
    finally:
        terms.progress(None)
