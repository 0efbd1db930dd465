"""Names the causes that a sweep shows for not scaling, as sentences. Pure functions over records."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pytest_paddle_mt.statistics import validity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_paddle_mt.records import Cpu, Round, Subject

#: CPU time per query may grow by this share over one thread before it is named as the cause.
_MAX_CPU_GROWTH = 0.08
#: Other threads of this process may use this share of a core for each measuring thread before they are named.
_MAX_EXTRA = 0.05
#: Threads may be off the CPU, without having been preempted, for this share of the time before waiting is named.
_MAX_WAITING = 0.08


def causes(subject: Subject, rounds: Sequence[Round], threads: int, cpu: Cpu) -> list[str]:
    """The visible causes why ``threads`` threads serve less than ``threads`` times what one does."""
    found = []
    if subject.gil == "held" and subject.engine == "python":
        paddle = subject.facts.get("paddle", "this Paddle")
        holder = f"Predictor.run() of {paddle}" if subject.gil_of == "run()" else f"{subject.gil_of} (with {paddle})"
        found.append(
            f"{holder} holds the GIL, so Python threads take turns; use a Paddle that releases it (3.2.2 does), or "
            "serve from C++ (the native engine)"
        )
    if not cpu.fits(threads):
        each = f" of {cpu.math_threads} math threads each" if cpu.math_threads > 1 else ""
        found.append(
            f"{threads} threads{each} want {threads * cpu.math_threads} cores and {cpu.usable_cores} are usable"
        )
    extra = _own_extra_cores(rounds, threads)
    if extra > _MAX_EXTRA * threads and threads * cpu.math_threads + extra > cpu.usable_cores:
        found.append(
            f"other threads of this process used {extra:.2f} cores meanwhile, of {cpu.usable_cores}: helpers of the "
            "predictors (Paddle runs a .json model with a worker thread for each, a .pdmodel without)"
        )
    found += _from_cpu_time(rounds, threads, cpu, gil_named=bool(found) and subject.gil == "held")
    return found


def _from_cpu_time(rounds: Sequence[Round], threads: int, cpu: Cpu, gil_named: bool) -> list[str]:
    usable = [one for one in rounds if validity.usable(one, threads, cpu)]
    if not usable:
        return []
    growth = _cpu_per_query(usable, threads) / _cpu_per_query(usable, 1) - 1
    waiting = _waiting_share(usable, threads) - _waiting_share(usable, 1)
    found = []
    if waiting > _MAX_WAITING and not gil_named:
        found.append(
            f"the threads waited, neither running nor ready to run, for {waiting:.0%} more of the time than one thread "
            "does: a lock or a queue that they share"
        )
    if growth > _MAX_CPU_GROWTH:
        found.append(
            f"a query takes {growth:.0%} more CPU time than with one thread: memory bandwidth, caches or cores shared "
            "with each other, or spinning on a lock"
        )
    return found


def _own_extra_cores(rounds: Sequence[Round], threads: int) -> float:
    extra = [validity.own_extra_cores(visit.window) for one in rounds for visit in one.at(threads)]
    return sum(extra) / len(extra)


def _cpu_per_query(rounds: Sequence[Round], threads: int) -> float:
    windows = [visit.window for one in rounds for visit in one.at(threads)]
    return math.exp(sum(math.log(window.cpu_share * threads / window.qps) for window in windows) / len(windows))


def _waiting_share(rounds: Sequence[Round], threads: int) -> float:
    windows = [visit.window for one in rounds for visit in one.at(threads)]
    shares = [1 - window.cpu_share - (validity.delay_share(window) or 0.0) for window in windows]
    return sum(shares) / len(shares)
