"""Hooks that let other plugins extend this one. Its own engines, checks and reporters are registered by them, too."""

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
    """Checks to add; all of them judge every sweep and, in a comparison, the side that is judged."""


@pytest.hookspec
def pytest_paddle_mt_reporters(config: pytest.Config) -> Sequence[Reporter]:  # type: ignore[empty-body]
    """Reporters to add; all of them get every sweep."""


@pytest.hookspec
def pytest_paddle_mt_sweep_finished(sweep: Sweep, measured: Measured, config: pytest.Config) -> None:
    """Called after a sweep was measured, judged and reported, and before it can fail its test."""
