"""Whether rounds of two threads on one core are told apart, where other machines use the cores and where none does.

    python benchmarks/verdict/shared_cores.py
    python benchmarks/verdict/shared_cores.py record NAME [--work mobilenet] [--rounds 96] [--condition neighbour]

Without a command, two tables. The first has a row for each recording with probes. *alone slow*: windows of one thread
in which the probe had less than 0.7 of its speed, as it has where another machine uses the same core. *one round at a
time*: the rule of before, by which a round was set aside when a thread of its probe was slower than 0.7 of one thread
in that round. *today*: by what one thread alone shows in all rounds. Both with the efficiency of the rounds that were
set aside and of the others: where it is the same, they were set aside for nothing. *told*: of every tenth round, put on
one core (``injected.py``), those that today's rule sets aside, the others being as recorded.

The second table has the verdicts of replayed sweeps, with rounds as they were and with some of them put on one core:
where no round is set aside for that, by the rule of before, and by today's. ``record`` wants the machine to itself.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import statistics
import sys
import tempfile
import unittest.mock
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bench_report
import builds
import injected
import internals
import numpy as np
import operating_characteristics
import recordings
from internals import selection
from workloads import WORKLOADS, mobilenet_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from internals import Round, Window

THREADS = 2
CPU = internals.Cpu(usable_cores=THREADS, math_threads=1)


def one_at_a_time(one: Round) -> bool:
    """The rule of before: a thread of the probe was slower than it is alone in the same round."""
    alone, together = (
        [speed for visit in one.at(n) if visit.probe is not None for speed in speeds(visit.probe)] for n in (1, THREADS)
    )
    return min(together) < selection.MIN_CORE_SPEED * max(alone)


def speeds(probe: Window) -> list[float]:
    """Throughput of each thread for the time in which it had a core at all."""
    return [thread.qps / (1 - (thread.run_delay_ns or 0) / thread.wall_ns) for thread in probe.per_thread]


def told_one_at_a_time(rounds: Sequence[Round], threads: int, _: Any) -> list[Round]:
    """``one_at_a_time`` of many rounds."""
    return [one for one in rounds if one_at_a_time(one)] if threads == THREADS else []


RULES = {
    "no rule": lambda *_: [],
    "one round at a time": told_one_at_a_time,
    "today": selection.on_shared_cores,
}


def verdicts(directory: Path) -> Iterator[list[str]]:
    """A row for each recording and each share of rounds on one core."""
    for path in sorted(directory.glob("*.npz")):
        recorded = recordings.load(path)
        for text, every in operating_characteristics.ON_ONE_CORE.items():
            rounds = injected.some_on_one_core(recorded, every) if every else recorded
            yield [path.stem, text, *(_ended(rounds, name) for name in RULES)]


def _ended(rounds: Sequence[Round], rule: str) -> str:
    with unittest.mock.patch.object(selection, "on_shared_cores", RULES[rule]):  # which the shipped procedure asks
        ended = operating_characteristics.replays(rounds, operating_characteristics.Rule())
    counts = (sum(one.status == status for one in ended) for status in operating_characteristics.STATUSES)
    return f"{', '.join(map(str, counts))}; {statistics.median(one.rounds for one in ended):.0f}"


def rows(directory: Path) -> Iterator[list[str]]:
    """One for each recording."""
    for path in sorted(directory.glob("*.npz")):
        rounds = recordings.load(path)
        alone = [speed for one in rounds for visit in one.at(1) if visit.probe for speed in speeds(visit.probe)]
        slow = float(np.mean(np.array(alone) < selection.MIN_CORE_SPEED * np.quantile(alone, 0.9)))
        injected_at = range(0, len(rounds), 10)
        mixed = [injected.on_one_core(one) if at in injected_at else one for at, one in enumerate(rounds)]
        found = selection.on_shared_cores(mixed, THREADS, CPU)
        told = sum(any(mixed[at] is one for one in found) for at in injected_at)
        yield [
            *(path.stem, str(len(rounds)), f"{slow:.0%}"),
            split(rounds, [one for one in rounds if one_at_a_time(one)]),
            split(rounds, selection.on_shared_cores(rounds, THREADS, CPU)),
            f"{told} of {len(injected_at)}",
        ]


def split(rounds: Sequence[Round], aside: Sequence[Round]) -> str:
    """How many rounds were set aside, and the efficiency of these and of the others."""
    kept = [one for one in rounds if not any(one is other for other in aside)]
    return f"{len(aside)}: {_efficiency(aside)}, {_efficiency(kept)}"


def _efficiency(rounds: Sequence[Round]) -> str:
    values = internals.scaling.efficiency_series(
        rounds, THREADS, lambda visit: internals.validity.qps(visit.window, CPU)
    )
    return f"{math.exp(float(values.mean())):.2f}" if len(values) else "-"


def record(path: Path, work: str, rounds: int, condition: str) -> None:
    """Record rounds with a probe and a control after every window."""
    with contextlib.ExitStack() as stack:
        worker = stack.enter_context(contextlib.closing(_worker(work, stack)))
        probe = stack.enter_context(internals.probing(THREADS))
        stack.enter_context(builds.under(condition))
        measured = internals.rounds_with_control(worker, THREADS, rounds, internals.WINDOW, probe)
    path.parent.mkdir(exist_ok=True)
    recordings.save(path, measured)


def _worker(work: str, stack: contextlib.ExitStack) -> Any:
    if work != "mobilenet":
        return internals.synthetic_worker(WORKLOADS[work].work, THREADS, seed=1)
    directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    image = np.random.default_rng(0).random((1, 3, 224, 224), dtype=np.float32)
    return internals.model_worker(mobilenet_json(directory), {"x": image}, THREADS)


def main() -> int:
    """Do what the command line asks for; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recordings", type=Path, default=operating_characteristics.PROBED, help="(%(default)s)")
    commands = parser.add_subparsers(dest="command")
    of_record = commands.add_parser("record")
    of_record.add_argument("name", help="of the recording, without .npz")
    of_record.add_argument("--work", choices=("mobilenet", "even"), default="mobilenet")
    of_record.add_argument("--rounds", type=int, default=96)
    of_record.add_argument("--condition", choices=builds.CONDITIONS[:2], default=builds.CONDITIONS[0])
    given = parser.parse_args()
    if given.command == "record":
        record(given.recordings / f"{given.name}.npz", given.work, given.rounds, given.condition)
    head = ["recording", "rounds", "alone slow", "set aside one round at a time: E, E of the others", "today", "told"]
    bench_report.print_table(head, rows(given.recordings))
    print()
    bench_report.print_table(
        ["failed, passed, undecided; median rounds", "on one core", *RULES], verdicts(given.recordings)
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
