"""Measures in this process by a direct call."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from pytest_paddle_mt.machine.noise import NoiseSensor

if TYPE_CHECKING:
    from pytest_paddle_mt.engines import EngineSession
    from pytest_paddle_mt.records import Window, WindowPlan


class InProcessWorker:
    """An engine session of this process as a ``Worker``."""

    fork = 0

    def __init__(self, session: EngineSession) -> None:
        self._session = session

    def prepare(self, threads: int) -> None:
        """Make everything that windows of up to ``threads`` threads need."""
        self._session.prepare(threads)

    def measure(self, threads: int, plan: WindowPlan) -> Window:
        """Measure one window, and what the rest of the machine did meanwhile."""
        sensor = NoiseSensor()
        window = self._session.measure(threads, plan)
        return dataclasses.replace(window, noise=sensor.read())

    def close(self) -> None:
        """Stop every thread."""
        self._session.close()
