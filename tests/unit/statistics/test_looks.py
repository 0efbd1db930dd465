"""When the stop rule looks, and what share of alpha each look has."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_paddle_mt.statistics import intervals
from pytest_paddle_mt.statistics.looks import ALPHA, AlphaSpending, confidence, looks


@pytest.mark.parametrize(
    ("minimum", "maximum", "expected"),
    [
        (8, 24, (8, 12, 17, 24)),
        (8, 16, (8, 11, 16)),
        (8, 8, (8,)),
        (8, 9, (9,)),
        (4, 500, (4, 8, 16, 32, 63, 126, 251, 500)),
    ],
)
def test_looks_grow_geometrically_up_to_the_maximum(minimum, maximum, expected):
    assert looks(minimum, maximum) == expected


@given(st.integers(1, 200), st.integers(0, 1000))
def test_looks_are_few_increasing_and_end_at_the_maximum(minimum, more):
    planned = looks(minimum, minimum + more)
    assert len(planned) <= 8
    assert list(planned) == sorted(set(planned))
    assert planned[0] >= minimum
    assert planned[-1] == minimum + more


@pytest.mark.parametrize(("minimum", "maximum"), [(0, 5), (6, 5)])
def test_looks_that_cannot_be_are_refused(minimum, maximum):
    with pytest.raises(ValueError, match=f"{minimum}:{maximum}"):
        looks(minimum, maximum)


def shares(planned: tuple[int, ...], reachable: list[int], ends_after: int) -> list[float]:
    """The share of each look up to the last one, after ``ends_after`` rounds.

    ``reachable``: how many rounds the budget is taken to allow at each look.
    """
    spending = AlphaSpending(planned)
    before = [look for look in planned[:-1] if look <= ends_after]
    return [*map(spending.at_look, before, reachable), spending.at_end(ends_after)]


def test_looks_share_evenly_where_the_budget_allows_all():
    assert shares((6, 9, 13, 20), [20, 20, 20], 20) == pytest.approx([0.25] * 4)


def test_looks_that_the_budget_does_not_allow_have_no_share():
    assert shares((6, 9, 13, 20), [12, 12], 12) == pytest.approx([1 / 3] * 3)


def test_a_budget_that_ends_at_a_look_has_that_look_and_the_end():
    assert shares((6, 9, 13, 20), [9, 9], 9) == pytest.approx([1 / 2, 1 / 4, 1 / 2])


def test_looks_share_what_is_left_once_rounds_take_less_time_than_before():
    assert shares((6, 9, 13, 20), [9, 20, 20], 20) == pytest.approx([1 / 2, 1 / 6, 1 / 6, 1 / 6])


def test_looks_share_what_is_left_once_rounds_take_more_time_than_before():
    assert shares((6, 9, 13, 20), [20, 10], 10) == pytest.approx([1 / 4, 3 / 8, 3 / 8])


def test_an_end_right_after_a_look_has_the_share_of_that_look_too_as_both_are_of_the_same_rounds():
    assert shares((6, 9, 13, 20), [12, 12], 9) == pytest.approx([1 / 3, 1 / 3, 2 / 3])


def test_a_single_look_has_everything():
    assert AlphaSpending((8,)).at_end(8) == 1.0


@given(
    st.sets(st.integers(1, 200), min_size=1, max_size=8),
    st.lists(st.integers(0, 300), min_size=8, max_size=8),
    st.integers(1, 200),
)
def test_whatever_the_budget_allows_looks_at_different_rounds_share_no_more_than_everything(planned, reachable, ends):
    planned = tuple(sorted(planned))
    ends = min(ends, planned[-1])
    made = shares(planned, reachable, ends)
    at = [*(look for look in planned[:-1] if look <= ends), ends]
    largest = {rounds: max(share for look, share in zip(at, made, strict=True) if look == rounds) for rounds in at}
    assert sum(largest.values()) == pytest.approx(1)
    assert min(made) > 0


def test_the_confidence_of_a_look_leaves_out_its_share_of_alpha():
    assert confidence(1.0) == pytest.approx(1 - ALPHA)
    assert confidence(0.25) == pytest.approx(1 - ALPHA / 4)
    assert confidence(0.25, judged=5) == pytest.approx(1 - ALPHA / 20)


@pytest.mark.parametrize("arguments", [(0.0, 1), (1.5, 1), (0.5, 0)])
def test_a_share_that_cannot_be_is_refused(arguments):
    with pytest.raises(ValueError, match="at least"):
        confidence(*arguments)


@pytest.mark.parametrize("reachable", [24, 13])
def test_stopping_at_the_first_significant_look_keeps_the_error_that_was_declared(reachable):
    planned, times = looks(8, 24), 5
    ends = min(reachable, planned[-1])
    at = [*(look for look in planned[:-1] if look <= ends), ends]
    levels = [1 - times * ALPHA * share for share in shares(planned, [reachable] * len(planned), ends)]
    rng = np.random.default_rng(11)
    wrong = 0
    for _ in range(400):
        series = rng.standard_normal(24)
        made = [
            intervals.mean_interval(series[:rounds], level, min_autocorrelation=0.0)
            for rounds, level in zip(at, levels, strict=True)
        ]
        wrong += any(interval.low > 0 or interval.high < 0 for interval in made)
    assert wrong / 400 <= times * ALPHA
