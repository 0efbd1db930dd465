"""Whether work that holds one lock is ever passed, or credited with more than it could have used.

    python benchmarks/verdict/serialised.py [--sweeps 10] [--rounds 24] [--neighbours=0,1,2]

Sweeps of one thread and two, of queries of 0.2 ms that hold a lock for half of their time, for 80 % and for all of it,
beside so many neighbours. Two threads that hold a lock for the share f of each query serve at most 1 / f queries in the
time of one, so their efficiency is at most 1 / (2 f), whatever else runs. Prints the efficiency as it was measured and
as the table of a sweep would show it (mean and largest over the sweeps), how many sweeps show more than that bound and
5 points, and how many pass a limit of 0.70 and of 0.85, which the last two must never do.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import statistics
import sys
from typing import Any

import bench_report
import internals
import neighbour

LOCKED = (0.5, 0.8, 1.0)
QUERY_NS = 2e5
LIMITS = (0.70, 0.85)
THREADS = 2
TOLERANCE = 0.05  #: A mean of rounds is that uncertain.
#: A neighbour that outlives this has lost its bench. In seconds.
LONGEST_S = 3600.0


def shown(rounds: Any) -> dict[str, Any]:
    """What one sweep shows, and which of the limits it passes at its end."""
    cpu = internals.Cpu(usable_cores=THREADS, math_threads=1)
    confidence = internals.confidence(internals.stop_rule.looks(6, len(rounds)))
    point = internals.points_of(rounds, (1, THREADS), cpu, dict.fromkeys((1, THREADS), confidence))[-1]
    statuses = {
        limit: internals.linear_verdicts(rounds, THREADS, confidence, beside_control=False, limit=limit)[0].status
        for limit in LIMITS
    }
    return {
        "measured": math.exp(internals.efficiency_as_measured(rounds, THREADS).mean()),
        "shown": point.efficiency,
        "lost": point.lost_share,
        "statuses": statuses,
    }


def row(neighbours: int, locked: float, sweeps: list[dict[str, Any]]) -> tuple[str, ...]:
    """One row of the table."""
    most = 1 / (THREADS * locked)
    efficiencies = [sweep["shown"] for sweep in sweeps if sweep["shown"] is not None]
    beyond = sum(one > most + TOLERANCE for one in efficiencies)
    return (
        *(str(neighbours), f"{locked:.0%}", f"{most:.3f}"),
        f"{statistics.fmean(sweep['measured'] for sweep in sweeps):.3f}",
        f"{statistics.fmean(efficiencies):.3f}, {max(efficiencies):.3f}" if efficiencies else "-",
        bench_report.at_most(beyond, len(efficiencies)),
        *(
            bench_report.at_most(sum(sweep["statuses"][limit] == "pass" for sweep in sweeps), len(sweeps))
            for limit in LIMITS
        ),
        f"{statistics.fmean(sweep['lost'] for sweep in sweeps):.0%}",
    )


def main() -> int:
    """Measure and print; 1 where fully serialised work passed or was credited with more than it could have used."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sweeps", type=int, default=10, help="of each kind (%(default)s)")
    parser.add_argument("--rounds", type=int, default=24, help="of a sweep (%(default)s)")
    parser.add_argument("--neighbours", default="0,1,2", help="how many neighbours, one number after the other")
    options = parser.parse_args()
    head = ["neighbours", "locked", "at most", "as measured", "shown: mean, largest", "shown above"]
    bench_report.print_table([*head, *(f"passed {limit:.2f}" for limit in LIMITS), "lost to others"], [])
    wrong = False
    for neighbours in map(int, options.neighbours.split(",")):
        for locked in LOCKED:
            work = internals.SyntheticWork(spin_ns=QUERY_NS, locked_fraction=locked)
            with (
                contextlib.closing(internals.synthetic_worker(work, THREADS)) as worker,
                internals.probing(THREADS) as probe,
                neighbour.beside(1, LONGEST_S, neighbours),
            ):
                sweeps = [
                    shown(internals.placed_rounds(worker, probe, THREADS, options.rounds, internals.WINDOW, False))
                    for _ in range(options.sweeps)
                ]
            print(f"| {' | '.join(row(neighbours, locked, sweeps))} |", flush=True)
            most = 1 / (THREADS * locked)
            wrong |= locked > LOCKED[0] and any("pass" in sweep["statuses"].values() for sweep in sweeps)
            wrong |= any((sweep["shown"] or 0) > most + TOLERANCE for sweep in sweeps)
    print(f"\n{bench_report.machine()}")
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
