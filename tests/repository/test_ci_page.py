"""The scripts that docs/ci.md gives to copy do what it says."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import textwrap
from pathlib import Path

import pytest

from pytest_paddle_mt.reporters import Finished, markdown
from pytest_paddle_mt.reporters.export_file import ExportReporter
from tests.builders import measured, sweep, verdict

PAGE = (Path(__file__).parents[2] / "docs" / "ci.md").read_text(encoding="utf-8")

#: Answers as ``gh api`` does, with the comments in a file, and writes down what it was asked to write.
GH = """#!/usr/bin/env bash
case " $* " in
  *" --paginate "*) for last; do true; done; jq -r "$last" comments.json ;;
  *) printf '%s\\n' "$*" >> asked ;;
esac
"""


@pytest.fixture
def post(tmp_path, monkeypatch):
    """Runs the step that comments; returns what it asked GitHub to write."""
    gh = tmp_path / "bin" / "gh"
    gh.parent.mkdir()
    gh.write_text(GH)
    gh.chmod(0o755)
    monkeypatch.setenv("PATH", str(gh.parent), prepend=os.pathsep)
    step = PAGE[PAGE.index("- name: Comment, or update the comment") :]
    commands = textwrap.dedent(re.search(r"run: \|\n((?: {10}.*\n)+)", step).group(1))

    def run(comments, one) -> str:
        (tmp_path / "comments.json").write_text(json.dumps(comments))
        (tmp_path / "scaling.md").write_text(markdown.page([one], 65_000))
        (tmp_path / "asked").write_text("")
        environ = {**os.environ, "GITHUB_REPOSITORY": "o/r", "NUMBER": "7"}
        subprocess.run(["bash", "-e", "-c", commands], cwd=tmp_path, env=environ, check=True)
        return (tmp_path / "asked").read_text().strip()

    return run


def comment(number: int, body: str, by: str = "github-actions[bot]") -> dict[str, object]:
    return {"id": number, "user": {"login": by}, "body": body}


PASSED, FAILED = sweep(), sweep(verdicts=(verdict("fail"),))
NEW = "api --silent repos/o/r/issues/7/comments -F body=@scaling.md"
OTHERS = [comment(1, "hello"), comment(2, f"{markdown.MARKER} of somebody", by="mallory")]


@pytest.mark.skipif(shutil.which("jq") is None, reason="gh brings a jq of its own; this machine has none")
@pytest.mark.parametrize(
    ("comments", "one", "asked"),
    [
        (OTHERS, PASSED, ""),
        (OTHERS, FAILED, NEW),
        (
            [*OTHERS, comment(3, f"{markdown.MARKER}\nold")],
            PASSED,
            "api --silent --method PATCH repos/o/r/issues/comments/3 -F body=@scaling.md",
        ),
    ],
)
def test_a_comment_is_made_once_there_is_something_to_act_on_and_then_kept_up_to_date(post, comments, one, asked):
    assert post(comments, one) == asked


def test_gitlab_reads_the_throughput_of_each_thread_count_in_the_metrics_report(tmp_path):
    option = re.search(r"--paddle-export=openmetrics:(\S+)", PAGE)
    assert f"metrics: {option[1]}\n" in PAGE
    export = ExportReporter("openmetrics", tmp_path / option[1])
    export.sweep_finished(
        Finished(sweep=sweep(nodeid='test_x.py::test_a["\\ b]'), measured=measured(), item=None, benchmark=None)
    )
    # GitLab drops what follows a hash sign, splits the rest as a shell does, and takes a name and a value.
    lines = [shlex.split(line.partition("#")[0]) for line in (tmp_path / option[1]).read_text().splitlines()]
    values = {name: float(value) for name, value in filter(None, lines)}
    throughput = {name: value for name, value in values.items() if name.startswith("paddle_mt_throughput{")}
    assert list(throughput.values()) == [40.0, 78.0]
    assert all('test=test_x.py::test_a["\\ b]' in name for name in throughput)
