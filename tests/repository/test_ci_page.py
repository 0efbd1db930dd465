"""The scripts that docs/ci.md gives to copy do what it says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import textwrap
from pathlib import Path

import pytest

from pytest_paddle_mt.reporters import Finished, markdown
from pytest_paddle_mt.reporters.json_file import JsonReporter
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


def test_the_metrics_report_of_gitlab_has_the_throughput_of_each_thread_count(tmp_path):
    nodeid = 'test_x.py::test_a["\\]'
    JsonReporter(tmp_path / "results.json").sweep_finished(
        Finished(sweep=sweep(nodeid=nodeid), measured=measured(), item=None, benchmark=None)
    )
    commands = textwrap.dedent(re.search(r"after_script:\n    - \|\n((?: {6}.*\n)+)", PAGE).group(1))
    subprocess.run(["sh", "-e", "-c", commands], cwd=tmp_path, check=True)
    assert (tmp_path / "metrics.txt").read_text().splitlines() == [
        r'paddle_mt_qps{test="test_x.py::test_a[\"\\]",threads="1"} 40',
        r'paddle_mt_qps{test="test_x.py::test_a[\"\\]",threads="2"} 78',
    ]
