"""Whether threads that stay on cores of their own decide sooner than threads that the scheduler places.

    python benchmarks/verdict/pinning.py [--blocks 8] [--rounds 24] [CONDITION ...]

Blocks of rounds of one thread and two, free and pinned in turn, in the order free, pinned, pinned, free. Pinned: each
thread on a core, and the windows of one thread go round all the cores that are used. The linear check judges every
block as it would judge a sweep that ends there, at the looks of a sweep of that many rounds; the first look that
decides is the block's verdict. Standard error has each block as it is measured.

Conditions: *quiet*, nothing else runs on purpose; *one* neighbour, and a *neighbour* for every core, both as the
scheduler places them; *stuck*, one neighbour that stays on the first core.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bench_report
import internals
import neighbour
import numpy as np
from workloads import WORKLOADS

if TYPE_CHECKING:
    from collections.abc import Iterator

CONDITIONS = ("quiet", "one", "neighbour", "stuck")
NAMES = ("even", "mobilenet", "grows_80")
MODES = ("free", "pinned", "pinned", "free")
THREADS = 2
#: A neighbour that outlives this has lost its bench. In seconds.
LONGEST_S = 3600.0


@contextlib.contextmanager
def under(condition: str, seed: int) -> Iterator[None]:
    """The condition."""
    cores = sorted(os.sched_getaffinity(0))
    processes = {"quiet": 0, "one": 1, "neighbour": len(cores), "stuck": 1}[condition]
    with neighbour.beside(seed, LONGEST_S, processes, cores[0] if condition == "stuck" else None):
        yield


def worker_of(name: str) -> Any:
    """A worker that serves this workload."""
    work = WORKLOADS[name]
    if work.config is None:
        return internals.synthetic_worker(work.work, THREADS)
    with tempfile.TemporaryDirectory() as directory:
        config = work.config(Path(directory))
        image = np.random.default_rng(0).random((1, 3, 224, 224), dtype=np.float32)
        return internals.model_worker(config, {"x": image}, THREADS)


def judged(rounds: Any) -> dict[str, Any]:
    """What the rounds of one block show, and when they would have been decided."""
    looks = internals.stop_rule.looks(6, len(rounds))
    confidence = internals.confidence(looks)
    cpu = internals.Cpu(usable_cores=THREADS, math_threads=1)
    began_ns = rounds[0].visits[0].window.opened_ns
    found: dict[str, Any] = {"status": "inconclusive", "seconds": None}
    for look in looks:
        (verdict,) = internals.linear_verdicts(rounds[:look], THREADS, confidence, beside_control=False)
        if verdict.status in ("pass", "fail"):
            last = rounds[look - 1].visits[-1].window
            found = {"status": verdict.status, "seconds": (last.opened_ns + last.open_ns - began_ns) / 1e9}
            break
    series = internals.efficiency_as_judged(rounds, THREADS, cpu)
    interval = internals.intervals.mean_interval(series, confidence)
    lost = [internals.validity.lost_share(visit.window, cpu) for one in rounds for visit in one.at(THREADS)]
    measured = internals.efficiency_as_measured(rounds, THREADS)
    return {
        **found,
        "measured": float(measured.mean()),
        "usable": len(series),
        "mean": float(series.mean()) if len(series) else math.nan,
        "half_width": math.nan if interval is None else (interval.high - interval.low) / 2,
        "lost": statistics.fmean(lost),
    }


def row(condition: str, name: str, mode: str, blocks: list[dict[str, Any]]) -> tuple[str, ...]:
    """One row of the table."""
    means = [block["mean"] for block in blocks if not math.isnan(block["mean"])]
    widths = [block["half_width"] for block in blocks if not math.isnan(block["half_width"])]
    seconds = [block["seconds"] for block in blocks if block["seconds"] is not None]
    n = len(blocks)
    spread = f"{statistics.stdev(means):.3f}" if len(means) > 1 else "-"
    return (
        *(condition, name, mode, str(n)),
        f"{math.exp(statistics.fmean(means)):.3f}" if means else "-",
        spread,
        f"{math.exp(statistics.fmean(block['measured'] for block in blocks)):.3f}",
        f"{statistics.stdev([block['measured'] for block in blocks]):.3f}" if n > 1 else "-",
        f"{statistics.median(widths):.3f}" if widths else "-",
        bench_report.counted(len(seconds), n),
        str(sum(block["status"] == "pass" for block in blocks)),
        bench_report.seconds(seconds),
        f"{statistics.fmean(block['lost'] for block in blocks):.0%}",
    )


def main() -> int:
    """Measure and print; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("conditions", nargs="*", metavar="CONDITION", help=f"of {', '.join(CONDITIONS)}; all")
    parser.add_argument("--workloads", default=",".join(NAMES), help="(%(default)s)")
    parser.add_argument("--blocks", type=int, default=8, help="of each kind (%(default)s)")
    parser.add_argument("--rounds", type=int, default=24, help="of a block (%(default)s)")
    options = parser.parse_args()
    unknown = set(options.conditions) - set(CONDITIONS)
    if unknown:
        parser.error(f"no condition is called {', '.join(sorted(unknown))}; give some of {', '.join(CONDITIONS)}")
    if internals.available_cores().usable < THREADS:
        parser.error(f"two threads need two cores, and here are {internals.available_cores().text}")
    head = ["condition", "workload", "threads are", "blocks", "efficiency", "sd of the blocks' ln"]
    head += ["as measured", "its sd", "half of the interval"]
    bench_report.print_table([*head, "decided", "passed", "seconds to it", "lost to others"], [])
    for name in options.workloads.split(","):
        worker = worker_of(name)
        with contextlib.closing(worker), internals.probing(THREADS) as probe:
            for seed, condition in enumerate(options.conditions or CONDITIONS):
                found: dict[str, list[dict[str, Any]]] = {mode: [] for mode in MODES}
                with under(condition, seed):
                    for index in range(2 * options.blocks):
                        mode = MODES[index % len(MODES)]
                        rounds = internals.placed_rounds(
                            worker, probe, THREADS, options.rounds, internals.WINDOW, mode == "pinned"
                        )
                        found[mode].append(judged(rounds))
                        print(condition, name, mode, found[mode][-1], file=sys.stderr, flush=True)
                for mode, blocks in found.items():
                    print(f"| {' | '.join(row(condition, name, mode, blocks))} |", flush=True)
    print(f"\n{bench_report.machine()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
