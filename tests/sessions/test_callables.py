"""A list of callables: any other runtime, a client of a server. No Paddle is needed."""

from __future__ import annotations

import sys

import pytest

from tests.sessions.test_bad_input import told
from tests.suite import Suite

INPUTS = """
    import threading
    import numpy, pytest

    @pytest.fixture
    def paddle_inputs():
        return [{"x": numpy.full(3, value)} for value in (1.0, 2.0)]
"""


@pytest.fixture
def callables(suite: Suite, monkeypatch: pytest.MonkeyPatch):
    """Writes a test of callables, of a module with ``INPUTS``, where Paddle cannot be imported."""
    monkeypatch.setitem(sys.modules, "paddle", None)
    suite.ini("paddle-engine = native", "paddle-window = 2q", "paddle-rounds = 2")

    def write(test: str, before: str = INPUTS) -> Suite:
        suite.write(before + test)
        return suite

    return write


SERVES = """
    def test_it(concurrent_runner):
        def double(inputs):
            return 2 * inputs["x"]

        result = concurrent_runner([double, double], gate=False)
        assert [point.threads for point in result.sweep.points] == [1, 2]
"""


def test_each_thread_calls_its_own_with_its_input_sets_and_answers_are_compared(callables):
    suite = callables(SERVES)
    suite.run("--paddle-json=results.json", "--paddle-device=gpu:0").assert_outcomes(passed=1)
    [sweep] = suite.results()
    assert (sweep["engine"], sweep["device"], sweep["batch_size"]) == ("callable", "gpu:0", None)
    assert sweep["facts"]["answers"].startswith("compared (")
    assert "paddle" not in sweep["facts"]
    assert sweep["gil"] in ("held", "unknown")


def test_without_inputs_they_are_called_without_arguments(callables):
    suite = callables(
        """
    def test_it(concurrent_runner):
        concurrent_runner([lambda: 1, lambda: 1], gate=False)
        """,
        before="",
    )
    suite.run().assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("served", "before", "said"),
    [
        ("lambda inputs, more: 1", INPUTS, "is called with the input set that the test has, and its signature is"),
        ("lambda inputs: 1", "", "is called without arguments: the test has no paddle_inputs"),
        ("print, 3", INPUTS, "object 1 of 2 cannot be called, and the first one can: it is a int"),
        ("print, print, print", "", "4 threads need 4 callables and what was given has 3"),
    ],
)
def test_what_cannot_be_called_like_that_is_refused(callables, served, before, said):
    suite = callables(f"\n    def test_it(concurrent_runner):\n        concurrent_runner([{served}])\n", before)
    result = suite.run("--paddle-threads=1,4" if "print, print" in served else "--paddle-threads=1")
    result.assert_outcomes(failed=1)
    assert said in told(result)


def test_an_answer_of_another_thread_fails_the_test(callables):
    suite = callables(
        """
    def test_it(concurrent_runner):
        concurrent_runner([lambda inputs: threading.current_thread().name] * 2, gate=False)
        """
    )
    result = suite.run()
    result.assert_outcomes(failed=1)
    assert "expected 'MainThread', got 'paddle-mt-0'" in told(result)


def test_a_pool_cannot_be_served_by_the_callable_engine(callables):
    suite = callables("\n    def test_it(concurrent_runner):\n        concurrent_runner([])\n")
    result = suite.run("--paddle-engine=callable")
    result.assert_outcomes(failed=1)
    assert "the callable engine serves a list with a callable for each thread" in told(result)


def test_two_lists_are_compared(callables):
    suite = callables(
        """
    def test_it(concurrent_runner):
        def short(inputs):
            return sum(range(10))

        def long(inputs):
            return sum(range(100_000)) * 0 + 45

        result = concurrent_runner.compare([short], [long], gate=False)
        assert result.ratio(threads=1) < 0.5
        assert result.sweep.against.described == tuple(f"test_it.test_it.<locals>.{one}" for one in ("long", "short"))
        """
    )
    suite.run("--paddle-threads=1").assert_outcomes(passed=1)
