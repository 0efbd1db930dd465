"""Refuses a GPU where Paddle is a CPU build, which by itself would silently compute on the CPU."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from pytest_paddle_mt.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def refusing_gpu_on_cpu_build() -> Iterator[None]:
    """While this is held, ``Config.enable_use_gpu`` of a CPU build raises instead of being ignored."""
    import paddle
    from paddle import inference

    if paddle.is_compiled_with_cuda():
        yield
        return

    def refuse(*_: Any, **__: Any) -> None:
        __tracebackhide__ = True
        raise no_gpu_support("paddle_config calls enable_use_gpu()")

    original = inference.Config.enable_use_gpu
    inference.Config.enable_use_gpu = refuse
    try:
        yield
    finally:
        inference.Config.enable_use_gpu = original


def no_gpu_support(what: str) -> ModelError:
    """The error when ``what`` asks a CPU build for a GPU."""
    import paddle

    return ModelError(
        f"{what}, but paddlepaddle {paddle.__version__} is a CPU build, which would silently run on the CPU. "
        "Install paddlepaddle-gpu (its docs name the index), or drop the GPU"
    )
