"""What GitHub Actions is told: workflow commands and the step summary."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import pytest

from pytest_paddle_mt.records import Sweep
from pytest_paddle_mt.reporters import Finished
from pytest_paddle_mt.reporters.github import GithubReporter, command, in_actions
from tests.builders import measured, sweep, verdict

FAILED = sweep(nodeid="test_f", verdicts=(verdict("fail", observed=0.6),))
UNCLEAR = sweep(nodeid="test_u", verdicts=(verdict("inconclusive", reason="too near"),))


class FakeTerminal:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.write_line = self.lines.append


def finished(one: Sweep, path: str) -> Finished:
    item: Any = SimpleNamespace(path=Path(path), location=("x", 41, "test"))
    return Finished(sweep=one, measured=measured(), item=item, benchmark=None)


def told(*sweeps: Sweep, strict: bool = False, path: str = "/w/tests/test_x.py", **environ: str) -> list[str]:
    reporter, terminal = GithubReporter(strict=strict, environ={"GITHUB_WORKSPACE": "/w", **environ}), FakeTerminal()
    for one in sweeps:
        reporter.sweep_finished(finished(one, path))
    reporter.session_finished(sweeps, terminal)
    return terminal.lines


def as_the_runner_reads(line: str) -> tuple[str, dict[str, str], str]:
    """Name, properties and message of a workflow command, split as GitHub documents it."""
    name, properties, message = re.fullmatch(r"::([a-z-]+) ([^:]*)::(.*)", line, flags=re.DOTALL).groups()
    pairs = (one.partition("=") for one in properties.split(","))
    return name, {key: unquote(value) for key, _, value in pairs}, unquote(message)


def test_each_failed_sweep_is_an_error_at_its_line_with_what_to_do():
    [line] = told(sweep(), FAILED)
    name, properties, message = as_the_runner_reads(line)
    assert name == "error"
    assert properties == {"file": "tests/test_x.py", "line": "42", "title": "Thread scaling: fail"}
    test, verdict_, step = message.split("\n")
    assert (test, verdict_) == ("test_f", "does not scale with 2 threads (efficiency 0.60, limit 0.85)")
    assert step.startswith("next: remove the cause or")


def test_all_that_was_not_gated_is_one_warning():
    [line] = told(sweep(), UNCLEAR, sweep(nodeid="test_v", verdicts=()))
    assert as_the_runner_reads(line) == (
        "warning",
        {"title": "2 of 3 sweeps NOT gated"},
        "test_u: not decided: linear with 2 threads\ntest_v: no check had anything to judge",
    )


def test_a_long_warning_counts_what_it_leaves_out():
    [line] = told(*(sweep(nodeid=f"test_{index}", verdicts=()) for index in range(30)))
    assert as_the_runner_reads(line)[2].endswith("\nand 10 more")


def test_under_strict_what_was_not_gated_is_an_error():
    [line] = told(sweep(), UNCLEAR, strict=True)
    name, properties, _ = as_the_runner_reads(line)
    assert (name, properties["title"]) == ("error", "Thread scaling: inconclusive")


def test_a_sweep_that_gates_nothing_is_no_error():
    assert told(sweep(gate=False, verdicts=(verdict("fail"),))) == []


def test_a_file_outside_of_the_workspace_has_its_whole_path():
    [line] = told(FAILED, path="/elsewhere/test_x.py")
    assert as_the_runner_reads(line)[1]["file"] == "/elsewhere/test_x.py"


@pytest.mark.parametrize("text", ["a,b::c%0A", "\n::error::pwned", "%25 100%", "\r\n::add-mask::x", "a=b,line=1"])
@pytest.mark.fault("results", "a name or message contains a workflow command", "it stays inside of its own")
def test_a_hostile_text_stays_in_its_place(text):
    line = command("error", [text, "second"], file=f"{text}.py", line="3")
    assert len(line.splitlines()) == 1
    name, properties, message = as_the_runner_reads(line)
    printed = text.replace("\r", "\\r").replace("\n", "\\n")
    assert (name, properties, message) == ("error", {"file": f"{printed}.py", "line": "3"}, f"{printed}\nsecond")


def test_the_step_summary_is_appended(tmp_path):
    summary = tmp_path / "summary.md"
    summary.write_text("of an earlier step\n")
    told(sweep(), GITHUB_STEP_SUMMARY=str(summary))
    assert summary.read_text().startswith("of an earlier step\n<!-- pytest-paddle-mt -->")
    assert "### Thread scaling: 1 passed" in summary.read_text()


def test_the_step_summary_keeps_below_its_size_limit(tmp_path):
    summary = tmp_path / "summary.md"
    summary.write_text("x" * (1024 * 1024 - 5000))
    told(*(sweep(nodeid=f"test_{index}") for index in range(100)), GITHUB_STEP_SUMMARY=str(summary))
    assert 1024 * 1024 - 3000 < summary.stat().st_size <= 1024 * 1024
    assert "more are not shown: this page is full" in summary.read_text()
    told(sweep(), GITHUB_STEP_SUMMARY=str(summary))
    assert summary.stat().st_size <= 1024 * 1024


@pytest.mark.fault("results", "the step summary of GitHub cannot be written", "one line says so")
def test_a_step_summary_that_cannot_be_written_is_told(tmp_path):
    [line] = told(sweep(), GITHUB_STEP_SUMMARY=str(tmp_path))
    assert line.startswith(f"paddle-mt: the step summary {tmp_path} could not be written: Is a directory")


def test_it_is_told_where_actions_says_so_and_nowhere_else():
    assert in_actions({"GITHUB_ACTIONS": "true"})
    assert not in_actions({"GITHUB_ACTIONS": "false"})
    assert not in_actions({})
