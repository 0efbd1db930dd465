"""The counting rule on known renewal processes: pure simulation, so that no machine's speed matters."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_paddle_mt.statistics.counting import ends_inside, fraction_inside

#: How long a window of so many threads lasts, and how long it opens after the last of them has become steady, in mean
#: query times: as with two cores.
LENGTH = {1: 4, 2: 4, 4: 2, 16: 1}
SETTLE = {1: 2, 2: 2, 4: 1, 16: 1}
#: A mean query, in ns.
MEAN_NS = 1_000_000
#: Queries a thread, which reach far beyond its window.
QUERIES = 60


@pytest.mark.parametrize(
    ("query", "share"),
    [
        ((100, 200), 1.0),
        ((120, 130), 1.0),
        ((90, 110), 0.5),
        ((190, 230), 0.25),
        ((50, 250), 0.5),
        ((0, 100), 0.0),
        ((200, 300), 0.0),
        ((20, 30), 0.0),
        ((150, 150), 0.0),
    ],
)
def test_the_share_of_a_query_inside_a_window_from_100_to_200(query, share):
    assert fraction_inside(*query, 100, 200) == share


def durations_ns(kind, shape, rng):
    drawn = {
        "exponential": lambda: rng.exponential(size=shape),
        "fixed": lambda: np.ones(shape),
        "fixed with outliers": lambda: np.where(rng.random(shape) < 0.1, 2.8, 0.8),
    }[kind]()
    return np.maximum(1, np.rint(drawn * MEAN_NS)).astype(np.int64)


def simulated(kind, threads, windows, rng):
    """Means of many windows, in units of the true ones.

    Throughput by fractions, and between completions; latency of the queries that complete inside, and of those that
    start inside, too.

    As in the loop, thread 0 becomes steady at 0, with the end of a query, and the others are somewhere in theirs.
    """
    durations = durations_ns(kind, (windows, threads, QUERIES), rng)
    ends = np.cumsum(durations, axis=2)
    ends[:, 1:] -= rng.integers(20 * MEAN_NS, 21 * MEAN_NS, size=(windows, threads - 1, 1))
    starts = ends - durations
    opened, closed = SETTLE[threads] * MEAN_NS, (SETTLE[threads] + LENGTH[threads]) * MEAN_NS
    inside = (starts >= opened) & (ends <= closed)
    edges = (ends > opened) & (starts < closed) & ~inside
    at_edges = zip(starts[edges].tolist(), ends[edges].tolist(), strict=True)
    by_fractions = inside.sum() + sum(fraction_inside(start, end, opened, closed) for start, end in at_edges)
    counted = inside.sum(axis=2)
    first, last = np.where(inside, ends, closed).min(axis=2), np.where(inside, ends, opened).max(axis=2)
    enough = counted > 1
    between = (counted[enough] - 1) / (last[enough] - first[enough]) * MEAN_NS
    mean = between.mean() if enough.any() else None
    complete = (ends > opened) & (ends <= closed)
    latencies = [durations[which].mean() / MEAN_NS if which.any() else None for which in (complete, inside)]
    return by_fractions / (windows * threads * LENGTH[threads]), mean, *latencies


@pytest.fixture(scope="module")
def simulate():
    """Means of many windows, by kind of query and number of threads; see ``simulated``."""
    found = {}

    def of(kind, threads):
        if (kind, threads) not in found:
            rng = np.random.default_rng([threads, len(kind)])
            found[kind, threads] = simulated(kind, threads, 100_000 // threads, rng)
        return found[kind, threads]

    return of


@pytest.mark.parametrize("threads", [1, 2, 4, 16])
@pytest.mark.parametrize("kind", ["exponential", "fixed", "fixed with outliers"])
def test_mean_throughput_of_windows_of_few_queries_is_the_true_one(simulate, kind, threads):
    by_fractions, *_ = simulate(kind, threads)
    assert by_fractions == pytest.approx(1, abs=0.007)


@pytest.mark.parametrize("threads", [1, 2, 4, 16])
def test_throughput_between_completions_would_be_percents_off(simulate, threads):
    _, between, *_ = simulate("exponential", threads)
    assert abs(between - 1) > 0.02


@pytest.mark.parametrize("threads", [1, 2, 4, 16])
@pytest.mark.parametrize("kind", ["exponential", "fixed with outliers"])
def test_the_mean_latency_of_the_queries_that_complete_inside_is_the_true_one(simulate, kind, threads):
    *_, latency, _ = simulate(kind, threads)
    assert latency == pytest.approx(1, abs=0.05)  # no query is longer than the time since the warm-up


@pytest.mark.parametrize("threads", [1, 2, 4, 16])
def test_the_queries_that_start_inside_too_would_be_the_shorter_ones(simulate, threads):
    *_, latency = simulate("exponential", threads)
    assert latency < 0.8


@pytest.mark.parametrize(("end", "inside"), [(90, False), (100, False), (101, True), (200, True), (201, False)])
def test_a_query_that_ends_inside_a_window_from_100_to_200(end, inside):
    assert ends_inside((50, end), 100, 200) is inside
