"""How often is the verdict on drift wrong, and what does it find? Simulated builds, judged by the rule that ships.

    python benchmarks/verdict/drift_simulated.py [--builds N]

``drift_verdicts.py`` asks the same of runs that were measured.
"""

from __future__ import annotations

import argparse
import math
from typing import NamedTuple

import bench_report
import numpy as np
from internals import LIMITS, WINDOW_RUNS, Figures, ProbeFigures, Run, drift, drifted

#: Spreads between runs that are simulated: a quiet machine's, and those of worse ones.
SPREADS = (0.01, 0.02, 0.03, 0.05, 0.10)
#: What the probe beside a simulated run says: there is none, it varies by itself, or it is as slow as the machine is.
PROBES = ("none", "unrelated", "tells")
#: Spread of a probe that varies by itself, and what one adds that tells.
UNRELATED, TOLD = 0.05, 0.02
#: How many runs were accepted before: one, those that make the full limit, one more, so that the anchor is judged as
#: well, and a whole window.
ACCEPTED = (1, drift.FULL_RUNS, drift.FULL_RUNS + 1, WINDOW_RUNS)
#: How many runs one job records, one after the other, with the same shared part.
RUNS_OF_A_JOB = (1, 2)
#: Slowdowns that are judged, as factors of latency.
SLOWDOWNS = (1.0, 1.05, 1.1, 1.2, 1.3, 1.5)
#: Part of a simulated spread, as a variance, that all figures of a run share.
COMMON = 0.7
THREADS = (1, 2)
QUERY_NS = 22e6
PROBE_NS = 1e5


class Machine(NamedTuple):
    """What varies from run to run of a simulated test."""

    #: Of every figure, as a standard deviation of logarithms.
    spread: float
    #: One of ``PROBES``.
    probe: str


def simulated_job(rng: np.random.Generator, machine: Machine, runs: int, slower: float = 1.0) -> list[Run]:
    """Runs at one and two threads, with one shared part, on a machine like this."""
    shared = rng.normal(0.0, machine.spread * math.sqrt(COMMON))
    return [_simulated_run(rng, shared, machine, slower) for _ in range(runs)]


def _simulated_run(rng: np.random.Generator, shared: float, machine: Machine, slower: float) -> Run:
    def noisy(value: float) -> float:
        return value * math.exp(shared + rng.normal(0.0, machine.spread * math.sqrt(1 - COMMON)))

    probe_ns = {
        "none": None,
        "unrelated": PROBE_NS * math.exp(rng.normal(0.0, UNRELATED)),
        "tells": PROBE_NS * math.exp(shared + rng.normal(0.0, TOLD)),
    }[machine.probe]
    points = []
    for threads in THREADS:
        query_ns = QUERY_NS * slower
        points.append(
            Figures(
                threads=threads,
                rounds=12,
                queries=1200,
                qps=threads * 1e9 / noisy(query_ns),
                efficiency=None if threads == 1 else math.exp(rng.normal(0.0, machine.spread)),
                p5_ns=noisy(0.95 * query_ns),
                p50_ns=noisy(query_ns),
                p90_ns=noisy(1.1 * query_ns),
                p99_ns=noisy(1.4 * query_ns),
                probe=None if probe_ns is None else ProbeFigures(work="probe", qps=threads * 1e9 / probe_ns),
                peak_rss_bytes=None,
                forks=(),
            )
        )
    return Run(date="", commit=None, versions={}, points=tuple(points))


def simulate(count: int) -> None:
    """Print the share of simulated builds that fail, by accepted runs, spread and slowdown."""
    print(f"simulated, {count} builds each, margins {LIMITS.max_drift:g} and {LIMITS.max_p99_drift:g} (p99),")
    print(
        f"alpha {drift.FALSE_ALARM:g}; share that fails, and the 95 % upper bound of false alarms (Clopper & Pearson)"
    )
    header = "  ".join(f"{f'+{slower - 1:.0%}':>6}" for slower in SLOWDOWNS[1:])
    print(f"  accepted  of a job  spread  probe       false alarms          {header}")
    rng = np.random.default_rng(0)
    settings = [
        (runs, job, Machine(spread=spread, probe=probe))
        for job in RUNS_OF_A_JOB
        for probe in PROBES
        for runs in ACCEPTED
        for spread in SPREADS
        if job == 1 or (runs > 1 and probe == "none")
        if probe == "none" or (runs >= drift.FULL_RUNS and spread >= UNRELATED)
    ]
    for runs, of_a_job, machine in settings:
        failed = [
            sum(_simulated_build(rng, runs, of_a_job, machine, slower) for _ in range(count)) for slower in SLOWDOWNS
        ]
        bound = bench_report.upper_bound(failed[0], count)
        found = "  ".join(f"{one / count:6.1%}" for one in failed[1:])
        alarms = f"{failed[0] / count:5.2%} (<= {bound:5.2%})"
        print(f"  {runs:8}  {of_a_job:8}  {machine.spread:6.0%}  {machine.probe:9}   {alarms}      {found}", flush=True)


def _simulated_build(rng: np.random.Generator, runs: int, of_a_job: int, machine: Machine, slower: float) -> bool:
    """Whether a build fails that comes after so many accepted runs, each job of which recorded ``of_a_job``."""
    accepted: list[Run] = []
    while len(accepted) < runs:
        accepted += simulated_job(rng, machine, of_a_job)
    return drifted(accepted[:runs], simulated_job(rng, machine, 1, slower)[0])


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--builds", type=int, default=2_000, help="of each setting (%(default)s)")
    simulate(parser.parse_args().builds)


if __name__ == "__main__":
    main()
