"""Makes the pool of a test from the user's ``paddle_config`` fixture, and checks it against the options."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pytest_paddle_mt.errors import ModelError, UsageError
from pytest_paddle_mt.machine.cores import available_cores
from pytest_paddle_mt.machine.versions import paddle_version
from pytest_paddle_mt.plugin.progress import Announcer
from pytest_paddle_mt.plugin.session import session_of
from pytest_paddle_mt.predictors.pool import PredictorPool, no_gpu_support, refusing_gpu_on_cpu_build

if TYPE_CHECKING:
    import pytest

    from pytest_paddle_mt.settings import Settings


def configured_pool(request: pytest.FixtureRequest) -> PredictorPool:
    """The pool of the test that ``request`` belongs to.

    Raises:
        UsageError: ``paddle_config`` gives no Config, or contradicts ``--paddle-device``.
        ModelError: the model does not load, or a GPU is requested from a CPU build.
    """
    settings = session_of(request.config).settings(request.node)
    _require_paddle()
    with refusing_gpu_on_cpu_build():
        config = _user_config(request)
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
    except ModuleNotFoundError as error:
        if error.name != "paddle":
            raise _not_loaded(error) from error
        raise UsageError("paddle is not installed; install it with: pip install 'pytest-paddle-mt[cpu]'") from error
    except Exception as error:  # whatever its own modules and libraries raise
        raise _not_loaded(error) from error


def _not_loaded(error: Exception) -> UsageError:
    return UsageError(
        f"paddle is installed ({paddle_version() or 'version unknown'}) and cannot be loaded: {type(error).__name__}: "
        f"{error}; run {sys.executable} -c 'import paddle' to see where, and install what is missing"
    )


def _user_config(request: pytest.FixtureRequest) -> object:
    """What ``paddle_config`` returns; an error of Paddle in it becomes a ModelError."""
    try:
        return request.getfixturevalue("paddle_config")
    except (RuntimeError, ValueError, MemoryError) as error:
        raise ModelError(
            f"paddle_config failed with {type(error).__name__}: {str(error).strip()}; check the paths given to "
            "paddle.inference.Config"
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
