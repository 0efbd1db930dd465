"""The synthetic engine: known work instead of a predictor. For self-tests, as a control, and to measure the harness."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from pytest_paddle_mt import _native
from pytest_paddle_mt.engines import MAX_STORED_QUERIES, PROBE_REVISION, PROBE_WORK, SyntheticWork
from pytest_paddle_mt.engines.closed_loop import LoopSession
from pytest_paddle_mt.errors import UsageError

if TYPE_CHECKING:
    from pytest_paddle_mt.engines import Workload

#: Without work of the user's own: a millisecond of arithmetic, which scales as far as the machine does.
DEFAULT_WORK = SyntheticWork(spin_ns=1e6)


def probe_name() -> str:
    """What ``PROBE_WORK`` is here: compilers may make faster or slower steps of the same source."""
    return f"{PROBE_WORK.steps} saturating steps, revision {PROBE_REVISION}, compiler {_native.COMPILER}"


class SyntheticEngine:
    """Serves ``SyntheticWork``; see ``Engine``."""

    name = "synthetic"
    needs_pool = False
    takes_query = False

    def open(self, workload: Workload) -> SyntheticSession:
        """Start work."""
        return SyntheticSession(workload.synthetic or DEFAULT_WORK, workload.seed)


class SyntheticSession(LoopSession):
    """The synthetic engine at work."""

    def __init__(self, work: SyntheticWork, seed: int, max_stored: int = MAX_STORED_QUERIES) -> None:
        super().__init__(max_stored)
        _check(work)
        self._native_work = _native_work(work, seed)

    def targets(self, threads: int) -> list[_native.Target]:
        """Targets of this work."""
        return _native.synthetic_targets(threads, self._native_work)


def _native_work(work: SyntheticWork, seed: int) -> _native.SyntheticWork:
    native = _native.SyntheticWork()
    for field in dataclasses.fields(work):
        setattr(native, field.name, getattr(work, field.name))  # an AttributeError where it has no such field
    native.seed = seed
    return native


def _check(work: SyntheticWork) -> None:
    if not 0 <= work.spin_ns < 1e12:
        raise UsageError(f"SyntheticWork(spin_ns={work.spin_ns}) is out of range; give 0 to 1e12 ns")
    if not 0 <= work.steps < 1e12:
        raise UsageError(f"SyntheticWork(steps={work.steps}) is out of range; give 0 to 1e12")
    if work.steps and work.spin_ns:
        raise UsageError(f"{work} has its arithmetic twice, as spin_ns and as steps; give one of them")
    if not 0 <= work.locked_fraction <= 1:
        raise UsageError(f"SyntheticWork(locked_fraction={work.locked_fraction}) is no fraction; give 0 to 1")
    if not 0 <= work.growth < 1e6:
        raise UsageError(f"SyntheticWork(growth={work.growth}) is out of range; give 0 to 1e6")
    if not 0 <= work.slow_thread < 1e6:
        raise UsageError(f"SyntheticWork(slow_thread={work.slow_thread}) is out of range; give 0 to 1e6")
    if work.stream_bytes < 0 or work.fault_bytes < 0 or work.fail_at < 0 or work.crash_at < 0:
        raise UsageError(f"{work} has a negative amount of work; give 0 or more")
