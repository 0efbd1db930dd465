"""Hooks of pytest, one line each. Every pytest run imports this module where the plugin is installed: keep it light."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_paddle_mt.plugin import options, registration
from pytest_paddle_mt.plugin.session import session_of

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from pytest_paddle_mt.checks import Check
    from pytest_paddle_mt.engines import Engine
    from pytest_paddle_mt.reporters import Reporter


def pytest_addoption(parser: pytest.Parser) -> None:
    options.register(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    registration.add_hooks(pluginmanager)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, Any, Any]:
    registration.take_share(early_config)
    registration.ignore_warning_of_paddle(early_config)
    return (yield)


def pytest_configure(config: pytest.Config) -> None:
    registration.configure(config)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    registration.parametrize(metafunc)


@pytest.hookimpl(tryfirst=True)
def pytest_itemcollected(item: pytest.Item) -> None:
    registration.mark_thread_unsafe(item)


def pytest_collection_finish(session: pytest.Session) -> None:
    registration.refuse_shared_ids(session)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    registration.refuse_lost_parameters(item)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any]) -> Generator[None, Any, Any]:
    __tracebackhide__ = True
    return (yield from registration.set_up_fixture(fixturedef.argname))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    return (yield from registration.decide_outcome_after(item))


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    registration.fail_unwritten(session)
    registration.show_tables_once(session)


@pytest.hookimpl(tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    session_of(config).write_summary(terminalreporter)


def pytest_paddle_mt_engines() -> Sequence[Engine]:
    return registration.built_in_engines()


def pytest_paddle_mt_checks() -> Sequence[Check]:
    return registration.built_in_checks()


def pytest_paddle_mt_reporters(config: pytest.Config) -> Sequence[Reporter]:
    return registration.built_in_reporters(config)
