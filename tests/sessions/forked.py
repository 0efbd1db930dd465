"""A user's suite that is measured in forks, run by another pytest in another process, without Paddle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import pytest

from tests.suite import forget_this_run

#: An engine that misbehaves as a test says, and writes down what it does; deadlines that a test can wait for.
_CONFTEST = """
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

_TEST = """
import os
import pytest
from conftest import *

def test_serves(concurrent_runner):
    result = concurrent_runner([], gate=False)
    note("after", *[one.fork for one in result.sweep.rounds])

def test_next():
    note("next")
"""

_INI = """
[pytest]
paddle-engine = watched
paddle-threads = 2
paddle-linear-until = 2
paddle-window = 20q
paddle-warmup = 0
paddle-rounds = 2
"""

#: Plugins that have no part in this and take their time.
_WITHOUT = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest")


class Forked:
    """Files of a user's, and pytest on them with ``--paddle-forks``."""

    def __init__(self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
        self._pytester = pytester
        self.path = pytester.path
        forget_this_run(monkeypatch)
        #: In the environment of every process of the suite, and of no other.
        self.token = uuid.uuid4().hex
        monkeypatch.setenv("FORKED_TOKEN", self.token)
        self.temporary = pytester.mkdir("temporary")
        monkeypatch.setenv("TMPDIR", str(self.temporary))
        (self.path / "pytest.ini").write_text(_INI)
        self.conftest("")
        self.test(_TEST)

    def conftest(self, more: str) -> None:
        """Write conftest.py, with ``more`` at its end."""
        (self.path / "conftest.py").write_text(_CONFTEST + dedent(more))

    def conftest_too(self, more: str) -> None:
        """Add ``more`` to conftest.py."""
        with (self.path / "conftest.py").open("a") as file:
            file.write(f"\n{dedent(more)}\n")

    def in_fork(self, more: str) -> None:
        """Write conftest.py, with ``more`` at its end in the first fork only."""
        self.conftest("if FORK == 1:\n" + indent(dedent(more), "    "))

    def fixture(self, setup: str, teardown: str = "pass") -> None:
        """A fixture that every test has, which does this in the first fork only."""
        self.conftest(
            f"@pytest.fixture(autouse=True)\ndef everywhere():\n    if FORK == 1:\n        {setup}\n    yield\n"
            f"    if FORK == 1:\n        {teardown}\n"
        )

    def test(self, text: str) -> None:
        """Write the test module."""
        (self.path / "test_it.py").write_text(dedent(text))

    def run(self, *arguments: Any, forks: int = 1) -> pytest.RunResult:
        """Run it."""
        result = self._pytester.runpytest_subprocess(*_WITHOUT, f"--paddle-forks={forks}", *arguments)
        assert self.processes() == []
        assert [path.name for path in self.temporary.iterdir() if "paddle" in path.name] == []
        return result

    def start(self, *arguments: str, forks: int = 2) -> subprocess.Popen[bytes]:
        """Start it, in a session of its own."""
        return self._pytester.popen(
            [sys.executable, "-m", "pytest", *_WITHOUT, f"--paddle-forks={forks}", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

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
                if f"FORKED_TOKEN={self.token}".encode() in environ and int(process.name) != os.getpid():
                    found.append(int(process.name))
        return found

    def results(self) -> list[dict[str, Any]]:
        """The sweeps of results.json; none without the file."""
        path = self.path / "results.json"
        sweeps: list[dict[str, Any]] = json.loads(path.read_text())["sweeps"] if path.exists() else []
        return sweeps


def until(condition: Callable[[], object]) -> None:
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
