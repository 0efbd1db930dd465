"""Watches over the user's ``paddle_config`` fixture, makes the pool of a test from it, and checks both."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import warnings
from typing import TYPE_CHECKING, Any

from pytest_paddle_mt.errors import UsageError
from pytest_paddle_mt.machine.cores import available_cores
from pytest_paddle_mt.machine.math_threads import park_idle_math_threads
from pytest_paddle_mt.machine.versions import paddle_version
from pytest_paddle_mt.plugin.progress import Announcer
from pytest_paddle_mt.plugin.session import session_of
from pytest_paddle_mt.predictors.cpu_build import no_gpu_support, refusing_gpu_on_cpu_build
from pytest_paddle_mt.predictors.pool import PredictorPool

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from pytest_paddle_mt.settings import Settings

#: Where in Paddle's C++ code an error was raised, as its messages end: ``(at /paddle/.../analysis_config.cc:112)``.
_IN_PADDLES_CODE = re.compile(r"\(at \S+\.(?:cc|cu|h):\d+\)")


@contextlib.contextmanager
def setting_up_config() -> Iterator[None]:
    """Held while the fixture ``paddle_config`` runs; an error in it keeps its traceback.

    Raises:
        ModelError: a GPU is requested from a CPU build.
    """
    __tracebackhide__ = True
    park_idle_math_threads()
    try:
        _import_paddle()
    except ImportError:  # the pool reports that; an error of a hook here would break pytest's cache of the fixture
        yield
        return
    try:
        with refusing_gpu_on_cpu_build():
            yield
    except (RuntimeError, ValueError, MemoryError) as error:
        if _of_paddle(error):
            text = str(error).strip()
            error.args = (f"{text}\nPaddle raised this in paddle_config; check the paths given to Config",)
        raise


def _of_paddle(error: BaseException) -> bool:
    """Whether Paddle raised an error, and not code of the user's that Paddle may have called."""
    import paddle

    frame, trace = None, error.__traceback__
    while trace is not None:
        frame, trace = trace.tb_frame, trace.tb_next
    package = f"{os.path.dirname(paddle.__file__)}{os.sep}"
    in_python = frame is not None and frame.f_code.co_filename.startswith(package)
    return in_python or _IN_PADDLES_CODE.search(str(error)) is not None


def configured_pool(request: pytest.FixtureRequest, config: Any) -> PredictorPool:
    """The pool of the test that ``request`` belongs to; ``config`` is what its ``paddle_config`` returned.

    Raises:
        UsageError: ``config`` is no Config, or contradicts ``--paddle-device``.
        ModelError: the model does not load.
    """
    settings = session_of(request.config).settings(request.node)
    require_paddle()
    if config is None:
        raise UsageError("the fixture paddle_config returned None; return a paddle.inference.Config from it")
    largest = max(settings.thread_counts or (available_cores(settings.pin).usable,))
    pool = PredictorPool(
        config,
        method=settings.pool,
        size=largest if settings.pool == "predictor_pool" else None,
        allow_nonfinite=settings.allow_nonfinite,
        progress=Announcer(request.config).clones,
        streams=settings.streams,
    )
    _check_device(settings, pool)
    return pool


def _import_paddle() -> None:
    """Import Paddle without the warnings of its own code, about which users can do nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import paddle  # noqa: F401


def require_paddle() -> None:
    """Import Paddle, for whoever needs it next.

    Raises:
        UsageError: it is not installed, or cannot be loaded.
    """
    try:
        _import_paddle()
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
