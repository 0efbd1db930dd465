"""The hooks: other plugins add engines, checks and reporters, and see finished sweeps; ours use the same way."""

from __future__ import annotations

import pytest

from pytest_paddle_mt.plugin.session import session_of
from tests.suite import Suite, text

#: A plugin of somebody else's, small and complete.
PLUGIN = """
    from pytest_paddle_mt.testing import FakeEngine
    from pytest_paddle_mt.records import Verdict

    class FairnessCheck:
        name = "fairness"

        def judge(self, evidence):
            return [
                Verdict(check="fairness", threads=threads, status="pass", observed=1.0, limit=0.5, reason="all alike")
                for threads in evidence.thread_counts
                if threads > 1
            ]

    class LogReporter:
        name = "log"

        def __init__(self):
            self.told = []

        def sweep_finished(self, finished):
            self.told.append(finished.sweep.nodeid)

        def session_finished(self, sweeps, terminal):
            terminal.write_line(f"log of {len(sweeps)}: {self.told}")

    seen = []

    def pytest_paddle_mt_engines():
        return [FakeEngine({1: 10.0, 2: 19.8}, name="theirs")]

    def pytest_paddle_mt_checks():
        return [FairnessCheck()]

    def pytest_paddle_mt_reporters(config):
        return [LogReporter()]

    def pytest_paddle_mt_sweep_finished(sweep, config):
        print("seen", sweep.nodeid, sweep.status, config.rootpath.name)
"""
TEST = """
    import pytest

    @pytest.mark.paddle_scaling(engine="theirs")
    def test_it(concurrent_runner):
        result = concurrent_runner(None)
        print("checks", [one.check for one in result.verdicts])
"""


@pytest.fixture
def extended(suite: Suite) -> Suite:
    suite.write(PLUGIN, "conftest")
    suite.write(TEST)
    return suite


def test_an_engine_of_another_plugin_measures(extended: Suite):
    result = extended.run()
    result.assert_outcomes(passed=1)
    assert "theirs engine, cpu" in text(result)


def test_an_engine_of_another_plugin_can_be_chosen_on_the_command_line(extended: Suite):
    extended.write(TEST.replace('engine="theirs"', "threads=2"))
    result = extended.run("--paddle-engine=theirs")
    result.assert_outcomes(passed=1)
    assert "theirs engine, cpu" in text(result)


def test_a_check_of_another_plugin_judges_beside_ours(extended: Suite):
    result = extended.run("-s")
    assert "checks ['fairness', 'linear']" in text(result) or "checks ['linear', 'fairness']" in text(result)
    assert "PASS fairness: all alike" in text(result)


def test_a_check_of_another_plugin_can_fail_the_test(extended: Suite):
    extended.write(PLUGIN.replace('status="pass"', 'status="fail"').replace("all alike", "one starves"), "conftest")
    result = extended.run()
    result.assert_outcomes(failed=1)
    assert "fairness: one starves" in text(result)


def test_a_reporter_of_another_plugin_is_told_each_sweep_and_the_end(extended: Suite):
    assert "log of 1: ['test_it.py::test_it']" in text(extended.run())


def test_a_finished_sweep_is_seen_before_it_fails_its_test(extended: Suite):
    extended.write(PLUGIN.replace("19.8", "10.2"), "conftest")
    result = extended.run("-s")
    result.assert_outcomes(failed=1)
    assert f"seen test_it.py::test_it fail {extended.path.name}" in text(result)


@pytest.mark.parametrize(
    ("what", "theirs", "ours"),
    [
        ("engine", 'name="theirs"', 'name="native"'),
        ("check", '"fairness"', '"linear"'),
        ("reporter", '"log"', '"junit"'),
    ],
)
@pytest.mark.fault("results", "two plugins register one name", "the test fails before anything is measured")
def test_a_name_that_is_taken_is_refused_before_anything_is_measured(extended: Suite, what, theirs, ours):
    extended.write(PLUGIN.replace(theirs, ours), "conftest")
    result = extended.run("-s")
    outcomes = result.parseoutcomes()
    assert "passed" not in outcomes
    assert "errors" in outcomes or "error" in outcomes
    name = ours.rpartition("=")[2].strip('"')
    assert f"two plugins register the {what} '{name}'" in text(result)
    assert "rename one" in text(result)
    assert "seen test_it.py" not in text(result)
    assert "Traceback" not in text(result)


def test_a_taken_engine_name_is_refused_on_the_command_line_as_well(extended: Suite):
    extended.write(PLUGIN.replace('name="theirs"', 'name="native"'), "conftest")
    result = extended.run_apart("--paddle-engine=native")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "two plugins register the engine 'native'" in text(result)


def test_ours_register_through_the_same_hooks(pytester: pytest.Pytester):
    config = pytester.parseconfigure("-p", "no:hypothesispytest")
    ours = config.pluginmanager.getplugin("paddle_mt")
    hooks = ("pytest_paddle_mt_engines", "pytest_paddle_mt_checks", "pytest_paddle_mt_reporters")
    for hook in hooks:
        assert [one.plugin for one in getattr(config.hook, hook).get_hookimpls()] == [ours]
    session = session_of(config)
    assert list(session.engines()) == ["native", "python", "synthetic", "callable", "onnxruntime"]
    assert [check.name for check in session.checks()] == ["linear", "collapse", "drift", "against"]
    assert [reporter.name for reporter in session.reporters()] == ["pytest-benchmark", "junit", "terminal"]


def test_without_our_plugin_s_own_members_nothing_is_built_in(pytester: pytest.Pytester):
    config = pytester.parseconfigure("-p", "no:hypothesispytest")
    ours = config.pluginmanager.getplugin("paddle_mt")
    hook = config.pluginmanager.subset_hook_caller("pytest_paddle_mt_engines", remove_plugins=[ours])
    assert hook() == []
