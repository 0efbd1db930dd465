"""The figures of a sweep that a baseline stores."""

from __future__ import annotations

import dataclasses

import pytest

from pytest_paddle_mt.baselines import figures
from pytest_paddle_mt.engines import synthetic
from pytest_paddle_mt.records import Cpu
from pytest_paddle_mt.statistics.points import points_of
from tests.builders import NS_PER_S, probed, rounds_of, window

CPU = Cpu(usable_cores=2, math_threads=1)


def of(rounds, counts=(1, 2)):
    return figures.of_sweep(points_of(rounds, counts, CPU, dict.fromkeys(counts, 0.95)), rounds, CPU)


def test_throughput_efficiency_and_latencies_are_those_of_the_sweep():
    one, two = of(rounds_of({1: 40, 2: 76}, 8))
    assert (one.threads, one.rounds, one.queries) == (1, 8, 1600)
    assert (one.qps, two.qps) == (pytest.approx(40), pytest.approx(76))
    assert two.efficiency == pytest.approx(0.95)
    for value in (two.p5_ns, two.p50_ns, two.p90_ns, two.p99_ns):
        assert value == pytest.approx(2 / 76 * NS_PER_S, rel=1e-6)
    assert two.probe is None


def test_latencies_of_rounds_on_shared_cores_do_not_count_and_nor_does_their_probe():
    own = probed(rounds_of({1: 40, 2: 76}, 4), {1: 500, 2: 990})
    shared = probed(rounds_of({1: 40, 2: 40}, 4), {1: 500, 2: 510})
    one, two = of((*own, *shared))
    assert two.p99_ns == pytest.approx(2 / 76 * NS_PER_S, rel=1e-6)
    assert (one.probe.qps, two.probe.qps) == (pytest.approx(500), pytest.approx(990))
    assert one.probe.work == two.probe.work == synthetic.probe_name()
    _, two = of(shared)
    assert (two.p50_ns, two.probe) == (None, None)


def test_a_probe_that_the_hypervisor_disturbed_does_not_count():
    rounds = rounds_of({1: 40, 2: 76}, 4)
    stolen = probed(rounds, {1: 500, 2: 300}, at=2, stolen_cores=0.5)
    one, two = of((*probed(rounds, {1: 500, 2: 990}), *stolen))
    assert (one.probe.qps, two.probe.qps) == (pytest.approx(500), pytest.approx(990))
    _, two = of(stolen)
    assert two.probe is None


def test_a_percentile_that_the_sample_does_not_support_is_none():
    one, _ = of(rounds_of({1: 40, 2: 76}, 1, at=1, queries=5))
    assert (one.p5_ns, one.p50_ns, one.p99_ns) == (None, None, None)
    one, _ = of(rounds_of({1: 40, 2: 76}, 1, at=1, queries=20))
    assert one.p50_ns is not None
    assert (one.p5_ns, one.p99_ns) == (None, None)


def test_latencies_of_rounds_that_other_work_disturbed_do_not_count():
    disturbed = rounds_of({1: 40, 2: 20}, 4, at=2, delay_share=0.3)
    _, two = of((*rounds_of({1: 40, 2: 76}, 4), *disturbed))
    assert two.p99_ns == pytest.approx(2 / 76 * NS_PER_S, rel=1e-6)
    _, two = of(disturbed)
    assert (two.p5_ns, two.p50_ns, two.p90_ns, two.p99_ns) == (None, None, None, None)
    assert two.qps > 0


def test_this_process_alone_has_no_forks_to_list():
    assert [one.forks for one in of(rounds_of({1: 40, 2: 76}, 8))] == [(), ()]


def test_every_fork_has_its_own_figures():
    first = [in_fork(one, 1) for one in rounds_of({1: 40, 2: 80}, 4)]
    second = [in_fork(one, 2) for one in rounds_of({1: 40, 2: 60}, 2)]
    _, two = of((*first, *second))
    assert [(one.fork, one.rounds) for one in two.forks] == [(1, 4), (2, 2)]
    assert [one.qps for one in two.forks] == [pytest.approx(80), pytest.approx(60)]
    assert two.forks[1].p50_ns == pytest.approx(2 / 60 * NS_PER_S, rel=1e-6)


def test_a_fork_leaves_out_the_rounds_that_the_whole_sweep_does():
    """One window in which two threads shared a core is recognised in many rounds, and not in those of one fork."""
    first = [in_fork(one, 1) for one in probed(rounds_of({1: 40, 2: 80}, 12), {1: 500, 2: 1000})]
    own, shared = (in_fork(one, 2) for one in probed(rounds_of({1: 40, 2: 80}, 2), {1: 500, 2: 1000}))
    visits = list(shared.visits)
    visits[1] = dataclasses.replace(visits[1], window=window(2, 42), probe=window(2, 510))
    _, two = of([*first, own, dataclasses.replace(shared, visits=tuple(visits))])
    assert [one.qps for one in two.forks] == [pytest.approx(80), pytest.approx(80)]
    assert two.forks[1].p50_ns == pytest.approx(2 / 80 * NS_PER_S, rel=1e-6)
    assert two.forks[1].rounds == 2


def in_fork(one, fork):
    return dataclasses.replace(one, visits=tuple(dataclasses.replace(visit, fork=fork) for visit in one.visits))


def with_peak(visit, peak):
    noise = dataclasses.replace(visit.window.noise, peak_rss_bytes=peak)
    return dataclasses.replace(visit, window=dataclasses.replace(visit.window, noise=noise))


def with_peaks(rounds, *peaks):
    """The same rounds; each window with the next of these peaks, in order."""
    left = iter(peaks)
    return tuple(
        dataclasses.replace(
            one,
            visits=tuple(with_peak(visit, next(left)) for visit in one.visits),
        )
        for one in rounds
    )


def test_memory_is_that_after_the_thread_count_was_first_measured():
    rounds = with_peaks(rounds_of({1: 40, 2: 76}, 2), 100, 300, 310, 320, 330, 340, 350, 360)
    assert [one.peak_rss_bytes for one in of(rounds)] == [100, 300]


def test_memory_is_that_of_the_largest_process():
    rounds = with_peaks(rounds_of({1: 40, 2: 76}, 2), 100, 300, 310, 320, 150, 500, 510, 520)
    rounds = tuple(in_fork(one, one.index + 1) for one in rounds)
    assert [one.peak_rss_bytes for one in of(rounds)] == [150, 500]


def test_unknown_memory_is_none():
    assert [one.peak_rss_bytes for one in of(with_peaks(rounds_of({1: 40, 2: 76}, 2), *[None] * 8))] == [None, None]
