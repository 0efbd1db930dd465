"""The settings of one test: what was asked for by options, ini file, environment and marker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_paddle_mt.addresses import Address
    from pytest_paddle_mt.records import Limits, PoolMethod, WindowPlan

BaselineUpdate = Literal["none", "new", "all"]  #: Whose baselines are updated.

XdistMode = Literal["serial", "cores", "devices"]  #: What a worker of pytest-xdist measures with.


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Xdist:
    """How workers of pytest-xdist measure."""

    mode: XdistMode
    gpus: tuple[int, ...]  #: Of ``devices``: the GPUs to share out, by their numbers; none: all that are visible.


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Settings:
    """What was asked for, complete and checked."""

    #: Thread counts, ascending, 1 among them; None: not asked, so up to the usable cores.
    thread_counts: tuple[int, ...] | None
    threads_note: str | None  #: Says that 1 was added to the thread counts; None when it was not.
    engines: tuple[str, ...]  #: Names of the engines, in the order given, none twice.
    window: WindowPlan
    #: Queries of each thread that warm up the first window of a worker with so many threads, at least.
    first_warmup_queries: int
    rounds_min: int  #: Fewest rounds of a sweep.
    rounds_max: int  #: Most rounds of a sweep.
    seed: int | None  #: Seed of the order of the windows; None: draw one.
    forks: int  #: Fresh processes that measure in turn; 0: this process does.
    budget_s: float  #: Wall time that one sweep may take, in seconds.
    budget_two_sides_s: float  #: Wall time that one comparison of two sides may take, in seconds.
    batch_sizes: tuple[int, ...]  #: Batch sizes, in the order given, none twice; the test runs once with each.
    batch_size: int  #: First dimension of inputs made from the model's own specification: the one of this test.
    pin: tuple[int, ...]  #: CPUs that the threads are placed on, ascending; none: the scheduler places them.
    device: str  #: ``cpu``, or ``gpu:`` and the number of the GPU.
    streams: str  #: ``own``: each predictor of ``paddle_config`` has a CUDA stream; ``shared``: all have one.
    limits: Limits
    #: The limits of a comparison of two sides, whose two sides see the same machine.
    limits_two_sides: Limits
    pool: PoolMethod  #: How the predictors of ``paddle_config`` are made.
    allow_nonfinite: bool  #: Whether the model may answer NaN or infinity to finite input.
    #: How many answers given under load are compared with those given before, of each side and at least; 0: as many as
    #: the warm-up serves; None: none.
    answers: int | None
    strict: bool  #: Whether a test that was not gated fails.
    #: The other interpreter of a comparison, absolute, links not followed; None: no comparison.
    against: Path | None
    against_rootdir: Path | None  #: Rootdir of the other side, absolute; None: the same.
    json_path: Path | None  #: Where results for programs go, absolute; None: nowhere.
    html_path: Path | None  #: Where the report goes, absolute; None: nowhere.
    exports: tuple[tuple[str, Path], ...]  #: Formats for other services, each with its file, absolute.
    markdown_path: Path | None  #: Where Markdown for a pull request goes, absolute; None: nowhere.
    github: bool  #: Whether GitHub Actions is told, where this runs in it.
    baselines: Path | Address  #: Where baselines are stored, absolute.
    baseline_update: BaselineUpdate
    baseline_required: bool  #: Whether a test without a stored baseline fails.
    xdist: Xdist | None  #: How workers of pytest-xdist measure; None: they run smoke runs.
    #: Where each value that was given came from, as the user wrote it, by marker argument (``strict``, ``json`` too).
    sources: dict[str, str]
