"""Warm-ups are made longer for as many answers as were asked for."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pytest_paddle_mt.predictors.inputs import alike
from pytest_paddle_mt.records import WindowPlan
from pytest_paddle_mt.sweeps import right_answers
from pytest_paddle_mt.sweeps.right_answers import LongerWarmUps
from pytest_paddle_mt.sweeps.rounds import Stop
from tests import builders

PLAN = WindowPlan(window_s=0.1, min_queries=0, warmup_s=0.02, warmup_queries=3)


def compared(count):
    return dataclasses.replace(builders.window(1, 10.0), compared=count)


def test_windows_share_the_answers_until_there_are_enough():
    warm_ups = LongerWarmUps(100, windows=4)
    assert warm_ups.plan(PLAN, Stop(1)).warmup_queries == 25
    assert warm_ups.plan(PLAN, Stop(2)).warmup_queries == 13
    assert warm_ups.plan(PLAN, Stop(64)).warmup_queries == 3
    warm_ups.measured(compared(90), "this")
    assert warm_ups.plan(PLAN, Stop(1)).warmup_queries == 10
    assert warm_ups.plan(PLAN, Stop(1, "other")).warmup_queries == 25
    warm_ups.measured(compared(10), "this")
    assert warm_ups.plan(PLAN, Stop(1)) is PLAN


def test_a_window_that_compares_nothing_makes_no_other_longer():
    warm_ups = LongerWarmUps(100, windows=4)
    warm_ups.measured(compared(0), "this")
    assert warm_ups.plan(PLAN, Stop(1)) is PLAN


def test_no_warm_up_is_longer_where_no_number_was_asked_for():
    assert LongerWarmUps(0, windows=4).plan(PLAN, Stop(1)) is PLAN


def test_input_sets_that_are_made_up_have_the_same_values_in_another_order():
    given = {"x": np.arange(300, dtype=np.float32).reshape(3, 100) % 255, "one": np.ones((1,))}
    sets = alike(given, 4, query_s=0.01)
    assert sets[0]["x"] is given["x"]
    assert len({one["x"].tobytes() for one in sets}) == 4
    for one in sets:
        assert one["x"].shape == (3, 100)
        assert sorted(one["x"].ravel()) == sorted(given["x"].ravel())
        assert one["one"] == 1


@pytest.mark.parametrize(("query_s", "size", "count"), [(0.3, 10, 3), (5.0, 10, 1), (0.0, 1 << 24, 4), (0.0, 10, 64)])
def test_sets_that_would_cost_much_are_fewer(query_s, size, count):
    assert len(alike({"x": np.zeros(size, np.uint8)}, 64, query_s)) == count


@pytest.mark.parametrize(
    ("one", "other", "share"),
    [
        ([1.0, 4.0], [1.0, 4.0], 0.0),
        ([1.0, 4.0], [1.0, 4.004], 0.001),
        ([np.inf, 1.0], [np.inf, 1.0], 0.0),
        ([np.nan, 1.0], [np.nan, 1.0], 0.0),
        ([np.inf, 1.0], [-np.inf, 1.0], np.inf),
        ([np.inf, 1.0], [np.nan, 1.0], np.inf),
        ([np.inf, 1.0], [1.0, 1.0], np.inf),
    ],
)
def test_how_far_answers_are_apart_is_a_share_of_the_largest_element(one, other, share):
    assert right_answers._apart(np.array(one), np.array(other)) == pytest.approx(share)
