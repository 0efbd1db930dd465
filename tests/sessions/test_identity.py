"""Which test a result and a baseline belong to."""

from __future__ import annotations

import json

import pytest

from tests.suite import Suite, text

MEASURES = """
import pytest

@pytest.mark.paddle_scaling(engine="scales")
def test_it(concurrent_runner):
    concurrent_runner(None)
"""


@pytest.fixture
def outside(suite: Suite):
    """Two folders, each with a test of one name, and a third one that has only the ini file."""
    for folder in ("a", "b"):
        (suite.path / folder).mkdir()
        (suite.path / folder / "test_same.py").write_text(MEASURES)
    (suite.path / "conftest.py").rename(suite.path / "known_engines.py")  # it would not be above the rootdir's tests
    (suite.path / "ci").mkdir()
    (suite.path / "pytest.ini").rename(suite.path / "ci" / "pytest.ini")
    return suite


ANYWHERE = ("--import-mode=importlib", "-p", "known_engines", "-c", "ci/pytest.ini", "a/test_same.py", "b/test_same.py")


def test_two_files_outside_of_the_rootdir_that_share_an_id_are_refused(outside: Suite):
    result = outside.run(*ANYWHERE, "--paddle-json=results.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"{outside.path}/a/test_same.py and {outside.path}/b/test_same.py both have a test" in text(result)
    assert f"give --rootdir={outside.path}" in text(result)
    assert outside.results() == []


def test_the_rootdir_that_the_refusal_names_tells_them_apart(outside: Suite):
    result = outside.run(*ANYWHERE, f"--rootdir={outside.path}", "--paddle-json=results.json")
    result.assert_outcomes(passed=2)
    assert [one["nodeid"] for one in outside.results()] == ["a/test_same.py::test_it", "b/test_same.py::test_it"]


def test_files_outside_of_the_rootdir_have_a_baseline_each_however_pytest_is_called(outside: Suite):
    for name in ("a", "a/test_same.py", "b"):
        outside.run(*ANYWHERE[:-2], name, "--paddle-baseline-update").assert_outcomes(passed=1)
    stored = [json.loads(path.read_text()) for path in (outside.path / "ci" / "baselines").glob("*/*.json")]
    assert {one["test"]: len(one["runs"]) for one in stored} == {
        "../a/test_same.py::test_it": 2,
        "../b/test_same.py::test_it": 1,
    }
