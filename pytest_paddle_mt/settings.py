"""The settings of one test: what was asked for by options, ini file, environment and marker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_paddle_mt.records import Limits, PoolMethod, WindowPlan

#: Whose baselines are updated.
BaselineUpdate = Literal["none", "new", "all"]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Settings:
    """What was asked for, complete and checked."""

    #: Thread counts, ascending, 1 among them; None: not asked, so up to the usable cores.
    thread_counts: tuple[int, ...] | None
    #: Says that 1 was added to the thread counts; None when it was not.
    threads_note: str | None
    #: Names of the engines, in the order given, none twice.
    engines: tuple[str, ...]
    window: WindowPlan
    #: Fewest rounds of a sweep.
    rounds_min: int
    #: Most rounds of a sweep.
    rounds_max: int
    #: Seed of the order of the windows; None: draw one.
    seed: int | None
    #: Fresh processes that measure in turn; 0: this process does.
    forks: int
    #: Wall time that one sweep may take, in seconds.
    budget_s: float
    #: Wall time that one comparison of two sides may take, in seconds.
    budget_two_sides_s: float
    #: First dimension of inputs made from the model's own specification.
    batch_size: int
    #: ``cpu``, or ``gpu:`` and the number of the GPU.
    device: str
    limits: Limits
    #: The limits of a comparison of two sides, whose two sides see the same machine.
    limits_two_sides: Limits
    #: How the predictors of ``paddle_config`` are made.
    pool: PoolMethod
    #: Whether the model may answer NaN or infinity to finite input.
    allow_nonfinite: bool
    #: Whether a test that was not gated fails.
    strict: bool
    #: The other interpreter of a comparison, absolute, links not followed; None: no comparison.
    against: Path | None
    #: Rootdir of the other side, absolute; None: the same.
    against_rootdir: Path | None
    #: Where results for programs go, absolute; None: nowhere.
    json_path: Path | None
    #: Where baselines are stored, absolute.
    baselines: Path
    baseline_update: BaselineUpdate
    #: Whether a test without a stored baseline fails.
    baseline_required: bool
    #: Where each value that was given came from, as the user wrote it, by marker argument (``strict``, ``json`` too).
    sources: dict[str, str]
