"""Fixtures with parameters, and several engines: a test for each, or an error that says what to write."""

from __future__ import annotations

import pytest

from tests.sessions.test_bad_input import told
from tests.suite import Suite, text

#: A model fixture with parameters, of whatever scope; each parameter gives an own model.
CONFIGS = """
    import pytest
    from paddle import inference

    def made(name):
        config = inference.Config(*FILES[name])
        config.disable_glog_info()
        return config

    @pytest.fixture(params=["mlp", "again"], scope="{scope}")
    def {fixture}(request):
        return {returned}
"""

SERVES = """
    def test_serves(predictor_pool, concurrent_runner):
        concurrent_runner(predictor_pool, gate=False)
"""


@pytest.fixture
def served(suite: Suite, models):
    """A suite whose conftest.py knows the files of two models."""
    model = models.get("mlp")
    files = (str(model.program), str(model.params))
    suite.ini("paddle-rounds = 1", "paddle-window = 2q")

    def write(*, scope="function", fixture="paddle_config", returned="made(request.param)", more=""):
        configs = CONFIGS.format(scope=scope, fixture=fixture, returned=returned)
        suite.conftest(f"\nFILES = {dict.fromkeys(('mlp', 'again'), files)!r}\n")
        suite.conftest_too(configs)
        suite.conftest_too(more)
        return suite

    return write


def passed(result: pytest.RunResult) -> list[str]:
    """The ids of the tests that passed, sorted."""
    assert result.ret == 0, text(result)
    return sorted(line.partition("::")[2] for line in result.outlines if line.startswith("PASSED "))


@pytest.mark.parametrize("scope", ["function", "module", "session"])
def test_a_model_fixture_with_parameters_makes_a_test_of_each(served, scope):
    suite = served(scope=scope)
    suite.write(SERVES)
    assert passed(suite.run("-rp")) == ["test_serves[again]", "test_serves[mlp]"]


def test_parameters_below_the_model_fixture_make_a_test_of_each_in_a_class_too(served):
    suite = served(
        scope="module",
        fixture="model_name",
        returned="request.param",
        more="""
            @pytest.fixture
            def paddle_config(model_name):
                return made(model_name)
        """,
    )
    suite.write(
        """
        class TestServing:
            def test_serves(self, predictor_pool, concurrent_runner):
                concurrent_runner(predictor_pool, gate=False)
        """
    )
    assert passed(suite.run("-rp")) == ["TestServing::test_serves[again]", "TestServing::test_serves[mlp]"]


def test_a_mark_gives_the_model_fixture_its_parameters_or_replaces_it(served):
    suite = served()
    suite.write(
        """
        import pytest
        from conftest import made

        @pytest.mark.parametrize("paddle_config", ["mlp"], indirect=True)
        def test_indirect(predictor_pool, concurrent_runner):
            concurrent_runner(predictor_pool, gate=False)

        @pytest.mark.parametrize("paddle_config", [made("mlp")], ids=["direct"])
        def test_direct(predictor_pool, concurrent_runner):
            concurrent_runner(predictor_pool, gate=False)
        """
    )
    assert passed(suite.run("-rp")) == ["test_direct[direct]", "test_indirect[mlp]"]


def test_pytest_generate_tests_gives_the_model_fixture_its_parameters(served):
    suite = served()
    suite.conftest_too(
        """
        @pytest.fixture
        def paddle_config(request):
            return made(request.param)

        def pytest_generate_tests(metafunc):
            if "paddle_config" in metafunc.fixturenames:
                metafunc.parametrize("paddle_config", ["mlp", "again"], indirect=True)
        """
    )
    suite.write(SERVES)
    assert passed(suite.run("-rp")) == ["test_serves[again]", "test_serves[mlp]"]


@pytest.mark.parametrize("scope", ["function", "session"])
def test_a_method_of_testcase_is_refused_with_what_to_write(served, scope):
    suite = served(scope=scope)
    suite.write(
        """
        import unittest
        import pytest

        class TestServing(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def keep(self, predictor_pool, concurrent_runner):
                self.pool, self.run_it = predictor_pool, concurrent_runner

            def test_serves(self):
                self.run_it(self.pool, gate=False)
        """
    )
    result = suite.run()
    result.assert_outcomes(errors=1)
    assert "the fixture paddle_config (" in told(result)
    assert "pytest cannot run test_serves, a method of unittest.TestCase, once for each; make it a function" in told(
        result
    )


def test_a_pool_requested_by_name_is_refused_with_what_to_write(served):
    suite = served()
    suite.write(
        """
        def test_serves(request):
            request.getfixturevalue("predictor_pool")
        """
    )
    result = suite.run()
    result.assert_outcomes(failed=1)
    assert "the fixture paddle_config (" in told(result)
    assert "conftest.py:" in told(result)
    assert "has 2 parameters, and pytest cannot run test_serves once for each" in told(result)
    assert "request it as an argument of the test" in told(result)


# Engines.


BY_NAME = """
    import pytest

    def test_serves(request):
        request.getfixturevalue("concurrent_runner")(None, gate=False)
"""

IN_TESTCASE = """
    import unittest
    import pytest

    class TestServing(unittest.TestCase):
        @pytest.fixture(autouse=True)
        def keep(self, concurrent_runner):
            self.run_it = concurrent_runner

        def test_serves(self):
            self.run_it(None, gate=False)
"""


@pytest.mark.parametrize(
    ("written", "why"),
    [
        (BY_NAME, "it requests concurrent_runner by its name, after the tests were collected"),
        (IN_TESTCASE, "a method of unittest.TestCase"),
    ],
)
def test_several_engines_for_a_test_that_can_run_only_once_are_refused(suite: Suite, written, why):
    suite.write(written)
    result = suite.run("--paddle-engine=scales,stays")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "--paddle-engine=scales,stays asks for 2 engines, and pytest cannot run test_serves" in told(result)
    assert why in told(result)
    assert '@pytest.mark.paddle_scaling(engine="scales")' in told(result)
    assert "paddle thread scaling" not in text(result)


@pytest.mark.parametrize("written", [BY_NAME, IN_TESTCASE])
def test_one_engine_reaches_a_test_that_can_run_only_once(suite: Suite, written):
    suite.write(written)
    result = suite.run("--paddle-engine=stays")
    result.assert_outcomes(passed=1)
    assert "stays engine" in text(result)


def test_the_marker_chooses_the_engine_of_a_test_that_can_run_only_once(suite: Suite):
    suite.write(BY_NAME.replace("    def", '    @pytest.mark.paddle_scaling(engine="stays")\n    def'))
    result = suite.run("--paddle-engine=scales,stays")
    result.assert_outcomes(passed=1)
    assert "stays engine" in text(result)


# Batch sizes


def sizes(suite: Suite) -> dict[str, int]:
    """The batch size of each sweep of results.json, by its test."""
    return {one["nodeid"].partition("::")[2]: one["batch_size"] for one in suite.results()}


def test_several_batch_sizes_make_a_test_and_a_table_of_each(served):
    suite = served()
    suite.write(SERVES)
    result = suite.run("--paddle-batch-size=1,4", "--paddle-json=results.json", "-k", "mlp")
    result.assert_outcomes(passed=2, deselected=2)
    assert sizes(suite) == {"test_serves[mlp-batch1]": 1, "test_serves[mlp-batch4]": 4}
    assert text(result).count("threads QPS speedup") == 2
    assert text(result).count("items per second (QPS x 4): ") == 1


def test_inputs_of_one_s_own_follow_the_batch_size_or_are_refused(served):
    suite = served(
        more="""
            import numpy

            @pytest.fixture
            def paddle_inputs(request):
                asked = request.getfixturevalue("paddle_batch_size") if request.node.name.startswith("test_f") else 1
                return {"x": numpy.ones((asked, 16), "float32")}
        """,
    )
    suite.write(SERVES + SERVES.replace("test_serves", "test_follows"))
    result = suite.run("--paddle-batch-size=1,4", "--paddle-json=results.json", "-k", "mlp")
    result.assert_outcomes(passed=3, failed=1, deselected=4)
    assert "to be measured with a batch size of 4, and its inputs have 1: request the fixture" in told(result)
    assert sizes(suite)["test_follows[mlp-batch4]"] == 4


def test_each_batch_size_has_a_baseline_of_its_own_with_whatever_engines(suite: Suite):
    suite.write("def test_it(concurrent_runner):\n    concurrent_runner(None)\n")
    many = ("--paddle-batch-size=1,4", "--paddle-engine=scales,stays", "--paddle-min-efficiency=0.4")
    suite.run(*many, "--paddle-baseline-update").assert_outcomes(passed=4)
    names = sorted(path.name for path in suite.path.glob("baselines/*/*.json"))
    assert [name.split("-")[2:3] + name.split("-")[-1:] for name in names] == [
        ["batch1", "scales.json"],
        ["batch1", "stays.json"],
        ["batch4", "scales.json"],
        ["batch4", "stays.json"],
    ]
    result = suite.run("--paddle-batch-size=1,4", "--paddle-engine=scales", "--paddle-baseline-required")
    result.assert_outcomes(passed=2)


def test_the_marker_gives_one_test_several_batch_sizes(suite: Suite):
    suite.write(
        """
        import pytest

        @pytest.mark.paddle_scaling(engine="scales", batch_size=[2, 8])
        def test_it(concurrent_runner, paddle_batch_size):
            assert paddle_batch_size in (2, 8)

        @pytest.mark.paddle_scaling(engine="scales", batch_size=2)
        def test_one(concurrent_runner, paddle_batch_size):
            assert paddle_batch_size == 2
        """
    )
    assert passed(suite.run("-rp")) == ["test_it[batch2]", "test_it[batch8]", "test_one"]
