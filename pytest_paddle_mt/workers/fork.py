"""Starts a fresh process that runs the same test, and measures in it: the parent's side.

Guarantees
    * After ``kill``, no process that the fork started in its process group is left.
    * A fork that dies, hangs or sends nonsense raises ``ForkFailed`` here, and breaks nothing else.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import subprocess
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_paddle_mt import __version__, errors
from pytest_paddle_mt.errors import ForkFailed, PaddleMtError, QueryFailed, WrongAnswer
from pytest_paddle_mt.units import counted
from pytest_paddle_mt.workers import launch
from pytest_paddle_mt.workers.protocol import (
    PROTOCOL,
    Channel,
    Closed,
    Cut,
    Ended,
    Failed,
    Garbled,
    Hello,
    Measure,
    Measured,
    Missed,
    Prepare,
    Prepared,
    Ready,
    Stop,
)
from pytest_paddle_mt.workers.stacks import shortened

if TYPE_CHECKING:
    import pytest

    from pytest_paddle_mt.records import Subject, Window, WindowPlan
    from pytest_paddle_mt.workers.launch import Place, Role

# Deadlines end a run that would hang for ever: one that is too long costs a broken run minutes, one that is too short
# breaks a slow run. They were chosen, not measured; ``_deadline_s`` adds a window's own seconds and queries.

#: From the start of a process until its first message: Python and NumPy, below a second on an idle machine.
HELLO_S = 60.0
#: From then until it has reached ``concurrent_runner``: Paddle (3 s on an idle machine), and whatever fixtures do.
READY_S = 300.0
#: For each additional predictor. The slowest that we know, a clone of a PIR model with oneDNN, takes 1 s.
PREDICTOR_S = 10.0
SLACK_S = 30.0  #: In addition to a window's own seconds: swapping, a suspended container, a busy machine.
SLOWER = 10.0  #: A query may take this many times as long as the first one did alone, for each thread.
#: Stands in for the time of the first query where there was none: engines without a pool do not report it.
UNKNOWN_QUERY_S = 1.0
STOP_S = 60.0  #: From the request to stop until every fixture is torn down.
EXIT_S = 10.0  #: From then until the process is gone.
STACKS_S = 5.0  #: For the stacks of a hung fork, which the kernel delivers in milliseconds.

_LAST_LINES = 20  #: Lines of a fork's output that a message quotes.
_SHOWN_BYTES = 20_000  #: Bytes at the end of a fork's output that a report shows.
_LOOK_S = 0.02

#: What to do where a fork cannot be started, by the number of the error.
_ROOM = {
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
    errno.EAGAIN: "raise the limit on processes (ulimit -u, the container's pids)",
    errno.ENOSPC: "free space, or set TMPDIR to a folder that has some",
}

#: The errors that a fork may name, by the name of their class.
_ERRORS = {name: one for name, one in vars(errors).items() if isinstance(one, type) and issubclass(one, PaddleMtError)}


class Absent(ForkFailed):
    """There is nothing to measure on the other side, though nothing broke: no such test, or it is skipped there."""


class ForkProcess:
    """The process of one fork. It leads a session of its own, and its output goes to a file."""

    def __init__(self, descriptor: int, fork: int, config: pytest.Config, place: Place | None, log: Path) -> None:
        """Start it.

        Args:
            descriptor: of the socket that it inherits.
            fork: its number.
            config: of this pytest.
            place: where it runs; None: here.
            log: the file for its output.
        """
        self._log = log
        self.quoted = False  #: Whether an error message has all of its output.
        environ = launch.environment_of(fork)
        if place is not None:
            environ = launch.environment_elsewhere(environ, config.rootpath, place)
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                launch.command(descriptor, place),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=launch.working_directory(config, place),
                env=environ,
                pass_fds=[descriptor],
                start_new_session=True,
            )

    def status(self) -> int | None:
        """Its exit status, the negative number of the signal that killed it, or None while it lives.

        It is looked at and not waited for, so that its process group keeps its number.
        """
        if self._process.returncode is not None:
            return self._process.returncode
        try:
            ended = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:  # it was waited for elsewhere, and its status is lost
            return 0
        if ended is None:
            return None
        return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status

    def lives(self) -> bool:
        """Whether it has not ended yet."""
        return self.status() is None

    def death(self) -> str:
        """How it ended, as a verb and what belongs to it."""
        status = self.status()
        if status is None:
            return "closed its end of the connection"
        return f"exited with status {status}" if status >= 0 else f"died of {_signal_name(-status)}"

    def wait(self, timeout_s: float) -> bool:
        """Wait until it has ended; False when the time is up before."""
        deadline_s = time.monotonic() + timeout_s
        while self.lives():
            if time.monotonic() > deadline_s:
                return False
            time.sleep(_LOOK_S)
        return True

    def interrupt(self) -> None:
        """Do to it what Ctrl-C does: it stops its window, tears down and exits."""
        if self.lives():
            os.kill(self._process.pid, signal.SIGINT)

    def kill(self) -> None:
        """Kill it and everything in its process group. Safe to call twice."""
        if self._process.returncode is None:
            # Kill first and wait afterwards: until then no other process can get its number.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def stacks(self) -> str:
        """The stacks of all its Python threads, which SIGUSR1 prints into its output."""
        before = self._log.stat().st_size
        os.kill(self._process.pid, signal.SIGUSR1)
        self._await_output(before)
        with self._log.open("rb") as log:
            log.seek(before)
            stacks = shortened(log.read(_SHOWN_BYTES).decode(errors="replace").strip())
        return stacks or "none: it did not even take a signal (stopped, or waiting in the kernel)"

    def output(self) -> str:
        """The end of what it has printed, the stacks of a crash cut to what is the user's."""
        try:
            with self._log.open("rb") as log:
                size = log.seek(0, os.SEEK_END)
                log.seek(max(0, size - _SHOWN_BYTES))
                text = log.read().decode(errors="replace")
        except OSError:
            return ""
        return shortened(text if size <= _SHOWN_BYTES else f"[...]{text}")

    def last_lines(self) -> str:
        """The last lines of what it has printed, as the end of a message."""
        lines = [line for line in self.output().splitlines() if line.strip()]
        if not lines:
            return "\nIt had printed nothing."
        self.quoted = len(lines) <= _LAST_LINES
        heading = "Its output" if self.quoted else "The last lines of its output"
        return f"\n{heading}:\n" + _indented("\n".join(lines[-_LAST_LINES:]))

    def _await_output(self, before: int) -> None:
        """Wait until its output has grown beyond ``before`` bytes and then stayed the same for a moment."""
        deadline_s = time.monotonic() + STACKS_S
        last, same = before, 0
        while time.monotonic() < deadline_s and same < 5:
            time.sleep(_LOOK_S)
            size = self._log.stat().st_size
            same = same + 1 if size == last > before else 0
            last = size


class InFork(Exception):
    """An error that was raised in a fork: its message is its traceback there."""

    def __init__(self, fork: str, its_traceback: str) -> None:
        super().__init__(f"in {fork}:\n{_indented(its_traceback)}")


class ForkWorker:
    """One fork as a ``Worker``."""

    def __init__(self, fork: int, item: pytest.Item, seed: int, directory: Path, role: Role | None = None) -> None:
        self.fork = fork
        self.subject: Subject  #: What the fork serves; set by ``await_ready``.
        self._item = item
        self._seed = seed
        self._role = role
        self._place = None if role is None else role.place
        self._temporary = directory / "tmp"
        #: The fork, and what it does now, as messages call them.
        self._name = f"fork {fork}" + ("" if self._place is None else f" (the other side, {self._place.python})")
        self._doing = "started"
        self._threads = 1  #: How many threads it had last been asked for; 1 where none were running yet.
        self._query_s: float | None = None  #: How long the first query took; None if there was none.
        with contextlib.ExitStack() as unstarted:
            try:
                directory.mkdir()
                ours, theirs = socket.socketpair()
                unstarted.callback(ours.close)
                with theirs:
                    self.process = ForkProcess(theirs.fileno(), fork, item.config, self._place, directory / "output")
            except OSError as error:
                raise not_started(self._name, error) from error
            unstarted.pop_all()
        self._channel = Channel(ours, self.process.lives)

    def greet(self) -> None:
        """Compare versions, and send it what to run."""
        try:
            hello = self._channel.receive_hello(HELLO_S)
        except PaddleMtError as error:
            raise self._failure(error, HELLO_S) from None
        same_version = hello.plugin_version == __version__
        if hello.protocol != PROTOCOL or (self._place is None and not same_version):
            raise ForkFailed(self._mismatch(hello))
        self._doing = "ran the test up to concurrent_runner"
        self._send(launch.start(self._item, self._seed, self._temporary, self._role))

    def await_ready(self) -> None:
        """Wait until it has reached ``concurrent_runner``."""
        ready: Ready = self._receive(Ready, READY_S)
        self.subject, self._query_s = ready.subject, ready.query_s

    def ask_prepare(self, threads: int) -> None:
        """Ask it to make everything that windows of up to ``threads`` threads need."""
        self._doing, self._threads = f"prepared {counted(threads, 'thread')}", threads
        self._send(Prepare(threads=threads))

    def await_prepared(self, threads: int) -> None:
        """Wait until it has made everything that windows of up to ``threads`` threads need."""
        self._receive(Prepared, READY_S + threads * PREDICTOR_S)

    def prepare(self, threads: int) -> None:
        """Make everything that windows of up to ``threads`` threads need."""
        self.ask_prepare(threads)
        self.await_prepared(threads)

    def measure(self, threads: int, plan: WindowPlan) -> Window:
        """Measure one window.

        Raises:
            QueryFailed, WrongAnswer: a query failed, or was answered wrongly; nothing of the window is returned.
            ForkFailed: the fork died, hung, or sent nonsense.
        """
        self._doing, self._threads = f"measured {counted(threads, 'thread')}", threads
        self._send(Measure(threads=threads, plan=plan))
        measured: Measured = self._receive(Measured, self._deadline_s(threads, plan))
        return measured.window

    def close(self) -> None:
        """Let it tear down, and make sure that it is gone."""
        try:
            self.ask_stop()
            self.await_end()
        finally:
            self.kill()

    def ask_stop(self) -> None:
        """Ask it to tear down and exit; does nothing if it is gone."""
        with contextlib.suppress(Closed):
            self._channel.send(Stop())

    def await_end(self) -> list[str]:
        """Wait until it has torn down and exited; returns what went wrong meanwhile."""
        self._doing = "tore its fixtures down"
        try:
            while not isinstance(ended := self._channel.receive(STOP_S), Ended):
                pass  # a late answer
        except PaddleMtError as error:
            return [str(self._failure(error, STOP_S))]
        problems = [f"{self._name}: {problem}" for problem in ended.problems]
        if not self.process.wait(EXIT_S):
            problems.append(f"{self._name} did not exit within {EXIT_S:g} s of its last test and was killed")
        elif self.process.status() != 0:
            problems.append(f"{self._name} {self.process.death()} as it exited")
        return problems

    def kill(self) -> None:
        """Close the connection, and kill the process with its process group. Safe to call twice."""
        self._channel.close()
        self.process.kill()

    def _deadline_s(self, threads: int, plan: WindowPlan) -> float:
        """How long a window may take: its own seconds, and the time of its queries, which may be slow."""
        query_s = UNKNOWN_QUERY_S if self._query_s is None else self._query_s
        queries = max(plan.min_queries, plan.expected_queries) + plan.warmup_queries
        return SLACK_S + plan.window_s + plan.warmup_s + SLOWER * threads * queries * query_s

    def _send(self, message: object) -> None:
        try:
            self._channel.send(message)
        except Closed as error:
            raise self._failure(error, 0.0) from None

    def _receive(self, wanted: type[Any], timeout_s: float) -> Any:
        try:
            answer = self._channel.receive(timeout_s)
        except PaddleMtError as error:
            raise self._failure(error, timeout_s) from None
        if isinstance(answer, Failed):
            raise self._as_error(answer)
        if isinstance(answer, Ended):
            raise self._ended_early(answer)
        if not isinstance(answer, wanted):
            raise ForkFailed(f"{self._name} answered {type(answer).__name__} while it {self._doing}")
        return answer

    def _mismatch(self, hello: Hello) -> str:
        """Why a fork with this first message cannot be used."""
        both = (
            f"{self._name} has pytest-paddle-mt {hello.plugin_version} (protocol {hello.protocol}) from "
            f"{hello.package}, this process has {__version__} (protocol {PROTOCOL})"
        )
        if self._place is None:
            return (
                f"{both} from {Path(__file__).parents[1]}: two installations get in each other's way; keep one of them"
            )
        return (
            f"{both}: they do not understand each other; install a version with the same protocol there, for instance "
            "the one that is here"
        )

    def _as_error(self, failed: Failed) -> PaddleMtError:
        """The error that the fork reports, as an error of this process."""
        elsewhere = "" if self._place is None else f"{self._name}: "
        for of_a_thread in (QueryFailed, WrongAnswer):
            if failed.error == of_a_thread.__name__:
                message = f"{elsewhere}{failed.arguments['message']}"
                error = of_a_thread(**{**failed.arguments, "message": message})
                error.__cause__ = InFork(self._name, failed.cause) if failed.cause else None
                return error
        if failed.error:
            return _ERRORS.get(failed.error, PaddleMtError)(elsewhere + failed.text)
        return ForkFailed(f"{self._name} failed while it {self._doing}:\n{_indented(failed.text)}")

    def _ended_early(self, ended: Ended) -> ForkFailed:
        """The error for a fork whose test has ended before the parent had asked it to stop."""
        if self._place is not None and ended.absent is not None:
            return Absent(f"on the other side ({self._place.python}, {self._place.rootdir}) {ended.absent}")
        if ended.problems:
            why = "\n" + _indented("\n".join(ended.problems))
        else:
            why = (
                " there the test did not wait in concurrent_runner as it did here. A fork runs the same test; it must "
                "get there on the same path."
            )
        return ForkFailed(f"{self._name} ended while it {self._doing}:{why}{self.process.last_lines()}")

    def _failure(self, error: PaddleMtError, timeout_s: float) -> ForkFailed:
        """The error for a fork that could not be talked to: it hung, sent nonsense, or died."""
        if isinstance(error, Missed) and self.process.lives():
            stacks = self.process.stacks()
            self.kill()
            return ForkFailed(
                f"{self._name} hung: it did not answer within {timeout_s:.0f} s while it {self._doing}, and was "
                f"killed. {self._advice()}.\nIts stacks:\n{_indented(stacks)}"
            )
        if isinstance(error, Garbled):
            return ForkFailed(
                f"{self._name} sent something else than a message while it {self._doing}: {error}. Does the test "
                f"write to file descriptors that it did not open?{self.process.last_lines()}"
            )
        self.process.wait(EXIT_S)  # its end of the socket may close before it is gone
        cut = f" ({error})" if isinstance(error, Cut) else ""
        killed = self.process.status() == -signal.SIGKILL
        memory = " The kernel sends it when memory runs out: look at dmesg." if killed else ""
        return ForkFailed(
            f"{self._name} {self.process.death()} while it {self._doing}{cut}.{memory} {self._advice()}."
            f"{self.process.last_lines()}"
        )

    def _advice(self) -> str:
        """How to find out more: with less than what it failed with."""
        fewer = "with one thread (--paddle-threads=1) or " if self._threads > 1 else ""
        less = "without forks (--paddle-forks=0)"
        if self._place is not None:  # a comparison has a fork on each side, whatever --paddle-forks is
            less = f"there alone ({self._place.python} -m pytest, in {self._place.rootdir}, without --paddle-against)"
        elif self._role is not None and self._role.against:
            less = "without the comparison (no --paddle-against, and --paddle-forks=0)"
        return f"Find out whether it also happens {fewer}{less}"


def not_started(what: str, error: OSError) -> ForkFailed:
    """The error for a fork that this process has no room for."""
    step = _ROOM.get(error.errno or 0, "check that what it names exists and can be used")
    return ForkFailed(f"{what} could not be started ({error}): {step}, or measure without forks (--paddle-forks=0)")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _indented(text: str) -> str:
    return textwrap.indent(text.rstrip(), "    ")
