"""How often the first stage of a sweep passes what is below the limit, and how often it fails what is above it.

    python benchmarks/verdict/first_stages.py DIRECTORY [--condition neighbour] [--sweeps 300] [WORKLOAD ...]
    python benchmarks/verdict/first_stages.py DIRECTORY --report

A pass is not confirmed, so a first stage is all that it takes to be wrong; a failure is measured again, which is left
out here. So a sweep takes seconds, and hundreds can be made. Each is what a test does by default with one thread and
two of known work, but in this process, and without the longer warm-up of first windows, as queries of 1 ms are warm
soon. Sweeps take turns, and each is kept as soon as it has ended; started again, the bench goes on where it stopped.
``gate.py`` makes whole builds.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bench_report
import builds
import gate
import internals
from workloads import WORKLOADS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

KNOWN = [name for name in (*gate.UNCHANGED, *gate.NEAR, *gate.FAR) if WORKLOADS[name].work is not None]
THREADS = 2


def sweep(name: str) -> dict[str, Any]:
    """One first stage, as plain data."""
    work = WORKLOADS[name].work
    assert work is not None, "known work"
    worker = internals.synthetic_worker(work, THREADS, seed=time.time_ns() % 2**31)
    with contextlib.closing(worker), internals.probing(THREADS) as probe:
        began_s = time.monotonic()
        rounds, status = internals.first_stage(worker, probe, THREADS)
        elapsed_s = time.monotonic() - began_s
    measured = math.exp(float(internals.efficiency_as_measured(rounds, THREADS).mean()))
    return {"status": status, "rounds": len(rounds), "elapsed_s": elapsed_s, "as_measured": measured}


def record(directory: Path, condition: str, names: Sequence[str], count: int, seconds_at_most: float) -> None:
    """Make sweeps in turn until there are so many of each, or the time is up."""
    paths = {directory / condition / f"{name}-{number:04}.json": name for number in range(count) for name in names}
    for path in builds.missing(paths, seconds_at_most):
        with builds.under(condition):
            made = sweep(paths[path])
        builds.keep(path, json.dumps(made))


def rows(directory: Path) -> Iterator[list[str]]:
    """A row for each condition and workload."""
    for condition in builds.CONDITIONS[:2]:
        for name in KNOWN:
            kept = sorted((directory / condition).glob(f"{name}-[0-9]*.json"))
            sweeps = [json.loads(path.read_text()) for path in kept]
            if sweeps:
                counts = [sum(one["status"] == status for one in sweeps) for status in ("pass", "fail", "inconclusive")]
                measured = sum(one["as_measured"] for one in sweeps) / len(sweeps)
                took = bench_report.seconds([one["elapsed_s"] for one in sweeps])
                shares = [bench_report.share(count, len(sweeps)) for count in counts]
                yield [condition, name, f"{measured:.2f}", str(len(sweeps)), *shares, took]


def main() -> int:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path, help="where sweeps are kept")
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=f"of {', '.join(KNOWN)}; all")
    parser.add_argument("--sweeps", type=int, default=300, help="of each (%(default)s)")
    parser.add_argument("--report", action="store_true", help="print what was kept")
    builds.add_options(parser)
    given = parser.parse_intermixed_args()
    unknown = set(given.workloads) - set(KNOWN)
    if unknown:
        parser.error(f"no known work is called {', '.join(sorted(unknown))}; give some of {', '.join(KNOWN)}")
    if not given.report:
        names = given.workloads or KNOWN
        record(given.directory, given.condition, names, given.sweeps, given.seconds_at_most)
    head = ["condition", "workload", "as measured", "N", "passed %", "failed %", "undecided %", "s"]
    bench_report.print_table(head, rows(given.directory))
    print(f"\n{bench_report.machine()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
