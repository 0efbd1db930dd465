"""How often is the verdict on drift wrong, and what does it find? Runs and builds in processes of their own.

    python benchmarks/verdict/drift_verdicts.py record DIR [--runs N] [--pause SECONDS] [--work mobilenet]
    python benchmarks/verdict/drift_verdicts.py build DIR [--builds N] [--slower PERCENT]
    python benchmarks/verdict/drift_verdicts.py judge DIR [--without-first N]
    python benchmarks/verdict/drift_verdicts.py --quick     all three, in a temporary directory, a few runs only

``record`` measures one unchanged workload again and again, each time in a pytest session of its own, and keeps the
figures that the session would store, so that it may be stopped and started again; the longer the pause, the more of
what changes between runs is in it. ``judge`` takes those runs in their order: eight accepted ones, and the next is the
build. The rule is the one that ships; pytest-benchmark's ``mean:10%``, each run against the one before, stands beside
it, and so does the same rule without the probe. ``build`` is the whole gate: a pytest session of its own against a
baseline of the latest eight recorded runs, in which a failure is measured again before it is believed. A slowdown of so
many percent is one against a baseline that was so much faster. ``record`` and ``build`` want the machine to themselves;
``builds.py`` describes their conditions.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import bench_report
import builds
import numpy as np
from internals import Run, Series, anchor, compared, drift, drifted, schema

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: Builds that are drawn from the recorded runs, in any order.
DRAWN = 2_000
#: Slowdowns that are judged, as factors of latency.
SLOWDOWNS = (1.0, 1.05, 1.1, 1.2, 1.3, 1.5)
#: pytest-benchmark's comparison that users write: a mean may grow by so much.
MEAN_LIMIT = 1.10

#: How the work of a recorded run is made; the tests of one file, one of which runs.
_SUITE = """
import os
from pathlib import Path

import pytest

from pytest_paddle_mt import SyntheticWork

HERE = Path(__file__).parent


@pytest.fixture
def paddle_config():
    from paddle import inference

    program = next(path for path in (HERE / "model.json", HERE / "model.pdmodel") if path.exists())
    config = inference.Config(str(program), str(HERE / "model.pdiparams"))
    config.disable_glog_info()
    return config


def test_mobilenet(predictor_pool, concurrent_runner):
    concurrent_runner(predictor_pool)


def test_synthetic(concurrent_runner):
    concurrent_runner(SyntheticWork(spin_ns=2e6, stream_bytes=1 << 20))
"""

#: Nothing but what is to be recorded decides: whether it scales is not asked here.
_OPTIONS = ("--paddle-threads=2", "--paddle-min-efficiency=0.01", "--paddle-linear-until=2")


class Recorded(NamedTuple):
    """One recorded run."""

    run: Run
    #: Mean time of a query by pytest-benchmark's entry name, in seconds; None where it recorded none.
    means_s: dict[str, float] | None


class Build(NamedTuple):
    """What was said of a run."""

    drifted: bool
    #: Undecided: worse than it may be by itself, and not beside the probe.
    explained: bool
    #: ``mean:10%``; None where there is no run before it.
    by_mean: bool | None


def record(directory: Path, runs: int, pause_s: float, seconds_at_most: float, work: str, condition: str) -> None:
    """Measure until there are ``runs`` runs in the directory, or the time is up; goes on where it was."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "test_run.py").write_text(_SUITE)
    (directory / "pytest.ini").write_text("[pytest]\n")
    if work == "mobilenet" and not (directory / "model.pdiparams").exists():
        _export(directory)
    paths = [directory / f"run-{index:04}" for index in range(runs)]
    for path in builds.missing(paths, seconds_at_most):
        load = os.getloadavg()[0]
        kept = _one_run(path, work, condition)
        print(f"{path.name} of {runs}: {'kept' if kept else 'not to be used'}, load before it {load:.1f}", flush=True)
        if path != paths[-1]:
            time.sleep(pause_s)


def _export(directory: Path) -> None:
    import paddle
    from paddle.vision import models

    network = models.mobilenet_v1()
    network.eval()
    shape = paddle.static.InputSpec([1, 3, 224, 224], "float32", name="x")
    paddle.jit.save(network, str(directory / "model"), input_spec=[shape])


def _one_run(path: Path, work: str, condition: str) -> bool:
    """Measure once, in a process of its own; whether the run passed."""
    unfinished = path.with_name(f"unfinished-{path.name}")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    done = builds.run_pytest(
        path.parent,
        f"test_run.py::test_{work}",
        *_OPTIONS,
        "--paddle-baseline-update",
        f"--paddle-baselines={unfinished}",
        f"--benchmark-json={unfinished / 'benchmark.json'}",
        condition=condition,
    )
    (unfinished / "output.txt").write_text(done.stdout + done.stderr)
    unfinished.rename(path)
    return done.returncode == 0


def build(directory: Path, count: int, slower: int, seconds_at_most: float, condition: str) -> None:
    """Gate until there are ``count`` builds with this slowdown in percent, or time is up; goes on where it was."""
    paths = [directory / f"builds-{slower}" / f"build-{index:04}.json" for index in range(count)]
    for path in builds.missing(paths, seconds_at_most):
        load = os.getloadavg()[0]
        verdict = _one_build(directory, path, 1 + slower / 100, condition)
        print(f"{path.stem} of {count}, +{slower} %: {verdict}, load before it {load:.1f}", flush=True)


def _one_build(directory: Path, results: Path, slower: float, condition: str) -> str:
    """Gate once, in a process of its own; its outcome."""
    with tempfile.TemporaryDirectory() as made:
        baselines = Path(made)
        (work,) = _store_latest(directory, baselines, slower)
        unfinished = baselines / "results.json"
        done = builds.run_pytest(
            directory,
            f"test_run.py::test_{work}",
            *_OPTIONS,
            "--paddle-baseline-required",
            f"--paddle-baselines={baselines}",
            f"--paddle-json={unfinished}",
            condition=condition,
        )
        if not unfinished.exists():
            sys.exit(f"the build measured nothing:\n{done.stdout}{done.stderr}")
        (sweep,) = json.loads(unfinished.read_text())["sweeps"]
    again = any(window["stage"] == "confirmation" for window in sweep["windows"])
    kept = {"measured_again": again, "verdicts": sweep["verdicts"]}
    builds.keep(results, json.dumps(kept, indent=2) + "\n")
    return outcome(kept)


def _store_latest(directory: Path, baselines: Path, faster: float) -> set[str]:
    """A baseline of the latest recorded runs, had their queries been so much faster; of which work it is."""
    files = [path for folder in sorted(directory.glob("run-*")) for path in folder.glob("*/*.json")]
    latest = files[-drift.FULL_RUNS :]
    stored = [schema.from_text(path.read_text()) for path in latest]
    if len(stored) < drift.FULL_RUNS:
        sys.exit(f"{directory} has {len(stored)} recorded runs; a build needs {drift.FULL_RUNS}: record them first")
    runs = tuple(slowed(one.series.runs[0], 1 / faster) for one in stored)
    series = Series(setting=stored[-1].series.setting, anchor=anchor.of_runs(runs), runs=runs)
    target = baselines / latest[-1].parent.name / latest[-1].name
    target.parent.mkdir()
    target.write_text(schema.to_text(dataclasses.replace(stored[-1], series=series)))
    return {one.test.rpartition("::test_")[2] for one in stored}


def outcome(kept: dict[str, Any]) -> str:
    """What all verdicts on drift come to; ``pass`` only where each of them is one."""
    statuses = {verdict["status"] for verdict in kept["verdicts"] if verdict["check"] == "drift"} or {"no_data"}
    first = [status for status in ("fail", "inconclusive") if status in statuses]
    return next(iter((*first, *sorted(statuses - {"pass"}))), "pass")


def recorded(directory: Path) -> list[Recorded]:
    """The runs in their order, without those that did not pass."""
    found = []
    for folder in sorted(directory.glob("run-*")):
        files = list(folder.glob("*/*.json"))
        if files:
            baseline = schema.from_text(files[0].read_text())
            found.append(Recorded(run=baseline.series.runs[0], means_s=_means_s(folder / "benchmark.json")))
    return found


def _means_s(path: Path) -> dict[str, float] | None:
    if not path.exists() or not path.stat().st_size:
        return None
    entries = json.loads(path.read_text())["benchmarks"]
    return {entry["name"]: entry["stats"]["mean"] for entry in entries}


def slowed(run: Run, slower: float) -> Run:
    """The same run, had every query taken ``slower`` times as long."""

    def longer(value: float | None) -> float | None:
        return None if value is None else value * slower

    points = tuple(
        dataclasses.replace(
            point,
            qps=point.qps / slower,
            p5_ns=longer(point.p5_ns),
            p50_ns=longer(point.p50_ns),
            p90_ns=longer(point.p90_ns),
            p99_ns=longer(point.p99_ns),
        )
        for point in run.points
    )
    return dataclasses.replace(run, points=points)


def builds_of(runs: Sequence[Recorded], slower: float, step: int) -> list[Build]:
    """Every ``step``-th run that has eight before it, ``slower`` times as slow as it was."""
    found = []
    for index in range(drift.FULL_RUNS, len(runs), step):
        before, now = runs[index - 1].means_s, runs[index].means_s
        by_mean = None
        if before and now:
            by_mean = any(slower * now[name] > MEAN_LIMIT * before[name] for name in now if name in before)
        accepted = [one.run for one in runs[index - drift.FULL_RUNS : index]]
        said = compared(accepted, slowed(runs[index].run, slower))
        failed = any(one.drifted for one in said)
        explained = not failed and any(one.explained for one in said)
        found.append(Build(drifted=failed, explained=explained, by_mean=by_mean))
    return found


def drawn_builds(runs: Sequence[Recorded], slower: float, rng: np.random.Generator) -> list[bool]:
    """Whether the rule fails builds of eight accepted runs and another, drawn from all recorded ones in any order."""
    found = []
    for _ in range(DRAWN):
        *accepted, new = (runs[index].run for index in rng.choice(len(runs), drift.FULL_RUNS + 1, replace=False))
        found.append(drifted(accepted, slowed(new, slower)))
    return found


def without_probe(one: Recorded) -> Recorded:
    """The same run, had nothing been measured beside it."""
    points = tuple(dataclasses.replace(point, probe=None) for point in one.run.points)
    return Recorded(run=dataclasses.replace(one.run, points=points), means_s=one.means_s)


def smallest_found(runs: Sequence[Recorded], share: float = drift.POWER) -> float | None:
    """The smallest slowdown, in steps of 1 %, of which this share is found; None below a hundred percent."""
    for percent in range(1, 101):
        judged = builds_of(runs, 1 + percent / 100, 1)
        if sum(one.drifted for one in judged) >= share * len(judged):
            return percent / 100
    return None


def judge(directory: Path, without_first: int) -> None:
    """Print what the rule and ``mean:10%`` say of the recorded runs, as they are and slowed down."""
    found = recorded(directory)
    all_runs = len(list(directory.glob("run-*")))
    print(f"recorded: {len(found)} of {all_runs} runs passed; {bench_report.machine()}")
    runs = found[without_first:]
    if without_first:
        print(f"  judged: the {len(runs)} after the first {without_first}")
    if len(runs) <= drift.FULL_RUNS:
        print(f"  too few: a build needs {drift.FULL_RUNS} accepted runs before it")
        return
    print("  disjoint: no run is used twice; in brackets the 95 % upper bound of Clopper & Pearson. Overlapping: every")
    print(f"  run with eight before it. Drawn: {DRAWN} times eight runs and another, in any order. These share runs,")
    print("  so there is no bound.")
    _print_judged(runs)
    for slower in SLOWDOWNS[:-1]:
        disjoint, overlapping = builds_of(runs, slower, drift.FULL_RUNS + 1), builds_of(runs, slower, 1)
        by_mean = _told(disjoint, overlapping, lambda build: build.by_mean)
        print(f"  {_slowdown(slower):>9}: mean:10% fails     {by_mean}")
    print("  the same rule without the probe:")
    _print_judged([without_probe(one) for one in runs])
    for folder in sorted(directory.glob("builds-*")):
        _print_whole_builds(folder)


def _print_whole_builds(folder: Path) -> None:
    whole = [json.loads(path.read_text()) for path in sorted(folder.glob("build-*.json"))]
    if not whole:
        return
    ended = Counter(map(outcome, whole))
    bound = bench_report.upper_bound(ended["fail"], len(whole))
    print(
        f"  whole builds, {_slowdown(1 + int(folder.name.partition('-')[2]) / 100)}: {len(whole)}, of which "
        f"{', '.join(f'{count} {status}' for status, count in sorted(ended.items()))}; fail <= {bound:.1%}, had "
        f"they not shared accepted runs; {sum(one['measured_again'] for one in whole)} were measured again"
    )


def _print_judged(runs: Sequence[Recorded]) -> None:
    for key in ("p50_ns", "p5_ns", "p99_ns", "qps", "efficiency"):
        print(f"  spread between runs of {key}: {_spreads(runs, key)}{_beside_probe(runs, key)}")
    rng = np.random.default_rng(0)
    for slower in SLOWDOWNS:
        disjoint, overlapping = builds_of(runs, slower, drift.FULL_RUNS + 1), builds_of(runs, slower, 1)
        told = _told(disjoint, overlapping, lambda build: build.drifted)
        drawn = sum(drawn_builds(runs, slower, rng)) / DRAWN
        undecided = sum(build.explained for build in overlapping)
        print(
            f"  {_slowdown(slower):>9}: drift check fails {told}; {drawn:6.2%} drawn; undecided by the probe "
            f"{undecided} of {len(overlapping)} overlapping"
        )
    smallest = smallest_found(runs)
    found = "more than doubled" if smallest is None else f"+{smallest:.0%}"
    print(f"  found in {drift.POWER:.0%} of the overlapping builds from {found} on")


def _slowdown(slower: float) -> str:
    return "unchanged" if slower == 1 else f"+{slower - 1:.0%}"


def _spreads(runs: Sequence[Recorded], key: str) -> str:
    told = []
    for threads in sorted({point.threads for one in runs for point in one.run.points}):
        values = [getattr(point, key) for one in runs for point in one.run.points if point.threads == threads]
        known = np.log([value for value in values if value is not None])
        if len(known) > 1 and not (key == "efficiency" and threads == 1):
            told.append(f"{math.expm1(float(np.std(known, ddof=1))):.1%} with {threads}")
    return ", ".join(told) or "unknown"


def _beside_probe(runs: Sequence[Recorded], key: str) -> str:
    """What the probe leaves of that spread, where all these runs together show that it tells."""
    told = []
    for threads in sorted({point.threads for one in runs for point in one.run.points}):
        points = [point for one in runs for point in one.run.points if point.threads == threads]
        latest = points[-1].probe
        known = [
            (math.log(getattr(point, key)), math.log(point.probe.qps))
            for point in points
            if point.probe and latest and point.probe.work == latest.work and getattr(point, key) is not None
        ]
        if not known or key == "efficiency":
            continue
        figures, probes = np.array(known).T
        found = drift.regression(figures if key == "qps" else -figures, probes)
        if found is not None:
            told.append(f"{math.expm1(found.spread.sd):.1%} with {threads} (slope {found.slope:.2f})")
    return f"; beside the probe {', '.join(told)}" if told else ""


def _told(disjoint: Sequence[Build], overlapping: Sequence[Build], failed: Callable[[Build], bool | None]) -> str:
    cells = []
    for judged, bounded in ((disjoint, True), (overlapping, False)):
        known = [value for value in map(failed, judged) if value is not None]
        if not known:
            cells.append("unknown")
            continue
        bound = f" (<= {bench_report.upper_bound(sum(known), len(known)):.0%})" if bounded else ""
        cells.append(
            f"{sum(known) / len(known):6.1%}{bound} of {len(known)} {'disjoint' if bounded else 'overlapping'}"
        )
    return "; ".join(cells)


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    made.add_argument(
        "--quick", action="store_true", help="a build and a few runs, to see that it runs; judges nothing"
    )
    commands = made.add_subparsers(dest="command")
    of_record = commands.add_parser("record")
    of_record.add_argument("directory", type=Path)
    of_record.add_argument("--runs", type=int, default=100)
    of_record.add_argument("--pause", type=float, default=0.0, help="seconds between two runs")
    of_record.add_argument("--work", choices=("mobilenet", "synthetic"), default="mobilenet")
    builds.add_options(of_record)
    of_build = commands.add_parser("build")
    of_build.add_argument("directory", type=Path)
    of_build.add_argument("--builds", type=int, default=100)
    of_build.add_argument("--slower", type=int, default=0, help="by how many percent")
    builds.add_options(of_build)
    of_judge = commands.add_parser("judge")
    of_judge.add_argument("directory", type=Path)
    of_judge.add_argument("--without-first", type=int, default=0, help="runs that served to choose something")
    return made


def main() -> int:
    """Do what was asked for; the exit status."""
    made = _parser()
    asked = made.parse_args()
    if asked.quick:
        with tempfile.TemporaryDirectory() as directory:
            record(Path(directory), drift.FULL_RUNS + 1, 0.0, 600.0, "synthetic", "quiet")
            build(Path(directory), 1, 0, 60.0, "quiet")
            judge(Path(directory), 0)
        print("--quick: far too short to judge anything by, so nothing was judged")
    elif asked.command == "record":
        record(asked.directory, asked.runs, asked.pause, asked.seconds_at_most, asked.work, asked.condition)
    elif asked.command == "build":
        build(asked.directory, asked.builds, asked.slower, asked.seconds_at_most, asked.condition)
    elif asked.command == "judge":
        judge(asked.directory, asked.without_first)
    else:
        made.error("say record, build or judge, or --quick")
    return 0


if __name__ == "__main__":
    sys.exit(main())
