"""Finds out whether this session can measure at all, or can only run the tests as smoke tests."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

    from pytest_paddle_mt.plugin.xdist import Worker

_SIDE_BY_SIDE = "pytest-xdist runs tests side by side; --paddle-xdist lets them measure"


def distributes(config: pytest.Config) -> bool:
    """Whether pytest-xdist has this process start workers, which run the tests."""
    return config.getoption("dist", "no") != "no" and bool(config.getoption("tx", None))


def smoke_reason(config: pytest.Config, worker: Worker | None = None) -> str | None:
    """Why nothing can be measured in this session; None when it can.

    ``worker`` knows the share of a worker of pytest-xdist that was given one.
    """
    if worker is not None and worker.share.missing is not None:
        return worker.share.missing
    if worker is None and ("PYTEST_XDIST_WORKER" in os.environ or hasattr(config, "workerinput")):
        return _SIDE_BY_SIDE
    if distributes(config) and not config.pluginmanager.hasplugin("paddle_mt_xdist"):
        return _SIDE_BY_SIDE
    # Before --benchmark-disable, which pytest-codspeed sets as well.
    if config.getoption("codspeed", False) or (
        "CODSPEED_ENV" in os.environ and config.pluginmanager.hasplugin("codspeed")
    ):
        return "pytest-codspeed measures instead"
    if config.getoption("benchmark_disable", False) and not config.getoption("benchmark_enable", False):
        return "--benchmark-disable"
    return None
