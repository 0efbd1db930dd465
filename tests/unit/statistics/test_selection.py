"""Selection: which rounds say something, and in which of them two threads had one core."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Sequence

import numpy as np
import pytest

from pytest_paddle_mt.records import Cpu, Round
from pytest_paddle_mt.statistics import selection
from tests.builders import beside_control, probed, round_of, rounds_of, window

TWO_CORES = Cpu(usable_cores=2, math_threads=1)
QUIET = probed(rounds_of({1: 40, 2: 78}, count=6), {1: 500, 2: 1000})


def usable(one: Round, threads: int = 2, base: int = 1) -> bool:
    """Whether a round that was the only one is usable."""
    return selection.usable([one], threads, TWO_CORES, base) == [one]


def undisturbed(one: Round, threads: int) -> bool:
    """Whether a round that was the only one is undisturbed."""
    return selection.undisturbed([one], threads, TWO_CORES) == [one]


def probes_of(one: Round, speeds: Sequence[Sequence[float]]) -> Round:
    """The round, each of whose probes had threads of these speeds, in the order of its visits."""
    visits = []
    for visit, of_threads in zip(one.visits, speeds, strict=True):
        probe = window(len(of_threads), sum(of_threads))
        per_thread = tuple(window(1, qps).per_thread[0] for qps in of_threads)
        visits.append(dataclasses.replace(visit, probe=dataclasses.replace(probe, per_thread=per_thread)))
    return dataclasses.replace(one, visits=tuple(visits))


def test_a_round_is_usable_for_a_count_when_neither_it_nor_one_thread_is_set_aside():
    assert usable(round_of({1: 40, 2: 78}))
    assert usable(round_of({1: 40, 2: 78}, at=2, delay_share=0.3))
    assert not usable(round_of({1: 40, 2: 78}, at=2, delay_share=0.8))
    assert not usable(round_of({1: 40, 2: 78}, at=1, delay_share=0.8))


@pytest.mark.fault(
    "machine",
    "the kernel does not count delays",
    "rounds in which threads were switched off their cores are set aside",
)
def test_without_a_count_of_delays_a_round_with_switches_off_the_cpu_is_not_usable():
    assert not usable(round_of({1: 40, 2: 78}, at=2, delay_share=None, switches_per_s=30, cpu_share=0.9))
    assert usable(round_of({1: 40, 2: 78}, at=2, delay_share=None))


def test_a_round_is_usable_over_another_count_whatever_becomes_of_one_thread():
    disturbed = {at: round_of({1: 40, 2: 78, 4: 78}, at=at, stolen_cores=0.5) for at in (1, 2, 4)}
    assert [at for at, one in disturbed.items() if usable(one, 4, base=2)] == [1]


def test_a_round_whose_control_is_set_aside_is_not_usable():
    quiet = round_of({1: 40, 2: 78})
    for at in (1, 2):
        [one] = beside_control([quiet], {1: 500, 2: 990}, at=at, delay_share=0.8)
        assert not usable(one)
        [one] = beside_control([quiet], {1: 500, 2: 990}, at=at, delay_share=0.3)
        assert usable(one)


def test_a_round_is_undisturbed_for_a_count_when_its_own_windows_were_not_disturbed():
    assert undisturbed(round_of({1: 40, 2: 78}), 2)
    assert undisturbed(round_of({1: 40, 2: 78}, at=1, delay_share=0.3), 2)
    assert not undisturbed(round_of({1: 40, 2: 78}, at=2, delay_share=0.06), 2)
    assert not undisturbed(round_of({1: 40, 2: 78}, at=2, stolen_cores=0.5), 2)
    [shared] = probed([round_of({1: 40, 2: 42})], {1: 500, 2: 510})
    assert not undisturbed(shared, 2)
    assert undisturbed(shared, 1)


def test_a_round_that_did_not_measure_the_count_says_nothing_of_it():
    assert not usable(round_of({1: 40, 2: 78}), 4)
    assert not undisturbed(round_of({1: 40, 2: 78}), 4)


def test_the_rounds_keep_their_order_and_the_others_are_left_out():
    stolen = round_of({1: 40, 2: 78}, at=2, stolen_cores=0.5)
    rounds = [QUIET[0], stolen, QUIET[1], QUIET[2]]
    assert selection.usable(rounds, 2, TWO_CORES) == [*QUIET[:3]]
    assert selection.undisturbed(rounds, 2, TWO_CORES) == [*QUIET[:3]]


# Two threads on one core.


def shared(rounds: Sequence[Round], threads: int = 2, cpu: Cpu = TWO_CORES) -> list[int]:
    """Which of the rounds, from 0, had two threads on one core."""
    found = selection.on_shared_cores(rounds, threads, cpu)
    return [at for at, one in enumerate(rounds) if one in found]


def test_threads_had_fewer_cores_when_their_probe_is_as_fast_as_that_of_half_as_many():
    [one] = probed([round_of({1: 40, 2: 42})], {1: 500, 2: 520})
    assert shared([one]) == [0]
    assert not usable(one)
    assert usable(one, 1)


@pytest.mark.parametrize(("together", "is_shared"), [(690, True), (710, False), (1000, False), (1100, False)])
def test_clocks_that_fall_when_all_cores_work_are_no_shared_cores(together, is_shared):
    [one] = probed([round_of({1: 40, 2: 60})], {1: 500, 2: together})
    assert bool(shared([one])) is is_shared
    assert usable(one) is not is_shared


def with_a_slow_pair(threads: int, every: int, count: int) -> list[Round]:
    """Rounds of one thread and ``threads``; two threads of every so many rounds, from the first on, share a core."""
    rounds = probed(rounds_of({1: 40, threads: 39 * threads}, count=count), {1: 500, threads: 500 * threads})
    pair = [500.0] * (threads - 2) + [260.0] * 2
    return [probes_of(one, [[500.0], pair, pair, [500.0]]) if at % every == 0 else one for at, one in enumerate(rounds)]


def test_two_of_many_threads_on_one_core_are_seen():
    cpu = Cpu(usable_cores=8, math_threads=1)
    rounds = with_a_slow_pair(8, every=3, count=12)
    assert rounds[3].visits[1].probe.qps > 0.85 * rounds[2].visits[1].probe.qps  # together they hardly show it
    assert shared(rounds, 8, cpu) == [0, 3, 6, 9]
    assert shared([one for at, one in enumerate(rounds) if at % 3], 8, cpu) == []


@pytest.mark.parametrize(("threads", "rounds"), [(2, 1), (4, 2), (8, 4), (16, 8), (32, 15), (64, 31)])
def test_more_threads_take_more_rounds_to_show_that_no_thread_is_slow_by_chance(threads, rounds):
    cpu = Cpu(usable_cores=threads, math_threads=1)
    assert shared(with_a_slow_pair(threads, 1, rounds), threads, cpu) == list(range(rounds))
    assert shared(with_a_slow_pair(threads, 1, rounds - 1), threads, cpu) == []


@pytest.mark.parametrize(("count", "is_shared"), [(6, False), (12, True)])
def test_one_window_on_shared_cores_is_enough_after_some_rounds(count, is_shared):
    mixed = probes_of(QUIET[0], [[500], [260, 260], [500, 500], [500]])
    assert shared([mixed, *[QUIET[1]] * (count - 1)]) == [0] * is_shared


def test_one_slow_thread_shares_its_core_with_none_of_the_others():
    one_slow = probes_of(QUIET[0], [[500], [260, 500], [260, 500], [500]])
    assert shared([one_slow, *QUIET, *QUIET]) == []


def test_a_round_is_compared_with_one_thread_in_all_rounds():
    slow = probes_of(QUIET[0], [[260], [260, 260], [260, 260], [260]])
    assert shared([slow, *QUIET[1:]]) == [0]
    assert shared([slow]) == []


def test_a_thread_that_had_no_core_is_not_counted():
    half_gone = probes_of(QUIET[0], [[500], [260, 260], [260, 260], [500]])
    visits = [
        dataclasses.replace(
            visit,
            probe=dataclasses.replace(
                visit.probe, per_thread=(visit.probe.per_thread[0], window(1, 40, delay_share=0.8).per_thread[0])
            ),
        )
        if visit.window.threads == 2
        else visit
        for visit in half_gone.visits
    ]
    assert shared([half_gone, *QUIET]) == [0]
    assert shared([dataclasses.replace(half_gone, visits=tuple(visits)), *QUIET]) == []


def test_a_count_that_is_decided_is_judged_by_what_was_known_then():
    """Windows of one thread that were measured when it was no longer visited change nothing."""
    known = [probes_of(QUIET[0], [[500], [260, 260], [260, 260], [500]]), *QUIET[1:]]
    alone = [dataclasses.replace(one, visits=(one.visits[0], one.visits[-1])) for one in QUIET]
    later = [probes_of(one, [[260], [260]]) for one in alone * 10]
    assert shared(known) == [0]
    assert shared([*known, *later]) == [0]


def on_cores_that_others_use(share: float, seed: int, count: int = 96) -> list[Round]:
    """Rounds on cores each of which another machine uses for this share of the windows, whoever runs on it."""
    draw = random.Random(seed)

    def speed() -> float:
        return draw.uniform(240, 300) if draw.random() < share else draw.uniform(480, 520)

    return [probes_of(QUIET[0], [[speed() for _ in range(threads)] for threads in (1, 2, 2, 1)]) for _ in range(count)]


@pytest.mark.parametrize("share", [0.05, 0.2, 0.35, 0.5, 0.65])
def test_on_cores_that_other_machines_use_too_hardly_a_round_is_set_aside(share):
    """Where no round is on a shared core, one set aside is one too many: a fifth of sweeps may have some."""
    sweeps = [on_cores_that_others_use(share, seed) for seed in range(20)]
    found = [len(shared(rounds)) for rounds in sweeps]
    assert sum(found) <= 0.02 * 20 * 96
    assert sum(count > 0 for count in found) <= 0.4 * 20


@pytest.mark.parametrize("share", [0.05, 0.35, 0.5])
@pytest.mark.parametrize("every", [1, 2, 3])
def test_rounds_on_one_core_are_found_on_cores_that_other_machines_use_too(share, every):
    rounds = on_cores_that_others_use(share, seed=1)
    one_core = probes_of(QUIET[0], [[500], [260, 260], [260, 260], [260]])
    mixed = [one_core if at % every == 0 else one for at, one in enumerate(rounds)]
    found = shared(mixed)
    planted = list(range(0, 96, every))
    assert set(planted) <= set(found)
    assert len(found) <= 1.25 * len(planted)


@pytest.mark.parametrize(("slow", "threads", "slow_alone", "alone"), [(2, 4, 0, 12), (4, 4, 5, 12), (3, 32, 1, 24)])
def test_the_chance_of_slow_threads_is_that_of_every_rate_that_one_thread_may_have(slow, threads, slow_alone, alone):
    """The integral over the rate, on a grid, of binomial chances and of the likelihood of what one thread showed."""
    rates = (np.arange(200_000) + 0.5) / 200_000
    likely = rates**slow_alone * (1 - rates) ** (alone - slow_alone)
    at_least = sum(math.comb(threads, k) * rates**k * (1 - rates) ** (threads - k) for k in range(slow, threads + 1))
    exact = float(np.sum(likely * at_least) / np.sum(likely))
    assert selection._by_chance(slow, threads, slow_alone, alone) == pytest.approx(exact, rel=1e-6)


@pytest.mark.parametrize(("slow_alone", "is_shared"), [(128, True), (131, False)])
def test_two_threads_that_always_share_a_core_show_until_one_alone_is_slow_in_two_thirds(slow_alone, is_shared):
    alone = [260.0] * slow_alone + [500.0] * (192 - slow_alone)
    rounds = [
        probes_of(QUIET[0], [[first], [260, 260], [260, 260], [last]])
        for first, last in zip(alone[::2], alone[1::2], strict=True)
    ]
    assert shared(rounds) == (list(range(96)) if is_shared else [])


def test_a_thousand_threads_are_judged_too():
    cpu = Cpu(usable_cores=1024, math_threads=1)
    assert shared(with_a_slow_pair(1024, every=1, count=2), 1024, cpu) == []


def test_time_that_other_work_took_from_the_probe_is_no_shared_core():
    quiet = round_of({1: 40, 2: 78})
    assert shared(probed([quiet], {1: 500, 2: 600}, at=2, delay_share=0.4)) == []
    assert shared(probed([quiet], {1: 500, 2: 520}, at=2, delay_share=0.1)) == [0]
    assert shared(probed([quiet], {1: 500, 2: 100}, at=2, delay_share=0.9)) == []


@pytest.mark.parametrize(
    "disturbed", [{"stolen_cores": 0.5}, {"delay_share": None, "switches_per_s": 30, "cpu_share": 0.9}]
)
def test_a_probe_disturbed_by_nobody_knows_how_much_shows_no_shared_core(disturbed):
    assert shared(probed([round_of({1: 40, 2: 78})], {1: 500, 2: 520}, at=2, **disturbed)) == []


def test_a_kernel_that_counts_no_delay_shows_shared_cores_all_the_same():
    assert shared(probed([round_of({1: 40, 2: 42})], {1: 500, 2: 520}, at=2, delay_share=None)) == [0]


def test_threads_beyond_the_cores_share_them_by_right():
    [one] = probed([round_of({1: 40, 4: 78})], {1: 500, 4: 1000})
    assert shared([one], 4) == []
    assert usable(one, 4)


def test_a_base_on_shared_cores_makes_the_round_unusable():
    [one] = probed([round_of({1: 40, 2: 42, 4: 78})], {1: 500, 2: 520, 4: 1000})
    assert not usable(one, 4, base=2)
    assert usable(one, 4, base=1)


def test_without_a_probe_of_one_thread_no_shared_core_is_recognised():
    assert shared([round_of({1: 40, 2: 42})]) == []
    [one] = probed([round_of({1: 40, 2: 42})], {1: 500, 2: 520})
    assert shared([dataclasses.replace(one, visits=one.visits[1:3])]) == []
