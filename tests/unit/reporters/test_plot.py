"""Bars of the speedup against the ideal one."""

from __future__ import annotations

import pytest

from pytest_paddle_mt.reporters import plot
from tests.builders import point

WIDTH = 80


def bars(*speedups: float | None) -> list[str]:
    return plot.plot(
        [
            point(threads, 40.0, efficiency=None if speedup is None else speedup / threads)
            for threads, speedup in enumerate(speedups, start=1)
        ]
    )


def test_a_bar_is_as_long_as_the_speedup_and_is_filled_up_to_the_ideal_one():
    assert bars(1.0, 2.0, 2.5, 2.0) == [
        "  speedup     1 ██████████                                1.00 of 1",
        "              2 ████████████████████                      2.00 of 2",
        "              3 █████████████████████████░░░░░            2.50 of 3",
        "              4 ████████████████████░░░░░░░░░░░░░░░░░░░░  2.00 of 4",
    ]


def test_a_bar_ends_within_an_eighth_of_a_character():
    assert "█" * 10 + "▎" + "░" * 9 in bars(1.0, 1.025, 1.0, 1.0)[1]


def test_a_speedup_beyond_the_ideal_one_still_fits():
    lines = bars(1.0, 3.7)
    assert max(map(len, lines)) <= WIDTH
    assert lines[1].count("█") == 40


@pytest.mark.parametrize("speedups", [(), (1.0,), (1.0, None)])
def test_there_is_no_plot_of_less_than_two_speedups(speedups):
    assert bars(*speedups) == []


def test_many_thread_counts_are_thinned_out_and_the_largest_stays():
    lines = bars(*(float(threads) for threads in range(1, 33)))
    assert 4 <= len(lines) <= 8
    assert lines[-1].endswith("32 of 32")


@pytest.mark.parametrize(("encoding", "drawn"), [("utf-8", True), ("cp437", False), ("ascii", False), (None, False)])
def test_it_is_drawable_where_every_character_of_it_can_be_written(encoding, drawn):
    assert plot.drawable(encoding) is drawn
