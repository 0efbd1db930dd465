"""Writes what this plugin adds to the summary at the end of a session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_paddle_mt.plugin.identity import test_key
from pytest_paddle_mt.plugin.outcome import NOT_GATED
from pytest_paddle_mt.plugin.smoke import distributes
from pytest_paddle_mt.units import counted, printable

if TYPE_CHECKING:
    from pytest_paddle_mt.baselines.ledger import Ledger
    from pytest_paddle_mt.plugin.session import Session


def write_summary(session: Session, terminal: pytest.TerminalReporter) -> None:
    """Let every reporter add to the summary, then write what became of the baselines."""
    if session.finished:
        for reporter in session.reporters():
            reporter.session_finished(session.sweeps, terminal)
        for error in session.unwritten.values():
            terminal.write_line(printable(f"paddle-mt: ERROR: {error}"))
    else:
        _write_smoke_runs(session, terminal)
    if session.used_ledger is not None:
        for line in session.used_ledger.summary_lines():
            terminal.write_line(printable(line))
        if session.finished:
            _write_unused_baselines(session.used_ledger, session.config, terminal)


def show_tables_once(session: Session, terminal: pytest.TerminalReporter) -> None:
    """Take the tables out of what the section FAILURES is going to print: the summary below it has them.

    JUnit files, pytest-html and the like have taken the whole text of a failure when its test ended.
    """
    from pytest_paddle_mt.reporters.terminal import table

    tables = {item.nodeid: "\n".join(["", *table(sweep), ""]) for item, sweep in session.finished}
    for report in terminal.getreports("failed"):
        printed = getattr(getattr(report.longrepr, "reprtraceback", None), "reprentries", [])
        for entry in printed if report.nodeid in tables else []:
            entry.lines = "\n".join(entry.lines).replace(tables[report.nodeid], "").split("\n")


def _write_smoke_runs(session: Session, terminal: pytest.TerminalReporter) -> None:
    """Under pytest-xdist other processes ran the tests: only their reports arrive here."""
    skipped = [report.longrepr for report in terminal.getreports("skipped")]
    not_gated = [one for one in skipped if isinstance(one, tuple) and NOT_GATED in one[2]]
    if not_gated:
        from pytest_paddle_mt.reporters import TellsNotMeasured

        terminal.section("paddle thread scaling")
        reason = not_gated[0][2].partition(NOT_GATED)[2]
        terminal.write_line(f"{counted(len(not_gated), 'test')} NOT gated: {reason}")
        for reporter in session.reporters():
            if isinstance(reporter, TellsNotMeasured):
                reporter.not_measured(len(not_gated), reason, terminal)


def _write_unused_baselines(ledger: Ledger, config: pytest.Config, terminal: pytest.TerminalReporter) -> None:
    items = whole_run(config, terminal)
    unused = [] if items is None else ledger.unused([test_key(item) for item in items])
    if unused:
        names = printable(", ".join(unused))
        terminal.write_line(
            f"paddle-mt: {counted(len(unused), 'baseline')} of no test: {names}; delete what is not needed any more"
        )


def whole_run(config: pytest.Config, terminal: pytest.TerminalReporter) -> list[pytest.Item] | None:
    """Every test of the project; None unless all of them were collected and none was left out."""
    session: Any = config.pluginmanager.get_plugin("session")
    if distributes(config):  # the workers have collected them
        return None
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
