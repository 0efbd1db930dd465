"""Does the work of the hooks in ``plugin``; imports nothing heavy before a test needs it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from pytest_paddle_mt.errors import PaddleMtError, UsageError
from pytest_paddle_mt.plugin import fixtures, hookspec
from pytest_paddle_mt.plugin.identity import refuse_shared_id
from pytest_paddle_mt.plugin.options import MARKER
from pytest_paddle_mt.plugin.session import checked_settings, session_of, updates_baselines

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from pytest_paddle_mt.checks import Check
    from pytest_paddle_mt.engines import Engine
    from pytest_paddle_mt.reporters import Reporter


def add_hooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the hooks that other plugins may implement."""
    pluginmanager.add_hookspecs(hookspec)


def ignore_warning_of_paddle(config: pytest.Config) -> None:
    """Ignore that Paddle finds no ccache, of which it warns in every process: nothing is compiled here."""
    config.addinivalue_line("filterwarnings", "ignore:No ccache found:UserWarning")


def configure(config: pytest.Config) -> None:
    """Declare the marker, refuse unusable options, and register the fixtures."""
    config.addinivalue_line(
        "markers", f"{MARKER}(threads=, min_efficiency=, ...): how this test's thread sweep is measured and judged"
    )
    checked_settings(config)
    config.pluginmanager.register(fixtures, "paddle_mt_fixtures")
    with_benchmark = config.pluginmanager.hasplugin("benchmark")
    runner = fixtures.WithBenchmark() if with_benchmark else fixtures.WithoutBenchmark()
    config.pluginmanager.register(runner, "paddle_mt_runner")
    if config.pluginmanager.hasplugin("html") and config.getoption("htmlpath", None):
        from pytest_paddle_mt.plugin.pytest_html_row import PytestHtmlRow

        config.pluginmanager.register(PytestHtmlRow(), "paddle_mt_pytest_html_row")
    if updates_baselines(config):
        from pytest_paddle_mt.plugin.baseline_update import BaselineAcceptance

        config.pluginmanager.register(BaselineAcceptance(config), "paddle_mt_baseline_acceptance")


def parametrize_engines(metafunc: pytest.Metafunc) -> None:
    """Let a test run once with each engine, if several were asked for."""
    if "paddle_engine" not in metafunc.fixturenames:
        return
    try:
        engines = session_of(metafunc.config).settings(metafunc.definition).engines
    except PaddleMtError as error:
        raise pytest.Collector.CollectError(f"{metafunc.definition.nodeid}: {error}") from error
    if len(engines) > 1:
        metafunc.parametrize("paddle_engine", engines)


def mark_thread_unsafe(item: pytest.Item) -> None:
    """Keep pytest-run-parallel from running other tests while this one measures."""
    runs_parallel = item.config.getoption("parallel_threads", None) is not None
    if runs_parallel and "concurrent_runner" in getattr(item, "fixturenames", ()):
        item.add_marker("thread_unsafe")


def refuse_shared_ids(session: pytest.Session) -> None:
    """Refuse two tests that measure under one node id: results and baselines belong to node ids.

    Raises:
        pytest.UsageError: there are such tests.
    """
    if hasattr(session.config, "workerinput"):
        return  # pytest-xdist cannot print why a worker ended; there the fixture refuses
    items = session.items
    repeated = {nodeid for nodeid, times in Counter(item.nodeid for item in items).items() if times > 1}
    try:
        for item in items:
            if item.nodeid in repeated and "concurrent_runner" in getattr(item, "fixturenames", ()):
                refuse_shared_id(item, items)
    except UsageError as error:
        raise pytest.UsageError(str(error)) from error


def refuse_lost_parameters(item: pytest.Item) -> None:
    """Refuse a method of ``unittest.TestCase`` whose fixtures have parameters, before any is set up."""
    if getattr(item, "nofuncargs", False):
        for fixture in ("predictor_pool", "concurrent_runner"):
            if fixture in getattr(item, "fixturenames", ()):
                fixtures.refuse_lost_parameters_of(item, fixture)


def set_up_fixture(name: str) -> Generator[None, Any, Any]:
    """Let a fixture be set up, and watch over the one that returns the model."""
    __tracebackhide__ = True
    if name != "paddle_config":
        return (yield)
    from pytest_paddle_mt.plugin.configured_pool import setting_up_config

    with setting_up_config():
        return (yield)


def decide_outcome_after(item: pytest.Item) -> Generator[None, Any, Any]:
    """Let the test body run; if it passes, decide the outcome of a test that was not gated."""
    result = yield
    session_of(item.config).decide_outcome(item)
    return result


def fail_unwritten(session: pytest.Session) -> None:
    """Let a session fail whose tests passed, but which has a report that could not be written."""
    if session_of(session.config).unwritten and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def show_tables_once(session: pytest.Session) -> None:
    """Leave the tables of failed tests to the summary, which no other reporter of the failures has."""
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None and session_of(session.config).finished:
        from pytest_paddle_mt.plugin.summary import show_tables_once

        show_tables_once(session_of(session.config), terminal)


def built_in_engines() -> Sequence[Engine]:
    """Our own engines."""
    from pytest_paddle_mt import engines

    return engines.built_in()


def built_in_checks() -> Sequence[Check]:
    """Our own checks."""
    from pytest_paddle_mt import checks

    return checks.built_in()


def built_in_reporters(config: pytest.Config) -> Sequence[Reporter]:
    """Our own reporters."""
    from pytest_paddle_mt import reporters

    return reporters.built_in(session_of(config).settings(), worker=hasattr(config, "workerinput"))
