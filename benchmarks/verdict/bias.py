"""Whether short windows show the throughput and the efficiency that long ones show, for known work.

    python benchmarks/verdict/bias.py [--quick] [--threads=1,2]

For fixed and exponential queries of 1 to 64 us and of 20 ms: short windows of a few expected queries, interleaved with
long ones as the truth, the thread counts in turn. Prints by how much the mean throughput of the short windows differs
from that of the long ones, and the same of the efficiency relative to one thread.
"""

from __future__ import annotations

import argparse
import statistics
import sys

from internals import SyntheticWork, WindowPlan

from pytest_paddle_mt.engines.synthetic import SyntheticSession

QUERY_NS = (1e3, 8e3, 64e3, 20e6)
EXPECTED_QUERIES = 6
#: Much shorter ones show a thread that just ran and so still has its core: the scheduler takes it away for some ms.
SHORT_S = 0.02
#: A long window lasts as many short ones.
LONG = 20


def measured(work: SyntheticWork, threads: tuple[int, ...], blocks: int) -> dict[tuple[int, bool], float]:
    """Mean throughput by thread count and whether the windows were long."""
    session = SyntheticSession(work, seed=1)
    plans = {
        long: WindowPlan(
            window_s=SHORT_S * (LONG if long else 1),
            min_queries=2,
            warmup_s=0.0,
            warmup_queries=3,
            expected_queries=EXPECTED_QUERIES * (LONG if long else 1),
        )
        for long in (True, False)
    }
    found: dict[tuple[int, bool], list[float]] = {(n, long): [] for n in threads for long in plans}
    session.prepare(max(threads))
    try:
        for _ in range(blocks):
            for count in threads:
                for long, plan in plans.items():
                    found[count, long].extend(session.measure(count, plan).qps for _ in range(1 if long else LONG))
    finally:
        session.close()
    return {key: statistics.fmean(values) for key, values in found.items()}


def line(work: SyntheticWork, threads: tuple[int, ...], found: dict[tuple[int, bool], float]) -> str:
    """What the short windows show too much, in percent."""
    bias = {n: found[n, False] / found[n, True] for n in threads}
    kind = "exponential" if work.exponential else "fixed"
    cells = (f"QPS({n}) {bias[n] - 1:+7.2%}, efficiency {bias[n] / bias[1] - 1:+7.2%}" for n in threads)
    return f"{kind:>11} {work.spin_ns / 1e3:>8g} us   " + "   ".join(cells)


def main() -> int:
    """Measure and print; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few blocks, to see that it runs")
    parser.add_argument("--threads", default="1,2", help="thread counts, 1 among them")
    options = parser.parse_args()
    threads = tuple(int(count) for count in options.threads.split(","))
    for query_ns in QUERY_NS:
        for exponential in (False, True):
            work = SyntheticWork(spin_ns=query_ns, exponential=exponential)
            blocks = 1 if options.quick else 15
            print(line(work, threads, measured(work, threads, blocks)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
