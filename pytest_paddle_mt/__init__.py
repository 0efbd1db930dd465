"""Measure how a Paddle model's throughput scales with threads, and fail the test when it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_paddle_mt.engines import SyntheticWork
    from pytest_paddle_mt.predictors import PredictorPool

__version__ = "0.1.0"

__all__ = ["PredictorPool", "SyntheticWork", "__version__"]


def __getattr__(name: str) -> object:
    """Import the public classes when they are first used: the plugin itself must not import numpy."""
    if name == "PredictorPool":
        from pytest_paddle_mt.predictors import PredictorPool

        return PredictorPool
    if name == "SyntheticWork":
        from pytest_paddle_mt.engines import SyntheticWork

        return SyntheticWork
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
