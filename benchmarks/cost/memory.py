"""Memory of a long measurement: 64 threads, 60 s, about 100,000 queries a second in total, through to the results.

    python benchmarks/cost/memory.py [--quick]

Each part runs in a process of its own, on the ``synthetic`` engine with an arithmetic query, whose targets need next to
no memory: one window of 60 s, which is thinned (its queries are counted in bins); 60 windows of 1 s, each kept query by
query; and a small run that is kept and thinned, to compare the percentiles. What counts is the peak of the resident
memory, from the start of the measurement through records, points and results file, beyond what the process held
before it made the targets. Targets: below 150 MB, percentiles of thinned against exact within 1 %.
"""

from __future__ import annotations

import datetime
import json
import math
import resource
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from cost_figures import Figure, Target, load_average, number, parser, report

from pytest_paddle_mt.engines import SyntheticWork, Workload
from pytest_paddle_mt.engines.synthetic import SyntheticEngine
from pytest_paddle_mt.machine.cores import available_cores
from pytest_paddle_mt.records import Cpu, Limits, Measured, Round, Subject, Sweep, Visit, WindowPlan
from pytest_paddle_mt.reporters import json_file
from pytest_paddle_mt.statistics import latency
from pytest_paddle_mt.statistics.points import points_of, pooled_latencies, universal_scalability
from pytest_paddle_mt.sweeps.results import SweepResult

if TYPE_CHECKING:
    from pytest_paddle_mt.records import Latencies, Window

THREADS = 64
TOTAL_S = 60.0
RATE_QPS = 100_000
WINDOWS = {"one long window": 1, "many windows": 60}
QUICK_WINDOWS = {"one long window": 1, "many windows": 2}

_MB_LIMIT = 150
_PERCENTILE_LIMIT = 0.01
_PERCENTILES = (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999)


def peak_mb() -> float:
    """Peak resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run_part(windows: int, total_s: float) -> dict[str, Any]:
    """One long measurement in this process; what it took and gave."""
    cores = available_cores().usable
    cpu = Cpu(usable_cores=cores, math_threads=1)
    before_mb = peak_mb()
    rounds = measured_rounds(windows, total_s, SyntheticWork(spin_ns=cores / RATE_QPS * 1e9))
    sweep, measured = sweep_of(rounds, cpu), Measured(cpu=cpu, rounds=rounds)
    document = json.dumps(
        json_file.document([json_file.entry(sweep, measured)], datetime.datetime.now(datetime.timezone.utc))
    )
    p99_ms = SweepResult(sweep, measured).at(THREADS).latency_ms(99)
    loaded = [visit.window for one in rounds for visit in one.at(THREADS)]
    return {
        "before_mb": before_mb,
        "peak_mb": peak_mb(),
        "queries": sum(window.queries for window in loaded),
        "open_s": sum(window.open_ns for window in loaded) / 1e9,
        "windows": len(loaded),
        "thinned_windows": sum(map(thinned, loaded)),
        "pooled_thinned": pooled_latencies(rounds, THREADS).thinned,
        "p99_ms": p99_ms,
        "json_kb": len(document) / 1024,
    }


def measured_rounds(windows: int, total_s: float, work: SyntheticWork) -> tuple[Round, ...]:
    """Rounds of one window with one thread, which a sweep cannot do without, and one with all threads."""
    session = SyntheticEngine().open(Workload(pool=None, inputs=(), query=None, synthetic=work, seed=0))
    session.prepare(THREADS)
    short = WindowPlan(window_s=0.01, min_queries=2, warmup_s=0.0, warmup_queries=1)
    long = WindowPlan(window_s=total_s / windows, min_queries=2, warmup_s=0.0, warmup_queries=1)

    def visit(threads: int, plan: WindowPlan) -> Visit:
        return Visit(side="this", fork=0, window=session.measure(threads, plan))

    try:
        return tuple(Round(index=index, visits=(visit(1, short), visit(THREADS, long))) for index in range(windows))
    finally:
        session.close()


def sweep_of(rounds: tuple[Round, ...], cpu: Cpu) -> Sweep:
    """The rounds as a finished sweep without verdicts, as reporters get it."""
    counts = (1, THREADS)
    points = points_of(rounds, counts, cpu, dict.fromkeys(counts, 0.95))
    return Sweep(
        nodeid="benchmarks/cost/memory.py",
        subject=Subject(
            engine="synthetic", device="cpu", batch_size=None, pool=None, math_threads=None, gil=None, facts={}
        ),
        thread_counts=counts,
        limits=Limits(min_efficiency=0.85, max_collapse=0.15, linear_until=None, max_drift=0.1, max_p99_drift=0.25),
        linear_until=cpu.usable_cores,
        linear_until_reason="",
        usable_cores=cpu.usable_cores,
        points=points,
        usl=universal_scalability(points),
        warnings=(),
        verdicts=(),
        seed=0,
        gate=False,
        smoke_reason=None,
        elapsed_s=0.0,
    )


def thinned(window: Window) -> bool:
    """Whether a window had too many queries to keep each: what the warning ``thinned`` is given for."""
    return any(thread.latencies.thinned for thread in window.per_thread)


def run_comparison(seconds: float) -> dict[str, Any]:
    """The same queries kept and thinned: the largest relative difference of a percentile."""
    work = SyntheticWork(spin_ns=20_000.0, exponential=True)
    (one,) = measured_rounds(1, seconds, work)
    kept = [thread.latencies for thread in one.visits[1].window.per_thread]
    exact, binned = latency.merge(kept), latency.merge(kept, max_exact=0)
    assert not exact.thinned, "a shorter comparison keeps every query"
    errors = {q: _error(exact, binned, q) for q in _PERCENTILES if exact.queries >= latency.minimum_queries(q)}
    worst = max(errors, key=errors.__getitem__)
    return {"queries": exact.queries, "error": errors[worst], "worst": worst, "percentiles": len(errors)}


def _error(exact: Latencies, binned: Latencies, q: float) -> float:
    true, coarse = latency.percentile(exact, q), latency.percentile(binned, q)
    return abs(coarse / true - 1) if true is not None and coarse is not None else math.nan


def in_its_own_process(part: str, windows: int, seconds: float) -> dict[str, Any]:
    """Run one part of this benchmark in a fresh interpreter."""
    command = [sys.executable, __file__, "--part", part, "--windows", str(windows), "--seconds", str(seconds)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    result: dict[str, Any] = json.loads(output)
    return result


def memory_figure(name: str, found: dict[str, Any]) -> Figure:
    """The memory of one long measurement."""
    state = f"{found['thinned_windows']} of {found['windows']} windows thinned"
    pooled = "in bins" if found["pooled_thinned"] else "one by one"
    return Figure(
        name=f"{THREADS} threads, {name}",
        value=found["peak_mb"] - found["before_mb"],
        interval=None,
        n=f"{found['queries']:,} queries in {found['open_s']:.0f} s "
        f"({number(found['queries'] / found['open_s'])} a second), one process",
        unit="MB beyond the targets",
        target=Target(limit=_MB_LIMIT, at_least=False),
        note=(
            f"{state}, percentiles from queries {pooled}; peak of the whole process, interpreter and numpy included, "
            f"{found['peak_mb']:.0f} MB; p99 {found['p99_ms']:.2f} ms; results file {found['json_kb']:.0f} kB"
        ),
    )


def percentile_figure(found: dict[str, Any]) -> Figure:
    """How far thinning moves a percentile."""
    return Figure(
        name="percentiles of thinned against exact, largest relative difference",
        value=100 * found["error"],
        interval=None,
        n=f"{found['queries']:,} queries, {found['percentiles']} percentiles",
        unit="%",
        target=Target(limit=100 * _PERCENTILE_LIMIT, at_least=False),
        note=f"at p{100 * found['worst']:g}; latencies drawn from an exponential distribution, on {THREADS} threads",
    )


def main() -> int:
    """Measure and print; the exit status."""
    options = parser(__doc__)
    options.add_argument("--part", choices=["measurement", "comparison"], help="internal: run one part, print JSON")
    options.add_argument("--windows", type=int, help="internal: windows of that part")
    options.add_argument("--seconds", type=float, help="internal: seconds of that part, all windows together")
    chosen = options.parse_args()
    if chosen.part is not None:
        compares = chosen.part == "comparison"
        print(json.dumps(run_comparison(chosen.seconds) if compares else run_part(chosen.windows, chosen.seconds)))
        return 0
    load = load_average()
    total_s, windows = (0.2, QUICK_WINDOWS) if chosen.quick else (TOTAL_S, WINDOWS)
    figures = [
        memory_figure(name, in_its_own_process("measurement", count, total_s)) for name, count in windows.items()
    ]
    figures.append(percentile_figure(in_its_own_process("comparison", 1, 0.1 if chosen.quick else 5.0)))
    title = f"Peak memory of {total_s:g} s with {THREADS} threads, throttled to about {RATE_QPS:,} queries a second"
    return report(title, figures, quick=chosen.quick, load_before=load)


if __name__ == "__main__":
    sys.exit(main())
