"""Whether short windows show the throughput and the efficiency that long ones show, for known work.

    python benchmarks/verdict/bias.py [--quick] [--threads=1,2] [--neighbours=0,1,2] [--microseconds=20000]

For fixed and exponential queries of 1 to 64 us, and for fixed ones of 20 ms: windows as short as the plugin's,
interleaved with long ones as the truth, the thread counts in turn. (Exponential queries of 20 ms scatter too much for
a bench of minutes; tests/unit/statistics/test_counting.py counts such ones without a machine.) Prints by how much the
mean throughput of the short windows differs from that of the long ones, and the same of the efficiency relative to
one thread: the mean over the blocks, with a 95 % interval. Beside neighbours throughput is that of the time which
they left, as it is judged.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import sys

import internals
import neighbour
import numpy as np
from internals import SyntheticWork

from pytest_paddle_mt.engines.synthetic import SyntheticSession

QUERIES_US = "1,8,64,20000"
MS = 1e6
#: A long window lasts as many short ones.
LONG = 10
LONGEST_S = 3600.0  #: A neighbour that outlives this has lost its bench.


def measured(work: SyntheticWork, threads: tuple[int, ...], blocks: int) -> dict[int, list[float]]:
    """By thread count: ln of the mean throughput of the short windows over that of the long one, of each block."""
    cpu = internals.Cpu(usable_cores=internals.available_cores().usable, math_threads=1)
    session = SyntheticSession(work, seed=1)
    short_plan = internals.WINDOW
    long_plan = dataclasses.replace(
        short_plan, window_s=LONG * short_plan.window_s, expected_queries=LONG * short_plan.expected_queries
    )
    plans = {True: long_plan, False: short_plan}
    found: dict[int, list[float]] = {n: [] for n in threads}
    session.prepare(max(threads))
    try:
        for _ in range(blocks):
            for count in threads:
                long, short = (
                    statistics.fmean(
                        internals.validity.qps(session.measure(count, plan), cpu) for _ in range(1 if long else LONG)
                    )
                    for long, plan in plans.items()
                )
                found[count].append(float(np.log(short / long)))
    finally:
        session.close()
    return found


def line(work: SyntheticWork, threads: tuple[int, ...], found: dict[int, list[float]]) -> str:
    """What the short windows show too much, in percent."""
    kind = "exponential" if work.exponential else "fixed"
    series = {n: np.array(found[n]) for n in threads}
    cells = (f"QPS({n}) {_percent(series[n])}, efficiency {_percent(series[n] - series[1])}" for n in threads)
    return f"{kind:>11} {work.spin_ns / 1e3:>8g} us   " + "   ".join(cells)


def _percent(series: np.ndarray) -> str:
    """``+0.12% (-0.30 to +0.54)``."""
    mean = f"{np.expm1(series.mean()):+.2%}"
    if not series.any():
        return mean
    interval = internals.intervals.mean_interval(series, 0.95, 0.0)
    if interval is None:
        return mean
    return f"{mean} ({100 * np.expm1(interval.low):+.2f} to {100 * np.expm1(interval.high):+.2f})"


def main() -> int:
    """Measure and print; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few blocks, to see that it runs")
    parser.add_argument("--threads", default="1,2", help="thread counts, 1 among them")
    parser.add_argument("--neighbours", default="0", help="how many neighbours, one number after the other")
    parser.add_argument("--microseconds", default=QUERIES_US, help="how long queries take (%(default)s)")
    options = parser.parse_args()
    threads = tuple(int(count) for count in options.threads.split(","))
    for neighbours in map(int, options.neighbours.split(",")):
        print(f"{neighbours} neighbours")
        with neighbour.beside(0, LONGEST_S, neighbours):
            for query_ns in (1e3 * float(one) for one in options.microseconds.split(",")):
                for exponential in (False, True) if query_ns < MS else (False,):
                    work = SyntheticWork(spin_ns=query_ns, exponential=exponential)
                    blocks = 1 if options.quick else 10
                    print(line(work, threads, measured(work, threads, blocks)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
