"""Makes the figures of a run that a baseline stores out of a sweep."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_paddle_mt.baselines import Figures, ForkFigures, ProbeFigures
from pytest_paddle_mt.engines import synthetic
from pytest_paddle_mt.statistics import latency, scaling, validity
from pytest_paddle_mt.statistics.points import latency_rounds, pooled_latencies, throughputs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_paddle_mt.records import Cpu, Latencies, Point, Round


def of_sweep(points: Sequence[Point], rounds: Sequence[Round], cpu: Cpu) -> tuple[Figures, ...]:
    """One entry for each point, with the latencies of undisturbed rounds; these are None where there are none.

    Args:
        points: made of ``rounds``.
        rounds: what was measured.
        cpu: how many threads can run at once.
    """
    return tuple(_figures(point, rounds, cpu) for point in points)


def _figures(point: Point, rounds: Sequence[Round], cpu: Cpu) -> Figures:
    alone = [one for one in rounds if validity.undisturbed(one, point.threads, cpu)]
    latencies = pooled_latencies(alone, point.threads) if alone else None
    return Figures(
        threads=point.threads,
        rounds=point.rounds,
        queries=point.queries,
        qps=point.qps,
        efficiency=point.efficiency,
        p5_ns=_percentile(latencies, 0.05),
        p50_ns=_percentile(latencies, 0.50),
        p90_ns=_percentile(latencies, 0.90),
        p99_ns=_percentile(latencies, 0.99),
        probe=_probe(rounds, point.threads, cpu),
        peak_rss_bytes=point.peak_rss_bytes,
        forks=_of_forks(rounds, point.threads, cpu),
    )


def _probe(rounds: Sequence[Round], threads: int, cpu: Cpu) -> ProbeFigures | None:
    """Throughput of the probe; None where it was not measured."""
    probes = [
        validity.qps(visit.probe, cpu)
        for one in rounds
        for visit in one.at(threads)
        if visit.probe is not None
        if validity.usable(one, threads, cpu) and not validity.set_aside(visit.probe, cpu)
    ]
    qps = scaling.geometric_mean(np.array(probes, dtype=np.float64))
    return None if qps is None else ProbeFigures(work=synthetic.probe_name(), qps=qps)


def _percentile(latencies: Latencies | None, q: float) -> float | None:
    return None if latencies is None else latency.percentile(latencies, q)


def _of_forks(rounds: Sequence[Round], threads: int, cpu: Cpu) -> tuple[ForkFigures, ...]:
    found = []
    rounds = [one for one in rounds if one.at(threads)]
    for fork in sorted({one.fork for one in rounds if one.fork}):
        own = [one for one in rounds if one.fork == fork]
        qps = scaling.geometric_mean(throughputs(own, threads, cpu))
        assert qps is not None, "a fork is listed because it has a round"
        found.append(
            ForkFigures(
                fork=fork,
                rounds=len(own),
                qps=qps,
                p50_ns=latency.percentile(pooled_latencies(latency_rounds(own, threads, cpu), threads), 0.50),
            )
        )
    return tuple(found)
