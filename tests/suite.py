"""A test suite of a user's, written by a test and run by another pytest, without Paddle."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from pytest_paddle_mt.engines import PROBE_WORK
from pytest_paddle_mt.engines.synthetic import SyntheticEngine
from pytest_paddle_mt.sweeps import known_work
from tests import builders

#: Engines whose throughput is known: it doubles with two threads; it stays; it swings around the default limit.
_CONFTEST = """
import builders

ENGINES = [
    builders.FakeEngine({1: 40.0, 2: 79.0, 3: 118.0, 4: 157.0}, name="scales"),
    builders.FakeEngine({1: 40.0, 2: 41.0, 3: 41.0, 4: 41.0}, name="stays"),
    builders.FakeEngine({1: 40.0, 2: 68.0, 3: 102.0, 4: 136.0}, name="swings", swing=0.2),
]

def pytest_paddle_mt_engines():
    return ENGINES
"""

#: A plugin for a process of its own: there each thread has a core, whatever this machine does.
_QUIET_MACHINE = """
def pytest_runtest_setup(item):
    if item.config.pluginmanager.hasplugin("paddle_mt"):
        import builders

        builders.give_every_thread_a_core()
"""

#: Plugins that have no part in this and take their time: hypothesis imports itself anew in each run.
_WITHOUT = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest")

#: Two threads are taken to fit whatever machine runs this; the windows are short.
_INI = """
[pytest]
paddle-threads = 2
paddle-linear-until = 2
paddle-window = 20q
paddle-warmup = 0
paddle-rounds = 6
"""


def forget_this_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take what this run of pytest has in its environment out of that of inner runs."""
    for name in [name for name in os.environ if name.startswith(("PYTEST_PADDLE_", "PYTEST_XDIST", "CODSPEED"))]:
        monkeypatch.delenv(name)
    for name in ("CI", "BUILD_NUMBER"):  # with either, pytest's short summary repeats whole messages
        monkeypatch.delenv(name, raising=False)


class Suite:
    """Files of a user's, and pytest on them."""

    def __init__(self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
        self._pytester = pytester
        self._monkeypatch = monkeypatch
        self._open_synthetic = SyntheticEngine.open
        self.path = pytester.path
        self.machine({1: 500.0, 2: 1000.0, 3: 1500.0, 4: 2000.0})
        pytester.syspathinsert()
        pytester.makepyfile(builders=Path(builders.__file__).read_text(encoding="utf-8"))
        self.write(_CONFTEST, "conftest")
        self.write(_QUIET_MACHINE, "quiet_machine")
        self.ini()

    def write(self, text: str, name: str = "test_it") -> None:
        """Write a module."""
        (self.path / f"{name}.py").write_text(dedent(text), encoding="utf-8")

    def ini(self, *lines: str) -> None:
        """Write the ini file, with these lines instead of those of the same option."""
        given = {line.partition("=")[0].strip() for line in lines}
        kept = [line for line in _INI.splitlines() if line.partition("=")[0].strip() not in given]
        (self.path / "pytest.ini").write_text("\n".join([*kept, *lines]), encoding="utf-8")

    def machine(self, qps: Mapping[int, float]) -> None:
        """Let the probe and the control workload show this throughput in this process, whatever else runs."""

        def open_control(engine: SyntheticEngine, workload: Any) -> Any:
            if workload.synthetic in (PROBE_WORK, known_work.CONTROL_WORK):
                return builders.FakeEngine(qps, name="control", swing=0.0)
            return self._open_synthetic(engine, workload)

        self._monkeypatch.setattr(SyntheticEngine, "open", open_control)

    def run(self, *arguments: Any) -> pytest.RunResult:
        """Run it in this process, which is fast."""
        return self._pytester.runpytest_inprocess(*_WITHOUT, "-p", "no:codspeed", *arguments)

    def run_apart(self, *arguments: Any) -> pytest.RunResult:
        """Run it in a fresh process, where each thread has a core."""
        return self._pytester.runpytest_subprocess(*_WITHOUT, "-p", "quiet_machine", *arguments)

    def command(self, *arguments: str) -> pytest.RunResult:
        """Run a command that is installed beside Python."""
        program, *rest = arguments
        return self._pytester.run(Path(sys.executable).with_name(program), *rest)

    def command_anywhere(self, *arguments: str) -> pytest.RunResult:
        """Run a command of the system."""
        return self._pytester.run(*arguments)

    def popen(self, arguments: list[str], **streams: Any) -> Any:
        """Start a program in the directory of the suite."""
        return self._pytester.popen(arguments, **streams)


def text(result: pytest.RunResult) -> str:
    """What it printed, on one line with single spaces."""
    return " ".join(" ".join([*result.outlines, *result.errlines]).split())
