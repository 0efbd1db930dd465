"""Watches over the user's ``paddle_config`` fixture, makes the pool of a test from it, and checks both."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from pytest_paddle_mt.errors import ModelError, UsageError
from pytest_paddle_mt.machine.cores import available_cores
from pytest_paddle_mt.machine.math_threads import park_idle_math_threads
from pytest_paddle_mt.plugin.progress import Announcer
from pytest_paddle_mt.plugin.session import session_of
from pytest_paddle_mt.predictors.pool import PredictorPool, no_gpu_support, refusing_gpu_on_cpu_build

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from pytest_paddle_mt.settings import Settings


@contextlib.contextmanager
def setting_up_config() -> Iterator[None]:
    """Held while the fixture ``paddle_config`` runs.

    Raises:
        UsageError: Paddle is not installed.
        ModelError: Paddle raises an error, or a GPU is requested from a CPU build.
    """
    park_idle_math_threads()
    _require_paddle()
    try:
        with refusing_gpu_on_cpu_build():
            yield
    except (RuntimeError, ValueError, MemoryError) as error:
        raise ModelError(
            f"paddle_config failed with {type(error).__name__}: {str(error).strip()}; check the paths given to "
            "paddle.inference.Config"
        ) from error


def configured_pool(request: pytest.FixtureRequest, config: Any) -> PredictorPool:
    """The pool of the test that ``request`` belongs to; ``config`` is what its ``paddle_config`` returned.

    Raises:
        UsageError: ``config`` is no Config, or contradicts ``--paddle-device``.
        ModelError: the model does not load.
    """
    settings = session_of(request.config).settings(request.node)
    if config is None:
        raise UsageError("the fixture paddle_config returned None; return a paddle.inference.Config from it")
    largest = max(settings.thread_counts or (available_cores().usable,))
    pool = PredictorPool(
        config,
        method=settings.pool,
        size=largest if settings.pool == "predictor_pool" else None,
        allow_nonfinite=settings.allow_nonfinite,
        progress=Announcer(request.config).clones,
    )
    _check_device(settings, pool)
    return pool


def _require_paddle() -> None:
    try:
        import paddle  # noqa: F401
    except ImportError as error:
        raise UsageError(
            f"paddle cannot be imported ({error}); install it with: pip install 'pytest-paddle-mt[cpu]'"
        ) from error


def _check_device(settings: Settings, pool: PredictorPool) -> None:
    """Refuse a config that contradicts ``--paddle-device``, if that was given."""
    asked = settings.sources.get("device")
    if asked is None or settings.device == pool.device:
        return
    import paddle

    if settings.device != "cpu" and not paddle.is_compiled_with_cuda():
        raise no_gpu_support(f"{asked} asks for a GPU")
    fix = (
        "config.disable_gpu()"
        if settings.device == "cpu"
        else f"config.enable_use_gpu(256, {settings.device.partition(':')[2]})"
    )
    raise UsageError(f"{asked}, but paddle_config is for {pool.device}; call {fix} in it, or drop the option")
