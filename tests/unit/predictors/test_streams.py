"""Streams of their own, and in which order they go. No GPU: config, predictors and streams are fakes."""

from __future__ import annotations

import gc
import json
from pathlib import Path

import jsonschema
import pytest

from pytest_paddle_mt.baselines.ledger import setting_of
from pytest_paddle_mt.errors import UsageError
from pytest_paddle_mt.predictors import pool as pools
from pytest_paddle_mt.predictors import streams
from pytest_paddle_mt.predictors.pool import PredictorPool
from tests.builders import subject


class FakeStream:
    """Stands for ``paddle.device.cuda.Stream``; writes down its end."""

    def __init__(self, device, ends):
        self.device, self._ends = device, ends

    def __del__(self):
        self._ends.append("stream")


class FakePredictor:
    """Stands for one of a CUDA build: it has the bare pointer to its stream, which keeps nothing alive."""

    def __init__(self, stream, ends):
        self.stream, self._ends = stream, ends

    def clone(self, stream):
        return FakePredictor(id(stream), self._ends)

    def __del__(self):
        self._ends.append("predictor")


class FakeConfig:
    """Stands for the config of a CUDA build, for its device 3."""

    stream = None

    def use_gpu(self):
        return True

    def gpu_device_id(self):
        return 3

    def cpu_math_library_num_threads(self):
        return 1

    def set_exec_stream(self, stream):
        self.stream = id(stream)


@pytest.fixture
def ends():
    """What has ended, in its order."""
    return []


@pytest.fixture
def make_own(ends, monkeypatch):
    """Makes a pool on fakes whose predictors have streams of their own."""
    inference = pytest.importorskip("paddle").inference
    monkeypatch.setattr(pools, "check_config", lambda config: None)
    monkeypatch.setattr(streams, "new_stream", lambda device: FakeStream(device, ends))
    monkeypatch.setattr(inference, "create_predictor", lambda config: FakePredictor(config.stream, ends))
    return lambda: PredictorPool(FakeConfig(), streams="own")


@pytest.fixture
def own(make_own):
    """Such a pool."""
    return make_own()


def test_each_predictor_has_a_stream_of_its_own_on_the_device_of_the_config(own):
    own.grow(3)
    held = own.streams._streams
    assert [own[index].stream for index in range(3)] == [id(one) for one in held]
    assert [one.device for one in held] == [3, 3, 3]


def test_streams_outlive_every_predictor(own, ends):
    own.grow(3)
    own.close()
    gc.collect()
    assert ends == ["predictor"] * 3 + ["stream"] * 3


def test_streams_outlive_a_pool_that_nobody_closed(make_own, ends):
    made = make_own()
    made.grow(2)
    del made
    gc.collect()
    assert ends == ["predictor"] * 2 + ["stream"] * 2


def test_while_a_predictor_is_held_elsewhere_no_stream_goes(own, ends):
    held = own[1]
    own.close()
    gc.collect()
    assert ends == []
    del pools._kept_alive[-1], held  # as at the end of the process
    gc.collect()
    assert ends == ["predictor", "predictor"]


def test_streams_are_refused_on_a_cpu_config(models):
    with pytest.raises(UsageError, match=r"this config is for the CPU; call config\.enable_use_gpu"):
        PredictorPool(models.get("mlp").config(), streams="own")


def test_streams_are_refused_where_paddle_has_none(monkeypatch, own):
    monkeypatch.delattr(FakeConfig, "set_exec_stream")
    with pytest.raises(UsageError, match="has no Config\\.set_exec_stream"):
        PredictorPool(FakeConfig(), streams="own")


def test_a_predictor_pool_of_paddles_cannot_have_them(own):
    with pytest.raises(UsageError, match="PredictorPool makes predictors on one shared stream"):
        PredictorPool(FakeConfig(), streams="own", method="predictor_pool", size=2)


def test_runs_on_streams_of_their_own_are_compared_with_such_runs_only():
    facts = subject().facts
    assert "streams" not in setting_of(subject())
    found = setting_of(subject(facts={**facts, "streams": "own"}))
    assert found["streams"] == "own"
    schemas = json.loads((Path(__file__).parents[3] / "docs/schemas/baseline.schema.json").read_text())
    jsonschema.validate(found, {"$ref": "#/$defs/setting", "$defs": schemas["$defs"]})
