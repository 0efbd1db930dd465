"""Selects the rounds that count: pure functions over the rounds of a sweep."""

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
#: The speed of one thread on a core that nobody else uses is this quantile of what one thread reached in the sweep.
UNDISTURBED_QUANTILE = 0.9
#: Of the rounds that are set aside because two threads shared a core, at most this share may be slow by chance.
_MAX_BY_CHANCE = 0.2


def usable(rounds: Sequence[Round], threads: int, cpu: Cpu, base: int = 1) -> list[Round]:
    """The rounds that count for ``threads`` threads over ``base``.

    In these the machine disturbed no window and no control of either by an unknown amount, and no two of their threads
    shared a core.
    """
    shared = {*on_shared_cores(rounds, threads, cpu), *on_shared_cores(rounds, base, cpu)}

    def set_aside(one: Round) -> bool:
        windows = (window for n in (threads, base) for visit in one.at(n) for window in (visit.window, visit.control))
        return any(validity.set_aside(window, cpu) for window in windows if window is not None)

    return [one for one in rounds if one.at(threads) and one not in shared and not set_aside(one)]


def undisturbed(rounds: Sequence[Round], threads: int, cpu: Cpu) -> list[Round]:
    """The rounds whose windows with ``threads`` threads had their cores to themselves, and so their latencies."""
    shared = set(on_shared_cores(rounds, threads, cpu))
    return [
        one
        for one in rounds
        if one.at(threads)
        and one not in shared
        and not any(validity.disturbed(visit.window, cpu) for visit in one.at(threads))
    ]


def on_shared_cores(rounds: Sequence[Round], threads: int, cpu: Cpu) -> list[Round]:
    """The rounds in which ``threads`` threads, for which there are cores enough, had fewer between them.

    A hypervisor may run two virtual cores on the hardware threads of one core, and a machine may count those as cores.
    No kernel counts what that takes: there is no delay and no steal time. The probe, which fills a core, then runs at
    half its speed in two threads at once.

    The probe is slow, too, where another virtual machine uses the other hardware thread of a core, but with one thread
    as often as with several. How likely so many slow threads are in a round, its windows with one thread show
    (``_by_chance``). Rounds are set aside, the least likely first, as long as no more than a fifth of them can be
    expected to be slow by chance (Benjamini & Hochberg 1995). Empty where nothing was probed with one thread.
    """
    if threads < 2 or not cpu.fits(threads):
        return []
    visited = [at for at, one in enumerate(rounds) if one.at(threads)]
    rounds = rounds[: visited[-1] + 1] if visited else []  # a thread count that is decided is judged by what was known
    alone = [speed for one in rounds for probe in probe_speeds(one, 1, cpu) for speed in probe]
    if not alone:
        return []
    slow_below = MIN_CORE_SPEED * float(np.quantile(alone, UNDISTURBED_QUANTILE))
    slow_alone = sum(speed < slow_below for speed in alone)

    def chance(one: Round) -> float:
        probes = probe_speeds(one, threads, cpu)
        slow = [sum(speed < slow_below for speed in probe) for probe in probes]
        if max(slow, default=0) < 2:
            return 1.0  # one slow thread shares its core with none of the others
        return _by_chance(sum(slow), sum(len(probe) for probe in probes), slow_alone, len(alone))

    chances = [chance(rounds[at]) for at in visited]
    limits = [_MAX_BY_CHANCE * rank / len(chances) for rank in range(1, len(chances) + 1)]
    limit = max((limit for one, limit in zip(sorted(chances), limits, strict=True) if one <= limit), default=0.0)
    return [rounds[at] for at, one in zip(visited, chances, strict=True) if one <= limit]


def probe_speeds(round_: Round, threads: int, cpu: Cpu) -> list[list[float]]:
    """Throughput of each thread of each probe, in queries per second of the time in which the thread had a core.

    Probes that the machine disturbed by an unknown amount are left out, and so are threads that had a core for less
    than a quarter of the time.
    """
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


def _by_chance(slow: int, threads: int, slow_alone: int, alone: int) -> float:
    """The probability that ``slow`` or more of ``threads`` are slow where ``slow_alone`` of ``alone`` were.

    The predictive distribution for a uniform prior, which is beta-binomial (Gelman et al., Bayesian Data Analysis, 3rd
    ed. 2013, section 2.1 and appendix A).
    """
    a, b = slow_alone + 1, alone - slow_alone + 1

    def log_probability(k: int) -> float:
        ways = math.lgamma(threads + 1) - math.lgamma(k + 1) - math.lgamma(threads - k + 1)
        return ways + _log_beta(a + k, b + threads - k) - _log_beta(a, b)

    return math.fsum(math.exp(log_probability(k)) for k in range(slow, threads + 1))


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
