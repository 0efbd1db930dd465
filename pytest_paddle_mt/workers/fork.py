"""Measures in fresh processes that run the same test: the parent's side.

Guarantees
    * Forks are started and made ready before the first window; while one measures, the others wait and use no CPU.
    * When ``close`` has returned or raised, no process that these forks started in their process group is left.
    * A fork that dies, hangs or says nonsense raises ``ForkFailed`` here, and takes nothing else down.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_paddle_mt import __version__, errors
from pytest_paddle_mt.errors import ForkFailed, PaddleMtError, QueryFailed
from pytest_paddle_mt.records import Subject
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
    Measure,
    Measured,
    Missed,
    Prepare,
    Prepared,
    Ready,
    Stop,
)

if TYPE_CHECKING:
    import pytest

    from pytest_paddle_mt.records import Side, Window, WindowPlan
    from pytest_paddle_mt.workers.launch import Place

# Deadlines. All but the first two parts of a window's were chosen, not measured: they end a run that would hang for
# ever, so being too long costs a broken run minutes, and being too short would break a slow one.

#: From the start of a process until it says hello: Python and NumPy, below a second on an idle machine.
HELLO_S = 60.0
#: From then until it stands in ``concurrent_runner``: Paddle (3 s on an idle machine), and whatever fixtures do.
READY_S = 300.0
#: For each predictor more. The slowest that we know, a clone of a PIR model with oneDNN, takes 1 s.
PREDICTOR_S = 10.0
#: On top of a window's own seconds: swapping, a suspended container, a machine that does much else.
SLACK_S = 30.0
#: A query may take this many times as long as the first one did alone, for each thread beside it.
SLOWER = 10.0
#: How long the first query took where there was none: engines without a pool do not say.
UNKNOWN_QUERY_S = 1.0
#: From being told to stop until every fixture is torn down.
STOP_S = 60.0
#: From then until the process is gone.
EXIT_S = 10.0
#: After Ctrl-C, for all forks together.
INTERRUPT_S = 5.0
#: For the stacks of a hung fork, which the kernel delivers in milliseconds.
STACKS_S = 5.0

#: Lines of a fork's output that a message quotes.
_LAST_LINES = 20
#: Of its end, as much as a report shows.
_SHOWN_BYTES = 20_000
_LOOK_S = 0.02

_ADVICE = "Find out whether it also happens with one thread (--paddle-threads=1) or without forks (--paddle-forks=0)"


class Absent(ForkFailed):
    """There is nothing to measure on the other side, though nothing broke: no such test, or it is skipped there."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Role:
    """What the forks of a comparison are told beyond their test, and how they are called."""

    #: Which of the two things that ``compare`` was given they serve.
    side: Side
    #: Where they run; None: here.
    place: Place | None
    #: Number of the first: no two processes of a test have the same.
    first: int


class ForkWorker:
    """One fork as a ``Worker``."""

    def __init__(self, fork: int, item: pytest.Item, seed: int, directory: Path, role: Role | None = None) -> None:
        self.fork = fork
        self._role = role
        self._place = None if role is None else role.place
        where = "" if role is None or self._place is None else f" (the other side, {self._place.python})"
        #: What it is called in messages.
        self._name = f"fork {fork}{where}"
        #: What the fork serves; read after ``await_ready``.
        self.subject: Subject
        self._item = item
        self._seed = seed
        self._temporary = directory / "tmp"
        self._log = directory / "output"
        self._doing = "started"
        self._query_s: float | None = None
        ours, theirs = socket.socketpair()
        self._channel = Channel(ours, self._lives)
        directory.mkdir()
        environ = launch.environment_of(fork)
        if self._place is not None:
            environ = launch.environment_elsewhere(environ, item.config.rootpath, self._place)
        with theirs, self._log.open("wb") as log:
            self._process = subprocess.Popen(
                launch.command(theirs.fileno(), self._place),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=launch.working_directory(item.config, self._place),
                env=environ,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def greet(self) -> None:
        """Compare versions, and tell it what to run."""
        try:
            hello = self._channel.receive_hello(HELLO_S)
        except PaddleMtError as error:
            raise self._failure(error, HELLO_S) from None
        if self._place is not None and hello.protocol != PROTOCOL:
            raise ForkFailed(
                f"{self._name} has pytest-paddle-mt {hello.plugin_version} (protocol {hello.protocol}) from "
                f"{hello.package}, this process has {__version__} (protocol {PROTOCOL}): they do not understand each "
                "other; install a version with the same protocol there, the one that is here for instance"
            )
        if self._place is None and (hello.protocol, hello.plugin_version) != (PROTOCOL, __version__):
            raise ForkFailed(
                f"{self._name} has pytest-paddle-mt {hello.plugin_version} (protocol {hello.protocol}) from "
                f"{hello.package}, this process has {__version__} (protocol {PROTOCOL}) from "
                f"{Path(__file__).parents[1]}: two installations get in each other's way; keep one of them"
            )
        self._doing = "ran the test up to concurrent_runner"
        role = self._role
        side: Side = "this" if role is None else role.side
        self._send(launch.start(self._item, self._seed, self._temporary, self._place, side, describe=role is not None))

    def await_ready(self) -> None:
        """Wait until it stands in ``concurrent_runner``."""
        ready: Ready = self._receive(Ready, READY_S)
        self.subject, self._query_s = ready.subject, ready.query_s

    def ask_prepare(self, threads: int) -> None:
        """Let it make everything that windows of up to ``threads`` threads need."""
        self._doing = f"prepared {counted(threads, 'thread')}"
        self._send(Prepare(threads=threads))

    def await_prepared(self, threads: int) -> None:
        """Wait until it has."""
        self._receive(Prepared, READY_S + threads * PREDICTOR_S)

    def prepare(self, threads: int) -> None:
        """Make everything that windows of up to ``threads`` threads need."""
        self.ask_prepare(threads)
        self.await_prepared(threads)

    def measure(self, threads: int, plan: WindowPlan) -> Window:
        """Measure one window.

        Raises:
            QueryFailed: a query failed; nothing of the window is returned.
            ForkFailed: the fork died, hung, or said nonsense.
        """
        self._doing = f"measured {counted(threads, 'thread')}"
        self._send(Measure(threads=threads, plan=plan))
        measured: Measured = self._receive(Measured, self._deadline_s(threads, plan))
        return measured.window

    def close(self) -> None:
        """Let it tear down, and see to it that it is gone."""
        try:
            self.ask_stop()
            self.await_end(STOP_S)
        finally:
            self.kill()

    def ask_stop(self) -> None:
        """Tell it to tear down and exit; nothing happens where it is gone."""
        with contextlib.suppress(Closed):
            self._channel.send(Stop())

    def await_end(self, timeout_s: float) -> list[str]:
        """Wait until it has torn down and exited; what went wrong meanwhile."""
        self._doing = "tore its fixtures down"
        try:
            while not isinstance(ended := self._channel.receive(timeout_s), Ended):
                pass  # an answer that nobody waited for any more
            problems = [f"{self._name}: {problem}" for problem in ended.problems]
        except PaddleMtError as error:
            return [str(self._failure(error, timeout_s))]
        if not self._wait(EXIT_S):
            problems.append(f"{self._name} did not exit within {EXIT_S:g} s of its last test and was killed")
        elif self._status() != 0:
            problems.append(f"{self._name} {self._death()} as it exited")
        return problems

    def interrupt(self) -> None:
        """Do to it what Ctrl-C does: it stops its window, tears down and exits."""
        if self._lives():
            os.kill(self._process.pid, signal.SIGINT)

    def await_exit(self, timeout_s: float) -> None:
        """Wait until it has exited, or the time is up."""
        self._wait(timeout_s)

    def kill(self) -> None:
        """Kill it and everything in its process group, whatever it does. Safe to call twice."""
        self._channel.close()
        if self._process.returncode is None:
            # Before it is waited for: until then nobody else can have its number.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def output(self, most_bytes: int = _SHOWN_BYTES) -> str:
        """The end of what it has printed."""
        try:
            with self._log.open("rb") as log:
                size = log.seek(0, os.SEEK_END)
                log.seek(max(0, size - most_bytes))
                text = log.read().decode(errors="replace")
        except OSError:
            return ""
        return text if size <= most_bytes else f"[...]{text}"

    def _deadline_s(self, threads: int, plan: WindowPlan) -> float:
        """How long a window may take: it has its seconds, and its queries, which may be slow."""
        query_s = UNKNOWN_QUERY_S if self._query_s is None else self._query_s
        queries = plan.min_queries + plan.warmup_queries
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

    def _as_error(self, failed: Failed) -> PaddleMtError:
        elsewhere = "" if self._place is None else f"{self._name}: "
        if failed.error == QueryFailed.__name__:
            message = f"{elsewhere}{failed.arguments['message']}"
            return QueryFailed(**{**failed.arguments, "message": message})
        if failed.error:
            known: type[PaddleMtError] = getattr(errors, failed.error, PaddleMtError)
            return known(elsewhere + failed.text)
        return ForkFailed(f"{self._name} failed while it {self._doing}:\n{_indented(failed.text)}")

    def _ended_early(self, ended: Ended) -> ForkFailed:
        if self._place is not None and ended.absent is not None:
            return Absent(f"on the other side ({self._place.python}, {self._place.rootdir}) {ended.absent}")
        return ForkFailed(self._end(ended))

    def _end(self, ended: Ended) -> str:
        if not ended.problems:
            return (
                f"{self._name} ended while it {self._doing}: there the test did not wait in concurrent_runner as "
                f"it did here. A fork runs the same test; it must get there on the same path.{self._quoted()}"
            )
        told = "\n".join(ended.problems)
        return f"{self._name} ended while it {self._doing}:\n{_indented(told)}{self._quoted()}"

    def _failure(self, error: PaddleMtError, timeout_s: float) -> ForkFailed:
        """What has become of the fork, for people."""
        if isinstance(error, Missed) and self._lives():
            stacks = self._stacks()
            self.kill()
            return ForkFailed(
                f"{self._name} hung: it did not answer within {timeout_s:.0f} s while it {self._doing}, and was "
                f"killed. {_ADVICE}.\nIts stacks:\n{_indented(stacks)}"
            )
        if isinstance(error, Garbled):
            return ForkFailed(
                f"{self._name} sent something else than a message while it {self._doing}: {error}. Does the test "
                f"write to file descriptors that it did not open?{self._quoted()}"
            )
        self._wait(EXIT_S)  # its end of the socket may close before it is gone
        cut = f" ({error})" if isinstance(error, Cut) else ""
        killed = self._status() == -signal.SIGKILL
        memory = " The kernel sends it when memory runs out: look at dmesg." if killed else ""
        return ForkFailed(
            f"{self._name} {self._death()} while it {self._doing}{cut}.{memory} {_ADVICE}.{self._quoted()}"
        )

    def _stacks(self) -> str:
        """The stacks of all its Python threads, which SIGUSR1 prints into its output."""
        before = self._log.stat().st_size
        os.kill(self._process.pid, signal.SIGUSR1)
        self._log_settles(before)
        with self._log.open("rb") as log:
            log.seek(before)
            stacks = log.read(_SHOWN_BYTES).decode(errors="replace").strip()
        return stacks or "none: it did not even take a signal (stopped, or waiting in the kernel)"

    def _log_settles(self, before: int) -> None:
        """Wait until its output has grown and then stayed as it is for a moment."""
        deadline_s = time.monotonic() + STACKS_S
        last, same = before, 0
        while time.monotonic() < deadline_s and same < 5:
            time.sleep(_LOOK_S)
            size = self._log.stat().st_size
            same = same + 1 if size == last > before else 0
            last = size

    def _lives(self) -> bool:
        if self._process.returncode is not None:
            return False
        return self._look() is None

    def _wait(self, timeout_s: float) -> bool:
        """Whether it was gone in time."""
        deadline_s = time.monotonic() + timeout_s
        while self._lives():
            if time.monotonic() > deadline_s:
                return False
            time.sleep(_LOOK_S)
        return True

    def _status(self) -> int | None:
        """Its exit status, the negative number of the signal that killed it, or None while it lives."""
        if self._process.returncode is not None:
            return self._process.returncode
        return self._look()

    def _look(self) -> int | None:
        """Its status as above, looked at and not waited for: its process group keeps its number."""
        try:
            ended = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:  # somebody else has waited for it; what it ended with is lost
            return 0
        if ended is None:
            return None
        return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status

    def _death(self) -> str:
        status = self._status()
        if status is None:
            return "closed its end of the connection"
        if status >= 0:
            return f"exited with status {status}"
        return f"died of {_signal_name(-status)}"

    def _quoted(self) -> str:
        lines = [line for line in self.output().splitlines() if line.strip()][-_LAST_LINES:]
        if not lines:
            return "\nIt had printed nothing."
        return "\nThe last lines of its output:\n" + _indented("\n".join(lines))


class Crew:
    """Forks that measure one sweep together, and the directory of their output and temporary files."""

    def __init__(self, item: pytest.Item, count: int, seed: int, role: Role | None = None) -> None:
        """Nothing is started yet.

        Args:
            item: the test.
            count: how many forks.
            seed: seed of whatever the engine draws at random.
            role: what they are in a comparison; None: there is none.
        """
        self.workers: list[ForkWorker] = []
        self._role = role
        self._item = item
        self._count = count
        self._seed = seed
        #: What went wrong after the last window, for people; complete after ``close``.
        self.notes: list[str] = []
        #: The end of what each fork printed, by fork, where it printed something; complete after ``close``.
        self.outputs: dict[int, str] = {}
        self._directory = Path(tempfile.mkdtemp(prefix="pytest-paddle-mt-"))

    @property
    def subject(self) -> Subject:
        """What every fork serves.

        Raises:
            ForkFailed: they do not serve the same.
        """
        first = self.workers[0].subject
        for worker in self.workers[1:]:
            _check_same(first, worker.subject, worker.fork)
        states = {worker.subject.gil for worker in self.workers}
        known = states - {"unknown"}
        return Subject(
            engine=first.engine,
            device=first.device,
            batch_size=first.batch_size,
            pool=first.pool,
            math_threads=first.math_threads,
            gil="unknown" if len(known) != 1 else known.pop(),
            facts={**first.facts, "forks": str(len(self.workers))},
            identity=first.identity,
        )

    def prepare(self, threads: int, side_by_side: int) -> None:
        """Start every fork, and let it run the test up to ``concurrent_runner`` and make ready for ``threads`` threads.

        Args:
            threads: the largest thread count.
            side_by_side: how many are started at once.

        Raises:
            ForkFailed: one of them could not.
            PaddleMtError: what is served cannot be served.
        """
        while len(self.workers) < self._count:
            before = len(self.workers)
            first = 1 if self._role is None else self._role.first
            for fork in range(first + before, first + min(before + side_by_side, self._count)):
                directory = self._directory / f"fork{fork}"
                self.workers.append(ForkWorker(fork, self._item, self._seed, directory, self._role))
            together = self.workers[before:]
            for worker in together:
                worker.greet()
            for worker in together:
                worker.await_ready()
                worker.ask_prepare(threads)
            for worker in together:
                worker.await_prepared(threads)

    def close(self, hurry: bool = False) -> None:
        """Let every fork tear down and exit, then kill what is left.

        Args:
            hurry: the user is waiting: stop windows, and give all of them ``INTERRUPT_S`` seconds together.
        """
        try:
            if hurry:
                self._interrupt()
            else:
                for worker in self.workers:
                    worker.ask_stop()
                for worker in self.workers:
                    self.notes += worker.await_end(STOP_S)
        finally:
            for worker in self.workers:
                worker.kill()
            self.outputs = {worker.fork: text for worker in self.workers if (text := worker.output()).strip()}
            shutil.rmtree(self._directory, ignore_errors=True)

    def _interrupt(self) -> None:
        deadline_s = time.monotonic() + INTERRUPT_S
        for worker in self.workers:
            worker.interrupt()
        for worker in self.workers:
            worker.await_exit(deadline_s - time.monotonic())


def _check_same(one: Subject, other: Subject, fork: int) -> None:
    """Refuse forks that serve different things: their rounds could not be averaged."""
    for what in ("engine", "device", "batch_size", "pool", "math_threads", "facts", "identity"):
        first, second = getattr(one, what), getattr(other, what)
        if first != second:
            raise ForkFailed(
                f"fork {fork} serves something else than fork 1: {what.replace('_', ' ')} {second!r} and {first!r}; "
                "what fixtures and the test build must be the same in every process"
            )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _indented(text: str) -> str:
    return textwrap.indent(text.rstrip(), "    ")
