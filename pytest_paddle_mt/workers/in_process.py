"""Measures in this process by a direct call, and reports a crash of it."""

from __future__ import annotations

import contextlib
import dataclasses
import faulthandler
import functools
import os
import sys
from typing import TYPE_CHECKING

from pytest_paddle_mt import _native
from pytest_paddle_mt.units import counted, printable
from pytest_paddle_mt.workers import stacks

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from pytest_paddle_mt.engines import EngineSession
    from pytest_paddle_mt.machine.gpu import GpuSensor
    from pytest_paddle_mt.records import Window, WindowPlan


class InProcessWorker:
    """An engine session of this process as a ``Worker``."""

    fork = 0

    def __init__(self, session: EngineSession, sensor: GpuSensor | None = None) -> None:
        self._session = session
        self._sensor = sensor

    def prepare(self, threads: int) -> None:
        """Make everything that windows of up to ``threads`` threads need."""
        with _noted("prepared", threads):
            self._session.prepare(threads)

    def measure(self, threads: int, plan: WindowPlan) -> Window:
        """Measure one window, and what the GPU does meanwhile where there is a sensor."""
        with _noted("measured", threads):
            if self._sensor is None:
                return self._session.measure(threads, plan)
            with self._sensor as sensor:
                window = self._session.measure(threads, plan)
        return dataclasses.replace(window, gpu=sensor.load(window.opened_ns, window.open_ns))

    def close(self) -> None:
        """Stop every thread."""
        self._session.close()


def report_crashes(config: pytest.Config) -> None:
    """Let a crash of this process print its signal, the test, and of the stacks what is the user's; once.

    Python's faulthandler writes the stacks of all threads into memory, and the native module has them shortened before
    it passes the signal on. Importing Paddle took the signals over; what it prints then goes to the captured standard
    error, which ends with the process. Does nothing where pytest's faulthandler is off (``-p no:faulthandler``).
    """
    plugin = config.pluginmanager.get_plugin("faulthandler")
    key = getattr(plugin, "fault_handler_stderr_fd_key", None)  # pytest has no public name for that file
    out = None if key is None else config.stash.get(key, None)
    if out is not None:
        faulthandler.disable()
        _native.report_crashes(_dump(), out, [sys.executable, "-I", "-S", stacks.__file__])
        faulthandler.enable(file=_dump())


@functools.cache
def _dump() -> int:
    """A file in memory, for the stacks of a crash."""
    return os.memfd_create("paddle-mt-stacks")


@contextlib.contextmanager
def _noted(doing: str, threads: int) -> Iterator[None]:
    """Let the report of a crash say which test it was, and what that did."""
    test = os.environ.get("PYTEST_CURRENT_TEST", "a test").rsplit(" (", 1)[0]
    _native.note_for_crashes(
        printable(f"paddle-mt: {test} crashed while it {doing} {counted(threads, 'thread')}")
        + "\n--paddle-forks=1 measures in another process, whose crash ends this test alone.\n"
    )
    try:
        yield
    finally:
        _native.note_for_crashes("")
