"""Lets the workers of pytest-xdist measure and its controller report, where ``--paddle-xdist`` asks for it.

A worker sends what a test measured with the next report of that test, so a crash later loses nothing of it. It is
pickled: both ends are the same interpreter, one started by the other. Tables, files and baselines are the controller's.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_paddle_mt.errors import PaddleMtError, UsageError
from pytest_paddle_mt.plugin import shares
from pytest_paddle_mt.plugin.taking_turns import Machine

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from pytest_paddle_mt.plugin.session import Session
    from pytest_paddle_mt.settings import Xdist

_KEY = "paddle_mt"  #: The attribute of a report, and the key in what a worker puts out, that are ours.


class MeasuredElsewhere(pytest.Item):
    """Stands for a test that a worker ran: its node id, its path and its line. It has no fixtures and no marks."""

    def __init__(self, *, of: tuple[str, int | None, str], **arguments: Any) -> None:
        super().__init__(**arguments)
        self._of = of

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where it is, as the worker reported it."""
        return self.path, *self._of[1:]

    def runtest(self) -> None:
        """It has run."""


class Controller:
    """Registered in the process that starts the workers."""

    def __init__(self, session: Session, wanted: Xdist) -> None:
        self._session = session
        self._wanted = wanted

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_setupnodes(self, config: pytest.Config, specs: Sequence[Any]) -> None:
        """Give each worker its share, before it is started."""
        local = [bool(spec.popen) and not spec.python and not spec.via for spec in specs]
        try:
            given = shares.of_workers(self._wanted, local, config.getoption("dist"))
        except PaddleMtError as error:
            raise pytest.UsageError(str(error)) from error
        for spec, share in zip(specs, given, strict=True):
            spec.env.update(share.environment)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Report what the worker sent with this report."""
        if report.when == "setup":  # perhaps again
            self._session.test_begins(report.nodeid)
        sent = report.__dict__.pop(_KEY, None)
        if sent is None:
            return
        from pytest_paddle_mt.reporters import Finished

        sweeps, part = pickle.loads(sent)
        for sweep, measured in sweeps:
            item = self._stand_in(report)
            finished = Finished(sweep=sweep, measured=measured, item=item, benchmark=None)
            self._session.report(finished, elsewhere=True)
        if part is not None:
            self._session.ledger().add(part)

    def _stand_in(self, report: pytest.TestReport) -> pytest.Item:
        config = self._session.config
        parent: Any = config.pluginmanager.get_plugin("session")
        item: pytest.Item = MeasuredElsewhere.from_parent(
            parent,
            name=report.nodeid.rpartition("::")[2],
            nodeid=report.nodeid,
            path=config.rootpath / report.location[0],
            of=report.location,
        )
        item.user_properties = report.user_properties
        return item


class Worker:
    """Registered in a worker that was given a share."""

    def __init__(self, config: pytest.Config, share: shares.Share) -> None:
        self._config = config
        self.share = share
        self._unsent: list[tuple[Any, Any]] = []
        self._deselected = 0
        self._machine: Machine | None = None
        if share.mode == "serial":
            own = Path(config.getoption("basetemp") or Path(tempfile.gettempdir()) / "own")
            self._machine = Machine(own.parent / f"paddle-mt-{os.environ.get('PYTEST_XDIST_TESTRUNUID', '')}")

    def measured(self, sweep: Any, measured: Any) -> None:
        """Keep a finished sweep until the next report of its test."""
        self._unsent.append((sweep, measured))

    def will_measure(self, device: str) -> None:
        """Wait until no other test of this session runs, where workers measure one at a time.

        Raises:
            UsageError: the device is a GPU that this worker does not see.
        """
        if self.share.gpu is not None and device not in ("cpu", "gpu:0"):
            raise UsageError(
                f"the device of this test is {device}, and with --paddle-xdist=devices each worker sees one GPU, which "
                "is gpu:0 in all of them; write config.enable_use_gpu(256, 0) and --paddle-device=gpu:0"
            )
        if self._machine is not None and self.share.missing is None:
            self._machine.use_alone()

    @pytest.hookimpl(wrapper=True, tryfirst=True)  # outside all others: waiting is no part of a time limit
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Where workers measure one at a time, hold every other test back meanwhile."""
        if self._machine is None:
            return (yield)
        with contextlib.ExitStack() as leaving:
            leaving.callback(self._machine.leave)
            measures = self.share.missing is None and "concurrent_runner" in getattr(item, "fixturenames", ())
            (self._machine.use_alone if measures else self._machine.use)()
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_report_to_serializable(self, report: Any) -> Generator[None, Any, Any]:
        """Send what the test has measured."""
        data = yield
        if isinstance(report, pytest.TestReport) and data is not None:
            from pytest_paddle_mt.plugin.session import session_of

            ledger = session_of(self._config).used_ledger
            part = None if ledger is None else ledger.take(report.nodeid)
            sweeps, self._unsent = self._unsent, []
            if sweeps or part is not None:
                data[_KEY] = pickle.dumps((sweeps, part))
        return data

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Count deselected tests: the controller collects none, and has to know."""
        self._deselected += len(items)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Tell the controller."""
        output: dict[str, Any] = session.config.workeroutput  # type: ignore[attr-defined]  # of pytest-xdist
        output[_KEY] = self._deselected


def deselected(node: Any) -> int | None:
    """How many tests a worker deselected; None where it crashed."""
    count: int | None = getattr(node, "workeroutput", {}).get(_KEY)
    return count
