"""Makes the figures of a run that a baseline stores out of a sweep."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_paddle_mt.baselines import Figures, ForkFigures, ProbeFigures
from pytest_paddle_mt.engines import synthetic
from pytest_paddle_mt.statistics import latency, scaling, selection, validity
from pytest_paddle_mt.statistics.points import credited, pooled_latencies

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_paddle_mt.records import Cpu, Point, Round


def of_sweep(points: Sequence[Point], rounds: Sequence[Round], cpu: Cpu) -> tuple[Figures, ...]:
    """One entry for each point, made of ``rounds``; latencies of undisturbed rounds, None where there are none."""
    return tuple(_figures(point, rounds, cpu) for point in points)


def _figures(point: Point, rounds: Sequence[Round], cpu: Cpu) -> Figures:
    alone = selection.undisturbed(rounds, point.threads, cpu)
    latencies = pooled_latencies(alone, point.threads)
    p5_ns, p50_ns, p90_ns, p99_ns = (latency.percentile(latencies, q) for q in (0.05, 0.50, 0.90, 0.99))
    return Figures(
        threads=point.threads,
        rounds=point.rounds,
        queries=point.queries,
        qps=point.qps,
        efficiency=point.efficiency,
        p5_ns=p5_ns,
        p50_ns=p50_ns,
        p90_ns=p90_ns,
        p99_ns=p99_ns,
        probe=_probe(rounds, point.threads, cpu),
        peak_rss_bytes=point.peak_rss_bytes,
        forks=_of_forks(rounds, point.threads, cpu),
    )


def _probe(rounds: Sequence[Round], threads: int, cpu: Cpu) -> ProbeFigures | None:
    """Throughput of the probe; None where it was not measured."""
    probes = [
        validity.qps(visit.probe, cpu)
        for one in selection.usable(rounds, threads, cpu)
        for visit in one.at(threads)
        if visit.probe is not None and not validity.set_aside(visit.probe, cpu)
    ]
    qps = scaling.geometric_mean(np.array(probes, dtype=np.float64))
    return None if qps is None else ProbeFigures(work=synthetic.probe_name(), qps=qps)


def _of_forks(rounds: Sequence[Round], threads: int, cpu: Cpu) -> tuple[ForkFigures, ...]:
    found = []
    usable, undisturbed = selection.usable(rounds, threads, cpu), selection.undisturbed(rounds, threads, cpu)
    rounds = [one for one in rounds if one.at(threads)]
    for fork in sorted({one.fork for one in rounds if one.fork}):
        own = [one for one in rounds if one.fork == fork]
        kept, alone = ([one for one in these if one.fork == fork] or own for these in (usable, undisturbed))
        qps = scaling.geometric_mean(scaling.throughput_series(kept, threads, qps=credited(own, cpu)))
        assert qps is not None, "a fork is listed because it has a round"
        p50_ns = latency.percentile(pooled_latencies(alone, threads), 0.50)
        found.append(ForkFigures(fork=fork, rounds=len(own), qps=qps, p50_ns=p50_ns))
    return tuple(found)
