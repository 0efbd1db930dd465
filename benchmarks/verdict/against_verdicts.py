"""How often a comparison is wrong: A/A false alarms, and slow-downs of 5 and 10 % found, quiet and beside a neighbour.

    python benchmarks/verdict/against_verdicts.py DIRECTORY [--condition neighbour] [--only SCENARIO]
    python benchmarks/verdict/against_verdicts.py DIRECTORY --report
    python benchmarks/verdict/against_verdicts.py --quick

A trial is one comparison as a test would make it, by the code that ships: two workers in this process, alternating
windows, looks, stop rule. Trials of all scenarios take turns, so that they see the same machine. Each is written to
DIRECTORY as soon as it has ended; started again, the benchmark goes on where it stopped. ``builds.py`` describes the
conditions.

The report gives, for each scenario and condition: verdicts with Clopper-Pearson 95 % bounds, seconds to verdict, what
other floors under the autocorrelation would have said of the same rounds, and what pytest-benchmark's ``mean:10%`` says
of them: of the same interleaved windows, and of the first half of one side's against the second half of the other's,
as two runs one after the other would give them.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bench_report
import builds
import internals
import numpy as np
from internals import SyntheticWork, WindowPlan, against_check, intervals, pairs, stop_rule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt

    Workers = Callable[[Path], tuple[Any, Any]]

THREADS = (1, 2)
SPIN_NS = 2e6
#: Floors under the autocorrelation that the report compares; the one that ships is among them.
FLOORS = (0.0, 0.3, 0.5)
PLAN = internals.WINDOW
QUICK_PLAN = WindowPlan(window_s=0.02, min_queries=2, warmup_s=0.0, warmup_queries=1)
#: By ``max_drift``: how long a trial may take, in seconds, and fewest and most rounds; 5 % as by default.
EFFORT = {0.05: (120.0, internals.DEFAULT_ROUNDS), 0.02: (300.0, (24, 300))}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Scenario:
    """Two workloads, and what the verdict on the second against the first must be."""

    name: str
    #: How much longer a query of the judged side takes, as it was made: 0 for A/A.
    slower: float
    max_drift: float
    #: Workers of the judged side and the other, ready for the largest thread count.
    opened: Workers


def synthetic(slower: float) -> Workers:
    """Known work on both sides, the judged side's longer by a share."""

    def opened(_: Path) -> tuple[Any, Any]:
        this, other = (SyntheticWork(spin_ns=ns) for ns in (SPIN_NS * (1 + slower), SPIN_NS))
        return internals.synthetic_worker(this, max(THREADS)), internals.synthetic_worker(other, max(THREADS))

    return opened


def real(layers: int) -> Workers:
    """A multilayer perceptron against one of 20 layers: ``layers`` of the same kind, so known work up to its ends."""
    return lambda directory: (_served(directory, layers), _served(directory, 20))


def _served(directory: Path, layers: int) -> Any:
    import paddle
    from paddle import inference, nn

    stem = directory / f"mlp{layers}"
    if not stem.with_suffix(".pdiparams").exists():
        width = 512
        network = nn.Sequential(*(part for _ in range(layers) for part in (nn.Linear(width, width), nn.ReLU())))
        network.eval()
        paddle.jit.save(network, str(stem), input_spec=[paddle.static.InputSpec([8, width], "float32", name="x")])
    program = next(path for path in map(stem.with_suffix, (".json", ".pdmodel")) if path.exists())
    config = inference.Config(str(program), str(stem.with_suffix(".pdiparams")))
    config.disable_glog_info()
    config.disable_mkldnn()
    values = np.arange(8 * 512, dtype=np.float32).reshape(8, 512) % 255 * 0.001
    return internals.model_worker(config, {"x": values}, max(THREADS))


SCENARIOS = (
    Scenario(name="A/A, 5 %", slower=0.0, max_drift=0.05, opened=synthetic(0.0)),
    Scenario(name="A/A, 2 %", slower=0.0, max_drift=0.02, opened=synthetic(0.0)),
    Scenario(name="+10 %, 5 %", slower=0.10, max_drift=0.05, opened=synthetic(0.10)),
    Scenario(name="+5 %, 2 %", slower=0.05, max_drift=0.02, opened=synthetic(0.05)),
    Scenario(name="model A/A, 5 %", slower=0.0, max_drift=0.05, opened=real(20)),
    Scenario(name="model +10 %, 5 %", slower=0.10, max_drift=0.05, opened=real(22)),
)


def seconds_per_query(one: Any, threads: int) -> list[float]:
    """What a query took in each visit of a round with so many threads, all of them together."""
    return [1 / visit.window.qps for visit in one.at(threads)]


def trial(
    scenario: Scenario,
    directory: Path,
    seed: int,
    budget_s: float,
    rounds: tuple[int, int],
    plan: WindowPlan = PLAN,
) -> dict[str, Any]:
    """One comparison, as plain data."""
    looks = stop_rule.looks(*rounds)
    comparison = internals.Comparison(THREADS, plan, looks, budget_s)
    this, other = scenario.opened(directory)
    try:
        began_s = time.monotonic()
        measured, statuses = comparison.measure(this, other, scenario.max_drift, seed)
        elapsed_s = time.monotonic() - began_s
    finally:
        this.close()
        other.close()
    return {
        "scenario": scenario.name,
        "seed": seed,
        "status": next(one for one in ("fail", "inconclusive", "pass") if one in statuses),
        "elapsed_s": elapsed_s,
        "looks": looks,
        "confidence": stop_rule.confidence(1 / len(looks), len(THREADS)),  # of each look, where all are reached
        "max_drift": scenario.max_drift,
        "round_s": elapsed_s / len(measured),
        "log_ratios": {str(n): comparison.log_ratios(measured, n) for n in THREADS},
        "as_measured": {str(n): comparison.log_ratios_as_measured(measured, n) for n in THREADS},
        "seconds_per_query": {
            side: {str(n): [seconds_per_query(one.of(side), n) for one in measured] for n in THREADS}
            for side in internals.SIDES
        },
    }


def record_trials(directory: Path, condition: str, seconds_at_most: float, scenarios: Sequence[Scenario]) -> None:
    """Make trials of each scenario in turn until the time is up."""
    paths = {
        directory / f"{condition}-{SCENARIOS.index(scenario)}-{number:04}.json": scenario
        for number in range(10_000)
        for scenario in random.Random(number).sample(scenarios, len(scenarios))
    }
    with tempfile.TemporaryDirectory() as models:
        for path in builds.missing(paths, seconds_at_most):
            scenario = paths[path]
            budget_s, rounds = EFFORT[scenario.max_drift]
            seed = random.SystemRandom().randrange(2**31)
            with builds.under(condition):
                made = trial(scenario, Path(models), seed, budget_s, rounds)
            made |= {"condition": condition, "machine": internals.machine_key()}
            builds.keep(path, json.dumps(made))


def load(directory: Path) -> list[dict[str, Any]]:
    """The trials that were recorded."""
    return [json.loads(path.read_text()) for path in sorted(directory.glob("*.json"))]


def replayed(made: dict[str, Any], floor: float, ratios: str = "log_ratios") -> tuple[str, float]:
    """What another floor, or another reading of throughput, would have said of the same rounds, and when in seconds."""
    least = np.log(against_check.limit(made["max_drift"]))
    series = {n: np.array(values) for n, values in made[ratios].items()}
    measured = min(len(values) for values in series.values())
    for look in sorted({*(one for one in made["looks"] if one < measured), measured}):
        statuses = {_status(values[:look], made["confidence"], floor, least) for values in series.values()}
        if "inconclusive" not in statuses:
            return ("fail" if "fail" in statuses else "pass"), look * made["round_s"]
    return ("fail" if "fail" in statuses else "inconclusive"), measured * made["round_s"]


def _status(values: npt.NDArray[np.float64], confidence: float, floor: float, least: float) -> str:
    interval = intervals.mean_interval(values, confidence, floor)
    if interval is None:
        return "inconclusive"
    return "pass" if interval.low >= least else "fail" if interval.high < least else "inconclusive"


def mean_rule(made: dict[str, Any], apart: bool) -> str:
    """``--benchmark-compare-fail=mean:10%``: fails when the mean time of a query grew by more than 10 % anywhere.

    Args:
        made: a trial.
        apart: compare the first half of the other side's rounds with the second half of this side's.
    """
    grew = []
    for n in made["log_ratios"]:
        this, other = (np.array(made["seconds_per_query"][side][n]) for side in internals.SIDES)
        half = len(this) // 2
        if apart and half:
            this, other = this[half:], other[:half]
        grew.append(100 * this.mean() / other.mean() - 100 > 10)
    return "fail" if any(grew) else "pass"


def _rows(trials: Sequence[dict[str, Any]], scenarios: Sequence[Scenario]) -> Iterator[list[str]]:
    for condition in builds.CONDITIONS:
        for scenario in scenarios:
            mine = [one for one in trials if (one["scenario"], one["condition"]) == (scenario.name, condition)]
            if mine:
                counts = [sum(one["status"] == status for one in mine) for status in ("fail", "pass", "inconclusive")]
                elapsed_s = [one["elapsed_s"] for one in mine]
                took = f"{np.median(elapsed_s):.0f}, {np.quantile(elapsed_s, 0.95):.0f}"
                shares = [bench_report.counted(count, len(mine)) for count in counts]
                yield [condition, scenario.name, str(len(mine)), *shares, took]


def print_report(trials: Sequence[dict[str, Any]], scenarios: Sequence[Scenario]) -> None:
    """Print the table for docs/statistics.md, and what other rules conclude from the same rounds."""
    print("Two sides in turn: how often the verdict is wrong, and how soon it comes")
    print(f"  {bench_report.machine()}; windows of {PLAN.window_s:g} s, or of {PLAN.expected_queries} queries")
    head = ["condition", "compared, and judged with", "N", "failed", "passed", "undecided", "s: median, 95 % within"]
    bench_report.print_table(head, _rows(trials, scenarios))
    for condition in sorted({made["condition"] for made in trials}):
        for scenario in scenarios:
            mine = [one for one in trials if (one["scenario"], one["condition"]) == (scenario.name, condition)]
            if not mine:
                continue
            print(
                f"{condition}, {scenario.name} (slower by {scenario.slower:.0%}, judged with {scenario.max_drift:.0%})"
            )
            _print_rule("as shipped, live", [(one["status"], one["elapsed_s"]) for one in mine], scenario)
            for floor in FLOORS:
                _print_rule(f"floor {floor:g}, replayed", [replayed(one, floor) for one in mine], scenario)
            as_measured = [replayed(one, pairs.MIN_AUTOCORRELATION, "as_measured") for one in mine]
            _print_rule("throughput as measured, replayed", as_measured, scenario)
            for apart, name in ((False, "same windows"), (True, "one run after the other")):
                _print_rule(
                    f"pytest-benchmark mean:10%, {name}",
                    [(mean_rule(one, apart), one["elapsed_s"]) for one in mine],
                    scenario,
                )
            print(f"    a round takes {np.median([one['round_s'] for one in mine]):.2f} s")
            for ratios, name in (("log_ratios", "as shipped"), ("as_measured", "as measured")):
                spreads = "; ".join(_spread([one[ratios][str(n)] for one in mine], n) for n in THREADS)
                print(f"    throughput {name}: {spreads}")


def _spread(series: Sequence[Sequence[float]], threads: int) -> str:
    sd = np.median([np.std(one, ddof=1) for one in series])
    rho = np.median([intervals.autocorrelation(np.array(one)) or 0.0 for one in series])
    return f"{threads} thread{'s' if threads > 1 else ''}: sd of ln ratio {sd:.3f}, lag-1 autocorrelation {rho:.2f}"


def _print_rule(name: str, outcomes: Sequence[tuple[str, float]], scenario: Scenario) -> None:
    n = len(outcomes)
    failed = sum(1 for status, _ in outcomes if status == "fail")
    low, high = bench_report.bounds(failed, n)
    open_ones = sum(1 for status, _ in outcomes if status == "inconclusive")
    what = "found" if scenario.slower else "false alarms"
    seconds = sorted(elapsed_s for _, elapsed_s in outcomes)
    print(
        f"    {name:<50} {what} {failed}/{n} = {failed / n:.1%} ({low:.1%} to {high:.1%}), "
        f"undecided {open_ones / n:.1%}, {np.median(seconds):.3g} s "
        f"(95 % within {np.quantile(seconds, 0.95):.3g} s)"
    )


def main() -> int:
    """Record and print; the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("directory", nargs="?", type=Path, metavar="DIRECTORY", help="where trials are kept")
    builds.add_options(parser)
    names = [scenario.name for scenario in SCENARIOS]
    parser.add_argument("--only", choices=names, action="append", help="a scenario to record; may be repeated")
    parser.add_argument("--report", action="store_true", help="only print what was recorded")
    parser.add_argument("--quick", action="store_true", help="one short trial a scenario, to see that it runs; exits 0")
    options = parser.parse_args()
    if options.quick:
        with tempfile.TemporaryDirectory() as directory:
            made = [
                {**trial(scenario, Path(directory), seed, 1.0, (2, 2), QUICK_PLAN), "condition": "quiet"}
                for seed, scenario in enumerate(SCENARIOS)
                if internals.paddle_version() is not None or not scenario.name.startswith("model")
            ]
        print_report(made, SCENARIOS)
        print("--quick: far too short to judge anything by, so nothing was judged")
        return 0
    if options.directory is None:
        parser.error("name a DIRECTORY to keep the trials in, or say --quick")
    if not options.report:
        asked = [scenario for scenario in SCENARIOS if scenario.name in (options.only or names)]
        record_trials(options.directory, options.condition, options.seconds_at_most, asked)
    print_report(load(options.directory), SCENARIOS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
