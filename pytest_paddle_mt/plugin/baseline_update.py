"""Decides at the end of a session which measurements may become baselines. Registered only if baselines are updated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_paddle_mt.plugin.session import session_of
from pytest_paddle_mt.plugin.xdist import deselected
from pytest_paddle_mt.units import counted

if TYPE_CHECKING:
    from collections.abc import Sequence


class BaselineAcceptance:
    """Hooks that note which tests passed in every phase and whether the session was complete, and close the ledger."""

    def __init__(self, config: pytest.Config) -> None:
        self._session = session_of(config)
        self._deselected = 0
        self._of_workers: list[int | None] = []  #: What each worker of pytest-xdist deselected; None: it crashed.
        #: By node id, why the latest attempt of a test did not pass, human-readable; None: nothing failed so far.
        self._failures: dict[str, str | None] = {}

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Count deselected tests: a session that runs a part of the tests updates nothing."""
        self._deselected += len(items)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Forget an earlier attempt of this test."""
        self._session.test_begins(item.nodeid)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Note how many tests a worker of pytest-xdist deselected: all of them collect the same."""
        self._of_workers.append(deselected(node))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note the first phase of a test that did not pass, of its latest attempt."""
        failure = None
        if report.when == "setup":
            self._failures[report.nodeid] = None
        if hasattr(report, "wasxfail"):
            failure = "the test is marked xfail"
        elif report.outcome != "passed":
            failure = f"its {report.when} ended as {report.outcome}"
        if self._failures.get(report.nodeid) is None:
            self._failures[report.nodeid] = failure

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Accept the runs of tests that passed; fail the session if a file cannot be written."""
        if session.config.option.collectonly:
            return
        written = self._session.ledger().accept_offers(self._refusal(session), self._failure_of)
        if not written and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _failure_of(self, nodeid: str) -> str | None:
        return self._failures.get(nodeid, "it did not end")

    def _refusal(self, session: pytest.Session) -> str | None:
        """Why this session updates no baseline at all, human-readable; None when it may."""
        smoke = self._session.smoke_reason()
        if smoke is not None:
            return f"nothing can be measured ({smoke})"
        if session.config.getoption("benchmark_skip", False):
            return "nothing is measured (--benchmark-skip)"
        if session.exitstatus == pytest.ExitCode.INTERRUPTED or session.shouldstop or session.shouldfail:
            why = session.shouldfail or session.shouldstop
            return f"the session was interrupted{f' ({why})' if isinstance(why, str) else ''}"
        if session.exitstatus == pytest.ExitCode.INTERNAL_ERROR:
            return "pytest failed"
        of_workers = [count for count in self._of_workers if count is not None]
        if self._of_workers and not of_workers:
            return "every worker of pytest-xdist crashed, so it is unknown which tests were deselected"
        left_out = max(self._deselected, *of_workers, 0)
        if left_out:
            return (
                f"{counted(left_out, 'test')} deselected; to update some tests only, name them by their path, "
                "such as test_file.py::test_name"
            )
        return None
