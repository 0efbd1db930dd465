"""Options, from wherever they come."""

from __future__ import annotations

from tests.sessions.bodies import SCALES
from tests.suite import Suite, text


def test_engines_parametrise_the_test_at_collection(suite: Suite):
    suite.write("def test_it(concurrent_runner):\n    concurrent_runner(None)\n\ndef test_other():\n    pass\n")
    result = suite.run("--collect-only", "-q", "--paddle-engine=native,python")
    assert [line for line in result.outlines if "::" in line] == [
        "test_it.py::test_it[native]",
        "test_it.py::test_it[python]",
        "test_it.py::test_other",
    ]


def test_one_engine_leaves_the_name_of_the_test_alone(suite: Suite):
    suite.write("def test_it(concurrent_runner):\n    concurrent_runner(None)\n")
    result = suite.run("--collect-only", "-q", "--paddle-engine=python")
    assert "test_it.py::test_it" in result.outlines


def test_each_engine_measures_its_own_sweep(suite: Suite):
    suite.write("def test_it(concurrent_runner):\n    concurrent_runner(None)\n")
    result = suite.run("--paddle-engine=scales,stays", "-rA")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["PASSED test_it.py::test_it?scales?", "FAILED test_it.py::test_it?stays?*"])


def test_engines_of_a_marker_parametrise_as_well_and_meet_other_parameters(suite: Suite):
    suite.write(
        """
        import pytest

        @pytest.mark.paddle_scaling(engine="scales,stays")
        @pytest.mark.parametrize("model", ["a", "b"])
        def test_it(concurrent_runner, model):
            concurrent_runner(None)
        """
    )
    suite.run().assert_outcomes(passed=2, failed=2)


def test_a_marker_wins_over_the_command_line_the_environment_and_the_ini_file(suite, monkeypatch):
    suite.write(
        """
        import pytest

        @pytest.mark.paddle_scaling(engine="scales", min_efficiency=0.11)
        def test_marked(concurrent_runner):
            assert {one.limit for one in concurrent_runner(None).verdicts} == {0.11}

        @pytest.mark.paddle_scaling(engine="scales")
        def test_plain(concurrent_runner):
            print("limit", {one.limit for one in concurrent_runner(None).verdicts})
        """
    )
    suite.ini("paddle-min-efficiency = 0.44")
    assert "limit {0.44}" in text(suite.run("-s"))
    monkeypatch.setenv("PYTEST_PADDLE_MIN_EFFICIENCY", "0.33")
    assert "limit {0.33}" in text(suite.run("-s"))
    result = suite.run("-s", "--paddle-min-efficiency=0.22")
    assert "limit {0.22}" in text(result)
    result.assert_outcomes(passed=2)


def test_our_options_stand_in_the_help(suite: Suite):
    printed = text(suite.run("--help"))
    for option in ("--paddle-threads", "--paddle-engine", "--paddle-min-efficiency", "--paddle-json", "paddle-rounds"):
        assert option in printed


def test_the_marker_is_known(suite: Suite):
    suite.write(SCALES)
    suite.run("--strict-markers").assert_outcomes(passed=1)
    assert "paddle_scaling" in text(suite.run("--markers"))
