"""A run on a GPU that is not there: what is said of it, and what is refused."""

from __future__ import annotations

import sys
import uuid

import pytest

from pytest_paddle_mt.errors import UsageError
from pytest_paddle_mt.gpu import GpuLoad
from pytest_paddle_mt.machine import gpu
from pytest_paddle_mt.sweeps import serving, survey
from tests.fake_nvml import FakeNvml
from tests.suite import Suite, text

OWN_QUERY = """
def test_it(concurrent_runner):
    concurrent_runner([object(), object()], query=lambda one, inputs: sum(range(10_000)))
"""


def test_a_query_that_does_not_wait_for_its_answer_is_refused_before_it_is_measured(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
):
    def refuse(query, device):
        raise UsageError(f"on {device} the query answered {query()} and does not wait")

    monkeypatch.setattr(serving, "refuse_unfinished", refuse)
    suite.write(OWN_QUERY)
    result = suite.run("--paddle-device=gpu:0")
    result.assert_outcomes(failed=1)
    assert "on gpu:0 the query answered 49995000 and does not wait" in text(result)


def test_a_gpu_that_cannot_be_observed_gets_one_note_and_is_measured(suite: Suite, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)  # as where it is not installed
    suite.write(OWN_QUERY)
    result = suite.run("--paddle-device=gpu:0", "--paddle-rounds=1", "--paddle-json=results.json")
    assert text(result).count("the GPU was not observed") == 1
    assert "nvidia-ml-py is not installed: pip install 'pytest-paddle-mt[gpu]'" in text(result)
    (sweep,) = suite.results()
    assert {window["gpu"] for window in sweep["windows"]} == {None}
    assert {window["stage"] for window in sweep["windows"]} <= {"sweep", "confirmation"}


def test_what_a_fake_of_nvml_says_is_printed_and_stored_with_each_window(suite: Suite, monkeypatch: pytest.MonkeyPatch):
    card = uuid.UUID(int=1)
    invented = GpuLoad(readings=3, utilisation=0.75, power_w=310.0, power_limit_w=700.0)
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml((f"GPU-{card}",)))
    monkeypatch.setattr(gpu, "_uuid_of", {0: card.bytes}.get)
    monkeypatch.setattr(gpu.GpuSensor, "load", lambda self, opened_ns, open_ns: invented)
    monkeypatch.setattr(survey, "WINDOW_S", 0.02)
    suite.write(OWN_QUERY)
    result = suite.run("--paddle-device=gpu:0", "--paddle-rounds=1", "--paddle-json=results.json")
    assert "GPU with 2 threads: busy 75% of the time, 310 of 700 W" in text(result)
    assert "not observed" not in text(result)
    (sweep,) = suite.results()
    assert [one["threads"] for one in sweep["windows"] if one["stage"] == "survey"] == [1, 2]
    assert {one["gpu"]["utilisation"] for one in (*sweep["windows"], *sweep["points"])} == {0.75}
