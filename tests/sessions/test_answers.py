"""``--paddle-answers``: a wrong answer fails the test, whatever the throughput; what was compared is reported."""

from __future__ import annotations

import json
import re

import pytest

from tests.suite import Suite, text

CONFTEST = """
    import threading

    import numpy
    import pytest

    @pytest.fixture
    def paddle_config():
        from paddle import inference

        config = inference.Config({program!r}, {params!r})
        config.disable_glog_info()
        config.disable_mkldnn()
        return config

    @pytest.fixture
    def paddle_inputs():
        return [{{"x": numpy.full((1, 16), number, dtype="float32")}} for number in (1, 2)]

    def serve(predictor, inputs):
        predictor.get_input_handle("x").copy_from_cpu(inputs["x"])
        predictor.run()
        return predictor.get_output_handle(predictor.get_output_names()[0]).copy_to_cpu()

    def serve_silently(predictor, inputs):
        serve(predictor, inputs)

    def serve_and_draw(predictor, inputs):
        return serve(predictor, inputs) + numpy.random.rand()

    def serve_wrongly(predictor, inputs):
        return {{"scores": serve(predictor, inputs) + (threading.current_thread().name == "paddle-mt-1")}}
"""
TEST = """
    import pytest
    from conftest import *

    {mark}
    def test_it(predictor_pool, concurrent_runner):
        concurrent_runner(predictor_pool, query={query}, gate=False)
"""


@pytest.fixture
def served(suite: Suite, models):
    """A suite that serves a real model."""
    model = models.get("mlp")
    suite.conftest_too(CONFTEST.format(program=str(model.program), params=str(model.params)))
    suite.ini("paddle-rounds = 1", "paddle-json = out.json")
    return suite


def write(suite: Suite, query: str, mark: str = ""):
    suite.write(TEST.format(query=query, mark=mark))


def facts(suite: Suite) -> dict[str, str]:
    [sweep] = json.loads((suite.path / "out.json").read_text())["sweeps"]
    return sweep["facts"]  # type: ignore[no-any-return]


@pytest.mark.fault(
    "answers",
    "a query is answered with what belongs to another input",
    "the test fails with thread, query, input set, output, element, expected and got",
)
def test_a_wrong_answer_fails_the_test_at_its_own_line(served: Suite):
    write(served, "serve_wrongly")
    result = served.run()
    result.assert_outcomes(failed=1)
    told = re.search(
        r"query 0 of thread 1 was answered wrongly while 2 threads ran: to input set 1, "
        r"4 elements of 4 in output 'scores' differ, first at \[0, 0\]: expected (\S+), got (\S+)",
        text(result),
    )
    assert told is not None
    assert float(told[2]) == pytest.approx(float(told[1]) + 1, rel=1e-3, abs=1e-5)
    assert "test_it.py:7: WrongAnswer" in text(result)
    assert "answers.py" not in text(result)
    assert not (served.path / "out.json").exists()


def test_the_answers_are_compared_in_a_smoke_run_too(served: Suite):
    write(served, "serve_wrongly")
    result = served.run("--benchmark-disable")
    result.assert_outcomes(failed=1)
    assert "was answered wrongly" in text(result)


@pytest.mark.parametrize("off", ["--paddle-answers=off", "@pytest.mark.paddle_scaling(answers=False)"])
def test_off_compares_nothing(served: Suite, off: str):
    write(served, "serve_wrongly", off if off.startswith("@") else "")
    served.run(*([] if off.startswith("@") else [off])).assert_outcomes(passed=1)
    assert facts(served)["answers"] == "not compared"


@pytest.mark.parametrize(
    ("query", "compared"),
    [
        ("None", "compared"),
        ("serve", "compared"),
        ("serve_silently", "not compared (the query returns nothing that can be)"),
        pytest.param(
            "serve_and_draw",
            "not compared (the same input gives different ones)",
            marks=pytest.mark.fault(
                "answers", "a `query=` draws its answers", "they are not compared, and the report says so"
            ),
        ),
    ],
)
def test_what_was_compared_is_reported(served: Suite, query: str, compared: str):
    write(served, query)
    result = served.run()
    result.assert_outcomes(passed=1)
    found = re.fullmatch(r"(.*?)(?: \(([\d,]+) of ([\d,]+)\))?", facts(served)["answers"])
    assert found is not None
    assert found[1] == compared
    assert f"answers {compared}" in text(result)
    if compared == "compared":
        some, all_served = (int(number.replace(",", "")) for number in found.groups()[1:])
        # of the three threads of the first window with one thread and with two, three to warm up, and the last; then of
        # as many in the next two windows, one to warm up, and the last
        assert 3 * (3 + 1) + 3 * (1 + 1) <= some < all_served


def test_as_many_answers_are_compared_as_were_asked_for(served: Suite):
    write(served, "serve")
    result = served.run("--paddle-answers=500", "--paddle-window=2q")
    result.assert_outcomes(passed=1)
    found = re.search(r"compared \(([\d,]+) of", facts(served)["answers"])
    assert found is not None
    assert int(found[1].replace(",", "")) >= 500


@pytest.mark.fault("answers", "that in a fork", "the same failure")
def test_a_wrong_answer_in_a_fork_is_one_here(forked: Suite, models):
    model = models.get("mlp")
    forked.conftest(CONFTEST.format(program=str(model.program), params=str(model.params)))
    forked.ini("paddle-engine = python", "paddle-rounds = 2")
    write(forked, "serve_wrongly")
    result = forked.run_forked()
    result.assert_outcomes(failed=1)
    assert "WrongAnswer: query" in text(result)
    assert "of thread 1 was answered wrongly while 2 threads ran: to input set" in text(result)
