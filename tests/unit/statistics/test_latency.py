from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_paddle_mt.statistics import latency

if TYPE_CHECKING:
    from pytest_paddle_mt.records import Latencies

LATENCY = st.integers(min_value=0, max_value=latency.MAX_LATENCY_NS - 1)


def ns(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def counted(*values: int) -> Latencies:
    """The same queries as ``exact(ns(...))``, in bins."""
    return latency.from_bins(np.bincount(latency.bin_index(ns(*values)), minlength=latency.BIN_COUNT))


def slow_bin(value: int) -> int:
    exponent = 0
    while value >> exponent >= 256:
        exponent += 1
    return 128 * exponent + (value >> exponent)


def test_small_latencies_have_a_bin_each():
    assert latency.bin_index(np.arange(256)).tolist() == list(range(256))


def test_bins_are_those_computed_by_hand():
    assert latency.bin_index(ns(255, 256, 257, 258, 511, 512, 515, 516)).tolist() == [
        255,
        256,
        256,
        257,
        383,
        384,
        384,
        385,
    ]


@given(LATENCY)
def test_the_bin_of_any_latency_is_that_of_the_slow_loop(value):
    assert latency.bin_index(ns(value))[0] == slow_bin(value)


@given(LATENCY)
def test_a_latency_is_within_0_4_percent_of_the_centre_of_its_bin(value):
    centre = int(latency.bin_centres()[latency.bin_index(ns(value))[0]])
    assert abs(centre - value) <= 0.004 * value


@pytest.mark.parametrize("power", range(1, 42))
def test_the_latencies_around_a_power_of_two_are_within_0_4_percent_of_their_centres(power):
    values = 2**power + np.arange(-1, 2)
    centres = latency.bin_centres()[latency.bin_index(values)]
    assert np.all(np.abs(centres - values) <= 0.004 * values)


def test_every_bin_is_used_and_holds_its_own_centre():
    assert latency.bin_index(latency.bin_centres()).tolist() == list(range(latency.BIN_COUNT))


def test_the_longest_latency_that_has_a_bin_is_in_the_last_one():
    assert latency.bin_index(ns(latency.MAX_LATENCY_NS - 1))[0] == latency.BIN_COUNT - 1


def test_a_latency_beyond_the_last_bin_is_counted_in_it():
    beyond = np.array([latency.MAX_LATENCY_NS, 2**63, 2**64 - 1], dtype=np.uint64)
    assert latency.bin_index(beyond).tolist() == [latency.BIN_COUNT - 1] * 3


def test_exact_latencies_are_sorted_and_not_thinned():
    kept = latency.exact(ns(30, 10, 20))
    assert kept.values_ns.tolist() == [10, 20, 30]
    assert not kept.thinned


def test_exact_does_not_reorder_the_callers_array():
    given_ns = ns(30, 10, 20)
    latency.exact(given_ns)
    assert given_ns.tolist() == [30, 10, 20]


def test_a_histogram_keeps_its_counts_and_drops_empty_bins():
    counts = np.zeros(latency.BIN_COUNT, dtype=np.int64)
    counts[[7, 256]] = 3, 2
    kept = latency.from_bins(counts)
    assert kept.values_ns.tolist() == [7, 257]
    assert kept.counts.tolist() == [3, 2]
    assert kept.thinned


def test_a_histogram_with_another_number_of_bins_is_refused():
    with pytest.raises(ValueError, match="4608 bins"):
        latency.from_bins(np.zeros(10, dtype=np.int64))


def test_merging_few_exact_latencies_keeps_every_one():
    merged = latency.merge([latency.exact(ns(5, 1000)), latency.exact(ns(3, 1000))], max_exact=4)
    assert merged.values_ns.tolist() == [3, 5, 1000, 1000]
    assert not merged.thinned


def test_merging_more_than_may_be_kept_counts_them_in_bins():
    merged = latency.merge([latency.exact(ns(5, 1001)), latency.exact(ns(3, 1001))], max_exact=3)
    assert merged.thinned
    assert merged.counts.tolist() == [1, 1, 2]


def test_merging_with_a_histogram_counts_everything_in_bins():
    merged = latency.merge([counted(5, 5, 1000), latency.exact(ns(5, 9))])
    assert merged.values_ns[:2].tolist() == [5, 9]
    assert merged.counts.tolist() == [3, 1, 1]


def test_merging_nothing_gives_no_query():
    assert latency.merge([]).queries == 0


@given(st.lists(st.lists(LATENCY, max_size=20), max_size=5), st.integers(0, 60))
def test_merging_loses_no_query(parts, max_exact):
    merged = latency.merge([latency.exact(np.array(part, dtype=np.int64)) for part in parts], max_exact)
    assert merged.queries == sum(map(len, parts))


@given(st.lists(LATENCY, min_size=1, max_size=40), st.integers(1, 39))
def test_merging_in_two_steps_gives_the_bins_of_one_step(values, cut):
    parts = [counted(*part) for part in (values[:cut], values[cut:])]
    merged, direct = latency.merge(parts), counted(*values)
    assert merged.values_ns.tolist() == direct.values_ns.tolist()
    assert merged.counts.tolist() == direct.counts.tolist()


@pytest.mark.parametrize(("q", "queries"), [(0.5, 11), (0.9, 64), (0.05, 130), (0.95, 130), (0.99, 662), (0.999, 6636)])
def test_percentiles_need_the_numbers_of_queries_that_mlperf_needs(q, queries):
    assert latency.minimum_queries(q) == queries


@pytest.mark.parametrize(("q", "exactly"), [(0.5, Fraction(1, 2)), (0.9, Fraction(9, 10)), (0.99, Fraction(99, 100))])
def test_one_query_less_than_the_minimum_misses_the_bound_in_exact_arithmetic(q, exactly):
    def chance_of_at_most_one_above(n: int) -> Fraction:
        return sum(math.comb(n, above) * (1 - exactly) ** above * exactly ** (n - above) for above in (0, 1))

    enough = latency.minimum_queries(q)
    assert chance_of_at_most_one_above(enough) <= Fraction(1, 100) < chance_of_at_most_one_above(enough - 1)


def test_a_low_percentile_needs_as_many_queries_as_its_mirror_image():
    assert latency.minimum_queries(0.125) == latency.minimum_queries(0.875)


@pytest.mark.parametrize("q", [0, 1, 99, -0.5, math.nan])
def test_a_percentile_that_is_no_fraction_is_refused(q):
    with pytest.raises(ValueError, match="fraction"):
        latency.minimum_queries(q)


def test_a_percentile_that_the_sample_cannot_support_is_none():
    assert latency.percentile(latency.exact(np.arange(661)), 0.99) is None
    assert latency.percentile(latency.exact(np.arange(662)), 0.99) is not None


def test_the_percentile_of_1_to_1000_is_its_rank():
    queries = latency.exact(np.arange(1, 1001))
    assert latency.percentile(queries, 0.99) == 990
    assert latency.percentile(queries, 0.9) == 900
    assert latency.percentile(queries, 0.5) == 500


def test_rounding_of_the_rank_does_not_move_a_percentile():
    # in floating point 0.07 * 100 is 7.000000000000001
    assert latency.percentile(latency.exact(np.arange(1, 101)), 0.07) == 7


@given(st.lists(LATENCY, min_size=64, max_size=200), st.sampled_from([0.2, 0.5, 0.75, 0.9]))
def test_a_percentile_is_the_smallest_query_that_reaches_its_share(values, q):
    by_hand = min(v for v in values if sum(w <= v for w in values) >= q * len(values) - 1e-9)
    assert latency.percentile(latency.exact(np.array(values)), q) == by_hand


@given(st.lists(LATENCY, min_size=64, max_size=200), st.sampled_from([0.2, 0.5, 0.9]))
def test_a_percentile_of_counted_queries_is_within_0_4_percent_of_the_exact_one(values, q):
    exactly = latency.percentile(latency.exact(np.array(values)), q)
    assert latency.percentile(counted(*values), q) == pytest.approx(exactly, rel=0.004)


def test_a_summary_of_few_queries_has_a_mean_and_no_high_percentile():
    summary = latency.summary(latency.exact(np.arange(10, 21)))
    assert (summary.mean_ns, summary.min_ns, summary.max_ns) == (15, 10, 20)
    assert (summary.p50_ns, summary.p90_ns, summary.p99_ns) == (15, None, None)


def test_a_summary_of_many_queries_has_every_percentile():
    summary = latency.summary(latency.exact(np.arange(1, 1001)))
    assert (summary.p50_ns, summary.p90_ns, summary.p99_ns) == (500, 900, 990)


def test_a_summary_of_counted_queries_weighs_each_bin():
    summary = latency.summary(counted(100, 100, 100, 200))
    assert (summary.mean_ns, summary.min_ns, summary.max_ns) == (125, 100, 200)


def test_no_query_has_no_summary():
    with pytest.raises(ValueError, match="no query"):
        latency.summary(latency.merge([]))
