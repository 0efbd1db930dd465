"""Measure how a Paddle model's throughput scales with threads, and fail the test when it does not."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_paddle_mt.engines import SyntheticWork
    from pytest_paddle_mt.errors import (
        BaselineError,
        EngineUnavailable,
        ForkFailed,
        GateFailure,
        InputError,
        ModelError,
        PaddleMtError,
        QueryFailed,
        UsageError,
        WrongAnswer,
    )
    from pytest_paddle_mt.predictors.onnx_pool import OnnxPool
    from pytest_paddle_mt.predictors.pool import PredictorPool

__version__ = "0.1.0"

__all__ = [
    "BaselineError",
    "EngineUnavailable",
    "ForkFailed",
    "GateFailure",
    "InputError",
    "ModelError",
    "OnnxPool",
    "PaddleMtError",
    "PredictorPool",
    "QueryFailed",
    "SyntheticWork",
    "UsageError",
    "WrongAnswer",
    "__version__",
]

#: Where the public names are that are not errors.
_MODULE_OF = {
    "OnnxPool": "predictors.onnx_pool",
    "PredictorPool": "predictors.pool",
    "SyntheticWork": "engines",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used: the plugin itself must not import numpy."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULE_OF.get(name, 'errors')}"), name)
