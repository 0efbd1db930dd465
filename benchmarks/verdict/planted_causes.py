"""Counts how often the likely cause of a sweep is the one that was planted.

python benchmarks/verdict/planted_causes.py [--runs=N] [--recorded | NAME ...]

First the recordings of ``recordings/`` are asked, eight rounds at a time. Nobody can measure a thread of those again
beside other work, so what reads memory has to stay unknown there. Then each live run measures its own rounds of one and
two threads and asks for the cause as a sweep does. A run in which nothing was lost asks for none. "Contended machine"
is right where neighbours were planted, and is counted by itself elsewhere: other work may have been there.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bench_report
import internals
import neighbour
import numpy as np
import recordings
import workloads
from internals import SyntheticWork, WindowPlan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PLAN = WindowPlan(window_s=0.15, min_queries=0, expected_queries=5, warmup_s=0.03, warmup_queries=2)
_ROUNDS = 8
_NEIGHBOUR_S = 600.0
_RECORDINGS = Path(__file__).parent / "recordings"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Planted:
    """A workload whose cause is known."""

    text: str  #: Human-readable.
    cause: str  #: Its kind; ``none`` where it scales.
    work: SyntheticWork | None = None  #: None: a real model.
    config: Callable[[Path], Any] | None = None
    inputs: dict[str, Any] = field(default_factory=dict)
    engine: str = "native"
    math_threads: int = 1
    neighbours: int = 0


def _synthetic(cause: str, text: str, **work: Any) -> Planted:
    return Planted(text=text, cause=cause, work=SyntheticWork(**work))


def _model(cause: str, name: str, inputs: dict[str, Any], **more: Any) -> Planted:
    served = workloads.WORKLOADS[name]
    known = {"config": served.config, "engine": served.engine, "math_threads": served.math_threads}
    return Planted(text=served.text, cause=cause, inputs=inputs, **{**known, **more})


def _ones(*shape: int) -> dict[str, Any]:
    return {"x": np.ones(shape, dtype=np.float32)}


#: Recordings and their cause; ``none`` where they scale.
RECORDED = {
    "quiet-even": "none",
    "neighbour-even": "contended_machine",
    "quiet-lock_50": "lock",
    "neighbour-lock_50": "lock",
    "quiet-grows_80": "unknown",
    "neighbour-grows_80": "unknown",
    "quiet-mlp_json": "helper_threads",
}
_ANSWERS = ("right", "unknown", "contended", "nothing lost", "wrong")

PLANTED = {
    "lock": _synthetic("lock", "0.8 of a millisecond under one lock", spin_ns=1e6, locked_fraction=0.8),
    "short_lock": _synthetic("lock", "0.9 of 20 us under one lock", spin_ns=2e4, locked_fraction=0.9),
    "stream": _synthetic("memory_bandwidth", "reads 32 MB of its own memory", stream_bytes=32 << 20),
    "linear_4096": Planted(
        text="a real model: four 4096 x 4096 linear layers, batch 1",
        cause="memory_bandwidth",
        config=workloads.linear_4096,
        inputs=_ones(1, 4096),
    ),
    "page_faults": _synthetic("page_faults", "maps, touches and gives back 8 MB", fault_bytes=8 << 20),
    "slow_thread": _synthetic("slow_thread", "thread 1 works twice as long", spin_ns=1e6, slow_thread=1.0),
    "one_core": _synthetic("shared_core", "all threads bound to one CPU", spin_ns=1e6, one_core=True),
    "math_threads": _model("math_threads", "oversubscribed", _ones(64, 1024)),
    "gil": _model("gil", "gil", _ones(1, 3, 224, 224)),
    "grows": _synthetic("unknown", "each thread makes a query half as long again", spin_ns=1e6, growth=0.5),
    "neighbours": Planted(
        text="scales, beside two busy processes",
        cause="contended_machine",
        work=SyntheticWork(spin_ns=1e6),
        neighbours=2,
    ),
    "even": _synthetic("none", "scales", spin_ns=1e6),
}


@contextlib.contextmanager
def _opened(planted: Planted, directory: Path) -> Iterator[tuple[Any, dict[str, Any]]]:
    """A worker, and what is known of what it serves."""
    facts: dict[str, Any] = {}
    if planted.work is not None:
        worker = internals.synthetic_worker(planted.work, 2)
    else:
        assert planted.config is not None, "it is a real model"
        facts = {"engine": planted.engine, "gil": internals.gil_state(planted.config(directory), planted.inputs)}
        worker = internals.model_worker(planted.config(directory), planted.inputs, 2, planted.engine)
    with contextlib.closing(worker):
        yield worker, facts


def _found(planted: Planted, runs: int) -> Iterator[Any]:
    """The cause that each run finds."""
    with tempfile.TemporaryDirectory() as directory, _opened(planted, Path(directory)) as (worker, facts):
        for run in range(runs):
            with neighbour.beside(run, _NEIGHBOUR_S, planted.neighbours):
                yield internals.likely_cause(worker, facts, planted.math_threads, _PLAN, _ROUNDS)


def came_of_it(planted: str, found: str | None) -> str:
    """How the answer of a run is counted."""
    if (found or "none") == planted:
        return "right"
    return {None: "nothing lost", "unknown": "unknown", "contended_machine": "contended"}.get(found, "wrong")


def recorded_answers(name: str) -> collections.Counter[str]:
    """What comes of the sweeps of a recording."""
    rounds = recordings.load(_RECORDINGS / f"{name}.npz")
    found = [internals.recorded_cause(rounds[at : at + _ROUNDS]) for at in range(0, len(rounds) - _ROUNDS + 1, _ROUNDS)]
    return collections.Counter(came_of_it(RECORDED[name], None if one is None else one.kind) for one in found)


def _print_recorded() -> None:
    rows = []
    for name, cause in RECORDED.items():
        counts = recorded_answers(name)
        rows.append([name, cause, *(str(counts[one]) for one in _ANSWERS)])
    bench_report.print_table(["recording", "cause", *_ANSWERS], rows)


def main() -> None:
    """Plant every cause and count the answers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--recorded", action="store_true", help="ask the recordings alone")
    parser.add_argument("names", nargs="*", choices=[[], *PLANTED], metavar="NAME")
    options = parser.parse_args()
    if not options.names:
        _print_recorded()
    if options.recorded:
        return
    rows = []
    for name in options.names or PLANTED:
        planted = PLANTED[name]
        counts: collections.Counter[str] = collections.Counter()
        for cause in _found(planted, options.runs):
            counts[came_of_it(planted.cause, None if cause is None else cause.kind)] += 1
            print(f"{name}: {'nothing lost' if cause is None else cause.line}", flush=True)
        rows.append([name, planted.text, planted.cause, *(str(counts[one]) for one in _ANSWERS)])
    print(f"\n{bench_report.machine()}; {options.runs} runs each\n")
    bench_report.print_table(["planted", "what it does", "cause", *_ANSWERS], rows)


if __name__ == "__main__":
    main()
