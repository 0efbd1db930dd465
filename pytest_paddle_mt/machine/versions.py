"""Reports the installed versions of what a measurement depends on."""

from __future__ import annotations

import platform
import sys
from importlib import metadata

from pytest_paddle_mt import __version__


def installed_version(distribution: str) -> str | None:
    """The installed version of a distribution; None when it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def measured_versions() -> dict[str, str | None]:
    """Versions of what a measurement depends on, by name: this plugin, Paddle, Python."""
    return {
        "pytest-paddle-mt": __version__,
        "paddlepaddle": paddle_version(),
        "python": platform.python_version(),
    }


def paddle_version() -> str | None:
    """The version of the Paddle that this process has loaded, else of the installed one; None without Paddle."""
    paddle = sys.modules.get("paddle")
    if paddle is not None:
        return str(paddle.__version__)
    return installed_version("paddlepaddle") or installed_version("paddlepaddle-gpu")
