"""The two models that the benchmarks serve, exported by the installed Paddle with random weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_paddle_mt import PredictorPool
from pytest_paddle_mt.machine.math_threads import park_idle_math_threads

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

_MOBILENET_SHAPE = (1, 3, 224, 224)
_MLP_SHAPE = (1, 64)

Inputs = dict[str, "npt.NDArray[np.float32]"]
Served = tuple[PredictorPool, Inputs]


def mobilenet_v1(directory: Path) -> Served:
    """MobileNetV1, batch 1, as in Paddle's multi-thread guide; Paddle's own defaults, oneDNN among them."""
    from paddle.vision import models

    return _served(directory / "mobilenet_v1", models.mobilenet_v1(), _MOBILENET_SHAPE, onednn=True)


def tiny_mlp(directory: Path) -> Served:
    """Four layers of 64, without oneDNN: about 30 us a query, so that what the harness adds can be seen."""
    from paddle import nn

    width = _MLP_SHAPE[-1]
    layers = [layer for _ in range(4) for layer in (nn.Linear(width, width), nn.ReLU())]
    return _served(directory / "tiny_mlp", nn.Sequential(*layers), _MLP_SHAPE, onednn=False)


def _served(stem: Path, network: Any, shape: tuple[int, ...], *, onednn: bool) -> Served:
    """A pool of the exported network and one input set, filled with ``i % 255 * 0.1`` as in Paddle's guide."""
    import paddle
    from paddle import inference

    park_idle_math_threads()
    network.eval()
    paddle.jit.save(network, str(stem), input_spec=[paddle.static.InputSpec(list(shape), "float32", name="x")])
    programs = (stem.with_suffix(suffix) for suffix in (".json", ".pdmodel"))  # Paddle 3.x and 2.6
    program = next(path for path in programs if path.exists())
    config = inference.Config(str(program), str(stem.with_suffix(".pdiparams")))
    config.disable_glog_info()
    if not onednn:
        config.disable_mkldnn()
    values = np.arange(np.prod(shape)) % 255 * 0.1
    return PredictorPool(config), {"x": values.astype(np.float32).reshape(shape)}
