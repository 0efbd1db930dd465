"""The rounds of a sweep: which window comes next, and when it ends."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from itertools import permutations

import numpy as np
import pytest

from pytest_paddle_mt.errors import QueryFailed
from pytest_paddle_mt.records import Round, Window, WindowPlan
from pytest_paddle_mt.sweeps import known_work
from pytest_paddle_mt.sweeps.rounds import Progress, Schedule, one_side, run_rounds, shortest_round_s, window_at
from tests.builders import thread_counts, window

PLAN = WindowPlan(window_s=0.5, min_queries=20, warmup_s=0.1, warmup_queries=3)


class FakeClock:
    """Seconds that pass only when a test says so, or by ``tick_s`` whenever they are read."""

    def __init__(self, tick_s: float = 0.0) -> None:
        self.now_s = 1000.0
        self._tick_s = tick_s

    def __call__(self) -> float:
        self.now_s += self._tick_s
        return self.now_s


class FakeWorker:
    """A worker whose windows take a known time on a fake clock."""

    def __init__(self, clock: FakeClock, window_s: float = 1.0, fail_at: int | None = None, fork: int = 0) -> None:
        self.fork = fork
        self.asked: list[int] = []
        self.plans: set[int] = set()
        self._clock = clock
        self._window_s = window_s
        self._fail_at = fail_at

    def prepare(self, threads: int) -> None:
        """Nothing to prepare."""

    def measure(self, threads: int, plan: WindowPlan) -> Window:
        """Let time pass."""
        if len(self.asked) == self._fail_at:
            raise QueryFailed(thread=1, query=7, threads=threads, message="out of memory")
        self.asked.append(threads)
        self.plans.add(id(plan))
        self._clock.now_s += self._window_s
        return window(threads, 40.0 * threads)

    def close(self) -> None:
        """Nothing to stop."""


def schedule(
    counts: Sequence[int] = (1, 2), looks: Sequence[int] = (4, 8), budget_s: float = 1e6, order: Callable = one_side
) -> Schedule:
    return Schedule(thread_counts=tuple(counts), window=PLAN, order=order, looks=tuple(looks), budget_s=budget_s)


class FakeControl:
    """A control workload whose windows take a known time on the clock of the sweep, and fail after so many."""

    def __init__(self, window_s: float = 0.5, fail_at: int | None = None) -> None:
        self.clock = FakeClock()
        #: When it was asked, and for how many threads.
        self.asked: list[tuple[float, int]] = []
        self.windows: list[Window] = []
        self._window_s = window_s
        self._fail_at = fail_at

    def __call__(self, threads: int, _cpus: tuple[int, ...]) -> Window:
        """Let time pass."""
        if len(self.asked) == self._fail_at:
            raise QueryFailed(thread=0, query=1, threads=threads, message="the control broke")
        self.asked.append((self.clock.now_s - 1000, threads))
        self.clock.now_s += self._window_s
        self.windows.append(window(threads, 500.0 * threads))
        return self.windows[-1]


class Sweep:
    """One run of the runner, and everything that it did."""

    def __init__(
        self,
        plan: Schedule,
        *,
        seed: int = 0,
        decided_after: int | None = None,
        window_s: float = 1.0,
        fail_at: int | None = None,
        tick_s: float = 0.0,
        control: FakeControl | None = None,
    ) -> None:
        clock = FakeClock(tick_s) if control is None else control.clock
        self.worker = FakeWorker(clock, window_s, fail_at)
        self.asked_after: list[int] = []
        self.shares: list[float] = []
        self.progress: list[Progress] = []

        def judge(rounds: tuple[Round, ...], share: float) -> int:
            self.asked_after.append(len(rounds))
            self.shares.append(share)
            return len(rounds)

        self.rounds, self.judgement = run_rounds(
            [{"this": self.worker}],
            plan,
            np.random.default_rng(seed),
            measure=lambda worker, stop: known_work.visit(worker, stop, plan.window, control=control),
            judge=judge,
            undecided=lambda judged: () if judged == decided_after else plan.thread_counts,
            clock=clock,
            progress=self.progress.append,
        )


def orders(seed: int, rounds: int) -> list[tuple[int, ...]]:
    rng = np.random.default_rng(seed)
    return [tuple(stop.threads for stop in one_side((1, 2, 4, 8), rng)) for _ in range(rounds)]


def test_a_round_is_mirrored_so_that_a_steady_drift_favours_no_thread_count():
    for order in orders(seed=0, rounds=20):
        assert order == order[::-1]


def test_a_round_is_bracketed_by_one_thread():
    for order in orders(seed=0, rounds=20):
        assert order[0] == order[-1] == 1
        assert 1 not in order[1:-1]


def test_a_round_visits_every_other_count_twice():
    for order in orders(seed=0, rounds=20):
        assert sorted(order) == [1, 1, 2, 2, 4, 4, 8, 8]


def test_every_order_of_the_thread_counts_comes_up():
    halves = {order[1:4] for order in orders(seed=0, rounds=200)}
    assert halves == set(permutations((2, 4, 8)))


def test_one_seed_gives_one_sequence_of_orders():
    assert orders(seed=3, rounds=10) == orders(seed=3, rounds=10)


def test_another_seed_gives_another_sequence_of_orders():
    assert orders(seed=3, rounds=10) != orders(seed=4, rounds=10)


def test_a_sweep_over_one_thread_alone_measures_it_twice_a_round():
    assert [stop.threads for stop in one_side((1,), np.random.default_rng(0))] == [1, 1]


def test_the_worker_is_asked_in_the_order_that_the_rounds_record():
    sweep = Sweep(schedule((1, 2, 4)))
    assert sweep.worker.asked == thread_counts(sweep.rounds)
    assert [one.index for one in sweep.rounds] == list(range(8))


def test_the_rounds_of_a_sweep_have_different_orders():
    sweep = Sweep(schedule((1, 2, 4, 8)))
    assert len({tuple(thread_counts([one])) for one in sweep.rounds}) > 1


def test_every_window_is_measured_by_the_plan_of_the_schedule():
    assert Sweep(schedule()).worker.plans == {id(PLAN)}


def test_the_checks_are_asked_only_at_looks():
    assert Sweep(schedule(looks=(4, 6, 9))).asked_after == [4, 6, 9]


def test_a_sweep_ends_at_the_first_look_that_decides_it():
    assert len(Sweep(schedule(looks=(4, 6, 9)), decided_after=6).rounds) == 6


def test_a_sweep_that_nothing_decides_ends_at_the_last_look():
    assert len(Sweep(schedule(looks=(4, 6, 9))).rounds) == 9


def test_a_round_that_would_not_end_inside_the_budget_is_not_begun():
    # four windows of 1 s a round: two rounds take 8 s, a third would end at 12 s
    assert len(Sweep(schedule(budget_s=11.0)).rounds) == 2


def test_a_round_that_just_fits_the_budget_is_measured():
    assert len(Sweep(schedule(budget_s=12.0)).rounds) == 3


def test_at_least_one_round_is_measured_however_small_the_budget():
    sweep = Sweep(schedule(budget_s=0.001))
    assert len(sweep.rounds) == 1
    assert sweep.asked_after == [1]  # at the end: no look was reached


def test_at_least_one_round_is_measured_even_where_the_budget_was_used_up_before_it():
    assert len(Sweep(schedule(budget_s=0.001), tick_s=1.0).rounds) == 1


def test_a_failed_query_ends_the_sweep_and_reaches_the_caller():
    with pytest.raises(QueryFailed, match=r"query 7 of thread 1 failed .*out of memory"):
        Sweep(schedule(), fail_at=5)


def test_rounds_are_of_the_workers_in_turn_and_say_whose_they_are():
    clock = FakeClock()
    workers = [FakeWorker(clock, fork=fork) for fork in (1, 2, 3)]
    rounds, _ = run_rounds(
        [{"this": worker} for worker in workers],
        schedule(looks=(5,)),
        np.random.default_rng(0),
        measure=lambda worker, stop: known_work.visit(worker, stop, PLAN),
        judge=lambda rounds, share: len(rounds),
        undecided=lambda judged: (1, 2),
        clock=clock,
        progress=lambda progress: None,
    )
    assert [one.fork for one in rounds] == [1, 2, 3, 1, 2]
    assert [len(worker.asked) for worker in workers] == [8, 8, 4]


def test_progress_is_told_before_each_window():
    sweep = Sweep(schedule((1, 2), looks=(2,)))
    assert [(one.round_index, one.window_index, one.threads) for one in sweep.progress] == [
        (0, 0, 1),
        (0, 1, 2),
        (0, 2, 2),
        (0, 3, 1),
        (1, 0, 1),
        (1, 1, 2),
        (1, 2, 2),
        (1, 3, 1),
    ]
    assert {(one.rounds_most, one.windows_per_round) for one in sweep.progress} == {(2, 4)}
    assert [one.elapsed_s for one in sweep.progress] == [0, 1, 2, 3, 4, 5, 6, 7]


def test_without_a_control_no_visit_has_one():
    assert {one.control for sweep in Sweep(schedule()).rounds for one in sweep.visits} == {None}


def test_each_window_has_a_control_with_as_many_threads_measured_right_after_it():
    control = FakeControl(window_s=0.5)
    sweep = Sweep(schedule((1, 2, 4), looks=(3,)), control=control)
    visits = [one for a_round in sweep.rounds for one in a_round.visits]
    # a window ends a second after it began, and its control half a second later
    assert control.asked == [(1.0 + 1.5 * index, one.window.threads) for index, one in enumerate(visits)]
    assert [one.control for one in visits] == control.windows
    assert [one.control.threads for one in visits] == [one.window.threads for one in visits] == sweep.worker.asked


def test_a_window_with_a_control_is_otherwise_what_the_worker_measured():
    [with_control] = Sweep(schedule(looks=(1,)), control=FakeControl()).rounds
    [without] = Sweep(schedule(looks=(1,))).rounds
    for one, other in zip(with_control.visits, without.visits, strict=True):
        assert (one.window.qps, one.window.open_ns) == (other.window.qps, other.window.open_ns)
    assert [one.window.qps for one in with_control.visits] == pytest.approx([40, 80, 80, 40])


def test_what_was_judged_last_is_of_all_rounds_and_judged_once():
    at_the_last_look = Sweep(schedule(looks=(4, 6)))
    assert (at_the_last_look.judgement, at_the_last_look.asked_after) == (6, [4, 6])
    out_of_budget = Sweep(schedule(looks=(2, 6), budget_s=12.0))  # rounds of 4 s
    assert (out_of_budget.judgement, out_of_budget.asked_after) == (3, [2, 3])
    decided = Sweep(schedule(looks=(2, 6)), decided_after=2)
    assert (decided.judgement, decided.asked_after) == (2, [2])


def test_controls_take_their_time_from_the_budget():
    # four windows of 1 s and four controls of 1 s a round: one round takes 8 s, a second would end at 16 s
    assert len(Sweep(schedule(budget_s=15.0), control=FakeControl(window_s=1.0)).rounds) == 1
    assert len(Sweep(schedule(budget_s=16.0), control=FakeControl(window_s=1.0)).rounds) == 2


def test_progress_tells_the_time_that_is_left_at_most():
    by_rounds = Sweep(schedule(looks=(2,), budget_s=100.0))
    assert [one.left_s for one in by_rounds.progress] == [100, 99, 98, 97, 4, 3, 2, 1]
    by_budget = Sweep(schedule(looks=(8,), budget_s=9.0))
    assert [one.left_s for one in by_budget.progress] == [9, 8, 7, 6, 5, 4, 3, 2]


def test_progress_is_told_once_for_a_window_and_its_control():
    sweep = Sweep(schedule((1, 2), looks=(1,)), control=FakeControl(window_s=0.5))
    assert [(one.window_index, one.elapsed_s) for one in sweep.progress] == [(0, 0), (1, 1.5), (2, 3), (3, 4.5)]


def test_a_control_that_fails_ends_the_sweep_and_reaches_the_caller():
    with pytest.raises(QueryFailed, match="the control broke"):
        Sweep(schedule(), control=FakeControl(fail_at=5))


@pytest.mark.parametrize(
    ("threads", "expected", "warmup"), [(1, 5, 3), (2, 5, 3), (3, 3, 2), (4, 2, 2), (8, 1, 1), (64, 1, 1)]
)
def test_threads_beyond_those_that_run_at_once_serve_fewer_queries_each(threads, expected, warmup):
    window = window_at(dataclasses.replace(PLAN, expected_queries=5), threads, at_once=2)
    assert (window.expected_queries, window.warmup_queries) == (expected, warmup)
    assert (window.window_s, window.min_queries, window.warmup_s) == (0.5, 20, 0.1)


def test_a_window_of_a_number_of_queries_expects_none_and_needs_no_warm_up():
    window = window_at(dataclasses.replace(PLAN, warmup_queries=0), 16, at_once=2)
    assert (window.expected_queries, window.warmup_queries) == (0, 0)


def test_the_shortest_round_is_two_windows_and_warm_ups_for_each_count():
    assert shortest_round_s(schedule((1, 2, 4))) == pytest.approx(6 * (0.5 + 0.1))


def test_after_a_look_only_the_thread_counts_are_visited_that_are_still_needed():
    clock = FakeClock()
    worker = FakeWorker(clock)
    rounds, _ = run_rounds(
        [{"this": worker}],
        schedule((1, 2, 4, 8), looks=(2, 3, 5)),
        np.random.default_rng(0),
        measure=lambda worker, stop: known_work.visit(worker, stop, PLAN),
        judge=lambda rounds, share: len(rounds),
        undecided={2: (1, 2, 4), 3: (1, 2), 5: (1, 2)}.__getitem__,
        clock=clock,
        progress=lambda progress: None,
    )
    visited = [sorted({visit.window.threads for visit in one.visits}) for one in rounds]
    assert visited == [[1, 2, 4, 8], [1, 2, 4, 8], [1, 2, 4], [1, 2], [1, 2]]


def test_shorter_rounds_are_not_taken_to_last_as_long_as_the_longer_ones_before():
    clock = FakeClock()
    rounds, _ = run_rounds(
        [{"this": FakeWorker(clock)}],
        schedule((1, 2, 4, 8), looks=(1, 10), budget_s=20.0),  # a round of 8 s, then of 4 s
        np.random.default_rng(0),
        measure=lambda worker, stop: known_work.visit(worker, stop, PLAN),
        judge=lambda rounds, share: len(rounds),
        undecided=lambda judged: (1, 2),
        clock=clock,
        progress=lambda progress: None,
    )
    assert len(rounds) == 4


def test_looks_share_alpha_by_how_many_the_budget_allows():
    rounds_of_4_s = schedule((1, 2), looks=(2, 4, 6, 8), budget_s=100.0)
    assert Sweep(rounds_of_4_s).shares == pytest.approx([1 / 4] * 4)
    assert Sweep(dataclasses.replace(rounds_of_4_s, budget_s=21.0)).shares == pytest.approx([1 / 3] * 3)
    assert Sweep(dataclasses.replace(rounds_of_4_s, budget_s=17.0)).shares == pytest.approx([1 / 2, 1 / 4, 1 / 2])
    assert Sweep(dataclasses.replace(rounds_of_4_s, budget_s=7.0)).shares == pytest.approx([1])


def test_one_slow_round_does_not_change_how_many_are_foreseen():
    class SlowAtFirst(FakeWorker):
        def measure(self, threads: int, plan: WindowPlan) -> Window:
            self._clock.now_s += 0.0 if self.asked else 40.0
            return super().measure(threads, plan)

    clock = FakeClock()
    shares: list[float] = []
    run_rounds(
        [{"this": SlowAtFirst(clock)}],
        schedule((1, 2), looks=(4, 6, 8), budget_s=100.0),  # rounds of 44, 4, 4, ... s
        np.random.default_rng(0),
        measure=lambda worker, stop: known_work.visit(worker, stop, PLAN),
        judge=lambda rounds, share: shares.append(share),
        undecided=lambda _: (1, 2),
        clock=clock,
        progress=lambda progress: None,
    )
    assert shares == pytest.approx([1 / 3, 1 / 3, 1 / 3])
