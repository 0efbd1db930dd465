"""Keeps latencies or counts them in bins, merges them, and computes the percentiles that they support.

A histogram is log-linear, as in HdrHistogram (G. Tene, http://hdrhistogram.org): 128 bins per power of two. With
``e = max(bit_length(v) - 8, 0)``, a latency of ``v`` ns belongs to bin ``128 * e + (v >> e)``. So a bin below 256 has
one single value, and every other bin is at most 1/128 of its values wide: its centre is within 1/256 (0.4 %) of each.
"""

from __future__ import annotations

import bisect
import math
from typing import TYPE_CHECKING

import numpy as np

from pytest_paddle_mt.records import Latencies, LatencySummary

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

_BINS_PER_OCTAVE = 128

#: The first latency without a bin of its own, in ns (73 minutes); it and all longer ones count in the last bin.
MAX_LATENCY_NS = 2**42

BIN_COUNT = 36 * _BINS_PER_OCTAVE  #: Number of bins of a histogram, here and in the native core.

#: A percentile is supported where the second largest query lies above it with this probability.
_SUPPORT = 0.99


def bin_index(latencies_ns: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    """Bin of each latency (any integer dtype, ns, any shape); ``MAX_LATENCY_NS`` and more go to the last bin."""
    values = np.clip(latencies_ns, 0, MAX_LATENCY_NS - 1).astype(np.int64)
    bit_length = np.frexp(values.astype(np.float64))[1].astype(np.int64)  # exact: every value is below 2**53
    exponent = np.maximum(bit_length - 8, 0)
    index: npt.NDArray[np.int64] = exponent * _BINS_PER_OCTAVE + (values >> exponent)
    return index


def bin_centres() -> npt.NDArray[np.int64]:
    """Centre of each bin in ns, int64, shape (BIN_COUNT,), ascending."""
    index = np.arange(BIN_COUNT, dtype=np.int64)
    exponent = np.maximum(index // _BINS_PER_OCTAVE - 1, 0)
    first = (index - exponent * _BINS_PER_OCTAVE) << exponent
    centres: npt.NDArray[np.int64] = first + ((np.int64(1) << exponent) >> 1)
    return centres


def exact(latencies_ns: npt.NDArray[np.integer]) -> Latencies:
    """Keeps every latency (any integer dtype, ns, shape (k,), any order)."""
    return Latencies(values_ns=np.sort(latencies_ns.astype(np.int64)), counts=None)


def from_bins(counts: npt.NDArray[np.integer]) -> Latencies:
    """Latencies from a histogram: queries per bin, shape (BIN_COUNT,).

    Raises:
        ValueError: the histogram has another number of bins.
    """
    if counts.shape != (BIN_COUNT,):
        raise ValueError(f"a histogram has {BIN_COUNT} bins, not {counts.shape}; count with bin_index()")
    used = np.flatnonzero(counts)
    return Latencies(values_ns=bin_centres()[used], counts=counts[used].astype(np.int64))


def merge(parts: Sequence[Latencies], max_exact: int = 1_000_000) -> Latencies:
    """All the queries of ``parts``: exact if all parts are and at most ``max_exact`` queries result, else in bins."""
    if not any(part.thinned for part in parts) and sum(part.queries for part in parts) <= max_exact:
        return exact(np.concatenate([np.empty(0, dtype=np.int64), *(part.values_ns for part in parts)]))
    counts = np.zeros(BIN_COUNT, dtype=np.int64)
    for part in parts:
        np.add.at(counts, bin_index(part.values_ns), 1 if part.counts is None else part.counts)
    return from_bins(counts)


def minimum_queries(q: float) -> int:
    """Fewest queries that support the percentile ``q``, a fraction in (0, 1): 11 for 0.5, 64 for 0.9, 662 for 0.99.

    It is the smallest n for which the second largest of n queries is an upper 99 % confidence bound of the percentile,
    whatever the distribution: P(at most one of n queries above it) = n (1 - q) q^(n - 1) + q^n <= 0.01. Below the
    median the mirror image holds. (David & Nagaraja, Order Statistics, 3rd ed. 2003, section 7.1. MLPerf's LoadGen
    discards one query likewise and arrives at the same 64 and 662: mlcommons/inference, loadgen/early_stopping.cc.)

    Raises:
        ValueError: ``q`` is not in (0, 1).
    """
    if not 0 < q < 1:
        raise ValueError(f"a percentile is a fraction between 0 and 1, not {q}")
    tail = max(q, 1 - q)

    def supported(n: int) -> bool:
        return n * (1 - tail) * tail ** (n - 1) + tail**n <= 1 - _SUPPORT

    candidates = range(2, 2**62)
    return candidates[bisect.bisect_left(candidates, True, key=supported)]


def percentile(latencies: Latencies, q: float) -> float | None:
    """Latency in ns that the fraction ``q`` of the queries does not exceed; None below ``minimum_queries(q)``.

    It is the latency of one of the k queries, the smallest whose rank is at least q k: the inverse of the empirical
    distribution function (definition 1 in Hyndman & Fan, The American Statistician 50(4), 1996; ``inverted_cdf`` in
    numpy). Within 0.4 % where the queries were counted in bins.

    Raises:
        ValueError: ``q`` is not in (0, 1).
    """
    queries = latencies.queries
    if queries < minimum_queries(q):
        return None
    rank = math.ceil(round(q * queries, 6))  # rounded, as 0.07 * 100 is a little more than 7
    if latencies.counts is None:
        return float(latencies.values_ns[rank - 1])
    return float(latencies.values_ns[np.searchsorted(np.cumsum(latencies.counts), rank)])


def summary(latencies: Latencies) -> LatencySummary:
    """Mean, extremes and the supported percentiles, in ns; within 0.4 % where the queries were counted in bins.

    Raises:
        ValueError: there is no query.
    """
    if latencies.queries == 0:
        raise ValueError("no query, so no latency to summarise; measure a longer window")
    return LatencySummary(
        mean_ns=float(np.average(latencies.values_ns, weights=latencies.counts)),
        min_ns=float(latencies.values_ns[0]),
        max_ns=float(latencies.values_ns[-1]),
        p50_ns=percentile(latencies, 0.50),
        p90_ns=percentile(latencies, 0.90),
        p99_ns=percentile(latencies, 0.99),
    )
