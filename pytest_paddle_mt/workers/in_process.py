"""Measures in this process by a direct call."""

from __future__ import annotations

import dataclasses
import faulthandler
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
        self._session.prepare(threads)

    def measure(self, threads: int, plan: WindowPlan) -> Window:
        """Measure one window, and what the GPU does meanwhile where there is a sensor."""
        if self._sensor is None:
            return self._session.measure(threads, plan)
        with self._sensor as sensor:
            window = self._session.measure(threads, plan)
        return dataclasses.replace(window, gpu=sensor.load(window.opened_ns, window.open_ns))

    def close(self) -> None:
        """Stop every thread."""
        self._session.close()


def take_crash_signals_back(config: pytest.Config) -> None:
    """Let pytest's faulthandler print the stacks of a crash again: importing Paddle took the signals over.

    What Paddle prints in its place goes to the captured standard error, which ends with the process. Does nothing where
    faulthandler is off (``-p no:faulthandler``), or before Paddle was imported.
    """
    plugin = config.pluginmanager.get_plugin("faulthandler")
    key = getattr(plugin, "fault_handler_stderr_fd_key", None)  # pytest has no public name for that file
    file = None if key is None else config.stash.get(key, None)
    if file is not None and "paddle" in sys.modules:
        faulthandler.disable()
        faulthandler.enable(file=file)
