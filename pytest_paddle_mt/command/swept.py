"""What the temporary test of ``paddle-mt sweep`` is made of; the forks of that test use it, too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_paddle_mt.errors import InputError, PaddleMtError
from pytest_paddle_mt.plugin.session import FIXED_ID, session_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_paddle_mt.predictors.inputs import DefaultInputs
    from pytest_paddle_mt.predictors.pool import PredictorPool


def module(path: Path, parent: pytest.Collector, name: str) -> pytest.Module:
    """The collected test file, whose tests have node ids that begin with ``name`` and not with its path."""
    collected: pytest.Module = pytest.Module.from_parent(parent, path=path, nodeid=name)
    collected.stash[FIXED_ID] = True
    return collected


def config(request: pytest.FixtureRequest, program: str, params: str) -> Any:
    """The ``paddle.inference.Config`` of the model, for the device that was asked for."""
    from pytest_paddle_mt.plugin.configured_pool import require_paddle
    from pytest_paddle_mt.predictors.model_files import config_of

    try:
        require_paddle()
        return config_of(program, params, session_of(request.config).settings(request.node).device)
    except PaddleMtError as error:
        raise _failure(error) from None


def inputs(request: pytest.FixtureRequest, pool: PredictorPool, shapes: Mapping[str, tuple[int, ...]]) -> Any:
    """Inputs that are made up, those of ``shapes`` in these shapes; as the fixture ``paddle_inputs`` of the plugin."""
    from pytest_paddle_mt.predictors.inputs import InputsOnDemand, default_inputs

    session = session_of(request.config)
    try:
        settings = session.settings(request.node)

        def make() -> DefaultInputs:
            _check_shapes(pool, shapes)
            return default_inputs(
                pool, settings.batch_size, batch_size_asked="batch_size" in settings.sources, shapes=shapes
            )

        return InputsOnDemand(make) if session.forks(request.node) else make()
    except PaddleMtError as error:
        raise _failure(error) from None


def _check_shapes(pool: PredictorPool, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Refuse shapes of inputs that do not exist, and inputs whose shape nobody knows.

    Raises:
        InputError: there is one.
    """
    specs = pool.input_specs()
    names = [spec.name for spec in specs]
    for name in shapes:
        if name not in names:
            raise InputError(f"--shape {name}=...: the model has no input {name!r}; its inputs are {', '.join(names)}")
    for spec in specs:
        if spec.name in shapes or (spec.shape is not None and min(spec.shape[1:], default=0) >= 0):
            continue
        known = "..." if spec.shape is None else ",".join("..." if one < 0 else str(one) for one in spec.shape)
        raise InputError(
            f"the model leaves the shape of input {spec.name!r} open ({known}), and only a batch can be guessed; give "
            f"it with --shape {spec.name}={known} and numbers for the dots"
        )


def _failure(error: PaddleMtError) -> BaseException:
    return pytest.fail.Exception(str(error), pytrace=False)
