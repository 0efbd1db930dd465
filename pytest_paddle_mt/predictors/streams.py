"""Gives each predictor of a pool a CUDA stream of its own. Paddle has all predictors of a process share one.

Guarantees
    * A stream is made before its predictor.
    * Streams are let go only by ``close``, which a pool calls once every predictor is gone: Paddle keeps the bare
      pointer, so a predictor that outlives its stream crashes the process. Where somebody else still has a predictor,
      the pool calls ``keep`` instead, and they are there until the process ends, whatever Python takes apart first.
"""

from __future__ import annotations

import ctypes
from typing import Any

from pytest_paddle_mt.errors import UsageError

_NORMAL_PRIORITY = 2  #: As the stream has that predictors share.


class OwnStreams:
    """The streams of one pool.

    Raises:
        UsageError: this config or this Paddle has no such streams.
    """

    def __init__(self, config: Any) -> None:
        if not config.use_gpu():
            raise UsageError(
                "streams of their own are for predictors on a GPU, and this config is for the CPU; call "
                "config.enable_use_gpu(256, 0) with a GPU build of Paddle, or leave out --paddle-streams=own"
            )
        if not hasattr(config, "set_exec_stream"):
            raise UsageError(
                "this Paddle has no Config.set_exec_stream, by which a predictor gets a stream of its own; install a "
                "CUDA build from Paddle's own index, or leave out --paddle-streams=own"
            )
        self._config = config
        self._streams: list[Any] = []

    def new(self) -> Any:
        """A stream for the next predictor."""
        self._streams.append(new_stream(self._config.gpu_device_id()))
        return self._streams[-1]

    def close(self) -> None:
        """Let every stream go; no predictor may be left."""
        self._streams.clear()

    def keep(self) -> None:
        """Never let them go: one reference too many."""
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._streams))


def new_stream(device: int) -> Any:
    """A stream of Paddle's on this GPU."""
    import paddle

    return paddle.device.cuda.Stream(paddle.CUDAPlace(device), _NORMAL_PRIORITY)
