"""Two runtimes in one test: ONNX Runtime and what a callable computes, each on its own engine."""

from __future__ import annotations

import pytest

from tests.onnx_models import linear
from tests.sessions.test_bad_input import told
from tests.suite import Suite, text

COMPARES = """
    import numpy, pytest
    from pytest_paddle_mt import OnnxPool
    from tests.onnx_models import answer

    @pytest.fixture
    def paddle_inputs():
        return {"x": numpy.ones((1, 16), "float32")}

    def test_it(concurrent_runner):
        by_numpy = lambda inputs: answer(inputs, BIAS)
        result = concurrent_runner.compare(OnnxPool(MODEL), [by_numpy] * 2, gate=False)
        assert result.thread_counts == (1, 2)
"""


@pytest.fixture
def runtimes(suite: Suite):
    """Writes a test of the model, whose other side adds ``bias``."""
    suite.ini("paddle-window = 2q", "paddle-rounds = 2")

    def write(test: str = COMPARES, bias: float = 0.0) -> Suite:
        suite.write(test.replace("MODEL", repr(str(linear(suite.path)))).replace("BIAS", str(bias)))
        return suite

    return write


def test_two_engines_are_compared_once_both_answer_alike(runtimes):
    suite = runtimes()
    result = suite.run("--paddle-json=results.json")
    result.assert_outcomes(passed=1)
    assert "callable against onnxruntime engine" in text(result)
    assert "both sides answer alike, within" in text(result)
    [sweep] = suite.results()
    assert (sweep["engine"], sweep["against"]["described"][1][-5:]) == ("callable", ".onnx")
    assert "engine callable against onnxruntime" in sweep["against"]["differences"]
    assert len(sweep["windows"]) > 0


def test_other_answers_are_refused_before_anything_is_measured(runtimes):
    suite = runtimes(bias=1.0)
    result = suite.run("--paddle-json=results.json")
    result.assert_outcomes(failed=1)
    assert "output 0 of b is up to" in told(result)
    assert "they do not serve one model: export it again" in told(result)
    assert suite.results() == []


def test_without_a_check_of_answers_other_ones_are_compared_in_speed(runtimes):
    result = runtimes(bias=1.0).run("--paddle-answers=off")
    result.assert_outcomes(passed=1)
    assert "not compared with each other (--paddle-answers=off)" in text(result)


def test_all_threads_share_a_session_where_that_was_asked_for(runtimes):
    suite = runtimes(
        """
    from pytest_paddle_mt import OnnxPool

    def test_it(concurrent_runner):
        pool = OnnxPool(MODEL)
        concurrent_runner(pool, gate=False)
        assert pool[0] is pool[1]
        """
    )
    result = suite.run("--paddle-pool=shared", "--paddle-json=results.json")
    result.assert_outcomes(passed=1)
    [sweep] = suite.results()
    assert (sweep["engine"], sweep["pool"], sweep["batch_size"], sweep["math_threads"]) == (
        *("onnxruntime", "shared", 1),
        1,
    )
    assert sweep["inputs"][0]["made_up"]
    assert sweep["facts"]["runtime"].startswith("onnxruntime ")
    assert sweep["facts"]["answers"].startswith("compared (")
    assert "onnxruntime engine, cpu, batch 1, one session, onnxruntime" in text(result)
