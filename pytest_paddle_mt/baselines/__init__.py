"""Stored baselines: what a test measured before, one file for each machine and test.

``figures`` makes a run of a sweep, ``rule`` compares it with the accepted ones, ``schema`` and ``store`` write and read
the files, ``digests`` finds what was edited in them, ``revisions`` compares them with another commit, and ``ledger``
decides what a session reads, accepts and prints. ``remote`` stands in for ``store`` where the files are at a URL. A
file contains the latest accepted runs and their ``anchor``, the mean of the first of them, so that many small drifts do
not add up unseen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_paddle_mt.addresses import Address

Fact = str | int | float | None  #: A fact about the machine or the setting, as in JSON.

WINDOW_RUNS = 30  #: A file keeps this many accepted runs, the latest.
ANCHOR_RUNS = 8  #: The anchor is the mean of this many accepted runs, the first, and fixed from then on.


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ForkFigures:
    """What one fresh process measured with one thread count."""

    fork: int  #: Its number, from 1.
    rounds: int  #: Rounds that it measured.
    qps: float  #: Throughput in queries per second, geometric mean over its rounds.
    p50_ns: float | None  #: Median latency in ns; None where there were too few queries.


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ProbeFigures:
    """Throughput of the probe, known work that is the same in every run: how fast the machine was."""

    work: str  #: Which work, and what compiled it; only figures of the same work are compared.
    qps: float  #: Throughput in queries per second, geometric mean over rounds.


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Figures:
    """What one run measured with one thread count."""

    threads: int
    rounds: int  #: Rounds that were measured.
    queries: int  #: Queries completed inside the windows.
    qps: float  #: Throughput in queries per second, geometric mean over rounds.
    efficiency: float | None  #: Scaling efficiency; None where no round could be used.
    #: Latency percentiles in ns; None where there were too few queries, or other work disturbed every round.
    p5_ns: float | None
    p50_ns: float | None
    p90_ns: float | None
    p99_ns: float | None
    #: The probe's, on as many threads, right after each window; None where it was not measured.
    probe: ProbeFigures | None
    #: Peak resident memory (VmHWM) after the first window with this thread count, in bytes; None if unknown.
    peak_rss_bytes: int | None
    forks: tuple[ForkFigures, ...]  #: One entry for each fresh process; empty where this process measured.


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Run:
    """One accepted run: one pytest session in which the test passed."""

    date: str  #: When it was accepted, in UTC: ``2026-01-31T12:00:00Z``.
    commit: str | None  #: The commit of the user's own code; None if unknown.
    #: Versions by name, of this plugin, Paddle and Python; None where not installed.
    versions: Mapping[str, str | None]
    points: tuple[Figures, ...]  #: One entry for each thread count, ascending.
    digest: str | None = None  #: ``digests.of_run`` when it was accepted; None in files of earlier versions.


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class AnchorFigures:
    """Means of the first accepted runs with one thread count.

    A figure that one of those runs lacks is None until ``ANCHOR_RUNS`` runs have it; then it is the mean of those.
    """

    threads: int
    qps: float
    efficiency: float | None
    p5_ns: float | None
    p50_ns: float | None
    p99_ns: float | None
    probe: ProbeFigures | None  #: None also where those runs had different ones, or a figure was added later.


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Anchor:
    """Geometric means of the first accepted runs of a series."""

    runs: int  #: How many runs it is the mean of, at most ``ANCHOR_RUNS``.
    #: Ascending; one entry for each thread count that all of them have, or that ``ANCHOR_RUNS`` runs have by now.
    points: tuple[AnchorFigures, ...]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Series:
    """Accepted runs that are compared with each other."""

    #: What must be the same for a run to be compared: device, batch size, pool method, math threads ...
    setting: Mapping[str, Fact]
    anchor: Anchor
    #: The latest accepted runs, at least one and at most ``WINDOW_RUNS``, oldest first.
    runs: tuple[Run, ...]
    digest: str | None = None  #: ``digests.of_series`` when it was written; None in files of earlier versions.


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Baseline:
    """What is stored for one test and engine on one machine."""

    test: str  #: Node id of the test, without the engine.
    engine: str
    machine: Mapping[str, Fact]  #: Facts about the machine, see ``environment.machine_facts``.
    series: Series
    before: Series | None  #: The series that ``series`` replaced; None where that is the first.


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Stored:
    """What is stored for a test that is measured now, and how it may be used."""

    baseline: Baseline | None  #: None where nothing is stored for this machine.
    path: Path | Address  #: Its file, or its folder in a remote store, which may not exist yet.
    #: Why this run cannot be compared with what is stored, human-readable; None where it can, or nothing is stored.
    objection: str | None
    accepting: bool  #: Whether this run is to be accepted whatever its figures, so that drift does not gate.
    edited: str | None = None  #: What somebody has changed in the file, human-readable; None where its digests fit.
