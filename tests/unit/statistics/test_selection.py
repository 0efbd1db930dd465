"""Selection: which rounds say something, and in which of them two threads had one core."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence

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
    return [at for at, one in enumerate(rounds) if any(one is other for other in found)]


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


def test_two_of_many_threads_on_one_core_are_seen():
    cpu = Cpu(usable_cores=8, math_threads=1)
    even = probed(rounds_of({1: 40, 8: 310}, count=12), {1: 500, 8: 4000})
    assert shared(even, 8, cpu) == []
    pair = [[500.0] * 6 + [260.0] * 2] * 2
    uneven = probes_of(even[3], [[500.0], *pair, [500.0]])
    assert uneven.visits[1].probe.qps > 0.85 * even[3].visits[1].probe.qps  # together they hardly show it
    assert shared([*even[:3], uneven, *even[4:]], 8, cpu) == [3]


def test_one_window_on_shared_cores_is_enough_where_one_thread_alone_is_never_slow():
    mixed = probes_of(QUIET[0], [[500], [260, 260], [500, 500], [500]])
    assert shared([mixed, *QUIET[1:], *QUIET]) == [0]


def test_one_slow_thread_shares_its_core_with_none_of_the_others():
    one_slow = probes_of(QUIET[0], [[500], [260, 500], [260, 500], [500]])
    assert shared([one_slow, *QUIET[1:], *QUIET]) == []


def test_a_round_is_told_from_what_others_were_measured_beside_it():
    """A machine whose one thread was slow in that round alone is known from the other rounds."""
    slow = probes_of(QUIET[0], [[260], [260, 260], [260, 260], [260]])
    assert shared([slow, *QUIET[1:]]) == [0]
    assert shared([slow]) == []


def on_cores_that_others_use(share: float, seed: int, count: int = 400) -> list[Round]:
    """Rounds on cores each of which another machine uses for this share of the windows, whoever runs on it."""
    draw = random.Random(seed)

    def speed() -> float:
        return draw.uniform(240, 300) if draw.random() < share else draw.uniform(480, 520)

    return [probes_of(QUIET[0], [[speed() for _ in range(threads)] for threads in (1, 2, 2, 1)]) for _ in range(count)]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("share", [0.02, 0.1, 0.35, 0.6])
def test_cores_that_other_machines_use_too_cost_at_most_one_round_in_twenty(share, seed):
    rounds = on_cores_that_others_use(share, seed)
    assert len(shared(rounds)) <= 0.05 * len(rounds)


def test_rounds_on_one_core_are_told_on_cores_that_other_machines_use_too():
    rounds = on_cores_that_others_use(0.35, seed=1, count=40)
    one_core = probes_of(QUIET[0], [[500], [260, 260], [260, 260], [260]])
    assert 40 in shared([*rounds, one_core])


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


def test_without_a_probe_nobody_can_tell_who_shared_a_core():
    assert shared([round_of({1: 40, 2: 42})]) == []
    [one] = probed([round_of({1: 40, 2: 42})], {1: 500, 2: 520})
    assert shared([dataclasses.replace(one, visits=one.visits[1:3])]) == []
