"""One per pytest session: settings, who is registered, finished sweeps, and what becomes of each test."""

from __future__ import annotations

import os
import random
import re
from typing import TYPE_CHECKING, Any

import pytest

from pytest_paddle_mt.errors import GateFailure, PaddleMtError, UsageError
from pytest_paddle_mt.plugin import options
from pytest_paddle_mt.units import counted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_paddle_mt.baselines.ledger import Ledger
    from pytest_paddle_mt.checks import Check
    from pytest_paddle_mt.engines import Engine
    from pytest_paddle_mt.records import Settings, Sweep
    from pytest_paddle_mt.reporters import Finished, Reporter
    from pytest_paddle_mt.workers.launch import Place

SESSION_KEY = pytest.StashKey["Session"]()


#: How the reason of a test that was not gated begins.
NOT_GATED = "NOT gated: "


class Session:
    """The state of this plugin in one pytest session."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.finished: list[Finished] = []
        #: Drawn once, so that a session without ``--paddle-seed`` can be repeated with the seed that it reports.
        self.drawn_seed = random.SystemRandom().randrange(2**31)
        self._engines: dict[str, Engine] | None = None
        self._checks: list[Check] | None = None
        self._reporters: list[Reporter] | None = None
        self._ledger: Ledger | None = None

    @property
    def sweeps(self) -> list[Sweep]:
        """Finished sweeps, in order."""
        return [finished.sweep for finished in self.finished]

    def settings(self, item: pytest.Item | None = None) -> Settings:
        """The settings of one test, or of the session.

        Raises:
            UsageError: something that the user wrote cannot be used.
        """
        from pytest_paddle_mt.plugin.resolve import resolve, scaling_marks

        marks = [] if item is None else scaling_marks(item)
        found = resolve(self.config, marks)
        if "engine" in found.sources:  # only then are the engines loaded, to know their names
            resolve(self.config, marks, known_engines=tuple(self.engines()))
        return found

    def engines(self) -> dict[str, Engine]:
        """Engines by name, ours and those of other plugins."""
        if self._engines is None:
            self._engines = _by_name("engine", self._registered("pytest_paddle_mt_engines"))
        return self._engines

    def checks(self) -> list[Check]:
        """Checks, ours and those of other plugins."""
        if self._checks is None:
            self._checks = list(_by_name("check", self._registered("pytest_paddle_mt_checks")).values())
        return self._checks

    def reporters(self) -> list[Reporter]:
        """Reporters, ours and those of other plugins."""
        if self._reporters is None:
            registered = self.config.hook.pytest_paddle_mt_reporters(config=self.config)
            self._reporters = list(_by_name("reporter", _flat(registered)).values())
        return self._reporters

    def ledger(self) -> Ledger:
        """What this session does with stored baselines."""
        if self._ledger is None:
            from pytest_paddle_mt.baselines.ledger import Ledger

            self._ledger = Ledger(self.settings(), self.config.rootpath)
        return self._ledger

    def smoke_reason(self) -> str | None:
        """Why nothing can be measured in this session; None when it can."""
        config = self.config
        if "PYTEST_XDIST_WORKER" in os.environ or hasattr(config, "workerinput"):
            return "pytest-xdist runs tests side by side"
        if config.getoption("dist", "no") != "no" and config.getoption("tx", None):
            return "pytest-xdist runs tests side by side"
        # Before --benchmark-disable, which pytest-codspeed sets as well.
        if config.getoption("codspeed", False) or (
            "CODSPEED_ENV" in os.environ and config.pluginmanager.hasplugin("codspeed")
        ):
            return "pytest-codspeed measures instead"
        if config.getoption("benchmark_disable", False) and not config.getoption("benchmark_enable", False):
            return "--benchmark-disable"
        return None

    def forks(self, item: pytest.Item) -> int:
        """How many fresh processes measure ``item``; 0 when this process does."""
        from pytest_paddle_mt.workers import SERVER

        if SERVER in self.config.stash or self.smoke_reason() is not None:
            return 0
        forks = self.settings(item).forks
        return forks if self.against() is None else max(1, forks)

    def against(self) -> Place | None:
        """Where the other side of a comparison is; None when there is none, and in a fork.

        Raises:
            UsageError: it is not there.
        """
        from pytest_paddle_mt.workers import SERVER, elsewhere

        if SERVER in self.config.stash:
            return None
        settings = self.settings()
        return elsewhere.place(settings.against, settings.against_rootdir, self.config.rootpath, settings.sources)

    def begins(self, item: pytest.Item) -> None:
        """A test begins, perhaps once more: what an earlier attempt offered as a baseline does not count."""
        if self._ledger is not None:
            self._ledger.again(item.nodeid)

    def sweep_finished(self, finished: Finished) -> None:
        """Take a finished sweep, in place of an earlier attempt of the same test, and tell everybody.

        A reporter that fails does not keep the sweep from the others.
        """
        import dataclasses

        self.finished = [one for one in self.finished if one.item is not finished.item]
        # Without its rounds: they hold every latency, and a session of many sweeps would grow without end.
        confirmation, against = finished.sweep.confirmation, finished.sweep.against
        if confirmation is not None:
            confirmation = dataclasses.replace(confirmation, rounds=())
        if against is not None:
            against = dataclasses.replace(against, rounds=())
        without_rounds = dataclasses.replace(finished.sweep, rounds=(), confirmation=confirmation, against=against)
        self.finished.append(dataclasses.replace(finished, sweep=without_rounds))
        failures = []
        for reporter in self.reporters():
            try:
                reporter.sweep_finished(finished)
            except Exception as error:
                failures.append(error)
        if failures:
            raise failures[0]
        self.config.hook.pytest_paddle_mt_sweep_finished(sweep=finished.sweep, config=self.config)

    def settle(self, item: pytest.Item) -> None:
        """After a test body that passed: a test that was not gated is skipped, or fails under ``--paddle-strict``."""
        from pytest_paddle_mt.records import GATED_STATUSES

        sweeps = [one.sweep for one in self.finished if one.item is item and one.sweep.gate]
        open_ones = [sweep for sweep in sweeps if sweep.status not in GATED_STATUSES]
        if not open_ones:
            return
        reason = NOT_GATED + "; ".join(not_gated_reason(sweep) for sweep in open_ones)
        if self.settings(item).strict:
            raise GateFailure(f"{reason}\n--paddle-strict makes that a failure.")
        pytest.skip(reason)

    def write_summary(self, terminal: pytest.TerminalReporter) -> None:
        """Let every reporter add to the terminal summary."""
        if self.finished:
            for reporter in self.reporters():
                reporter.session_finished(self.sweeps, terminal)
            self._write_about_baselines(terminal)
            return
        # Under pytest-xdist the sweeps happened in other processes; their reports arrive here.
        skipped = [report.longrepr for report in terminal.getreports("skipped")]
        not_gated = [one for one in skipped if isinstance(one, tuple) and NOT_GATED in one[2]]
        if not_gated:
            terminal.section("paddle thread scaling")
            reason = not_gated[0][2].partition(NOT_GATED)[2]
            terminal.write_line(f"{counted(len(not_gated), 'test')} NOT gated: {reason}")
        self._write_about_baselines(terminal)

    def _write_about_baselines(self, terminal: pytest.TerminalReporter) -> None:
        if self._ledger is None:  # nothing was measured, and no update was asked for
            return
        for line in self._ledger.summary_lines():
            terminal.write_line(line)
        whole = whole_run(self.config, terminal)
        if whole is not None and self.finished:
            unused = self._ledger.unused([test_key(item) for item in whole])
            if unused:
                terminal.write_line(
                    f"paddle-mt: {counted(len(unused), 'baseline')} of no test: {', '.join(unused)}; delete what is "
                    "not needed any more"
                )

    def _registered(self, hook: str) -> Iterable[Any]:
        return _flat(getattr(self.config.hook, hook)())


def whole_run(config: pytest.Config, terminal: pytest.TerminalReporter) -> list[pytest.Item] | None:
    """Every test that there is, where all of them were collected and none was left out; None otherwise."""
    session: Any = config.pluginmanager.get_plugin("session")
    if session is None or session.shouldstop or session.shouldfail:
        return None
    named = config.args_source is pytest.Config.ArgsSource.ARGS
    paths = [config.invocation_params.dir / argument for argument in config.args]
    if named and config.rootpath not in [path.resolve() for path in paths]:
        return None
    if (
        config.args_source is pytest.Config.ArgsSource.INVOCATION_DIR
        and config.invocation_params.dir != config.rootpath
    ):
        return None
    narrowed = ("deselect", "ignore", "ignore_glob", "lf", "stepwise", "keyword", "markexpr")
    if any(config.getoption(name, None) for name in narrowed) or terminal.getreports("deselected"):
        return None
    if any(report.when != "call" for report in terminal.getreports("error")):
        return None
    return list(session.items)


def not_gated_reason(sweep: Sweep) -> str:
    """Why a sweep was not gated, in one sentence."""
    if sweep.smoke_reason is not None:
        return f"smoke run only ({sweep.smoke_reason})"
    worst = [verdict for verdict in sweep.verdicts if verdict.status == sweep.status]
    return f"{sweep.status}: {worst[0].reason}" if worst else "no_data: no check had anything to judge"


def session_of(config: pytest.Config) -> Session:
    """The session of this plugin, made when first asked for."""
    session = config.stash.get(SESSION_KEY, None)
    if session is None:
        session = config.stash[SESSION_KEY] = Session(config)
    return session


def checked_settings(config: pytest.Config) -> None:
    """Refuse unusable options before anything is collected.

    Raises:
        pytest.UsageError: an option, an environment variable or an ini value cannot be used.
    """
    if not options.anything_given(config):
        return
    try:
        session = session_of(config)
        if session.settings().against is not None or session.settings().against_rootdir is not None:
            session.against()
    except PaddleMtError as error:
        raise pytest.UsageError(str(error)) from error


def updates_baselines(config: pytest.Config) -> bool:
    """Whether this session is to accept runs as baselines; a fork leaves that to its parent."""
    if not options.anything_given(config) or session_of(config).settings().baseline_update == "none":
        return False
    from pytest_paddle_mt.workers import SERVER

    return SERVER not in config.stash


def _flat(nested: Iterable[Iterable[Any] | None]) -> list[Any]:
    return [one for several in nested for one in several or ()]


def _by_name(what: str, members: Iterable[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for member in members:
        if member.name in found:
            raise UsageError(
                f"two plugins register the {what} {member.name!r} ({type(found[member.name]).__module__} and "
                f"{type(member).__module__}); rename one"
            )
        found[member.name] = member
    return found


def test_key(item: pytest.Item) -> str:
    """The identity of a test in the store: its node id, without the engine where it is parametrised by engines.

    So a baseline is found whether the test runs with one engine or with several.
    """
    callspec = getattr(item, "callspec", None)
    engine = None if callspec is None else callspec.params.get("paddle_engine")
    if callspec is None or not isinstance(engine, str):
        return item.nodeid
    others = re.sub(rf"(^|-){re.escape(engine)}(?=-|$)", "", callspec.id, count=1).lstrip("-")
    function = item.nodeid[: -len(f"[{callspec.id}]")]
    return f"{function}[{others}]" if others else function
