"""Whether rounds of two threads on one core are recognised, where other machines use the cores and where none does.

    python benchmarks/verdict/shared_cores.py
    python benchmarks/verdict/shared_cores.py record NAME [--work mobilenet_json] [--rounds 96] [--condition neighbour]

Without a command, two tables. The first has a row for each recording with probes:

- *slow alone*: windows of one thread in which the probe had less than 0.7 of its speed, as it has where another virtual
  machine uses the same core;
- *first rule*: how many rounds were set aside when each was looked at by itself, which took a thread of its probe that
  was slower than 0.7 of one thread in that round; and the efficiency of these rounds and of the others;
- *today*: the same by the rule that ships;
- *recognised*: of every tenth round, put on one core (``injected.py``), those that today's rule sets aside.

The second table has the verdicts of replayed sweeps, with rounds as they were and with some of them put on one core:
where no round is set aside for that, by the first rule, and by today's. ``record`` wants the machine to itself.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
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

    from internals import Round

THREADS = injected.THREADS
CPU = internals.Cpu(usable_cores=THREADS, math_threads=1)


def one_at_a_time(rounds: Sequence[Round], threads: int, cpu: internals.Cpu) -> list[Round]:
    """The first rule: the rounds with a thread of the probe that was slower than one is alone in the same round."""

    def slower(one: Round) -> bool:
        alone, together = (list(itertools.chain(*selection.probe_speeds(one, n, cpu))) for n in (1, threads))
        return bool(alone and together) and min(together) < selection.MIN_CORE_SPEED * max(alone)

    return [one for one in rounds if slower(one)] if threads == THREADS else []


RULES = {
    "no rule": lambda *_: [],
    "first rule": one_at_a_time,
    "today": selection.on_shared_cores,
}


def verdicts(directory: Path) -> Iterator[list[str]]:
    """A row for each recording and each share of rounds on one core."""
    for path in sorted(directory.glob("*.npz")):
        for text, rounds in injected.mixtures(recordings.load(path)):
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
        alone = [speed for one in rounds for speeds in selection.probe_speeds(one, 1, CPU) for speed in speeds]
        slow_below = selection.MIN_CORE_SPEED * np.quantile(alone, selection.UNDISTURBED_QUANTILE)
        mixed = injected.some_on_one_core(rounds, 10)
        found = set(selection.on_shared_cores(mixed, THREADS, CPU))
        yield [
            *(path.stem, str(len(rounds)), f"{np.mean(np.array(alone) < slow_below):.0%}"),
            *(cell for rule in ("first rule", "today") for cell in _split(rounds, RULES[rule](rounds, THREADS, CPU))),
            f"{len(found.intersection(mixed[::10]))} of {len(mixed[::10])}",
        ]


def _split(rounds: Sequence[Round], aside: Sequence[Round]) -> tuple[str, str]:
    """How many rounds were set aside, and the efficiency of these and of the others."""
    kept = [one for one in rounds if one not in set(aside)]
    return str(len(aside)), f"{_efficiency(aside)}, {_efficiency(kept)}"


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
    if work != "mobilenet_json":
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
    of_record.add_argument("--work", choices=("mobilenet_json", "even"), default="mobilenet_json")
    of_record.add_argument("--rounds", type=int, default=96)
    of_record.add_argument("--condition", choices=builds.CONDITIONS[:2], default=builds.CONDITIONS[0])
    given = parser.parse_args()
    if given.command == "record":
        record(given.recordings / f"{given.name}.npz", given.work, given.rounds, given.condition)
        return 0
    rules = ("first rule", "E: aside, kept", "today", "E: aside, kept")
    bench_report.print_table(["recording", "rounds", "slow alone", *rules, "recognised"], rows(given.recordings))
    print()
    bench_report.print_table(
        ["failed, passed, undecided; median rounds", "on one core", *RULES], verdicts(given.recordings)
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
