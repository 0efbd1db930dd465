"""What one side and two share: how certain each look is, and how windows are warmed up."""

from __future__ import annotations

import dataclasses
import types

import pytest

from pytest_paddle_mt.engines.synthetic import SyntheticEngine
from pytest_paddle_mt.records import Window, WindowPlan
from pytest_paddle_mt.statistics.looks import confidence
from pytest_paddle_mt.sweeps import measuring
from pytest_paddle_mt.sweeps.measuring import Measuring
from pytest_paddle_mt.sweeps.rounds import Schedule, one_side, two_sides
from pytest_paddle_mt.sweeps.terms import Sides
from pytest_paddle_mt.workers.opened import Opened
from tests.builders import limits, subject, terms_of
from tests.unit.sweeps.test_rounds import FakeClock, FakeWorker

PLAN = WindowPlan(window_s=1.0, min_queries=0, warmup_s=0.0, warmup_queries=1)


class WarmedUp(FakeWorker):
    """A ``FakeWorker`` that keeps how windows were warmed up: the thread count, and the queries of each thread."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.warmed_up: list[tuple[int, int]] = []

    def measure(self, threads: int, plan: WindowPlan) -> Window:
        self.warmed_up.append((threads, plan.warmup_queries))
        return super().measure(threads, plan)


@pytest.fixture
def confidences(request, monkeypatch):
    """The confidences of each look of 1, 2 and 4 threads, of which 4 are left out after the first look.

    A round lasts 6 s at first, and 4 s then.
    """
    clock = FakeClock()
    worker = FakeWorker(clock)
    monkeypatch.setattr(measuring, "time", types.SimpleNamespace(monotonic=clock))

    def looks(budget_s):
        schedule = Schedule(thread_counts=(1, 2, 4), window=PLAN, order=one_side, looks=(2, 4, 6, 8), budget_s=budget_s)
        opened = Opened(workers=[{"this": worker}], subjects={"this": subject(device="gpu")})
        found = []
        Measuring(terms_of(request.node, schedule, limits(), SyntheticEngine()), opened).rounds(
            opened.workers,
            [1],
            lambda rounds, given: found.append((len(rounds), given)),
            lambda _: (1, 2),
        )
        return found

    return looks


def test_a_count_that_was_left_out_keeps_the_confidence_of_the_look_after_which_it_was(confidences):
    # 6 rounds at first seem to fit into 40 s: looks after 2, 4 and 6; then 8 do
    third, two_ninths = confidence(1 / 3), confidence(2 / 9)
    assert confidences(40.0) == [
        (2, pytest.approx({1: third, 2: third, 4: third})),
        (4, pytest.approx({1: two_ninths, 2: two_ninths, 4: third})),
        (6, pytest.approx({1: two_ninths, 2: two_ninths, 4: third})),
        (8, pytest.approx({1: two_ninths, 2: two_ninths, 4: third})),
    ]


@pytest.mark.parametrize(("warmup", "first", "then"), [(1, 3, 1), (5, 5, 5)])
def test_the_first_window_of_a_worker_with_so_many_threads_is_warmed_up_for_longer(request, warmup, first, then):
    workers = [WarmedUp(FakeClock()), WarmedUp(FakeClock())]
    schedule = Schedule(
        thread_counts=(1, 2),
        window=dataclasses.replace(PLAN, warmup_queries=warmup),
        first_warmup_queries=3,
        order=one_side,
        looks=(4,),
        budget_s=100.0,
    )
    opened = Opened(workers=[{"this": worker} for worker in workers], subjects={"this": subject(device="gpu")})
    Measuring(terms_of(request.node, schedule, limits(), SyntheticEngine()), opened).rounds(
        opened.workers, [1], lambda rounds, given: None, lambda _: (1, 2)
    )
    for worker in workers:
        assert worker.warmed_up == [(1, first), (2, first), (2, then), (1, then), *[(n, then) for n in (1, 2, 2, 1)]]


def test_the_thread_counts_of_a_comparison_share_alpha_too(request):
    schedule = Schedule(thread_counts=(1, 2, 4), window=PLAN, order=two_sides, looks=(4,), budget_s=100.0)
    terms = terms_of(request.node, schedule, limits(), SyntheticEngine())
    compared = Sides(names=("this", "other"), described=("", ""), notes=(), stated=subject())
    assert terms.confidence(0.5) == confidence(0.5)
    assert dataclasses.replace(terms, sides=compared).confidence(0.5) == confidence(0.5, judged=3)
