"""How often the commands of the README are decided, and after how long: MobileNetV1 of the example.

    python benchmarks/verdict/decided.py run [--condition quiet] [--runs 20] [main_job threads_16]
    python benchmarks/verdict/decided.py report

A run is a pytest of its own with the plugin's defaults; its results file is kept below ``--results``, so that runs
which were stopped go on where they were. ``report`` prints the runs in which every verdict was decided, with 95 %
intervals, and the seconds that a sweep took, predictors and all. Wants the machine to itself.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import bench_report
import builds

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).with_name("results") / "decided"
COMMANDS = {
    "main_job": ("examples/mobilenet_v1", "--paddle-threads=1,2,4"),
    "threads_16": ("examples/mobilenet_v1", "--paddle-threads=16"),
    "pair": ("examples/mobilenet_v1", "--paddle-threads=1,2"),
}


def run(condition: str, names: list[str], runs: int, results: Path, seconds_at_most: float) -> int:
    """Run the commands in turn until there are so many runs of each, or the time is up."""
    paths = {results / condition / f"{name}-{number:03d}.json": name for number in range(1, runs + 1) for name in names}
    for path in builds.missing(paths, seconds_at_most):
        with tempfile.TemporaryDirectory() as directory:
            written = Path(directory) / "results.json"
            done = builds.run_pytest(ROOT, *COMMANDS[paths[path]], f"--paddle-json={written}", condition=condition)
            if not written.exists():
                raise SystemExit(f"{paths[path]} gave no results:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
            builds.keep(path, written.read_text())
        sweep = _sweep(path)
        verdicts = ", ".join(
            f"{one['check']} {one['threads'] or ''} {one['status']} {one['observed'] or 0:.2f}"
            for one in sweep["verdicts"]
        )
        print(f"{condition} {path.stem}: {sweep['elapsed_s']:.0f} s, {verdicts}", flush=True)
    return 0


def report(results: Path) -> int:
    """A row for each condition and command."""
    rows = []
    for condition in builds.CONDITIONS:
        for name in COMMANDS:
            kept = [_sweep(path) for path in sorted((results / condition).glob(f"{name}-[0-9]*.json"))]
            if kept:
                rows.append((condition, name, *_row(kept)))
    bench_report.print_table(
        ["condition", "command", "N", "all decided %", "passed", "failed", "seconds, median", "largest"], rows
    )
    print(f"\n{bench_report.machine()}")
    return 0


def _row(kept: list[dict[str, Any]]) -> tuple[str, ...]:
    n = len(kept)
    statuses = [{one["status"] for one in sweep["verdicts"]} - {"not_comparable"} for sweep in kept]
    decided = sum(one <= {"pass", "fail"} and bool(one) for one in statuses)
    passed, failed = sum(one == {"pass"} for one in statuses), sum("fail" in one for one in statuses)
    seconds = [sweep["elapsed_s"] for sweep in kept]
    shown = (bench_report.share(decided, n), str(passed), str(failed))
    return (str(n), *shown, f"{statistics.median(seconds):.0f}", f"{max(seconds):.0f}")


def _sweep(path: Path) -> dict[str, Any]:
    sweep: dict[str, Any] = json.loads(path.read_text())["sweeps"][0]
    return sweep


def main() -> int:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=RESULTS, help="where runs are kept (%(default)s)")
    commands = parser.add_subparsers(dest="command", required=True)
    of_run = commands.add_parser("run")
    of_run.add_argument("names", nargs="*", metavar="COMMAND", help=f"of {', '.join(COMMANDS)}; the first two")
    of_run.add_argument("--runs", type=int, default=20)
    builds.add_options(of_run, builds.CONDITIONS[:3])
    commands.add_parser("report")
    given = parser.parse_args()
    if given.command == "report":
        return report(given.results)
    unknown = set(given.names) - set(COMMANDS)
    if unknown:
        parser.error(f"no command is called {', '.join(sorted(unknown))}; give some of {', '.join(COMMANDS)}")
    return run(given.condition, given.names or list(COMMANDS)[:2], given.runs, given.results, given.seconds_at_most)


if __name__ == "__main__":
    sys.exit(main())
