"""Looks how busy a GPU is with each thread count, before a sweep: its windows are too short to see that."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from pytest_paddle_mt.records import Round, Visit
from pytest_paddle_mt.sweeps.rounds import first_window_at

if TYPE_CHECKING:
    from pytest_paddle_mt.sweeps.terms import Terms
    from pytest_paddle_mt.workers.opened import Opened

#: NVML averages the utilisation over up to a second; what is left of the window then has some ten readings.
WINDOW_S = 1.5


def survey(opened: Opened, terms: Terms) -> tuple[Round, ...]:
    """A round with one window of each thread count, ascending; none where nothing could be seen in it.

    It also warms up the GPU, whose clock falls once it is warm. Nothing is judged by its throughput but whether the GPU
    is saturated.
    """
    subject, worker = opened.subjects["this"], opened.workers[0]["this"]
    if terms.smoke_reason is not None or subject.facts.get("GPU observed") != "by NVML":
        return ()
    visits: list[Visit] = []
    for threads in terms.schedule.thread_counts:
        plan = first_window_at(terms.schedule, threads, None)
        window = worker.measure(threads, dataclasses.replace(plan, window_s=WINDOW_S, min_queries=0))
        if window.gpu is None or window.gpu.utilisation is None:
            return ()
        visits.append(Visit(side="this", fork=worker.fork, window=window))
    return (Round(index=0, visits=tuple(visits)),)
