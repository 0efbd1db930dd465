"""What a fork gets of its parent's options, and what only the parent has."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from pytest_paddle_mt.workers import launch

#: Options of pytest itself that a fork may have as they are: they shape collection, fixtures, warnings and tracebacks.
KEPT = {
    *("assertmode", "code_highlight", "collect_in_virtualenv", "confcutdir", "continue_on_collection_errors"),
    *("disable_plugin_autoload", "disable_warnings", "doctest_continue_on_failure"),
    *("doctest_ignore_import_errors", "doctestglob", "doctestmodules", "doctestreport", "durations_min"),
    *("fold_skipped", "force_short_summary", "fulltrace", "importmode", "inifilename", "junitprefix"),
    *("keepduplicates", "last_failed_no_failures", "log_auto_indent", "log_cli_date_format", "log_cli_format"),
    *("log_cli_level", "log_date_format", "log_file_date_format", "log_file_format", "log_file_level"),
    *("log_file_mode", "log_format", "log_level", "logger_disable", "max_warnings", "noconftest"),
    *("override_ini", "pythonwarnings", "reportchars", "rootdir", "runxfail", "showcapture", "strict_markers"),
    *("tbstyle", "usepdb_cls", "xfail_tb"),
    *("css", "self_contained_html"),  # of pytest-html, which puts them among those of pytest
}


def test_every_option_of_pytest_is_either_known_to_be_harmless_in_a_fork_or_replaced(pytestconfig):
    groups = [pytestconfig._parser._anonymous, *pytestconfig._parser._groups]
    own = {"general", "terminal reporting", "pytest-warnings", "collect", "debugconfig", "logging"}
    known = KEPT | set(launch._REPLACED)
    of_pytest = {
        option.dest
        for group in groups
        if group.name in own
        for option in group.options
        if not option.dest.startswith(("paddle", "benchmark", "cov", "dist", "reruns"))
    }
    assert of_pytest - known == set()


def test_options_of_others_and_odd_ids_reach_the_fork(forked):
    directory = forked.path / "of [odd] name"
    directory.mkdir()
    forked.conftest(
        """
        def pytest_addoption(parser):
            parser.addoption("--flavour", default="plain")
            parser.addini("colour", "a colour")

        @pytest.fixture
        def flavour(request):
            note("flavour", request.config.getoption("--flavour"), request.config.getini("colour"))
        """
    )
    (forked.path / "pytest.ini").open("a").write("colour = red\n")
    (directory / "test_odd.py").write_text(
        """
import os
import pytest
from conftest import *

class TestIt:
    @pytest.mark.parametrize("value", ["a/b::c[d]", "", "é x"])
    def test_serves(self, value, flavour, concurrent_runner):
        concurrent_runner([], gate=False)
        note("served")
"""
    )
    forked.run_forked("--flavour=sweet", "--ignore=test_it.py", ".").assert_outcomes(passed=3)
    assert [fork for fork, *_ in forked.notes("served")] == ["0", "0", "0"]
    assert sorted(forked.notes("flavour")) == [["0", "sweet", "red"]] * 3 + [["1", "sweet", "red"]] * 3


def test_a_fork_writes_none_of_the_files_that_the_parent_writes(forked):
    (forked.path / "pytest.ini").open("a").write("log_file = log.txt\n")
    forked.conftest(
        """
        import logging

        @pytest.fixture(autouse=True)
        def everywhere():
            logging.getLogger().error("logged in %d", FORK)
            if FORK:
                assert not list(HERE.glob("*.xml"))
                assert "1-of-the-parent" in (HERE / "log.txt").read_text()

        def pytest_sessionstart():
            if not FORK:
                logging.getLogger().error("1-of-the-parent")
        """
    )
    forked.run_forked(
        "--junitxml=junit.xml", "--benchmark-json=benchmark.json", "--debug=debug.txt", "-x", "-k", "serves or next"
    ).assert_outcomes(passed=2)
    for name in ("junit.xml", "benchmark.json", "debug.txt"):
        assert (forked.path / name).stat().st_size > 0
    assert (forked.path / "junit.xml").read_text().count("<testcase") == 2
    assert "logged in 1" not in (forked.path / "log.txt").read_text()


def test_a_fork_has_temporary_directories_of_its_own(forked):
    forked.conftest(
        """
        @pytest.fixture(autouse=True)
        def everywhere(tmp_path):
            note("tmp_path", tmp_path)
            (tmp_path / "file").write_text("kept")
            yield
            assert (tmp_path / "file").read_text() == "kept"
        """
    )
    forked.run_forked(forks=2).assert_outcomes(passed=2)
    paths = [path for _, path in forked.notes("tmp_path")]
    assert len(set(paths)) == 4


def test_what_cannot_be_pickled_stays_behind(pytester):
    config = pytester.parseconfig()
    config.option.unpicklable = lambda: None
    config.option.mine = {"a": Path("b")}
    options = launch._options(config)
    assert "unpicklable" not in options
    assert pickle.loads(options["mine"]) == {"a": Path("b")}


def test_a_fork_knows_its_number_and_nothing_of_coverage_or_of_the_test_that_started_it(monkeypatch):
    monkeypatch.setenv("COV_CORE_SOURCE", "x")
    monkeypatch.setenv("COVERAGE_PROCESS_START", "x")
    monkeypatch.setenv("KEPT", "x")
    environ = launch.environment_of(3)
    assert environ[launch.FORK_VARIABLE] == "3"
    assert environ["KEPT"] == "x"
    assert not {"COV_CORE_SOURCE", "COVERAGE_PROCESS_START", "PYTEST_CURRENT_TEST"} & set(environ)


@pytest.mark.parametrize(
    ("plugin", "mark"),
    [("rerunfailures", "flaky(reruns=1)"), ("timeout", "timeout(300)"), ("pytest_cov", "skipif(False)")],
)
def test_plugins_that_repeat_or_end_tests_leave_a_fork_alone(forked, pytestconfig, plugin, mark):
    if not pytestconfig.pluginmanager.hasplugin(plugin):
        pytest.skip(f"{plugin} is not installed")
    forked.conftest(
        """
        @pytest.fixture
        def fails(pytestconfig):
            note("has", *[name for name in ("rerunfailures", "timeout") if pytestconfig.pluginmanager.hasplugin(name)])
            assert "coverage" not in sys.modules or not sys.modules["coverage"].Coverage.current() or not FORK
            assert not FORK, "not twice"
        """
    )
    forked.write(
        f"""
        from conftest import *

        @pytest.mark.{mark.replace("(False)", "(False, reason='never')")}
        def test_serves(fails, concurrent_runner):
            concurrent_runner([], gate=False)
        """
    )
    asked = {"pytest_cov": ["--cov=."], "rerunfailures": ["-p", "rerunfailures"]}
    result = forked.run_forked(*asked.get(plugin, []))
    assert "AssertionError: not twice" in result.stdout.str()
    runs = 2 if plugin == "rerunfailures" else 1
    assert [names for fork, *names in forked.notes("has") if fork == "1"] == [[]] * runs


def test_a_plugin_named_on_the_command_line_is_a_plugin_of_the_fork(forked):
    (forked.path / "brought.py").write_text("import pytest\n@pytest.fixture\ndef of_a_plugin():\n    return 7\n")
    forked.write(
        """
        from conftest import *

        def test_serves(of_a_plugin, concurrent_runner):
            concurrent_runner([], gate=False)
        """
    )
    forked.run_forked("-p", "brought").assert_outcomes(passed=1)
