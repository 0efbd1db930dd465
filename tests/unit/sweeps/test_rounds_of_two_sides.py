"""The schedule of a comparison: whose window comes next, and when it ends."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from pytest_paddle_mt.errors import QueryFailed
from pytest_paddle_mt.sweeps import known_work
from pytest_paddle_mt.sweeps.rounds import run_rounds, shortest_round_s, two_sides
from tests.unit.sweeps import test_rounds
from tests.unit.sweeps.test_rounds import FakeClock, FakeWorker

ORDERS = {("this", "other", "other", "this"), ("other", "this", "this", "other")}


def orders(seed: int, rounds: int, counts: tuple[int, ...] = (1, 2, 4)) -> list[tuple[tuple[int, str], ...]]:
    rng = np.random.default_rng(seed)
    return [two_sides(counts, rng) for _ in range(rounds)]


def schedule(*args, **kwargs):
    return test_rounds.schedule(*args, **kwargs, order=two_sides)


def blocks(order: tuple[tuple[int, str], ...]) -> list[tuple[int, tuple[str, ...]]]:
    """The thread count and the sides of each four windows in a row."""
    fours = [order[i : i + 4] for i in range(0, len(order), 4)]
    assert all(len({threads for threads, _ in four}) == 1 for four in fours)
    return [(four[0][0], tuple(side for _, side in four)) for four in fours]


class Run:
    """One comparison of fake workers, and everything that it did."""

    def __init__(self, plan, *, seed=0, pairs=1, decided_after=None, fail_at=None) -> None:
        clock = FakeClock()
        self.this = [FakeWorker(clock, fork=1 + index) for index in range(pairs)]
        self.other = [FakeWorker(clock, fork=1 + pairs + index, fail_at=fail_at) for index in range(pairs)]
        self.asked_after: list[int] = []
        self.progress = []

        def judge(rounds, share):
            self.asked_after.append(len(rounds))
            return len(rounds)

        self.rounds, _ = run_rounds(
            [{"this": this, "other": other} for this, other in zip(self.this, self.other, strict=True)],
            plan,
            np.random.default_rng(seed),
            measure=lambda worker, stop: known_work.visit(worker, stop, plan.window),
            judge=judge,
            undecided=lambda judged: () if judged == decided_after else plan.thread_counts,
            clock=clock,
            progress=self.progress.append,
        )


def test_a_round_visits_each_thread_count_once_with_four_windows_in_a_row():
    for order in orders(seed=0, rounds=20):
        assert sorted(threads for threads, _ in blocks(order)) == [1, 2, 4]
        assert {sides for _, sides in blocks(order)} <= ORDERS


def test_a_steady_drift_favours_no_side():
    for order in orders(seed=1, rounds=20):
        for _, sides in blocks(order):
            assert sum(at for at, side in enumerate(sides) if side == "this") == 3  # as for the other: 0 + 3 = 1 + 2


def test_each_side_begins_about_as_often_at_every_thread_count():
    first = Counter((threads, sides[0]) for order in orders(seed=2, rounds=400) for threads, sides in blocks(order))
    assert all(160 < count < 240 for count in first.values())  # four standard deviations
    assert len(first) == 6


def test_every_order_of_the_thread_counts_comes_up():
    assert len({tuple(threads for threads, _ in blocks(order)) for order in orders(seed=3, rounds=100)}) == 6


def test_one_seed_gives_one_sequence_of_orders_and_another_seed_another():
    assert orders(seed=4, rounds=10) == orders(seed=4, rounds=10) != orders(seed=5, rounds=10)


def test_the_workers_are_asked_in_the_order_that_the_rounds_record():
    run = Run(schedule((1, 2), looks=(3,)))
    for side, worker in (("this", run.this[0]), ("other", run.other[0])):
        recorded = [one.window.threads for round_ in run.rounds for one in round_.visits if one.side == side]
        assert worker.asked == recorded
        assert len(recorded) == 3 * 4
    assert [one.index for one in run.rounds] == [0, 1, 2]


def test_rounds_are_of_the_pairs_in_turn_and_say_whose_they_are():
    run = Run(schedule((1, 2), looks=(5,)), pairs=2)
    assert [one.of("this").fork for one in run.rounds] == [1, 2, 1, 2, 1]
    assert [one.of("other").fork for one in run.rounds] == [3, 4, 3, 4, 3]
    assert [len(worker.asked) for worker in (*run.this, *run.other)] == [12, 8, 12, 8]


def test_the_check_is_asked_only_at_looks_and_ends_it_at_the_first_that_decides():
    assert Run(schedule(looks=(4, 6, 9))).asked_after == [4, 6, 9]
    assert len(Run(schedule(looks=(4, 6, 9)), decided_after=6).rounds) == 6
    assert len(Run(schedule(looks=(4, 6, 9))).rounds) == 9


def test_a_round_that_would_not_end_inside_the_budget_is_not_begun():
    # eight windows of 1 s a round: two rounds take 16 s, a third would end at 24 s
    assert len(Run(schedule(budget_s=23.0)).rounds) == 2
    assert len(Run(schedule(budget_s=24.0)).rounds) == 3
    assert len(Run(schedule(budget_s=0.001)).rounds) == 1


def test_a_failed_query_of_either_side_ends_it_and_reaches_the_caller():
    with pytest.raises(QueryFailed, match="out of memory"):
        Run(schedule(), fail_at=5)


def test_progress_is_told_before_each_window():
    run = Run(schedule((1, 2), looks=(2,)))
    asked = [(one.index, visit.window.threads) for one in run.rounds for visit in one.visits]
    assert [(one.round_index, one.threads) for one in run.progress] == asked
    assert [one.window_index for one in run.progress] == [*range(8), *range(8)]
    assert {(one.rounds_most, one.windows_per_round) for one in run.progress} == {(2, 8)}
    assert [one.elapsed_s for one in run.progress] == list(range(16))


def test_the_shortest_round_is_four_windows_and_warm_ups_for_each_count():
    assert shortest_round_s(schedule((1, 2, 4))) == pytest.approx(12 * (0.5 + 0.1))
