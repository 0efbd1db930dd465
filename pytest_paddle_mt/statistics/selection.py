"""Selects the rounds that say something: pure functions over the rounds of a sweep."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from pytest_paddle_mt.statistics import validity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_paddle_mt.records import Cpu, Round

#: A thread of the probe that has a core to itself is at least this fast, relative to one thread alone: two
#: on one core have half of it each, and clocks that fall when all cores work leave more than this.
MIN_CORE_SPEED = 0.7
#: One thread alone on a core that nobody else uses: this quantile of what it reached in the sweep. Where cores are
#: shared with other machines, one thread alone is slow in some of its windows, too.
_UNDISTURBED_QUANTILE = 0.9
#: A round is set aside for as many slow threads as one in so many rounds has by chance, or fewer.
_MAX_BY_CHANCE = 0.05


def usable(rounds: Sequence[Round], threads: int, cpu: Cpu, base: int = 1) -> list[Round]:
    """The rounds with ``threads`` threads that say something about them over ``base``: nothing of either set aside."""
    shared = {id(one) for n in (threads, base) for one in on_shared_cores(rounds, n, cpu)}

    def set_aside(one: Round) -> bool:
        windows = (window for n in (threads, base) for visit in one.at(n) for window in (visit.window, visit.control))
        return any(validity.set_aside(window, cpu) for window in windows if window is not None)

    return [one for one in rounds if one.at(threads) and id(one) not in shared and not set_aside(one)]


def undisturbed(rounds: Sequence[Round], threads: int, cpu: Cpu) -> list[Round]:
    """The rounds whose windows with ``threads`` threads had their cores to themselves, and so their latencies."""
    shared = {id(one) for one in on_shared_cores(rounds, threads, cpu)}
    return [
        one
        for one in rounds
        if one.at(threads)
        and id(one) not in shared
        and not any(validity.disturbed(visit.window, cpu) for visit in one.at(threads))
    ]


def on_shared_cores(rounds: Sequence[Round], threads: int, cpu: Cpu) -> list[Round]:
    """The rounds in which ``threads`` threads, for which there are cores enough, had fewer between them.

    A hypervisor may run two virtual cores on the hardware threads of one core, and a machine may count those as cores.
    No kernel counts what that takes: there is no delay and no steal time. The probe, which fills a core, then runs at
    half its speed in two threads at once.

    So it does where another machine uses the other hardware thread of a core, and then in one thread alone, too. How
    often, the windows with one thread say: (k + 1) / (m + 2) for k slow ones of m (Laplace's rule of succession). A
    round is told from these when threads of its own would be slow so often in at most 5 % of rounds (binomial
    distribution). Empty where nothing was probed with one thread.
    """
    if threads < 2 or not cpu.fits(threads):
        return []
    alone = [speed for one in rounds for probe in _core_speeds(one, 1, cpu) for speed in probe]
    if not alone:
        return []
    slow_below = MIN_CORE_SPEED * float(np.quantile(alone, _UNDISTURBED_QUANTILE))
    chance = (sum(speed < slow_below for speed in alone) + 1) / (len(alone) + 2)

    def shared(one: Round) -> bool:
        probes = _core_speeds(one, threads, cpu)
        slow = [sum(speed < slow_below for speed in probe) for probe in probes]
        by_chance = _at_least(sum(slow), sum(len(probe) for probe in probes), chance)
        return max(slow, default=0) >= 2 and by_chance <= _MAX_BY_CHANCE

    return [one for one in rounds if shared(one)]


def _core_speeds(round_: Round, threads: int, cpu: Cpu) -> list[list[float]]:
    """Throughput of each thread of each probe, for the time in which it had a core at all."""
    probes = (visit.probe for visit in round_.at(threads))
    return [
        [
            thread.qps / (1 - delay_share)
            for thread in probe.per_thread
            if (delay_share := (thread.run_delay_ns or 0) / thread.wall_ns) <= validity.MAX_CORRECTED_SHARE
        ]
        for probe in probes
        if probe is not None and not validity.set_aside(probe, cpu)
    ]


def _at_least(k: int, n: int, p: float) -> float:
    """The chance of ``k`` or more of ``n``, each of which happens with probability ``p``."""
    return math.fsum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k, n + 1))
