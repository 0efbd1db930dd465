"""Stored baselines: what a test measured before, one file for each machine and test.

``figures`` makes a run of a sweep, ``rule`` compares it with those that were accepted, ``schema`` and ``store`` keep
them. A file holds a rolling window of accepted runs and an anchor, the mean of the first of them, so that many small
drifts do not add up unseen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: A fact as JSON has it.
Fact = str | int | float | None

#: Accepted runs that a file keeps, the latest ones.
WINDOW_RUNS = 30
#: The anchor is the mean of so many first accepted runs, and fixed from then on.
ANCHOR_RUNS = 8


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ForkFigures:
    """What one fresh process measured with one thread count."""

    #: Which one, from 1.
    fork: int
    #: Rounds that it measured.
    rounds: int
    #: Throughput in queries per second, geometric mean over its rounds.
    qps: float
    #: Median latency in ns; None where its queries do not support it.
    p50_ns: float | None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ProbeFigures:
    """What the probe reached, known work that is the same in every run: how fast the machine was."""

    #: Which work, built by what; only figures of the same are held against each other.
    work: str
    #: Throughput in queries per second, geometric mean over rounds.
    qps: float


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Figures:
    """What one run measured with one thread count."""

    threads: int
    #: Rounds that were measured.
    rounds: int
    #: Completed queries inside the windows.
    queries: int
    #: Throughput in queries per second, geometric mean over rounds.
    qps: float
    #: Scaling efficiency; None when no round could be used.
    efficiency: float | None
    #: Latency percentiles in ns: None when the sample cannot support them, or other work disturbed every round.
    p5_ns: float | None
    p50_ns: float | None
    p90_ns: float | None
    p99_ns: float | None
    #: Of the probe, with as many threads right after each window; None where there was none.
    probe: ProbeFigures | None
    #: The most memory that a process had had when this thread count was first measured, in bytes; None where unknown.
    peak_rss_bytes: int | None
    #: One entry for each fresh process; none where this process measured.
    forks: tuple[ForkFigures, ...]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Run:
    """One accepted run: one pytest session in which the test passed."""

    #: When, in UTC: ``2026-01-31T12:00:00Z``.
    date: str
    #: Of the user's own code; None where nobody says.
    commit: str | None
    #: Versions by name: of this plugin, of Paddle, of Python. None: not installed.
    versions: Mapping[str, str | None]
    #: One entry for each thread count, ascending.
    points: tuple[Figures, ...]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class AnchorFigures:
    """Means of the first accepted runs with one thread count.

    A figure that one of those runs lacks is None until ``ANCHOR_RUNS`` runs have it; then it is the mean of the first
    of these.
    """

    threads: int
    qps: float
    efficiency: float | None
    p5_ns: float | None
    p50_ns: float | None
    p99_ns: float | None
    #: None where those runs had different ones, too.
    probe: ProbeFigures | None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Anchor:
    """Geometric means of the first accepted runs of a series."""

    #: How many, at most ``ANCHOR_RUNS``.
    runs: int
    #: One entry for each thread count that all of them have, or that ``ANCHOR_RUNS`` runs have by now, ascending.
    points: tuple[AnchorFigures, ...]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Series:
    """Accepted runs that belong together."""

    #: What must be the same for a run to be compared: device, batch size, pool method, math threads ...
    setting: Mapping[str, Fact]
    anchor: Anchor
    #: The latest accepted runs, at least one and at most ``WINDOW_RUNS``, oldest first.
    runs: tuple[Run, ...]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Baseline:
    """What is stored for one test and engine on one machine."""

    #: Node id of the test, without the engine.
    test: str
    engine: str
    #: Facts about the machine, see ``environment.machine_facts``.
    machine: Mapping[str, Fact]
    series: Series
    #: The series that this one replaced; None when it is the first.
    before: Series | None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Stored:
    """What is stored for a test that is measured now, and what may be done with it."""

    #: None: nothing on this machine.
    baseline: Baseline | None
    #: Its file, whether it is there or not.
    path: Path
    #: Why this run cannot be compared with what is stored, for people; None when it can, or nothing is stored.
    objection: str | None
    #: Whether this run is meant to be accepted as it is, so that drift does not gate.
    accepting: bool


#: For people, by the name in ``Series.setting`` and ``Baseline.machine``.
FACT_NAMES: Mapping[str, str] = {
    "batch_size": "batch size",
    "pool": "pool method",
    "math_threads": "math threads",
    "onednn": "oneDNN",
    "idle_math_threads": "idle math threads",
    "math_libraries": "math libraries",
    "cpu_model": "CPU",
    "instruction_set": "instruction set",
    "usable_cores": "usable cores",
    "quota_cores": "CPU quota",
    "smt": "SMT",
    "gpu_model": "GPU",
    "gpu_driver": "GPU driver",
    "cuda": "CUDA",
    "cudnn": "cuDNN",
}


def differences(stored: Mapping[str, Fact], now: Mapping[str, Fact]) -> list[str]:
    """``batch size 1 there and 8 here`` for every fact that differs."""
    return [
        f"{FACT_NAMES.get(name, name)} {_shown(name, stored)} there and {_shown(name, now)} here"
        for name in dict.fromkeys((*stored, *now))
        if stored.get(name) != now.get(name)
    ]


def _shown(name: str, facts: Mapping[str, Fact]) -> str:
    fact = facts.get(name)
    if fact is None:
        return "as they choose" if name == "math_libraries" else "unknown"
    return str(fact)
