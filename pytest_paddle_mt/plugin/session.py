"""The state of this plugin in one pytest session: settings, registered parts, finished sweeps, baselines."""

from __future__ import annotations

import importlib.util
import random
from typing import TYPE_CHECKING, Any

import pytest

from pytest_paddle_mt.errors import PaddleMtError, UsageError
from pytest_paddle_mt.plugin import options

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pytest_paddle_mt.baselines.ledger import Ledger
    from pytest_paddle_mt.checks import Check
    from pytest_paddle_mt.engines import Engine
    from pytest_paddle_mt.plugin.xdist import Worker
    from pytest_paddle_mt.records import Sweep
    from pytest_paddle_mt.reporters import Finished, Reporter
    from pytest_paddle_mt.settings import Settings
    from pytest_paddle_mt.workers import Server
    from pytest_paddle_mt.workers.launch import Place

SESSION_KEY = pytest.StashKey["Session"]()

#: In the stash of a module whose node id was given by whoever collected it, and does not depend on its path.
FIXED_ID = pytest.StashKey[bool]()


class Session:
    """The state of this plugin in one pytest session."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.finished: list[tuple[pytest.Item, Sweep]] = []
        #: Drawn once, so that a session without ``--paddle-seed`` can be repeated with the seed that it reports.
        self.drawn_seed = random.SystemRandom().randrange(2**31)
        self._engines: dict[str, Engine] | None = None
        self._checks: list[Check] | None = None
        self._reporters: list[Reporter] | None = None
        #: What was resolved for some marks, by their identities; and these marks.
        self._settings: dict[tuple[int, ...], tuple[list[pytest.Mark], Settings]] = {}
        #: By the name of a reporter, why its report could not be written.
        self.unwritten: dict[str, str] = {}
        #: The ledger; None until a test measures or baselines are updated.
        self.used_ledger: Ledger | None = None
        #: Sends what was measured to the process that reports it; None unless this is a worker that measures.
        self.xdist_worker: Worker | None = None

    @property
    def sweeps(self) -> list[Sweep]:
        """Finished sweeps, in order."""
        return [sweep for _, sweep in self.finished]

    @property
    def rootpath(self) -> Path:
        """The root directory of pytest."""
        return self.config.rootpath

    @property
    def server(self) -> Server | None:
        """What takes the place of the runner; None unless this process is a fork."""
        from pytest_paddle_mt.workers import SERVER

        return self.config.stash.get(SERVER, None)

    def report_crashes(self) -> None:
        """Let a crash of this process print a short report; that of a fork is up to its parent."""
        from pytest_paddle_mt.workers import in_process

        if self.server is None:
            in_process.report_crashes(self.config)

    def settings(self, item: pytest.Item | None = None) -> Settings:
        """The settings of one test, or of the session.

        Raises:
            UsageError: something that the user wrote cannot be used.
        """
        from pytest_paddle_mt.plugin.parameters import parameters_of
        from pytest_paddle_mt.plugin.resolve import resolve, scaling_marks, with_batch_size

        marks = [] if item is None else scaling_marks(item)
        key = tuple(id(mark) for mark in marks)  # kept below, so that none of these objects can become another
        if key not in self._settings:
            found = resolve(self.config, marks)
            if "engine" in found.sources:  # only then are the engines loaded, to know their names
                resolve(self.config, marks, known_engines=tuple(self.engines()))
            self._settings[key] = (marks, found)
        found = self._settings[key][1]
        size = None if item is None else parameters_of(item).get("paddle_batch_size")
        return found if size is None else with_batch_size(found, size)

    def engines(self) -> dict[str, Engine]:
        """Engines by name: our own, and those of other plugins."""
        if self._engines is None:
            self._engines = _by_name("engine", self._registered("pytest_paddle_mt_engines"))
        return self._engines

    def checks(self) -> list[Check]:
        """Checks: our own, and those of other plugins."""
        if self._checks is None:
            self._checks = list(_by_name("check", self._registered("pytest_paddle_mt_checks")).values())
        return self._checks

    def reporters(self) -> list[Reporter]:
        """Reporters: our own, and those of other plugins."""
        if self._reporters is None:
            registered = self.config.hook.pytest_paddle_mt_reporters(config=self.config)
            reporters = list(_by_name("reporter", _flat(registered)).values())
            # The controller has no fixtures, and pytest-xdist brings it the properties of the test.
            only = reporters if self.xdist_worker is None else [one for one in reporters if one.name == "junit"]
            self._reporters = only
        return self._reporters

    def ledger(self) -> Ledger:
        """What this session does with stored baselines; opened by the first call."""
        if self.used_ledger is None:
            from pytest_paddle_mt.baselines.ledger import Ledger

            self.used_ledger = Ledger(self.settings(), self.rootpath)
        return self.used_ledger

    def smoke_reason(self) -> str | None:
        """Why nothing can be measured in this session; None when it can."""
        from pytest_paddle_mt.plugin.smoke import smoke_reason

        return smoke_reason(self.config, self.xdist_worker)

    def forks(self, item: pytest.Item) -> int:
        """How many fresh processes measure ``item``; 0 when this process measures it."""
        if self.server is not None or self.smoke_reason() is not None:
            return 0
        forks = self.settings(item).forks
        return forks if self.against() is None else max(1, forks)

    def against(self) -> Place | None:
        """Where the other side of a comparison is; None without a comparison, and in a fork.

        Raises:
            UsageError: the other side does not exist or cannot be used.
        """
        from pytest_paddle_mt.workers import elsewhere

        if self.server is not None:
            return None
        settings = self.settings()
        return elsewhere.place(settings.against, settings.against_rootdir, self.rootpath, settings.sources)

    def test_begins(self, nodeid: str) -> None:
        """Discard what an earlier attempt of this test offered as a baseline."""
        if self.used_ledger is not None:
            self.used_ledger.again(nodeid)

    def sweep_finished(self, finished: Finished) -> None:
        """Report a sweep that this process has measured, and pass it to the hooks of other plugins."""
        if self.xdist_worker is not None:
            self.xdist_worker.measured(finished.sweep, finished.measured)
        self.report(finished)
        self.config.hook.pytest_paddle_mt_sweep_finished(
            sweep=finished.sweep, measured=finished.measured, config=self.config
        )

    def report(self, finished: Finished, *, elsewhere: bool = False) -> None:
        """Keep a finished sweep in place of an earlier attempt of the same test, and pass it to the reporters.

        When a reporter fails, the others still get the sweep. A report that cannot be written fails the session and no
        test: what was measured is the same. So does any other error where the test ran ``elsewhere``.
        """
        nodeid = finished.item.nodeid
        self.finished = [(item, sweep) for item, sweep in self.finished if item.nodeid != nodeid]
        # What was measured is not kept: it has every latency, and a session of many sweeps would grow without end.
        self.finished.append((finished.item, finished.sweep))
        failures = []
        for reporter in self.reporters():
            try:
                reporter.sweep_finished(finished)
                self.unwritten.pop(reporter.name, None)
            except Exception as error:
                if not hasattr(self.config, "workerinput") and (isinstance(error, OSError) or elsewhere):
                    failed = f"the reporter {reporter.name!r} failed: {error!r}"
                    self.unwritten[reporter.name] = str(error) if isinstance(error, OSError) else failed
                else:  # a worker of pytest-xdist prints no summary, so there it fails the test
                    failures.append(error)
        if failures:
            raise failures[0]

    def decide_outcome(self, item: pytest.Item) -> None:
        """Skip or fail a test whose body passed although one of its sweeps was not gated."""
        sweeps = [sweep for of, sweep in self.finished if of is item]
        if sweeps:
            from pytest_paddle_mt.plugin.outcome import decide_outcome

            decide_outcome(sweeps, strict=self.settings(item).strict)

    def write_summary(self, terminal: pytest.TerminalReporter) -> None:
        """Write the summary of this plugin, if there can be one."""
        if self.finished or self.used_ledger is not None or terminal.getreports("skipped"):
            from pytest_paddle_mt.plugin.summary import write_summary

            write_summary(self, terminal)

    def _registered(self, hook: str) -> Iterable[Any]:
        return _flat(getattr(self.config.hook, hook)())


def session_of(config: pytest.Config) -> Session:
    """The session of this plugin, created by the first call."""
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
        _refuse_report_without_jinja2(session)
        _refuse_store_without_fsspec(session)
        if session.settings().against is not None or session.settings().against_rootdir is not None:
            session.against()
    except PaddleMtError as error:
        raise pytest.UsageError(str(error)) from error


def _refuse_report_without_jinja2(session: Session) -> None:
    """Refuse a report that cannot be made, before anything is measured; a fork makes none."""
    settings = session.settings()
    if settings.html_path is not None and session.server is None and importlib.util.find_spec("jinja2") is None:
        raise UsageError(f"{settings.sources['html']}: the report needs Jinja2; pip install 'pytest-paddle-mt[report]'")


def _refuse_store_without_fsspec(session: Session) -> None:
    """Refuse a remote store of baselines that nothing installed can reach; a fork reads none."""
    from pytest_paddle_mt.addresses import Address

    settings = session.settings()
    if isinstance(settings.baselines, Address) and session.server is None:
        from pytest_paddle_mt.baselines import remote

        try:
            remote.fsspec_class(settings.baselines)
        except UsageError as error:
            raise UsageError(f"{settings.sources['baselines']}: {error}") from None


def updates_baselines(config: pytest.Config) -> bool:
    """Whether this session may accept runs as baselines; in a fork that is up to the parent process."""
    if not options.anything_given(config):
        return False
    session = session_of(config)
    return session.settings().baseline_update != "none" and session.server is None and session.xdist_worker is None


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
