"""How high a ratio can be where threads wait for each other: a line through rounds that lost more and less."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_paddle_mt.statistics import unknown_loss

LOST = np.array([0.05, 0.5, 0.3, 0.0, 0.6, 0.2])
SCATTER = np.array([0.02, -0.01, 0.03, -0.02, -0.03, 0.01])


def test_rounds_on_a_line_all_say_how_high_it_is_without_a_loss():
    assert unknown_loss.without_loss(-0.7 - 0.4 * LOST, LOST) == pytest.approx([-0.7] * 6)


def test_each_value_is_what_the_height_owes_to_its_round():
    """The definition of a pseudo-value, with lines that numpy fits to the rounds that are left."""
    values = -0.5 - 0.3 * LOST + SCATTER
    height = np.polyfit(LOST, values, 1)[1]
    without = [np.polyfit(np.delete(LOST, i), np.delete(values, i), 1)[1] for i in range(6)]
    assert unknown_loss.without_loss(values, LOST) == pytest.approx(6 * height - 5 * np.array(without))


def test_a_line_that_rises_with_the_loss_is_not_believed():
    values = -0.7 + 0.4 * LOST
    assert unknown_loss.without_loss(values, LOST) == pytest.approx([values.mean()] * 6)


@pytest.mark.parametrize(
    "lost",
    [
        [0.0] * 6,
        [0.05, 0.2, 0.3, 0.4, 0.5, 0.6],
        [0.2, 0.2, 0.8, 0.8, 1.0, 1.8],
        [0.01] * 5 + [0.6],
        [0.0, 0.01, 0.6],
        [],
    ],
    ids=["nothing lost", "one lost little", "two lost a quarter", "all but one alike", "three rounds", "no round"],
)
def test_without_rounds_that_show_how_steep_it_is_there_is_no_line(lost):
    assert unknown_loss.without_loss(np.full(len(lost), -0.5), np.array(lost)) is None


def test_two_rounds_that_lost_little_are_enough_for_a_line():
    lost = np.array([0.19, 0.19, 0.8, 0.8, 1.0, 1.82])
    assert unknown_loss.without_loss(np.full(6, -0.5), lost) == pytest.approx([-0.5] * 6)


def test_the_lower_bound_of_the_two_is_taken_and_each_has_half_of_what_may_miss():
    costs_nothing = -0.7 + SCATTER
    values, confidence = unknown_loss.highest(costs_nothing, costs_nothing + LOST, 0.99)
    assert values == pytest.approx(unknown_loss.without_loss(costs_nothing, LOST))
    assert confidence == pytest.approx(0.995)
    costs_all = -0.7 - LOST + SCATTER
    values, confidence = unknown_loss.highest(costs_all, costs_all + LOST, 0.99)
    assert values == pytest.approx(costs_all + LOST)
    assert confidence == pytest.approx(0.995)


def test_where_a_loss_costs_more_than_itself_the_line_stands_above_full_credit():
    values, confidence = unknown_loss.highest(-0.2 - 2 * LOST + SCATTER, -0.2 - LOST + SCATTER, 0.99)
    assert values.mean() == pytest.approx(-0.2, abs=0.03)
    assert confidence == 0.99


def test_where_little_is_lost_or_always_the_same_the_credit_is_full():
    for lost in (LOST / 10, np.full(6, 0.4)):
        values, confidence = unknown_loss.highest(-0.7 + SCATTER, -0.7 + SCATTER + lost, 0.99)
        assert values == pytest.approx(-0.7 + SCATTER + lost)
        assert confidence == 0.99
