"""What the native loop costs: nanoseconds per query and thread of a target that returns at once, at 1 and 2 threads.

    python benchmarks/cost/null_target.py [--quick]

Measured through the ``synthetic`` engine, in short alternating windows, in its two ways of recording: every query kept
with its timestamps, and queries counted in bins, as once there are too many to keep. Targets: at most 150 ns a query
and thread, and two threads serve at least 1.9 times the queries of one (on two free cores).
"""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from cost_figures import QUICK_BLOCKS, Figure, Target, geometric_mean, interleaved, load_average, number, parser, report

from pytest_paddle_mt.engines import MAX_STORED_QUERIES, SyntheticWork
from pytest_paddle_mt.engines.synthetic import SyntheticSession
from pytest_paddle_mt.records import WindowPlan

if TYPE_CHECKING:
    import numpy.typing as npt

THREADS = (1, 2)
BLOCKS = 500

#: Short enough to end before the scheduler gives the core to somebody else, and some 100,000 queries long.
PLAN = WindowPlan(window_s=0.005, min_queries=100, warmup_s=0.002, warmup_queries=2)

#: How many queries of a window are kept, by what becomes of the others.
STORED = {"kept": MAX_STORED_QUERIES, "binned": 4}

_NS_LIMIT = 150
_SCALING_LIMIT = 1.9


def measured(way: str, blocks: int) -> list[Figure]:
    """ns per query and thread at each thread count, and what the second thread adds."""
    session = SyntheticSession(SyntheticWork(), seed=0, max_stored=STORED[way])
    session.prepare(max(THREADS))
    try:
        logarithms = interleaved({str(n): partial(_qps, session, n, way == "binned") for n in THREADS}, blocks)
    finally:
        session.close()
    n = f"{blocks} blocks of two {PLAN.window_s:g} s windows each"
    ratio, interval = geometric_mean(logarithms["2"] - logarithms["1"])
    scaling = Figure(
        name=f"QPS(2) / QPS(1), {way}",
        value=ratio,
        interval=interval,
        n=n,
        unit="",
        target=Target(limit=_SCALING_LIMIT, at_least=True),
        note=None,
    )
    return [*(_cost(threads, way, logarithms[str(threads)], n) for threads in THREADS), scaling]


def _qps(session: SyntheticSession, threads: int, binned: bool) -> float:
    window = session.measure(threads, PLAN)
    if any(thread.latencies.thinned != binned for thread in window.per_thread):
        raise RuntimeError(f"{window.queries} queries were not {'binned' if binned else 'kept'} as they should be")
    return window.qps


def _cost(threads: int, way: str, log_qps: npt.NDArray[np.float64], n: str) -> Figure:
    log_ns = np.log(threads * 1e9) - log_qps
    value, interval = geometric_mean(log_ns)
    fastest, median = (number(float(np.exp(one))) for one in (log_ns.min(), np.median(log_ns)))
    return Figure(
        name=f"{threads} thread{'s' if threads > 1 else ''}, {way}",
        value=value,
        interval=interval,
        n=n,
        unit="ns per query and thread",
        target=Target(limit=_NS_LIMIT, at_least=False),
        note=f"fastest block {fastest} ns, median {median} ns",
    )


def main() -> int:
    """Measure and print; the exit status."""
    quick = parser(__doc__).parse_args().quick
    load = load_average()
    figures = [figure for way in STORED for figure in measured(way, QUICK_BLOCKS if quick else BLOCKS)]
    return report("The native loop over a target that does nothing", figures, quick=quick, load_before=load)


if __name__ == "__main__":
    sys.exit(main())
