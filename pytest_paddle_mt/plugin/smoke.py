"""Finds out whether this session can measure at all, or can only run the tests as smoke tests."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def smoke_reason(config: pytest.Config) -> str | None:
    """Why nothing can be measured in this session; None when it can."""
    if "PYTEST_XDIST_WORKER" in os.environ or hasattr(config, "workerinput"):
        return "pytest-xdist runs tests side by side"
    if config.getoption("dist", "no") != "no" and config.getoption("tx", None):
        return "pytest-xdist runs tests side by side"
    # Before --benchmark-disable, which pytest-codspeed sets as well.
    if config.getoption("codspeed", False) or (
        "CODSPEED_ENV" in os.environ and config.pluginmanager.hasplugin("codspeed")
    ):
        return "pytest-codspeed measures instead"
    if config.getoption("benchmark_disable", False) and not config.getoption("benchmark_enable", False):
        return "--benchmark-disable"
    return None
