"""How often is the verdict wrong? Live builds and replayed recordings, judged by the plugin and by the peers' rules.

    python benchmarks/verdict/operating_characteristics.py COMMAND

    replay [--check]                              recorded rounds through the shipped rule
    label                                         what each workload reaches, in long quiet runs
    live --condition quiet --builds 100 even      builds
    report                                        the tables, from the builds stored so far
    record --condition quiet even                 rounds for ``replay``

A live build is a pytest of its own that runs ``suite/test_build.py`` with the plugin's defaults; its results file is
kept, so that a run which was stopped goes on where it was. ``live``, ``label`` and ``record`` want the machine to
themselves; ``builds.py`` describes the conditions.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bench_report
import builds
import injected
import internals
import numpy as np
import peers
import recordings
from internals import (
    Cpu,
    Round,
    Visit,
    confirmation,
    intervals,
    scaling,
    stop_rule,
    validity,
)
from workloads import WORKLOADS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HERE = Path(__file__).resolve().parent
RECORDINGS = HERE / "recordings"
PROBED = RECORDINGS / "probed"  #: With a probe after each window, too.
EXPECTED = RECORDINGS / "expected.json"
RESULTS = HERE / "results"
SUITE = HERE / "suite"

THREADS = injected.THREADS
LIMIT = internals.LIMITS.min_efficiency
#: Workloads whose builds are compared with each other; the rest is compared with the unchanged work that it slows down.
UNCHANGED = {"gil": "mobilenet", "mobilenet": "mobilenet", "products": "products"}

STATUSES = ("fail", "pass", "undecided")


# Replay: what the shipped rule says of recorded rounds.


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Replayed:
    """How one replay ended."""

    status: str
    #: Rounds until its verdict, without those of the confirmation.
    rounds: int


class Rule:
    """The shipped procedure where the budget allows all looks: they, the linear check, and confirming a failure."""

    def __init__(self) -> None:
        fewest, most = internals.DEFAULT_ROUNDS
        self.looks = stop_rule.looks(fewest, most)
        self._confidence = internals.confidence(self.looks)

    def verdicts(self, rounds: Sequence[Round], beside_control: bool = False) -> list[Any]:
        """What the linear check concludes."""
        return internals.linear_verdicts(rounds, THREADS, self._confidence, beside_control)

    def replay(self, rounds: Sequence[Round]) -> Replayed:
        """Judge the first rounds as a sweep, and those behind it as its confirmation."""
        first: list[Any] = []
        for look in self.looks:
            first = self.verdicts(rounds[:look])
            if first[0].status != "inconclusive":
                break
        if first[0].status != "fail":
            return Replayed(status={"pass": "pass"}.get(first[0].status, "undecided"), rounds=look)
        behind = rounds[look:]
        for again_look in self.looks:
            again, beside = self.verdicts(behind[:again_look]), self.verdicts(behind[:again_look], True)
            if confirmation.answered(first, again, beside):
                break
        (final,) = confirmation.confirmed(first, again, beside, "the rounds behind")
        return Replayed(status={"fail": "fail"}.get(final.status, "undecided"), rounds=look)


def replays(rounds: Sequence[Round], rule: Rule) -> list[Replayed]:
    """A replay from every sixth round on, the end of the recording joined to its beginning."""
    ring = [*rounds, *rounds]
    longest = 2 * rule.looks[-1]
    ring = (ring * (longest // len(ring) + 2))[: len(rounds) + longest]
    return [rule.replay(ring[start : start + longest]) for start in range(0, len(rounds), 6)]


def replay_table() -> dict[str, dict[str, Any]]:
    """Every recording as it is, and with the fault injected, by name."""
    rule = Rule()
    table = {}
    for path in sorted(RECORDINGS.glob("*.npz")):
        recorded = recordings.load(path)
        reaches = rule.verdicts(recorded)[0].observed
        scenarios = {"as recorded": 1.0}
        if path.stem.endswith("-even"):
            scenarios |= {f"slowed to {efficiency:.2f}": efficiency for efficiency in (0.95, 0.90, 0.80, 0.65)}
        for text, efficiency in scenarios.items():
            rounds = [injected.slowed(one, efficiency) for one in recorded]
            table[f"{path.stem}, {text}"] = _row_of_replays(rounds, reaches * efficiency, rule)
    for path in sorted(PROBED.glob("*.npz")):
        recorded = recordings.load(path)
        reaches = rule.verdicts(recorded)[0].observed
        for text, rounds in injected.mixtures(recorded):
            table[f"{path.stem}, {text} on one core"] = _row_of_replays(rounds, reaches, rule)
    return table


def _row_of_replays(rounds: Sequence[Round], reaches: float, rule: Rule) -> dict[str, Any]:
    ended = replays(rounds, rule)
    return {
        "reaches": round(reaches, 3),
        "as measured": round(math.exp(float(scaling.efficiency_series(rounds, THREADS).mean())), 3),
        "replays": len(ended),
        **{status: sum(one.status == status for one in ended) for status in STATUSES},
        "median rounds": statistics.median(one.rounds for one in ended),
    }


def corrected(visit: Visit) -> float:
    """Throughput with the time taken out that other work took."""
    return validity.qps(visit.window, Cpu(usable_cores=THREADS, math_threads=1))


def replay(check: bool) -> int:
    """Print the replays; with ``check``, 1 when one of them is worse than what is stored."""
    table = replay_table()
    print(f"limit {LIMIT}, looks after {', '.join(map(str, Rule().looks))} rounds; overlapping replays, so no bounds")
    print(f"{'recording':46} {'reaches':>7} {'measured':>8} {'N':>3}  fail  pass  undecided  median rounds")
    for name, row in table.items():
        print(
            f"{name:46} {row['reaches']:7.3f} {row['as measured']:8.3f} {row['replays']:3d} {row['fail']:5d} "
            f"{row['pass']:5d} {row['undecided']:10d} {row['median rounds']:14.0f}"
        )
    if not check:
        return 0
    worse = list(_worse(table, json.loads(EXPECTED.read_text())))
    for line in worse:
        print(f"WORSE: {line}")
    print("worse than what is stored" if worse else f"no worse than {EXPECTED.name}")
    return 1 if worse else 0


def _worse(table: dict[str, dict[str, Any]], expected: dict[str, dict[str, Any]]) -> Iterator[str]:
    """A wrong verdict more, a right one less, one that takes longer, or a recording that is not there."""
    for name, before in expected.items():
        now = table.get(name)
        if now is None or now["replays"] != before["replays"]:
            yield f"{name}: {'missing' if now is None else 'another number of replays'}"
            continue
        wrong, right = ("fail", "pass") if before["reaches"] >= LIMIT else ("pass", "fail")
        if now[wrong] > before[wrong]:
            yield f"{name}: {wrong} {now[wrong]} of {now['replays']}, was {before[wrong]}"
        if now[right] < before[right]:
            yield f"{name}: {right} {now[right]} of {now['replays']}, was {before[right]}"
        if now["median rounds"] > before["median rounds"]:
            yield f"{name}: {now['median rounds']:.0f} rounds, were {before['median rounds']:.0f}"


# Live


def live(condition: str, names: Sequence[str], count: int, results: Path, seconds_at_most: float) -> int:
    """Run builds in turn until there are so many of each, or the time is up."""
    paths = {
        results / condition / f"{name}-{number:03d}.json": name for number in range(1, count + 1) for name in names
    }
    for path in builds.missing(paths, seconds_at_most):
        sweep = build(condition, paths[path], path)
        print(
            f"{path.stem}: {sweep['status']} in {sweep['elapsed_s']:.0f} s, {sweep['verdicts'][0]['reason']}",
            flush=True,
        )
    return 0


def build(condition: str, name: str, path: Path, *options: str) -> dict[str, Any]:
    """One pytest of its own, under the condition; its sweep, and its results file is ``path``."""
    workload = WORKLOADS[name]
    chosen = ["--benchmark-quiet", f"--workload={name}", f"--paddle-threads={THREADS}", *options]
    if workload.config is not None:
        chosen.append(f"--paddle-engine={workload.engine}")
    if workload.math_threads > 1:
        chosen.append(f"--paddle-linear-until={THREADS}")
    with tempfile.TemporaryDirectory() as directory:
        written = Path(directory) / "results.json"
        done = builds.run_pytest(SUITE, "test_build.py", *chosen, f"--paddle-json={written}", condition=condition)
        if not written.exists():
            raise SystemExit(f"{name} gave no results:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
        builds.keep(path, written.read_text())
    return _sweep(path)


def _sweep(path: Path) -> dict[str, Any]:
    sweep: dict[str, Any] = json.loads(path.read_text())["sweeps"][0]
    return sweep


def label(names: Sequence[str], results: Path) -> int:
    """Long quiet runs that never stop early."""
    for name in names:
        path = results / "labels" / f"{name}.json"
        if not path.exists():
            build("quiet", name, path, "--paddle-rounds=40:40", "--paddle-budget=300", "--paddle-min-efficiency=0.01")
        reached = labelled(results, name)
        assert reached is not None
        print(f"{name:16} {reached.estimate:.3f} ({reached.low:.3f} to {reached.high:.3f}), {reached.rounds} rounds")
    return 0


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Label:
    """What a workload reaches in a long quiet run."""

    estimate: float
    #: 95 % interval.
    low: float
    high: float
    rounds: int


def labelled(results: Path, name: str) -> Label | None:
    """The efficiency as measured, nothing taken out, of the long quiet run, else of all quiet builds; None without."""
    path = results / "labels" / f"{name}.json"
    runs = [_sweep(path)] if path.exists() else _stored(results, "quiet", name)
    if not runs:
        return None
    values = np.concatenate([_log_efficiencies(one) for one in runs])
    interval = intervals.mean_interval(values, 0.95)
    assert interval is not None
    return Label(
        estimate=math.exp(float(values.mean())),
        low=math.exp(interval.low),
        high=math.exp(interval.high),
        rounds=len(values),
    )


def _log_efficiencies(sweep: dict[str, Any]) -> np.ndarray:
    """ln E of each round of the sweep, from throughput as measured, shape (k,)."""
    rounds: dict[int, dict[int, list[float]]] = {}
    for window in sweep["windows"]:
        if window["stage"] == "sweep":
            rounds.setdefault(window["round"], {}).setdefault(window["threads"], []).append(math.log(window["qps"]))
    return np.array(
        [statistics.fmean(one[THREADS]) - math.log(THREADS) - statistics.fmean(one[1]) for one in rounds.values()]
    )


def _times(sweep: dict[str, Any]) -> np.ndarray:
    """Seconds per query with two threads, one value per window of the sweep, shape (k,)."""
    return np.array(
        [1 / one["qps"] for one in sweep["windows"] if one["stage"] == "sweep" and one["threads"] == THREADS]
    )


def print_report(results: Path) -> int:
    """The tables for docs/statistics.md, from what is stored."""
    rng = np.random.default_rng(1)
    head = ["condition", "workload", "reaches", "N", "failed %", "passed %", "undecided %", "s to a pass", "floor 0.8"]
    rows = [
        _row(condition, name, stored, results, rng)
        for condition in builds.CONDITIONS
        for name in WORKLOADS
        if (stored := _stored(results, condition, name))
    ]
    bench_report.print_table([*head, *peers.RULES], rows)
    return 0


def _stored(results: Path, condition: str, name: str) -> list[dict[str, Any]]:
    return [_sweep(path) for path in sorted((results / condition).glob(f"{name}-[0-9]*.json"))]


def _row(
    condition: str, name: str, stored: list[dict[str, Any]], results: Path, rng: np.random.Generator
) -> Iterator[str]:
    n = len(stored)
    counts = {status: sum(one["status"] == status for one in stored) for status in ("fail", "pass")}
    known = labelled(results, name)
    yield condition
    yield name
    yield "" if known is None else f"{known.estimate:.2f}"
    yield str(n)
    yield bench_report.share(counts["fail"], n)
    yield bench_report.share(counts["pass"], n)
    yield bench_report.share(n - sum(counts.values()), n)
    yield bench_report.seconds([one["elapsed_s"] for one in stored if one["status"] == "pass"])
    yield _percent([peers.floor(math.exp(float(_log_efficiencies(one).mean()))) for one in stored])
    base = UNCHANGED.get(name, "even")
    before = stored[:-1] if base == name or name == "even" else _stored(results, condition, base)
    now = stored[1:] if base == name or name == "even" else stored
    for rule in peers.RULES.values():
        yield _percent([rule(_times(a), _times(b), rng) for a, b in zip(before, now, strict=False)])


def _percent(failed: Sequence[bool]) -> str:
    return f"{sum(failed) / len(failed):.0%} of {len(failed)}" if failed else "-"


def record_rounds(condition: str, names: Sequence[str], rounds: int) -> int:
    """Record rounds with a control beside every window, for ``replay``."""
    for name in names:
        workload = WORKLOADS[name]
        if workload.config is not None:
            raise SystemExit(
                f"{name} needs predictors; recordings are of synthetic work: one of {', '.join(_synthetic())}"
            )
        with builds.under(condition):
            worker = internals.synthetic_worker(workload.work, THREADS, seed=1)
            measured = internals.rounds_with_control(worker, THREADS, rounds, internals.WINDOW)
            worker.close()
        recordings.save(RECORDINGS / f"{condition}-{name}.npz", measured)
    return 0


def _synthetic() -> list[str]:
    return [name for name, workload in WORKLOADS.items() if workload.config is None]


def main() -> int:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=RESULTS, help="where builds are kept (%(default)s)")
    commands = parser.add_subparsers(dest="command", required=True)
    of_replay = commands.add_parser("replay")
    of_replay.add_argument("--check", action="store_true", help=f"exit 1 when worse than {EXPECTED.name}")
    of_replay.add_argument("--accept", action="store_true", help=f"write {EXPECTED.name}")
    for command in ("live", "label", "record"):
        one = commands.add_parser(command)
        one.add_argument("workloads", nargs="*", default=list(WORKLOADS), metavar="WORKLOAD", choices=[*WORKLOADS, []])
        if command != "label":
            builds.add_options(one, builds.CONDITIONS if command == "live" else builds.CONDITIONS[:2])
        if command == "live":
            one.add_argument("--builds", type=int, default=100)
        if command == "record":
            one.add_argument("--rounds", type=int, default=64)
    commands.add_parser("report")
    given = parser.parse_args()
    if given.command == "replay":
        if given.accept:
            EXPECTED.write_text(json.dumps(replay_table(), indent=2) + "\n")
        return replay(given.check)
    if given.command == "live":
        return live(given.condition, given.workloads, given.builds, given.results, given.seconds_at_most)
    if given.command == "label":
        return label(given.workloads, given.results)
    if given.command == "record":
        return record_rounds(given.condition, given.workloads, given.rounds)
    return print_report(given.results)


if __name__ == "__main__":
    raise SystemExit(main())
