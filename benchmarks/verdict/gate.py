"""What the gate reaches, beside what it should: how often it decides, how soon, and how often it is wrong.

    python benchmarks/verdict/gate.py run [--condition neighbour] [--seconds-at-most 3600] [BUILD ...]
    python benchmarks/verdict/gate.py report

``run`` takes the builds in turn: two commands of the README on the MobileNetV1 example, and workloads of
``operating_characteristics.py``. Each is a pytest of its own with the plugin's defaults; its results file is kept, so
that a run which was stopped goes on where it was. ``report`` prints a row for each aim, with one-sided 95 % bounds, and
what the rule of version 0.1 concludes from the same windows: it asked for the whole interval above the limit, and its
intervals were wider. Wants the machine to itself.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bench_report
import builds
import internals
import operating_characteristics
from internals import intervals, stop_rule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).with_name("results") / "gate"
COMMANDS = {"main_job": "--paddle-threads=1,2,4", "threads_16": "--paddle-threads=16"}
UNCHANGED = ("even", "products")  #: With an efficiency far above the limit.
NEAR = ("grows_80", "lock_50")  #: 4 to 5 points below the limit.
FAR = ("grows_65", "lock_80", "lock_100")  #: 20 points and more below it.
BUILDS = (*COMMANDS, *UNCHANGED, *NEAR, *FAR)

Sweep = dict[str, Any]


def run(condition: str, names: Sequence[str], results: Path, count: int, seconds_at_most: float) -> int:
    """Run the builds in turn until there are so many of each, or the time is up."""
    paths = {
        results / condition / f"{name}-{number:03d}.json": name for number in range(1, count + 1) for name in names
    }
    for path in builds.missing(paths, seconds_at_most):
        one = build if paths[path] in COMMANDS else operating_characteristics.build
        sweep = one(condition, paths[path], path)
        print(f"{condition} {path.stem}: {sweep['status']} in {sweep['elapsed_s']:.0f} s", flush=True)
    return 0


def build(condition: str, name: str, path: Path) -> Sweep:
    """One run of a command of the README, under the condition; its sweep, and its results file is ``path``."""
    with tempfile.TemporaryDirectory() as directory:
        written = Path(directory) / "results.json"
        options = (COMMANDS[name], f"--paddle-json={written}")
        done = builds.run_pytest(ROOT, "examples/mobilenet_v1", *options, condition=condition)
        if not written.exists():
            raise SystemExit(f"{name} gave no results:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
        builds.keep(path, written.read_text())
    return _sweep(path)


# What is counted


class Kept:
    """The builds of one condition."""

    def __init__(self, results: Path, condition: str) -> None:
        self._directory = results / condition

    def of(self, *names: str) -> list[Sweep]:
        """The sweeps of these builds."""
        paths = [path for name in names for path in sorted(self._directory.glob(f"{name}-[0-9]*.json"))]
        return [_sweep(path) for path in paths]


def _sweep(path: Path) -> Sweep:
    sweep: Sweep = json.loads(path.read_text())["sweeps"][0]
    return sweep


def all_decided(sweep: Sweep) -> bool:
    """Whether every verdict is a pass or a failure."""
    return {one["status"] for one in sweep["verdicts"]} <= {"pass", "fail"}


def seconds_measured(sweep: Sweep) -> float:
    """From the opening of the first window to the end of the last, without those of a confirmation."""
    own = [one for one in sweep["windows"] if one["stage"] == "sweep"]
    return max(float(one["opened_s"] + one["window_s"]) for one in own)


def before(sweep: Sweep) -> str:
    """What the rule of version 0.1 concludes from the same windows about two threads."""
    rounds: dict[int, dict[int, list[float]]] = {}
    for one in sweep["windows"]:
        if one["stage"] == "sweep":
            qps = one["qps"] / (1 - min(one["lost_share"] or 0.0, 0.75))
            rounds.setdefault(one["round"], {}).setdefault(one["threads"], []).append(math.log(qps))
    values = [statistics.fmean(of[2]) - statistics.fmean(of[1]) - math.log(2) for of in rounds.values() if 2 in of]
    judged = len({one["threads"] for one in sweep["points"]} - {1})
    low, high = _interval_before(values, stop_rule.confidence(1 / 8, judged))
    limit = math.log(internals.LIMITS.min_efficiency)
    return "pass" if low >= limit else "fail" if high < limit else "undecided"


def _interval_before(values: list[float], confidence: float) -> tuple[float, float]:
    """The interval of version 0.1: an autocorrelation of at least 0.3, and k/f - 1 degrees of freedom."""
    k = len(values)
    if k < intervals.MIN_VALUES:
        return -math.inf, math.inf
    mean = statistics.fmean(values)
    rho = min(max(intervals.autocorrelation(internals.np.array(values)) or 0.0, 0.3), 0.9)
    inflation = intervals.variance_inflation(rho, k)
    variance = sum((one - mean) ** 2 for one in values) / (k - inflation)
    quantile = intervals.student_t_quantile((1 + confidence) / 2, max(k / inflation - 1, 1.0))
    half_width = quantile * math.sqrt(variance * inflation / k)
    return mean - half_width, mean + half_width


# The rows


def _at_least(sweeps: list[Sweep], reached: Callable[[Sweep], bool]) -> str:
    n, missed = len(sweeps), sum(not reached(one) for one in sweeps)
    return f"{n - missed} of {n} (at least {1 - bench_report.upper_bound(missed, n):.1%})" if n else "-"


def _at_most(sweeps: list[Sweep], status: str) -> str:
    return bench_report.at_most(sum(one["status"] == status for one in sweeps), len(sweeps))


def _decided(name: str) -> Callable[[Kept], tuple[str, str]]:
    def row(kept: Kept) -> tuple[str, str]:
        sweeps = kept.of(name)
        if not sweeps:
            return "-", "-"
        took = bench_report.seconds([one["elapsed_s"] for one in sweeps])
        return f"{_at_least(sweeps, all_decided)}, {took} s", _at_least(sweeps, lambda one: before(one) != "undecided")

    return row


def _seconds_to_a_pass(kept: Kept) -> tuple[str, str]:
    passed = [seconds_measured(one) for one in kept.of(*UNCHANGED) if one["status"] == "pass"]
    if not passed:
        return "-", "-"
    of_95 = sorted(passed)[math.ceil(0.95 * len(passed)) - 1]
    would = _at_least(kept.of(*UNCHANGED), lambda one: before(one) == "pass")
    return f"median {statistics.median(passed):.0f}, 95 % within {of_95:.0f}, N = {len(passed)}", f"passes {would}"


def _failures_found(kept: Kept) -> tuple[str, str]:
    def found(one: Sweep) -> bool:
        return bool(one["status"] == "fail" and one["elapsed_s"] <= 60)

    sweeps = kept.of(*FAR)
    return _at_least(sweeps, found), _at_least(sweeps, lambda one: before(one) == "fail")


def _false_alarms(kept: Kept) -> tuple[str, str]:
    sweeps = kept.of(*COMMANDS, *UNCHANGED)
    failed = bench_report.at_most(sum(before(one) == "fail" for one in sweeps), len(sweeps))
    return _at_most(sweeps, "fail"), f"first stage alone: {failed}"


def _passed(*names: str) -> Callable[[Kept], tuple[str, str]]:
    def row(kept: Kept) -> tuple[str, str]:
        sweeps = kept.of(*names)
        would = bench_report.at_most(sum(before(one) == "pass" for one in sweeps), len(sweeps))
        return _at_most(sweeps, "pass"), would

    return row


#: What the gate should reach, quiet and beside the neighbour, and how it is counted.
AIMS: dict[str, Callable[[Kept], tuple[str, str]]] = {
    "the README's main job is decided: 19 of 20, 15 of 20": _decided("main_job"),
    "`--paddle-threads=16` is decided at every thread count: 19 of 20, 15 of 20": _decided("threads_16"),
    "seconds of measuring to a clear pass: median 12 and 95 % within 40, 30 and 60": _seconds_to_a_pass,
    "20 points below the limit fails, confirmed, within 60 s: 95 %, 80 %": _failures_found,
    "unchanged work fails: at most 1 %": _false_alarms,
    "4 to 5 points below the limit passes: at most 1 %": _passed(*NEAR),
    "20 points and more below the limit passes: never": _passed(*FAR),
}


def report(results: Path) -> int:
    """A row for each aim."""
    conditions = builds.CONDITIONS[:2]
    rows: Iterable[Iterable[str]] = (
        [aim, *(cell for condition in conditions for cell in reached(Kept(results, condition)))]
        for aim, reached in AIMS.items()
    )
    head = [cell for condition in conditions for cell in (condition, "the rule of 0.1, same windows")]
    bench_report.print_table(["aim", *head], rows)
    print(f"\n{bench_report.machine()}")
    return 0


def main() -> int:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=RESULTS, help="where builds are kept (%(default)s)")
    commands = parser.add_subparsers(dest="command", required=True)
    of_run = commands.add_parser("run")
    of_run.add_argument("names", nargs="*", metavar="BUILD", help=f"of {', '.join(BUILDS)}; all")
    of_run.add_argument("--builds", type=int, default=100, help="of each (%(default)s)")
    builds.add_options(of_run)
    commands.add_parser("report")
    given = parser.parse_args()
    if given.command == "report":
        return report(given.results)
    unknown = set(given.names) - set(BUILDS)
    if unknown:
        parser.error(f"no build is called {', '.join(sorted(unknown))}; give some of {', '.join(BUILDS)}")
    return run(given.condition, given.names or BUILDS, given.results, given.builds, given.seconds_at_most)


if __name__ == "__main__":
    sys.exit(main())
