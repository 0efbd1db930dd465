"""How often is the verdict on drift wrong, and what does it find? By simulation, and by runs in processes of their own.

    python benchmarks/drift.py simulate [--builds N]
    python benchmarks/drift.py record DIR [--runs N] [--pause SECONDS] [--seconds-at-most SECONDS] [--work mobilenet]
                                          [--condition quiet|noisy]
    python benchmarks/drift.py build DIR [--builds N] [--slower PERCENT] [--seconds-at-most SECONDS]
                                         [--condition quiet|noisy]
    python benchmarks/drift.py judge DIR [--without-first N]
    python benchmarks/drift.py [--quick]          all four, in a temporary directory, a few runs only

``record`` measures one unchanged workload again and again, each time in a pytest session of its own, and keeps the
figures that the session would store, so that it may be stopped and started again; the longer the pause, the more of
what changes between runs is in it. ``judge`` takes those runs in their order: eight accepted ones, and the next is the
build. The rule is the one that ships; pytest-benchmark's ``mean:10%``, each run against the one before, stands beside
it, and so does the same rule without the probe. ``build`` is the whole gate: a pytest session of its own against a
baseline of the latest eight recorded runs, in which a failure is measured again before it is believed. A slowdown of so
many percent is one against a baseline that was so much faster. ``record`` and ``build`` want the machine to themselves;
the noisy condition starts a neighbour of its own beside each run, which computes and rests in turn, and ends it again.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import neighbour
import numpy as np
from figures import load_average
from proportions import upper_bound

from pytest_paddle_mt.baselines import WINDOW_RUNS, Figures, ProbeFigures, Run, Series, anchor, rule, schema
from pytest_paddle_mt.machine.cores import available_cores
from pytest_paddle_mt.machine.facts import cpu_model
from pytest_paddle_mt.plugin import parsers
from pytest_paddle_mt.plugin.options import BY_KEY
from pytest_paddle_mt.records import Limits
from pytest_paddle_mt.statistics import drift

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LIMITS = Limits(
    min_efficiency=0.85,
    max_collapse=parsers.max_collapse(BY_KEY["max_collapse"].default),
    linear_until=None,
    max_drift=parsers.drift(BY_KEY["max_drift"].default),
    max_p99_drift=parsers.drift(BY_KEY["max_p99_drift"].default),
)

#: Spreads between runs that are simulated: a quiet machine's, and those of worse ones.
SPREADS = (0.01, 0.02, 0.03, 0.05, 0.10)
#: What the probe beside a simulated run says: there is none, it varies by itself, or it is as slow as the machine is.
PROBES = ("none", "unrelated", "tells")
#: Spread of a probe that varies by itself, and what one adds that tells.
UNRELATED, TOLD = 0.05, 0.02
#: How many runs were accepted before: one, those that make the full limit, one more, so that the anchor is judged as
#: well, and a whole window.
ACCEPTED = (1, drift.FULL_RUNS, drift.FULL_RUNS + 1, WINDOW_RUNS)
#: How many runs one job records, one after the other, with the same shared part.
RUNS_OF_A_JOB = (1, 2)
#: Builds that are drawn from the recorded runs, in any order.
DRAWN = 2_000
#: Slowdowns that are judged, as factors of latency.
SLOWDOWNS = (1.0, 1.05, 1.1, 1.2, 1.3, 1.5)
#: Part of a simulated spread, as a variance, that all figures of a run share.
COMMON = 0.7
THREADS = (1, 2)
QUERY_NS = 22e6
PROBE_NS = 1e5
#: pytest-benchmark's comparison that users write: a mean may grow by so much.
MEAN_LIMIT = 1.10
#: A neighbour ends by itself after so many seconds, should nobody end it.
_RUN_S = 600.0

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


# Simulation.


class Machine(NamedTuple):
    """What varies from run to run of a simulated test."""

    #: Of every figure, as a standard deviation of logarithms.
    spread: float
    #: One of ``PROBES``.
    probe: str


def simulated_job(rng: np.random.Generator, machine: Machine, runs: int, slower: float = 1.0) -> list[Run]:
    """Runs at one and two threads, with one shared part, on a machine like this."""
    shared = rng.normal(0.0, machine.spread * math.sqrt(COMMON))
    return [_simulated_run(rng, shared, machine, slower) for _ in range(runs)]


def _simulated_run(rng: np.random.Generator, shared: float, machine: Machine, slower: float) -> Run:
    def noisy(value: float) -> float:
        return value * math.exp(shared + rng.normal(0.0, machine.spread * math.sqrt(1 - COMMON)))

    probe_ns = {
        "none": None,
        "unrelated": PROBE_NS * math.exp(rng.normal(0.0, UNRELATED)),
        "tells": PROBE_NS * math.exp(shared + rng.normal(0.0, TOLD)),
    }[machine.probe]
    points = []
    for threads in THREADS:
        query_ns = QUERY_NS * slower
        points.append(
            Figures(
                threads=threads,
                rounds=12,
                queries=1200,
                qps=threads * 1e9 / noisy(query_ns),
                efficiency=None if threads == 1 else math.exp(rng.normal(0.0, machine.spread)),
                p5_ns=noisy(0.95 * query_ns),
                p50_ns=noisy(query_ns),
                p90_ns=noisy(1.1 * query_ns),
                p99_ns=noisy(1.4 * query_ns),
                probe=None if probe_ns is None else ProbeFigures(work="probe", qps=threads * 1e9 / probe_ns),
                peak_rss_bytes=None,
                forks=(),
            )
        )
    return Run(date="", commit=None, versions={}, points=tuple(points))


def compared(accepted: Sequence[Run], new: Run) -> tuple[rule.Comparison, ...]:
    """What the rule says of ``new``."""
    series = Series(setting={}, anchor=anchor.of_runs(accepted), runs=tuple(accepted))
    return rule.compare(series, new.points, LIMITS)


def drifted(accepted: Sequence[Run], new: Run) -> bool:
    """Whether ``new`` has drifted."""
    return any(one.drifted for one in compared(accepted, new))


def simulate(builds: int) -> None:
    """Print the share of simulated builds that fail, by accepted runs, spread and slowdown."""
    print(f"simulated, {builds} builds each, margins {LIMITS.max_drift:g} and {LIMITS.max_p99_drift:g} (p99),")
    print(
        f"alpha {drift.FALSE_ALARM:g}; share that fails, and the 95 % upper bound of false alarms (Clopper & Pearson)"
    )
    header = "  ".join(f"{f'+{slower - 1:.0%}':>6}" for slower in SLOWDOWNS[1:])
    print(f"  accepted  of a job  spread  probe       false alarms          {header}")
    rng = np.random.default_rng(0)
    settings = [
        (runs, job, Machine(spread=spread, probe=probe))
        for job in RUNS_OF_A_JOB
        for probe in PROBES
        for runs in ACCEPTED
        for spread in SPREADS
        if job == 1 or (runs > 1 and probe == "none")
        if probe == "none" or (runs >= drift.FULL_RUNS and spread >= UNRELATED)
    ]
    for runs, of_a_job, machine in settings:
        failed = [
            sum(_simulated_build(rng, runs, of_a_job, machine, slower) for _ in range(builds)) for slower in SLOWDOWNS
        ]
        bound = upper_bound(failed[0], builds)
        found = "  ".join(f"{count / builds:6.1%}" for count in failed[1:])
        told = f"{failed[0] / builds:5.2%} (<= {bound:5.2%})"
        print(f"  {runs:8}  {of_a_job:8}  {machine.spread:6.0%}  {machine.probe:9}   {told}      {found}", flush=True)


def _simulated_build(rng: np.random.Generator, runs: int, of_a_job: int, machine: Machine, slower: float) -> bool:
    """Whether a build fails that comes after so many accepted runs, each job of which recorded ``of_a_job``."""
    accepted: list[Run] = []
    while len(accepted) < runs:
        accepted += simulated_job(rng, machine, of_a_job)
    return drifted(accepted[:runs], simulated_job(rng, machine, 1, slower)[0])


# Live runs.


def _condition(condition: str, seed: int) -> contextlib.AbstractContextManager[object]:
    """The neighbour where it is to be noisy."""
    if condition == "noisy":
        return neighbour.beside(seed, _RUN_S, available_cores().usable)
    return contextlib.nullcontext()


def _session(directory: Path, work: str, *options: str) -> subprocess.CompletedProcess[str]:
    """One pytest on the suite, in a process of its own."""
    return subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"test_run.py::test_{work}"),
            *(*_OPTIONS, *options),
        ],
        cwd=directory,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
        capture_output=True,
        text=True,
        check=False,
    )


def record(directory: Path, runs: int, pause_s: float, seconds_at_most: float, work: str, condition: str) -> None:
    """Measure until there are ``runs`` runs in the directory, or the time is up; goes on where it was."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "test_run.py").write_text(_SUITE)
    (directory / "pytest.ini").write_text("[pytest]\n")
    if work == "mobilenet" and not (directory / "model.pdiparams").exists():
        _export(directory)
    deadline_s = time.monotonic() + seconds_at_most
    while (index := len(list(directory.glob("run-*")))) < runs and time.monotonic() < deadline_s:
        load = load_average()
        with _condition(condition, index):
            kept = _one_run(directory, index, work)
        print(
            f"run {index + 1} of {runs}: {'kept' if kept else 'not to be used'}, load before it {load:.1f}", flush=True
        )
        if index + 1 < runs:
            time.sleep(min(pause_s, max(0.0, deadline_s - time.monotonic())))


def _export(directory: Path) -> None:
    import paddle
    from paddle.vision import models

    network = models.mobilenet_v1()
    network.eval()
    shape = paddle.static.InputSpec([1, 3, 224, 224], "float32", name="x")
    paddle.jit.save(network, str(directory / "model"), input_spec=[shape])


def _one_run(directory: Path, index: int, work: str) -> bool:
    """Measure once, in a process of its own; whether the run passed."""
    unfinished = directory / f"unfinished-{index:04}"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    done = _session(
        directory,
        work,
        "--paddle-baseline-update",
        f"--paddle-baselines={unfinished}",
        f"--benchmark-json={unfinished / 'benchmark.json'}",
    )
    (unfinished / "output.txt").write_text(done.stdout + done.stderr)
    unfinished.rename(directory / f"run-{index:04}")
    return done.returncode == 0


# Live builds.


def build(directory: Path, builds: int, slower: int, seconds_at_most: float, condition: str) -> None:
    """Gate until there are ``builds`` builds with this slowdown in percent, or time is up; goes on where it was."""
    of_slowdown = directory / f"builds-{slower}"
    of_slowdown.mkdir(parents=True, exist_ok=True)
    deadline_s = time.monotonic() + seconds_at_most
    while (index := len(list(of_slowdown.glob("build-*.json")))) < builds and time.monotonic() < deadline_s:
        load = load_average()
        with _condition(condition, index):
            verdict = _one_build(directory, of_slowdown / f"build-{index:04}.json", 1 + slower / 100)
        print(f"build {index + 1} of {builds}, +{slower} %: {verdict}, load before it {load:.1f}", flush=True)


def _one_build(directory: Path, results: Path, slower: float) -> str:
    """Gate once, in a process of its own; what came of it."""
    with tempfile.TemporaryDirectory() as made:
        baselines = Path(made)
        (work,) = _store_latest(directory, baselines, slower)
        unfinished = baselines / "results.json"
        done = _session(
            directory,
            work,
            "--paddle-baseline-required",
            f"--paddle-baselines={baselines}",
            f"--paddle-json={unfinished}",
        )
        if not unfinished.exists():
            sys.exit(f"the build measured nothing:\n{done.stdout}{done.stderr}")
        (sweep,) = json.loads(unfinished.read_text())["sweeps"]
        again = any(window["stage"] == "confirmation" for window in sweep["windows"])
        kept = {"measured_again": again, "verdicts": sweep["verdicts"]}
        results.write_text(json.dumps(kept, indent=2) + "\n")
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
        builds = builds_of(runs, 1 + percent / 100, 1)
        if sum(build.drifted for build in builds) >= share * len(builds):
            return percent / 100
    return None


def judge(directory: Path, without_first: int) -> None:
    """Print what the rule and ``mean:10%`` say of the recorded runs, as they are and slowed down."""
    found = recorded(directory)
    all_runs = len(list(directory.glob("run-*")))
    print(f"recorded: {len(found)} of {all_runs} runs passed; {cpu_model()}, {available_cores().text}")
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
        builds = [json.loads(path.read_text()) for path in sorted(folder.glob("build-*.json"))]
        if not builds:
            continue
        said = Counter(map(outcome, builds))
        bound = upper_bound(said["fail"], len(builds))
        print(
            f"  whole builds, {_slowdown(1 + int(folder.name.partition('-')[2]) / 100)}: {len(builds)}, of which "
            f"{', '.join(f'{count} {status}' for status, count in sorted(said.items()))}; fail <= {bound:.1%}, had "
            f"they not shared accepted runs; {sum(one['measured_again'] for one in builds)} were measured again"
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
    for builds, bounded in ((disjoint, True), (overlapping, False)):
        known = [value for value in map(failed, builds) if value is not None]
        if not known:
            cells.append("unknown")
            continue
        bound = f" (<= {upper_bound(sum(known), len(known)):.0%})" if bounded else ""
        cells.append(
            f"{sum(known) / len(known):6.1%}{bound} of {len(known)} {'disjoint' if bounded else 'overlapping'}"
        )
    return "; ".join(cells)


def main() -> int:
    """Do what was asked for; the exit status."""
    made = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    made.add_argument("--quick", action="store_true", help="a few builds and runs, to see that it runs; judges nothing")
    commands = made.add_subparsers(dest="command")
    of_simulate = commands.add_parser("simulate")
    of_simulate.add_argument("--builds", type=int, default=2_000)
    of_record = commands.add_parser("record")
    of_record.add_argument("directory", type=Path)
    of_record.add_argument("--runs", type=int, default=100)
    of_record.add_argument("--pause", type=float, default=0.0, help="seconds between two runs")
    of_record.add_argument("--seconds-at-most", type=float, default=3600.0)
    of_record.add_argument("--work", choices=("mobilenet", "synthetic"), default="mobilenet")
    of_record.add_argument("--condition", choices=("quiet", "noisy"), default="quiet")
    of_build = commands.add_parser("build")
    of_build.add_argument("directory", type=Path)
    of_build.add_argument("--builds", type=int, default=100)
    of_build.add_argument("--slower", type=int, default=0, help="by how many percent")
    of_build.add_argument("--seconds-at-most", type=float, default=3600.0)
    of_build.add_argument("--condition", choices=("quiet", "noisy"), default="quiet")
    of_judge = commands.add_parser("judge")
    of_judge.add_argument("directory", type=Path)
    of_judge.add_argument("--without-first", type=int, default=0, help="runs that served to choose something")
    asked = made.parse_args()
    if asked.quick:
        simulate(20)
        with tempfile.TemporaryDirectory() as directory:
            record(Path(directory), drift.FULL_RUNS + 1, 0.0, 600.0, "synthetic", "quiet")
            build(Path(directory), 1, 0, 60.0, "quiet")
            judge(Path(directory), 0)
        print("--quick: far too short to judge anything by, so nothing was judged")
    elif asked.command == "simulate":
        simulate(asked.builds)
    elif asked.command == "record":
        record(asked.directory, asked.runs, asked.pause, asked.seconds_at_most, asked.work, asked.condition)
    elif asked.command == "build":
        build(asked.directory, asked.builds, asked.slower, asked.seconds_at_most, asked.condition)
    elif asked.command == "judge":
        judge(asked.directory, asked.without_first)
    else:
        made.error("say simulate, record, build or judge, or --quick")
    return 0


if __name__ == "__main__":
    sys.exit(main())
