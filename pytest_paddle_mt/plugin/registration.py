"""Does the work of the hooks in ``plugin``; imports nothing heavy before a test needs it."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from pytest_paddle_mt.errors import PaddleMtError, UsageError
from pytest_paddle_mt.plugin import fixtures, hookspec
from pytest_paddle_mt.plugin.identity import refuse_shared_id
from pytest_paddle_mt.plugin.options import MARKER, anything_given
from pytest_paddle_mt.plugin.session import checked_settings, session_of, updates_baselines

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from pytest_paddle_mt.checks import Check
    from pytest_paddle_mt.engines import Engine
    from pytest_paddle_mt.plugin.shares import Share
    from pytest_paddle_mt.reporters import Reporter

_SHARE: pytest.StashKey[Share] = pytest.StashKey()  #: What a worker of pytest-xdist measures with.


def add_hooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the hooks that other plugins may implement."""
    pluginmanager.add_hookspecs(hookspec)


def ignore_warning_of_paddle(config: pytest.Config) -> None:
    """Ignore that Paddle finds no ccache, of which it warns in every process: nothing is compiled here."""
    config.addinivalue_line("filterwarnings", "ignore:No ccache found:UserWarning")


def take_share(config: pytest.Config) -> None:
    """Keep a worker of pytest-xdist to its share of the machine, before anything of the user's is imported."""
    if "PYTEST_PADDLE_MT_SHARE" in os.environ:
        from pytest_paddle_mt.plugin import shares

        config.stash[_SHARE] = shares.take(os.environ)


def _measure_in_workers(config: pytest.Config) -> None:
    """Let workers of pytest-xdist measure, and this process report, where that was asked for."""
    share = config.stash.get(_SHARE, None)
    if (share is None and config.getoption("dist", "no") == "no") or not anything_given(config):
        return
    session = session_of(config)
    wanted = session.settings().xdist
    if wanted is None:
        return
    from pytest_paddle_mt.plugin import smoke, xdist

    if share is not None:
        session.xdist_worker = xdist.Worker(config, share)
        config.pluginmanager.register(session.xdist_worker, "paddle_mt_xdist")
    elif smoke.distributes(config):
        config.pluginmanager.register(xdist.Controller(session, wanted), "paddle_mt_xdist")


def configure(config: pytest.Config) -> None:
    """Declare the marker, refuse unusable options, and register the fixtures."""
    config.addinivalue_line(
        "markers", f"{MARKER}(threads=, min_efficiency=, ...): how this test's thread sweep is measured and judged"
    )
    checked_settings(config)
    _measure_in_workers(config)
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


def parametrize(metafunc: pytest.Metafunc) -> None:
    """Let a test run once with each engine and with each batch size, if several were asked for."""
    if not {"paddle_engine", "paddle_batch_size"} & set(metafunc.fixturenames):
        return
    try:
        settings = session_of(metafunc.config).settings(metafunc.definition)
    except PaddleMtError as error:
        raise pytest.Collector.CollectError(f"{metafunc.definition.nodeid}: {error}") from error
    if len(settings.engines) > 1 and "paddle_engine" in metafunc.fixturenames:
        metafunc.parametrize("paddle_engine", settings.engines)
    if len(settings.batch_sizes) > 1 and "paddle_batch_size" in metafunc.fixturenames:
        metafunc.parametrize("paddle_batch_size", settings.batch_sizes, ids="batch{}".format)


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
