"""How many queries a window and its warm-up should have: what rounds of each design tell per second.

    python benchmarks/verdict/windows.py [--rounds 60] [--designs 5:3,8:3,8:1,12:1] [--condition neighbour]

Rounds of one thread and two of MobileNetV1 (about 40 ms a query), as a sweep has them, the probe included; the designs
take turns round by round, in random order. A design ``8:1`` has windows of 8 queries after one of warm-up. Prints for
each: how long a round takes, the standard deviation of its ln E, the efficiency relative to the first design's (a bias,
where there is one, with a 95 % interval), and the seconds that equally narrow intervals take relative to the first
design: sd^2 times seconds.
"""

from __future__ import annotations

import argparse
import dataclasses
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

import bench_report
import builds
import internals
import numpy as np
from workloads import mobilenet

THREADS = 2


def measured(worker: object, designs: list[tuple[int, int]], rounds: int) -> dict[tuple[int, int], np.ndarray]:
    """ln E and seconds of each round, by design; shape (rounds, 2)."""
    cpu = internals.Cpu(usable_cores=THREADS, math_threads=1)
    found: dict[tuple[int, int], list[tuple[float, float]]] = {design: [] for design in designs}
    with internals.probing(THREADS) as probe:
        for _ in range(rounds):
            for design in random.sample(designs, len(designs)):
                expected, warmup = design
                plan = dataclasses.replace(internals.WINDOW, expected_queries=expected, warmup_queries=warmup)
                began_s = time.monotonic()
                one = internals.one_round(worker, probe, THREADS, plan)
                elapsed_s = time.monotonic() - began_s
                (log_efficiency,) = internals.scaling.efficiency_series(
                    [one], THREADS, qps=lambda visit: internals.validity.qps(visit.window, cpu)
                )
                found[design].append((float(log_efficiency), elapsed_s))
    return {design: np.array(rows) for design, rows in found.items()}


def print_report(found: dict[tuple[int, int], np.ndarray]) -> None:
    """One row for each design."""
    first, cost_of_first = next(iter(found.values())), 0.0
    rows = []
    for (expected, warmup), values in found.items():
        seconds, spread = statistics.median(values[:, 1]), float(values[:, 0].std(ddof=1))
        cost = spread**2 * seconds
        cost_of_first = cost_of_first or cost
        difference = "-"
        if values is not first:
            interval = internals.intervals.mean_interval(values[:, 0] - first[:, 0], 0.95, 0.0)
            assert interval is not None, "there are rounds enough"
            difference = f"{np.exp(interval.low):.3f} to {np.exp(interval.high):.3f}"
        rows.append(
            [f"{expected}:{warmup}", f"{seconds:.2f}", f"{spread:.3f}", difference, f"{cost / cost_of_first:.2f}"]
        )
    bench_report.print_table(["design", "s a round", "sd of ln E", "efficiency over the first", "relative cost"], rows)


def main() -> int:
    """Measure and print; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=60, help="of each design, 4 at least (%(default)s)")
    parser.add_argument("--designs", default="5:3,8:3,8:1,12:1", help="queries of a window:of its warm-up")
    parser.add_argument("--condition", choices=builds.CONDITIONS[:2], default=builds.CONDITIONS[0])
    options = parser.parse_args()
    designs = [tuple(map(int, one.split(":"))) for one in options.designs.split(",")]
    image = np.random.default_rng(0).random((1, 3, 224, 224), dtype=np.float32)
    with tempfile.TemporaryDirectory() as directory:
        worker = internals.model_worker(mobilenet(Path(directory)), {"x": image}, THREADS)
        try:
            with builds.under(options.condition):
                found = measured(worker, designs, max(4, options.rounds))
        finally:
            worker.close()
    print(f"{options.condition}, {max(4, options.rounds)} rounds of each design; {bench_report.machine()}\n")
    print_report(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
