"""Rounds on disk, to be judged again: counters and sensors of every window, its control and its probe.

Of a thread's latencies only their 10 % quantile is kept: the shipped rule reads none, and one that was tried reads it.
"""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, Any

import numpy as np
from internals import Latencies, Noise, Round, ThreadWindow, Visit, Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_OF_THREAD = (
    "queries",
    "first_completion_ns",
    "last_completion_ns",
    "busy_ns",
    "wall_ns",
    "cpu_ns",
    "voluntary_switches",
    "involuntary_switches",
    "run_delay_ns",
)

#: Which quantile of a thread's latencies is kept.
QUANTILE = 0.10
MILLION = 1_000_000
_WINDOW, _CONTROL, _PROBE = range(3)  #: What was measured.


def save(path: Path, rounds: Sequence[Round]) -> None:
    """Write rounds whose every window has a control, and perhaps a probe.

    ``windows`` has a row (round, threads, opened_ns, open_ns, steal_ns, process_cpu_ns, wall_ns) for each window and,
    after it, for its control and its probe; ``kinds`` says which it is, 0, 1 or 2. ``threads`` has a row of counters
    and that quantile for each of its threads in turn, ``edges`` a row (inside_ns, millionths of a completed query) for
    each thread of ``threads``. int64; -1: unknown.
    """
    kinds, windows, threads, edges = [], [], [], []
    for one in rounds:
        for kind, window in _with_known_work(one):
            kinds.append(kind)
            noise = window.noise
            assert noise is not None, "a worker of the plugin has a sensor"
            steal_ns = -1 if noise.steal_ns is None else noise.steal_ns
            windows.append(
                (
                    *(one.index, window.threads, window.opened_ns, window.open_ns),
                    *(steal_ns, noise.process_cpu_ns, noise.wall_ns),
                )
            )
            for thread in window.per_thread:
                counters = [getattr(thread, name) for name in _OF_THREAD]
                threads.append([-1 if value is None else value for value in (*counters, _quantile_ns(thread))])
                edges.append((thread.inside_ns, round(thread.completed * MILLION)))
    temporary = path.with_suffix(".part")
    with temporary.open("wb") as file:
        arrays = {"kinds": kinds, "windows": windows, "threads": threads, "edges": edges}
        np.savez_compressed(file, **{name: np.array(rows, np.int64) for name, rows in arrays.items()})
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def load(path: Path) -> tuple[Round, ...]:
    """The rounds that ``save`` wrote."""
    with np.load(path) as stored:
        rows, counters = stored["windows"].tolist(), stored["threads"].tolist()
        edges = stored["edges"].tolist() if "edges" in stored else [None] * len(counters)
        kinds = stored["kinds"].tolist() if "kinds" in stored else [_WINDOW, _CONTROL] * (len(rows) // 2)
    of_threads = list(zip(counters, edges, strict=True))
    made: dict[int, list[Visit]] = {}
    at = 0
    for kind, (index, threads, opened_ns, open_ns, steal_ns, process_cpu_ns, wall_ns) in zip(kinds, rows, strict=True):
        window = Window(
            threads=threads,
            opened_ns=opened_ns,
            open_ns=open_ns,
            per_thread=tuple(_thread(row, edge, open_ns) for row, edge in of_threads[at : at + threads]),
            noise=Noise(steal_ns=None if steal_ns < 0 else steal_ns, process_cpu_ns=process_cpu_ns, wall_ns=wall_ns),
        )
        visits = made.setdefault(index, [])
        if kind == _WINDOW:
            visits.append(Visit(side="this", fork=0, window=window))
        else:
            visits[-1] = dataclasses.replace(visits[-1], **{"control" if kind == _CONTROL else "probe": window})
        at += threads
    return tuple(Round(index=index, visits=tuple(visits)) for index, visits in made.items())


def _thread(row: list[int], edge: list[int] | None, open_ns: int) -> ThreadWindow:
    values: dict[str, Any] = dict(zip(_OF_THREAD, row[:-1], strict=True))
    delay_ns = values.pop("run_delay_ns")
    kept = Latencies(values_ns=np.array(row[-1:], dtype=np.int64), counts=None)
    values["open_ns"] = open_ns
    if edge is not None:
        values["inside_ns"], values["completed"] = edge[0], edge[1] / MILLION
    else:  # older than the count of queries at the edges: the rate is that between completions
        span_ns = values["last_completion_ns"] - values["first_completion_ns"]
        values["completed"] = (values["queries"] - 1) / span_ns * open_ns
        values["inside_ns"] = round(values["busy_ns"] * values["completed"] / values["queries"])
    return ThreadWindow(latencies=kept, run_delay_ns=None if delay_ns < 0 else delay_ns, **values)


def _quantile_ns(thread: ThreadWindow) -> int:
    kept = thread.latencies
    if not len(kept.values_ns):
        return -1  # a thread that waited all the time
    weights = np.ones(len(kept.values_ns)) if kept.counts is None else kept.counts
    return int(kept.values_ns[np.searchsorted(np.cumsum(weights), QUANTILE * weights.sum())])


def _with_known_work(one: Round) -> Iterator[tuple[int, Window]]:
    for visit in one.visits:
        assert visit.control is not None, "a recording has a control for every window"
        yield _WINDOW, visit.window
        yield _CONTROL, visit.control
        if visit.probe is not None:
            yield _PROBE, visit.probe
