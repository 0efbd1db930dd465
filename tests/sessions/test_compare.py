"""``concurrent_runner.compare``: two models, or two configurations, in one test."""

from __future__ import annotations

import json
import sys

import pytest

from tests.sessions.test_bad_input import told
from tests.suite import Suite, text

#: An engine that is opened for b first, then for a, with a throughput of its own for each.
CONFTEST = """
from pytest_paddle_mt.testing import FakeEngine

class Pair:
    name = "pair"
    needs_pool = False
    takes_query = False
    opened = 0

    def open(self, workload):
        Pair.opened += 1
        qps = {1: 40.0, 2: 78.0} if Pair.opened % 2 == 0 else B
        return FakeEngine(qps, swing=0.002)

def pytest_paddle_mt_engines():
    return [Pair()]
"""

COMPARES = """
    def test_it(concurrent_runner):
        result = concurrent_runner.compare([], [])
        assert result.thread_counts == (1, 2)
        assert abs(result.ratio(threads=2) - result.b.at(threads=2).qps / result.a.at(threads=2).qps) < 0.01
        assert result.at(threads=1).qps == result.b.at(threads=1).qps
        low, high = result.ratio_interval(threads=2).low, result.ratio_interval(threads=2).high
        assert low <= result.ratio(threads=2) <= high
        assert result.status == "pass"
"""


@pytest.fixture
def pair(suite: Suite):
    def of(b):
        suite.write(f"B = {b!r}\n{CONFTEST}", "conftest")
        suite.ini("paddle-engine = pair")
        suite.write(COMPARES)
        return suite

    return of


def test_equal_sides_pass_and_the_result_has_both(pair):
    result = pair({1: 40.0, 2: 78.0}).run()
    result.assert_outcomes(passed=1)
    assert "PASS against: QPS of b over a with 2 threads is 1.000" in text(result)
    assert "b QPS a QPS QPS ratio eff. b a p50 verdict" in text(result)


def test_a_slower_b_fails_and_a_slower_a_does_not(pair):
    slower = pair({1: 40.0, 2: 60.0}).run()
    slower.assert_outcomes(failed=1)
    assert "against: QPS of b over a with 2 threads is 0.769" in text(slower)
    assert "seed" in text(slower)
    pair({1: 40.0, 2: 160.0}).run().assert_outcomes(passed=1)


def test_without_a_gate_a_slower_b_is_said_and_does_not_fail(pair):
    suite = pair({1: 40.0, 2: 60.0})
    suite.write(
        """
        def test_it(concurrent_runner):
            result = concurrent_runner.compare([], [], gate=False)
            assert result.status != "pass"
            assert [verdict.status for verdict in result.verdicts] == ["pass", "fail"]
        """
    )
    suite.run().assert_outcomes(passed=1)


def test_a_thread_count_that_was_not_measured_is_refused_with_those_that_were(pair):
    suite = pair({1: 40.0, 2: 78.0})
    suite.write(
        """
        import pytest
        from pytest_paddle_mt.errors import UsageError

        def test_it(concurrent_runner):
            result = concurrent_runner.compare([], [])
            for ask in (result.ratio, result.ratio_interval, result.at, result.a.at, result.b.at):
                with pytest.raises(UsageError, match="16 threads were not measured; measured: 1, 2"):
                    ask(threads=16)
        """
    )
    suite.run().assert_outcomes(passed=1)


def test_both_sides_are_in_the_results_file(pair):
    suite = pair({1: 40.0, 2: 60.0})
    suite.run("--paddle-json=results.json")
    [sweep] = json.loads((suite.path / "results.json").read_text())["sweeps"]
    assert sweep["against"]["names"] == ["b", "a"]
    assert {window["fork"] for window in sweep["windows"]} == {0}
    assert {window["side"] for window in sweep["windows"]} == {"this", "other"}


def test_a_smoke_run_judges_nothing(pair):
    suite = pair({1: 40.0, 2: 1.0})
    suite.write("def test_it(concurrent_runner):\n    concurrent_runner.compare([], [])\n")
    result = suite.run("--benchmark-disable", "-rs")
    result.assert_outcomes(skipped=1)
    assert "smoke run only (--benchmark-disable)" in text(result)


def test_another_interpreter_has_no_part_in_it_and_that_is_said(pair):
    result = pair({1: 40.0, 2: 78.0}).run(f"--paddle-against={sys.executable}")
    result.assert_outcomes(passed=1)
    assert "--paddle-against has no part in it" in text(result)


def test_it_has_no_baseline_to_update_and_that_is_said(pair):
    suite = pair({1: 40.0, 2: 78.0})
    result = suite.run("--paddle-baseline-update")
    result.assert_outcomes(passed=1)
    why = "a comparison measures two sides, and has no baseline"
    assert f"baseline not updated: test_it.py::test_it: {why}" in text(result)
    assert not (suite.path / "baselines").exists()
    assert "baseline not updated" not in text(suite.run())


def test_a_side_that_cannot_be_opened_leaves_nothing_open(pair):
    suite = pair({1: 40.0, 2: 78.0})
    suite.write(
        """
        from pytest_paddle_mt.testing import FakeEngine
        import conftest
        import pytest

        class Side(FakeEngine):
            closed = 0

            def close(self):
                self.closed += 1

        def test_it(concurrent_runner, monkeypatch):
            first = Side({1: 40.0, 2: 78.0})
            room = [first]

            def open_while_there_is_room(engine, workload):
                if not room:
                    raise RuntimeError("no room for the second")
                return room.pop()

            monkeypatch.setattr(conftest.Pair, "open", open_while_there_is_room)
            with pytest.raises(RuntimeError, match="no room for the second"):
                concurrent_runner.compare([], [])
            assert first.closed == 1
        """
    )
    suite.run().assert_outcomes(passed=1)


def test_predictors_and_known_work_cannot_be_compared(suite: Suite):
    suite.write(
        """
        from pytest_paddle_mt import SyntheticWork

        def test_it(concurrent_runner):
            concurrent_runner.compare(SyntheticWork(), [object(), object()])
        """
    )
    suite.ini("paddle-engine = native")
    result = suite.run()
    result.assert_outcomes(failed=1)
    assert "compare was given predictors and synthetic work, which cannot be compared" in told(result)


def test_a_second_call_of_either_kind_is_refused(pair):
    suite = pair({1: 40.0, 2: 78.0})
    suite.write(
        """
        def test_it(concurrent_runner):
            concurrent_runner.compare([], [])
            concurrent_runner([])
        """
    )
    assert "concurrent_runner was called twice in one test" in told(suite.run())


#: Real threads and real time, and so much more work that no neighbour hides it.
MORE_WORK = """
    import pytest
    from pytest_paddle_mt import SyntheticWork

    @pytest.mark.paddle_scaling(window=0.02, rounds=12, threads=[1], max_drift=0.02, engine="synthetic")
    def test_it(concurrent_runner):
        result = concurrent_runner.compare(SyntheticWork(steps=1e4), SyntheticWork(steps=1e6), gate=False)
        assert {(visit.side, visit.fork) for one in result.measured.rounds for visit in one.visits} == WHERE
        assert result.status != "pass"
        [ratio] = result.sweep.against.ratios
        assert ratio.p50 > 10
"""


def test_more_work_shows_and_never_passes(suite: Suite):
    suite.write(MORE_WORK.replace("WHERE", "{('other', 0), ('this', 0)}"))
    suite.run().assert_outcomes(passed=1)


def test_in_forks_each_process_serves_its_own_side(suite: Suite):
    suite.write(MORE_WORK.replace("WHERE", "{('other', 2), ('this', 1)}"))
    suite.run("--paddle-forks=1").assert_outcomes(passed=1)


def model(models, name):
    one = models.get(name)
    return f"""
    def {name}():
        from paddle import inference
        config = inference.Config({str(one.program)!r}, {str(one.params)!r})
        config.disable_glog_info()
        config.disable_mkldnn()
        return pytest_paddle_mt.PredictorPool(config)
    """


@pytest.fixture
def two_models(suite: Suite, models):
    """A module that serves 20 layers and 100, and a model that takes other inputs."""

    def write(test):
        parts = [model(models, name) for name in ("deep20", "deep100", "mlp")]
        suite.write("    import pytest, pytest_paddle_mt\n" + "".join(parts) + test)
        suite.ini("paddle-engine = native")
        return suite

    return write


@pytest.mark.parametrize("forks", [0, 1])
def test_a_real_model_with_more_work_never_passes(two_models, forks):
    suite = two_models(
        """
    @pytest.mark.paddle_scaling(window=0.02, rounds=12, threads=[1], max_drift=0.02)
    def test_it(concurrent_runner):
        with deep20() as a, deep100() as b:
            result = concurrent_runner.compare(a, b, gate=False)
            assert len(a) == len(b) == (0 if FORKS else 1)
        assert result.status != "pass"
        assert any(one.startswith("model program sha256 ") for one in result.sweep.against.differences)
    """.replace("FORKS", str(forks))
    )
    suite.run(f"--paddle-forks={forks}").assert_outcomes(passed=1)


def test_one_model_against_itself_has_the_same_files_and_inputs(two_models):
    suite = two_models(
        """
    @pytest.mark.paddle_scaling(window=0.02, rounds=4, threads=[1])
    def test_it(concurrent_runner):
        with deep20() as a, deep20() as b:
            result = concurrent_runner.compare(a, b, gate=False)
        assert result.sweep.against.differences == ()
        identity = result.sweep.subject.identity
        assert identity["inputs"].startswith("sha256 ")
        assert identity == result.sweep.against.subject.identity
    """
    )
    suite.run().assert_outcomes(passed=1)


def test_models_that_take_different_inputs_are_not_comparable(two_models):
    suite = two_models(
        """
    def test_it(concurrent_runner):
        with deep20() as a, mlp() as b:
            result = concurrent_runner.compare(a, b)
            result.ratio(threads=1)
    """
    )
    result = suite.run("-rs")
    result.assert_outcomes(skipped=1)
    assert "not_comparable: the two sides differ in inputs" in text(result)
