"""The fixtures that users request in their tests or override."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_paddle_mt.errors import PaddleMtError, UsageError
from pytest_paddle_mt.plugin.identity import refuse_shared_id, test_key
from pytest_paddle_mt.plugin.session import session_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_paddle_mt.predictors.pool import PredictorPool
    from pytest_paddle_mt.sweeps.concurrent_runner import ConcurrentRunner

_WRITE_CONFIG = """write a fixture that returns the model, in conftest.py or next to the test:

    @pytest.fixture
    def paddle_config():
        return paddle.inference.Config("model/inference.json", "model/inference.pdiparams")
"""


def _failure(error: PaddleMtError) -> BaseException:
    """The failure of a fixture that cannot be set up: pytest prints the message without a traceback."""
    return pytest.fail.Exception(str(error), pytrace=False)


@pytest.fixture
def _parameters_of_pool(request: pytest.FixtureRequest) -> None:
    """Is set up before anything of ``predictor_pool`` that may have parameters."""
    refuse_lost_parameters_of(request.node, "predictor_pool")


@pytest.fixture
def _parameters_of_runner(request: pytest.FixtureRequest) -> None:
    """Is set up before anything of ``concurrent_runner`` that may have parameters."""
    refuse_lost_parameters_of(request.node, "concurrent_runner")


def refuse_lost_parameters_of(item: pytest.Item, fixture: str) -> None:
    """Fail a test that lacks a parameter of ``fixture`` or of one that it requests."""
    from pytest_paddle_mt.plugin.parameters import refuse_lost_parameters

    try:
        refuse_lost_parameters(item, fixture)
    except UsageError as error:
        raise _failure(error) from None


@pytest.fixture
def paddle_config() -> Any:
    """The model to serve, a ``paddle.inference.Config``. The user overrides this fixture."""
    raise _failure(UsageError(f"predictor_pool needs a fixture named paddle_config; {_WRITE_CONFIG}"))


@pytest.fixture
def paddle_inputs(request: pytest.FixtureRequest) -> Mapping[str, Any] | Sequence[Mapping[str, Any]]:
    """Inputs by name, each a NumPy array; or a list of such dicts, which take turns. The user may override it.

    By default they are made from the model's own input names, types and shapes, filled with ``i % 255 * 0.1``; the
    first open dimension is ``--paddle-batch-size``. If the test has no ``predictor_pool``, they are made for the pool
    that it passes to ``concurrent_runner``.
    """
    from pytest_paddle_mt.predictors.inputs import DefaultInputs, InputsOnDemand, default_inputs
    from pytest_paddle_mt.predictors.pool import PredictorPool

    if "predictor_pool" not in request.fixturenames:
        return DefaultInputs({}, None)
    pool = request.getfixturevalue("predictor_pool")
    if pool is None:
        raise _failure(
            UsageError("the fixture predictor_pool returned None; return a pytest_paddle_mt.PredictorPool from it")
        )
    if not isinstance(pool, PredictorPool):  # made by the user: the runner decides whether it can be served
        return DefaultInputs({}, None)
    try:
        session = session_of(request.config)
        settings = session.settings(request.node)

        def make() -> DefaultInputs:
            return default_inputs(pool, settings.batch_size, batch_size_asked="batch_size" in settings.sources)

        # If forks measure, this process makes a predictor only when the test uses one.
        return InputsOnDemand(make) if session.forks(request.node) else make()
    except PaddleMtError as error:
        raise _failure(error) from None


@pytest.fixture
def predictor_pool(
    request: pytest.FixtureRequest, _parameters_of_pool: None, paddle_config: Any
) -> Iterator[PredictorPool]:
    """Predictors of ``paddle_config``, one per thread, made on demand and closed after the test."""
    from pytest_paddle_mt.interrupts import held_back
    from pytest_paddle_mt.plugin.configured_pool import configured_pool

    try:
        pool = configured_pool(request, paddle_config)
    except PaddleMtError as error:
        raise _failure(error) from None
    yield pool
    # After a Ctrl-C, another one in a fixture's teardown would end in a traceback out of pytest.
    with held_back(dropped=request.session.exitstatus == pytest.ExitCode.INTERRUPTED):
        pool.close()


@pytest.fixture
def paddle_engine(request: pytest.FixtureRequest) -> str:
    """Name of the engine that measures this test; parametrized if ``--paddle-engine`` names several."""
    return str(_only_one(request, "engine", "engines"))


@pytest.fixture
def paddle_batch_size(request: pytest.FixtureRequest) -> int:
    """The batch size of this test, for inputs of your own; parametrized if ``--paddle-batch-size`` names several."""
    return int(_only_one(request, "batch_size", "batch_sizes"))


def _only_one(request: pytest.FixtureRequest, key: str, field: str) -> Any:
    """What was chosen by the option of this key, where it is one."""
    from pytest_paddle_mt.plugin.parameters import refuse_lost_runs

    try:
        settings = session_of(request.config).settings(request.node)
        values = getattr(settings, field)
        refuse_lost_runs(request.node, key, values, settings.sources.get(key, ""))
        return values[0]
    except PaddleMtError as error:
        raise _failure(error) from None


class WithBenchmark:
    """Registered with pytest-benchmark, whose options find the tests that measure by the name ``benchmark``."""

    @pytest.fixture
    def concurrent_runner(
        self,
        request: pytest.FixtureRequest,
        _parameters_of_runner: None,
        paddle_inputs: Any,
        paddle_engine: str,
        paddle_batch_size: int,
        benchmark: Any,
    ) -> ConcurrentRunner:
        """Sweeps thread counts, judges and records: ``result = concurrent_runner(predictor_pool)``."""
        return _make_runner(request, paddle_inputs, paddle_engine, benchmark)


class WithoutBenchmark:
    """Registered without pytest-benchmark: gates work, and it records nothing."""

    @pytest.fixture
    def concurrent_runner(
        self,
        request: pytest.FixtureRequest,
        _parameters_of_runner: None,
        paddle_inputs: Any,
        paddle_engine: str,
        paddle_batch_size: int,
    ) -> ConcurrentRunner:
        """Sweeps thread counts, judges and records: ``result = concurrent_runner(predictor_pool)``."""
        return _make_runner(request, paddle_inputs, paddle_engine, None)


def _make_runner(
    request: pytest.FixtureRequest, paddle_inputs: Any, paddle_engine: str, benchmark: Any
) -> ConcurrentRunner:
    from pytest_paddle_mt.plugin.progress import Announcer
    from pytest_paddle_mt.sweeps.concurrent_runner import ConcurrentRunner

    if benchmark is not None:
        benchmark._mode = "concurrent_runner"  # else pytest-benchmark warns that its fixture was not used
    session = session_of(request.config)
    try:
        refuse_shared_id(request.node, request.session.items)  # one that requests this by name is not refused before
        settings = session.settings(request.node)
        # Asked for before anything is measured: a name that is registered twice must not cost a sweep.
        session.checks()
        session.reporters()
        if session.xdist_worker is not None:
            session.xdist_worker.will_measure(settings.device)
    except PaddleMtError as error:
        raise _failure(error) from None
    announcer = Announcer(request.config)
    return ConcurrentRunner(
        session=session,
        item=request.node,
        test=test_key(request.node),
        settings=settings,
        engine=session.engines()[paddle_engine],
        inputs=paddle_inputs,
        benchmark=benchmark,
        announce=announcer.line,
        progress=announcer.progress,
    )
