"""Runs one test up to ``concurrent_runner`` and measures windows for the parent: the fork's side.

Guarantees
    * The test body is never resumed: the fork ends its test with an outcome that pytest takes for a skip, and every
      fixture is torn down.
    * The fork ends when its parent does: the kernel kills it, or it sees the end of the socket.
    * The file for its output contains whatever the fork prints, and the stacks of a crash.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import os
import pickle
import platform
import signal
import socket
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

import pytest_paddle_mt
from pytest_paddle_mt.errors import PaddleMtError, QueryFailed, UsageError, WrongAnswer
from pytest_paddle_mt.workers import SERVER
from pytest_paddle_mt.workers.protocol import (
    PROTOCOL,
    Channel,
    Closed,
    Ended,
    Failed,
    Hello,
    Measure,
    Measured,
    Prepare,
    Prepared,
    Ready,
    Start,
    Stop,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from pytest_paddle_mt.records import Subject
    from pytest_paddle_mt.workers import Worker

_PR_SET_PDEATHSIG = 1

#: Plugins that run a test again, end it early, or record what ran: those of the parent do that.
_UNREGISTERED = ("rerunfailures", "pytest-retry", "flaky", "timeout", "lfplugin", "nfplugin", "stepwiseplugin")


class _Served(pytest.skip.Exception):  # type: ignore[name-defined,misc,unused-ignore]
    """The parent has enough; pytest tears the test down."""


class SocketServer:
    """Answers the parent's requests from inside the test; see ``Server``."""

    def __init__(self, channel: Channel, log: int, start: Start) -> None:
        self._channel = channel
        self._log = log
        self.seed = start.seed
        self.side = start.side
        self.describe = start.describe
        #: Whether the test ended because the parent had enough, or had received an error.
        self.finished = False
        self._called = False

    def serve(self, open_worker: Callable[[], tuple[Worker, Subject, float | None]]) -> NoReturn:
        """Measure until the parent has enough; never returns.

        Args:
            open_worker: as in ``Server.serve``.

        Raises:
            _Served: at the first call.
            UsageError: at the second call.
        """
        if self._called:
            raise UsageError("concurrent_runner was called again after it had ended this run of the test in a fork")
        self._called = True
        self.arm()
        try:
            worker, subject, query_s = open_worker()
            try:
                self._channel.send(Ready(subject=subject, query_s=query_s))
                while self._answer(worker):
                    pass
            finally:
                worker.close()
        except Closed:
            pass  # the parent is gone: tear down and exit
        except Exception as error:
            self._channel.send(_failed(error))
            self._wait_for_stop()
        self.finished = True
        raise _Served("served its parent")

    def arm(self) -> None:
        """Let crashes and SIGUSR1 print the stacks of all threads; importing Paddle replaces the signal handlers."""
        faulthandler.disable()
        faulthandler.enable(file=self._log, all_threads=True)
        faulthandler.register(signal.SIGUSR1, file=self._log, all_threads=True, chain=False)

    def _answer(self, worker: Worker) -> bool:
        """Answer one request; False after the last one."""
        request = self._channel.receive()
        if isinstance(request, Stop):
            return False
        if isinstance(request, Prepare):
            worker.prepare(request.threads)
            self._channel.send(Prepared())
        elif isinstance(request, Measure):
            self._channel.send(Measured(window=worker.measure(request.threads, request.plan)))
        else:
            raise UsageError(f"a fork cannot be asked for {type(request).__name__}")
        return True

    def _wait_for_stop(self) -> None:
        try:
            while not isinstance(self._channel.receive(), Stop):
                pass
        except Closed:
            pass


def _failed(error: Exception) -> Failed:
    if isinstance(error, (QueryFailed, WrongAnswer)):
        arguments = {"thread": error.thread, "query": error.query, "threads": error.threads, "message": error.message}
        cause = "" if error.__cause__ is None else _traceback(error.__cause__)
        return Failed(error=type(error).__name__, text=str(error), arguments=arguments, cause=cause)
    if isinstance(error, PaddleMtError):
        return Failed(error=type(error).__name__, text=str(error), arguments={})
    return Failed(error="", text=_traceback(error), arguments={})


def _traceback(error: BaseException) -> str:
    """The traceback of an error as text, from the user's own code on if there is any in it."""
    frames, ours = error.__traceback__, str(Path(pytest_paddle_mt.__file__).parent) + os.sep
    while frames is not None and frames.tb_frame.f_code.co_filename.startswith(ours):
        frames = frames.tb_next
    return "".join(traceback.format_exception(None, error, frames or error.__traceback__))


class _OneTest:
    """The plugin of a fork: runs one test, and records what went wrong in it."""

    def __init__(self, start: Start, server: SocketServer) -> None:
        self.problems: list[str] = []
        #: Why there is nothing to measure here, though nothing broke; None otherwise.
        self.absent: str | None = None
        self._nodeid = start.nodeid
        self._path = Path(start.path)
        self._server = server

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        for name in _UNREGISTERED:
            if config.pluginmanager.hasplugin(name):
                config.pluginmanager.unregister(name=name)

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        return None if collection_path in (self._path, *self._path.parents) else True

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if item.nodeid == self._nodeid][:1]

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        if not session.items and not self.problems:
            self.absent = f"there is no test {self._nodeid!r}"
            self.problems.append(
                f"there is no test {self._nodeid!r} in this process: an id must be the same in every process, so it "
                "must not contain a random value, a time or an address"
            )

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self) -> Generator[None, Any, Any]:
        result = yield
        if "paddle" in sys.modules:
            self._server.arm()
        return result

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self) -> tuple[str, str, str]:
        return "", "", ""  # otherwise a dot would mix with what the test prints

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.problems.append(f"the test was not collected:\n{report.longreprtext}")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.problems.append(f"{report.when} failed:\n{report.longreprtext}")
        elif report.skipped and not self._server.finished:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
            self.absent = f"the test was skipped in {report.when}: {reason}"
            self.problems.append(self.absent)

    def pytest_internalerror(self, excrepr: object) -> None:
        self.problems.append(f"pytest failed:\n{excrepr}")


def main(descriptor: int, parent: int) -> int:
    """Serve the parent over an inherited socket, and return the exit status.

    Args:
        descriptor: of the connected socket.
        parent: process id of the parent.
    """
    _die_with(parent)
    log = os.dup(sys.stderr.fileno())
    faulthandler.register(signal.SIGUSR1, file=log, all_threads=True, chain=False)
    connection = socket.socket(fileno=descriptor)
    connection.set_inheritable(False)
    channel = Channel(connection)
    try:
        channel.send(
            Hello(
                protocol=PROTOCOL,
                plugin_version=pytest_paddle_mt.__version__,
                python=platform.python_version(),
                package=str(Path(pytest_paddle_mt.__file__).parent),
            )
        )
        start: Start = channel.receive()
        channel.send(_run(start, SocketServer(channel, log, start)))
    except Closed:
        return 1  # the parent is gone
    finally:
        channel.close()
    return 0


def _run(start: Start, server: SocketServer) -> Ended:
    config = None
    try:
        config = pytest.Config.fromdictargs(_options(start), list(start.arguments))
        config.stash[SERVER] = server
        one_test = _OneTest(start, server)
        config.pluginmanager.register(one_test, "paddle_mt_one_test")
        config.hook.pytest_cmdline_main(config=config)
    except Exception as error:
        return Ended(problems=(f"pytest could not start: {error}",), absent=None)
    finally:
        if config is not None:
            config._ensure_unconfigure()
    return Ended(problems=tuple(one_test.problems), absent=one_test.absent)


def _options(start: Start) -> dict[str, Any]:
    options = {}
    for name, pickled in start.options.items():
        # The class of a value may be defined in a conftest.py, which is not imported yet.
        with contextlib.suppress(Exception):
            options[name] = pickle.loads(pickled)
    return options


def _die_with(parent: int) -> None:
    """Let the kernel kill this process when its parent dies, in whatever way."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it has died already
        os._exit(1)
