"""Hooks by which other plugins extend this one. Its own engines, checks and reporters register through them too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_paddle_mt.checks import Check
    from pytest_paddle_mt.engines import Engine
    from pytest_paddle_mt.records import Measured, Sweep
    from pytest_paddle_mt.reporters import Reporter


@pytest.hookspec
def pytest_paddle_mt_engines() -> Sequence[Engine]:  # type: ignore[empty-body]
    """Engines to add; users choose them by name with ``--paddle-engine``."""


@pytest.hookspec
def pytest_paddle_mt_checks() -> Sequence[Check]:  # type: ignore[empty-body]
    """Checks to add; every sweep is judged by all of them."""


@pytest.hookspec
def pytest_paddle_mt_reporters(config: pytest.Config) -> Sequence[Reporter]:  # type: ignore[empty-body]
    """Reporters to add; every sweep is told to all of them."""


@pytest.hookspec
def pytest_paddle_mt_sweep_finished(sweep: Sweep, measured: Measured, config: pytest.Config) -> None:
    """A sweep was measured and judged; it has been reported, and has not failed its test yet."""
