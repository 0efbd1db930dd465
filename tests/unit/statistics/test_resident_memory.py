"""Memory of a process over a sweep: known series."""

from __future__ import annotations

import dataclasses

import pytest

from pytest_paddle_mt.statistics.resident_memory import growth, peak_rss_bytes, steady_growth
from tests.builders import round_of

MB = 1_000_000


def series(*rss_mb, queries=1000.0):
    """Readings after rounds of so many queries."""
    return [(queries, round(one * MB)) for one in rss_mb]


def test_a_constant_amount_per_query_is_growth():
    found = steady_growth(series(*(100 + 20 * i for i in range(12))))
    assert found is not None
    assert found.bytes_per_query == 20_000
    assert (found.first_bytes, found.last_bytes) == (180 * MB, 320 * MB)
    assert (found.queries, found.rounds) == (7000, 7)


def test_growth_is_per_query_however_many_a_round_serves():
    queries = (1000, 1000, 200, 900, 100, 400, 1000, 50, 700)
    readings, rss = [], 100 * MB
    for count in queries:
        rss += 20_000 * count
        readings.append((float(count), rss))
    found = steady_growth(readings)
    assert found is not None
    assert found.bytes_per_query == pytest.approx(20_000)


def test_one_round_that_gives_memory_back_does_not_hide_growth_over_many():
    readings = series(*(100 + 20 * i - (30 if i == 17 else 0) for i in range(30)))
    assert steady_growth(readings) is not None


@pytest.mark.parametrize(
    "rss_mb",
    [
        [300] * 12,  # none
        [300 - 100 * 0.5**i for i in range(12)],  # a warm-up that fades
        [100, 200, 280, 290, *[300] * 8],  # one that ends
        [*[300] * 8, 500, 500, 500, 500],  # one allocation, late
        [300 + i % 2 * 20 for i in range(12)],  # up and down
        [300 + 0.1 * i for i in range(12)],  # less than an allocator moves by
        [400 - 20 * i for i in range(12)],  # shrinking
        [100, 120, 140, 160, 180],  # too few rounds after the warm-up
        [0] * 12,  # unknown
        [],
    ],
)
def test_what_does_not_grow_steadily_with_the_queries_is_no_growth(rss_mb):
    assert steady_growth(series(*rss_mb)) is None


def test_the_latencies_that_the_plugin_keeps_are_no_growth():
    assert steady_growth(series(*(100 + 8 * i for i in range(12)), queries=1e6)) is None


def of_process(fork, rss_mb):
    return [
        dataclasses.replace(
            one, visits=tuple(dataclasses.replace(visit, fork=fork) for visit in one.visits), index=index
        )
        for index, rss in enumerate(rss_mb)
        for one in [round_of({1: 40, 2: 78}, rss_bytes=rss * MB, at=1)]
    ]


LEAKS = [100 + 10 * i for i in range(9)]


def test_the_queries_of_every_window_of_a_round_count():
    found = growth(of_process(0, LEAKS))
    assert found is not None
    assert found.bytes_per_query == pytest.approx(10 * MB / 600, rel=0.01)  # 100 of each thread: 1 + 2 + 2 + 1


def test_memory_grows_where_it_grows_in_every_process():
    assert growth([*of_process(1, LEAKS), *of_process(2, LEAKS)]) is not None
    assert growth([*of_process(1, LEAKS), *of_process(2, [100] * 9)]) is None


def test_windows_without_the_figure_show_nothing():
    assert growth([round_of({1: 40}, index) for index in range(9)]) is None
    assert growth([]) is None


def test_the_peak_is_the_largest_of_any_window():
    rounds = [round_of({1: 40, 2: 78}, at=2, peak_rss_bytes=peak) for peak in (310 * MB, 914 * MB)]
    assert peak_rss_bytes(rounds) == 914 * MB
    assert peak_rss_bytes([round_of({1: 40}, at=1, peak_rss_bytes=None)]) is None
    assert peak_rss_bytes([]) is None
