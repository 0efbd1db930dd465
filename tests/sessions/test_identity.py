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


@pytest.mark.fault("results", "two tests have one id", "pytest stops before anything is measured, and names both")
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


def test_a_test_that_is_collected_twice_is_refused(suite: Suite):
    suite.write(MEASURES)
    result = suite.run("--keep-duplicates", "test_it.py", "test_it.py", "--paddle-json=results.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "the test 'test_it.py::test_it' was collected 2 times" in text(result)
    assert "drop --keep-duplicates" in text(result)
    assert suite.results() == []


def test_a_file_that_is_given_twice_is_measured_once(suite: Suite):
    suite.write(MEASURES)
    result = suite.run("test_it.py", "test_it.py", ".", "--paddle-json=results.json")
    result.assert_outcomes(passed=1)
    assert len(suite.results()) == 1


def test_a_test_that_is_collected_twice_and_fetches_the_runner_by_name_fails(suite: Suite):
    suite.write(
        MEASURES.replace("concurrent_runner):", "request):").replace(
            "concurrent_runner(", "request.getfixturevalue('concurrent_runner')("
        )
    )
    result = suite.run("--keep-duplicates", "test_it.py", "test_it.py", "--paddle-json=results.json")
    result.assert_outcomes(failed=2)
    assert "the test 'test_it.py::test_it' was collected 2 times" in text(result)
    assert suite.results() == []


def unwrapped(result: pytest.RunResult) -> str:
    """What it printed, without white space, as long paths are wrapped."""
    return "".join(text(result).split())


@pytest.fixture
def project(suite: Suite):
    """A repository with one test, below a folder of tests; without an ini file, so any folder may be the rootdir."""
    (suite.path / "pytest.ini").rename(suite.path / "settings.ini")
    (suite.path / ".git").mkdir()
    (suite.path / "checks").mkdir()
    (suite.path / "checks" / "test_it.py").write_text(MEASURES)
    return suite


AT_ROOT = ("--rootdir=.", "-c", "settings.ini", "checks/test_it.py")
BELOW = ("--rootdir=checks", "-c", "settings.ini", "checks/test_it.py")


@pytest.mark.parametrize(("recorded", "called", "where"), [(AT_ROOT, BELOW, "."), (BELOW, AT_ROOT, "checks")])
def test_a_baseline_of_another_rootdir_is_named(project: Suite, recorded, called, where):
    project.run(*recorded, "--paddle-baseline-update").assert_outcomes(passed=1)
    (stored,) = (project.path / where / "baselines").glob("*/*.json")
    result = project.run(*called)
    result.assert_outcomes(skipped=1)
    assert f"abaseline,{stored}:give--rootdir={(project.path / where).resolve()}," in unwrapped(result)
    project.run(*called, f"--rootdir={project.path / where}").assert_outcomes(passed=1)


def test_a_baseline_below_the_folder_of_another_ini_file_is_named(outside: Suite):
    (outside.path / ".git").mkdir()
    outside.run(*ANYWHERE[:-2], "a", "--paddle-baseline-update").assert_outcomes(passed=1)
    plain = ("--import-mode=importlib", "-p", "known_engines", "--rootdir=.", "a", "-o", "paddle-threads=2")
    result = outside.run(*plain)
    assert f"give--rootdir={outside.path / 'ci'}," in unwrapped(result)


def test_a_folder_of_baselines_outside_of_both_rootdirs_names_the_other_one(project: Suite, tmp_path):
    project.run(*AT_ROOT, "--paddle-baseline-update", f"--paddle-baselines={tmp_path}").assert_outcomes(passed=1)
    result = project.run(*BELOW, f"--paddle-baselines={tmp_path}", "--paddle-baseline-required")
    result.assert_outcomes(failed=1)
    assert f"give--rootdir={project.path}," in unwrapped(result)


def test_recording_a_second_baseline_with_another_rootdir_names_the_first(project: Suite):
    project.run(*AT_ROOT, "--paddle-baseline-update").assert_outcomes(passed=1)
    result = project.run(*BELOW, "--paddle-baseline-update")
    assert f"ithasanotheronewith--rootdir={project.path}," in unwrapped(result)


def test_a_link_to_the_folder_of_a_test_leads_to_the_same_baseline(project: Suite):
    project.run(*AT_ROOT, "--paddle-baseline-update").assert_outcomes(passed=1)
    (project.path / "linked").symlink_to(project.path)
    result = project.run("-c", "settings.ini", "--rootdir=linked", "checks/test_it.py", "--paddle-baseline-update")
    assert "2 runs accepted" in text(result)
