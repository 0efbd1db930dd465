"""A test suite of a user's, written by a test and run by another pytest, without Paddle."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import pytest

import pytest_paddle_mt
from pytest_paddle_mt.records import Verdict
from pytest_paddle_mt.sweeps import one_side
from pytest_paddle_mt.testing import known_machine

#: Engines whose throughput is known: it doubles with two threads; it stays; it swings around the default limit.
_KNOWN = """
from pytest_paddle_mt.testing import FakeEngine

ENGINES = [
    FakeEngine({1: 40.0, 2: 79.0, 3: 118.0, 4: 157.0}, name="scales"),
    FakeEngine({1: 40.0, 2: 41.0, 3: 41.0, 4: 41.0}, name="stays"),
    FakeEngine({1: 40.0, 2: 68.0, 3: 102.0, 4: 136.0}, name="swings", swing=0.2),
]

def pytest_paddle_mt_engines():
    return ENGINES
"""

#: An engine that misbehaves as a test says, and writes down what it does; deadlines that a test can wait for.
_WATCHED = """
import ctypes, os, signal, subprocess, sys, threading, time
from pathlib import Path

import pytest

from pytest_paddle_mt import SyntheticWork
from pytest_paddle_mt.engines.synthetic import SyntheticSession
from pytest_paddle_mt.workers import crew, fork, protocol

HERE = Path(__file__).parent
FORK = int(os.environ.get("PYTEST_PADDLE_MT_FORK", 0))
SEGFAULT = lambda: ctypes.string_at(0)

def note(*words):
    with open(HERE / "notes", "a") as file:
        file.write(" ".join(map(str, (FORK, *words))) + "\\n")

def hang_in_native_code():
    mutex = ctypes.create_string_buffer(64)
    for _ in range(2):  # the second waits for the first, with the GIL
        ctypes.PyDLL(None).pthread_mutex_lock(mutex)

def wait_for_ever(moment):
    (HERE / moment).touch()
    threading.Event().wait()

def while_measuring(threads):
    pass

class Session(SyntheticSession):
    def prepare(self, threads):
        known = self._loop is not None
        super().prepare(threads)
        if not known:
            note("prepared", time.monotonic_ns())

    def measure(self, threads, plan):
        began = time.monotonic_ns()
        while_measuring(threads)
        window = super().measure(threads, plan)
        note("measured", began, time.monotonic_ns())
        return window

class Watched:
    name = "watched"
    needs_pool = False
    takes_query = False

    def open(self, workload):
        return Session(SyntheticWork(spin_ns=1e4), workload.seed)

def pytest_paddle_mt_engines():
    return [Watched()]
"""

_CONFTESTS = {"known": _KNOWN, "watched": _WATCHED}

#: A test that is measured by the watched engine, and one after it.
_WATCHED_TEST = """
import os
import pytest
from conftest import *

def test_serves(concurrent_runner):
    result = concurrent_runner([], gate=False)
    note("after", *[one.fork for one in result.measured.rounds])

def test_next():
    note("next")
"""

#: A plugin for a process of its own: there each thread has a core, whatever this machine does.
_QUIET_MACHINE = """
import pytest

@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    if not item.config.pluginmanager.hasplugin("paddle_mt"):
        return (yield)
    from pytest_paddle_mt.testing import known_machine

    with known_machine(control=False):
        return (yield)
"""

#: Plugins that have no part in this and take their time at each start.
_NAMES = ("cacheprovider", "doctest", "legacypath", "pastebin", "hypothesispytest", "anyio", "codspeed")
_WITHOUT = tuple(part for name in _NAMES for part in ("-p", f"no:{name}"))

#: And where each start imports it anew.
_WITHOUT_APART = (*_WITHOUT, "-p", "no:html", "-p", "no:metadata")


def _without_here(arguments: Sequence[Any]) -> tuple[str, ...]:
    """What a run in this process leaves out: pytest-rerunfailures, too, whose thread and socket would outlive it."""
    reruns = any(str(one).startswith(("--reruns", "rerunfailures")) for one in arguments)
    return _WITHOUT if reruns else (*_WITHOUT, "-p", "no:rerunfailures")


#: Two threads are taken to fit whatever machine runs this; the windows are short.
_INI = """
[pytest]
paddle-threads = 2
paddle-linear-until = 2
paddle-window = 20q
paddle-warmup = 0
paddle-rounds = 6
"""


def forget_this_run(monkeypatch: pytest.MonkeyPatch):
    """Take what this run of pytest has in its environment out of that of inner runs."""
    for name in [name for name in os.environ if name.startswith(("PYTEST_PADDLE_", "PYTEST_XDIST", "CODSPEED"))]:
        monkeypatch.delenv(name)
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("CI", "BUILD_NUMBER"):  # with either, pytest's short summary repeats whole messages
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)  # else every start compiles every plugin anew


def in_actions(suite: Suite, monkeypatch: pytest.MonkeyPatch):
    """Let runs of the suite believe that they run in GitHub Actions."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(suite.path))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(suite.path / "summary.md"))


@contextlib.contextmanager
def _package_as_it_was() -> Iterator[None]:
    """Put back the functions, classes and constants of the package that a conftest.py overwrites.

    In a process of its own they would end with it. Here they would stay for every test that follows.
    """
    modules = [module for name, module in sys.modules.items() if name.partition(".")[0] == pytest_paddle_mt.__name__]
    classes = {one for module in modules for one in vars(module).values() if isinstance(one, type)}
    ours = [one for one in classes if one.__module__.startswith(pytest_paddle_mt.__name__)]
    before = [(owner, dict(vars(owner))) for owner in (*modules, *ours)]
    try:
        yield
    finally:
        for owner, members in before:
            for name, member in members.items():
                if (callable(member) or name.isupper()) and vars(owner).get(name) is not member:
                    setattr(owner, name, member)


class _Here(contextlib.nullcontext[one_side._OneSide]):
    """In place of fresh processes: what found a failure measures it again, which takes a tenth of the time."""

    notes = ()


def _confirm_here(
    side: one_side._OneSide, first: tuple[Verdict, ...], confirm: Any = one_side._OneSide.confirm
) -> one_side._Again:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(one_side, "in_forks", lambda terms, places: _Here(side))
        again: one_side._Again = confirm(side, first)
        return again


class Suite:
    """Files of a user's, and pytest on them. Close it to let the machine show its own throughput again.

    Args:
        engine: "known", engines whose throughput is known; or "watched", one that writes down what it does in which
            process, for tests of forks.
    """

    def __init__(self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, engine: str = "known"):
        forget_this_run(monkeypatch)
        self.pytester = pytester
        self.path = pytester.path
        #: In the environment of every process of the suite, and of no other.
        self._token = uuid.uuid4().hex
        monkeypatch.setenv("SUITE_TOKEN", self._token)
        self._ends = contextlib.ExitStack()
        self._conftest = _CONFTESTS[engine]
        pytester.syspathinsert()
        self.conftest("")
        self.write(_QUIET_MACHINE, "quiet_machine")
        if engine == "known":
            self.machine({1: 500.0, 2: 1000.0, 3: 1500.0, 4: 2000.0})
            self._confirming = self._ends.enter_context(pytest.MonkeyPatch.context())
            self._confirming.setattr(one_side._OneSide, "confirm", _confirm_here)
            self.ini()
        else:
            self.temporary = pytester.mkdir("temporary")
            monkeypatch.setenv("TMPDIR", str(self.temporary))
            monkeypatch.setattr(tempfile, "tempdir", None)  # it is looked up anew
            self.ini("paddle-engine = watched", "paddle-rounds = 2")
            self.write(_WATCHED_TEST)

    def close(self):
        """Undo what ``machine`` did."""
        self._ends.close()

    def write(self, text: str, name: str = "test_it"):
        """Write a module."""
        (self.path / f"{name}.py").write_text(dedent(text), encoding="utf-8")

    def conftest(self, more: str):
        """Write conftest.py, with ``more`` at its end."""
        self.write(self._conftest + dedent(more), "conftest")

    def conftest_too(self, more: str):
        """Add ``more`` to conftest.py."""
        with (self.path / "conftest.py").open("a") as file:
            file.write(f"\n{dedent(more)}\n")

    def in_fork(self, more: str):
        """Write conftest.py, with ``more`` at its end in the first fork only."""
        self.conftest("if FORK == 1:\n" + indent(dedent(more), "    "))

    def fixture(self, setup: str, teardown: str = "pass"):
        """Give every test a fixture that does this in the first fork only."""
        self.conftest(
            f"@pytest.fixture(autouse=True)\ndef everywhere():\n    if FORK == 1:\n        {setup}\n    yield\n"
            f"    if FORK == 1:\n        {teardown}\n"
        )

    def ini(self, *lines: str):
        """Write the ini file, with these lines instead of those of the same option."""
        given = {line.partition("=")[0].strip() for line in lines}
        kept = [line for line in _INI.splitlines() if line.partition("=")[0].strip() not in given]
        (self.path / "pytest.ini").write_text("\n".join([*kept, *lines, ""]), encoding="utf-8")

    def confirm_in_fresh_processes(self):
        """Let failures of ``run`` be measured again as they are for users."""
        self._confirming.undo()

    def machine(self, qps: Mapping[int, float]):
        """Let the probe and the control workload show this throughput in this process, whatever else runs."""
        self._ends.enter_context(known_machine(qps))

    def run(self, *arguments: Any) -> pytest.RunResult:
        """Run it in this process, which is fast; with every reason in its summary, unless ``-q`` is given."""
        return self._run_here(*_with_reasons(arguments), *arguments)

    def run_apart(self, *arguments: Any) -> pytest.RunResult:
        """Run it in a fresh process, where each thread has a core; otherwise like ``run``."""
        return self.pytester.runpytest_subprocess(
            *_WITHOUT_APART, "-p", "quiet_machine", *_with_reasons(arguments), *arguments
        )

    def run_forked(self, *arguments: Any, forks: int | None = 1, apart: bool = False) -> pytest.RunResult:
        """Run it in this process, or ``apart`` in a fresh one, with so many forks; nothing of them may be left.

        Without ``forks``, the suite itself asks for them.
        """
        asked = [] if forks is None else [f"--paddle-forks={forks}"]
        asked += [*_with_reasons(arguments), *arguments]
        result = self.pytester.runpytest_subprocess(*_WITHOUT_APART, *asked) if apart else self._run_here(*asked)
        assert self.processes() == []
        assert [path.name for path in self.temporary.iterdir() if "paddle" in path.name] == []
        return result

    def _run_here(self, *arguments: Any) -> pytest.RunResult:
        with _package_as_it_was():
            return self.pytester.runpytest_inprocess(*_without_here(arguments), *arguments)

    def start(self, *arguments: str, forks: int = 1) -> subprocess.Popen[bytes]:
        """Start it with so many forks, in a session of its own."""
        return self.pytester.popen(
            [sys.executable, "-m", "pytest", *_WITHOUT_APART, f"--paddle-forks={forks}", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def command(self, *arguments: str) -> pytest.RunResult:
        """Run a command that is installed beside Python."""
        program, *rest = arguments
        return self.pytester.run(Path(sys.executable).with_name(program), *rest)

    def command_anywhere(self, *arguments: str) -> pytest.RunResult:
        """Run a command of the system."""
        return self.pytester.run(*arguments)

    def popen(self, arguments: list[str], **streams: Any) -> Any:
        """Start a program in the directory of the suite."""
        return self.pytester.popen(arguments, **streams)

    def notes(self, word: str) -> list[list[str]]:
        """What was noted with ``word``: the fork, and what followed."""
        path = self.path / "notes"
        lines = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
        return [[line[0], *line[2:]] for line in lines if line[1] == word]

    def processes(self) -> list[int]:
        """The processes of the suite that are there now, those that only wait to be reaped left out."""
        found = []
        for process in Path("/proc").iterdir():
            if process.name.isdigit():
                try:
                    environ = (process / "environ").read_bytes()
                except OSError:  # gone, or not ours
                    continue
                if f"SUITE_TOKEN={self._token}".encode() in environ and int(process.name) != os.getpid():
                    found.append(int(process.name))
        return found

    def results(self) -> list[dict[str, Any]]:
        """The sweeps of results.json; none without the file."""
        path = self.path / "results.json"
        sweeps: list[dict[str, Any]] = json.loads(path.read_text())["sweeps"] if path.exists() else []
        return sweeps


def _with_reasons(arguments: tuple[Any, ...]) -> list[str]:
    """The option that prints all reasons; not where ``-q`` asks for less, which would cancel it out."""
    return [] if "-q" in arguments else ["-v", "-o", "verbosity_test_cases=0"]


def until(condition: Callable[[], object]):
    """Wait until something holds; a minute is a failure."""
    deadline_s = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline_s, "waited for a minute"
        time.sleep(0.02)


def interrupt(process: subprocess.Popen[bytes]) -> str:
    """Ctrl-C; what it printed."""
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    return output.decode(errors="replace")


def text(result: pytest.RunResult) -> str:
    """What it printed, on one line with single spaces."""
    return " ".join(" ".join([*result.outlines, *result.errlines]).split())
