"""Which baselines a change edits, and how: what a reviewer, a workflow and the summary of a session print."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_paddle_mt.baselines import Baseline, __main__, digests, revisions, schema
from tests.builders import MACHINE, baseline

KEY = "fake-cpu-avx2-2c"


def git(where: Path, *arguments: str) -> None:
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *who, *arguments], cwd=where, check=True, capture_output=True)


def sealed(*qps: float, test: str = "test_a.py::test_it") -> Baseline:
    return digests.sealed(baseline(*qps, test=test, machine=MACHINE))


def put(folder: Path, found: Baseline, name: str = "test_a.json") -> Path:
    path = folder / KEY / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(schema.to_text(found))
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of baselines in a repository, with one file committed."""
    monkeypatch.delenv("GITHUB_BASE_REF", raising=False)
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    put(tmp_path / "baselines", sealed(80, 80.8, 79.2))
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "--quiet", "-m", "One")
    return tmp_path / "baselines"


def printed(folder: Path) -> str:
    return "\n".join(revisions.lines(revisions.edits(folder, "HEAD"), "HEAD"))


def test_without_an_edit_there_is_one_line(folder: Path):
    assert printed(folder) == "this change edits no baseline, compared with HEAD"


def test_old_and_new_figures_and_their_spreads_are_printed(folder: Path):
    put(folder, sealed(40, 44, 36))
    assert printed(folder).startswith(
        f"this change edits 1 baseline, compared with HEAD:\n  {KEY}/test_a.json: 3 -> 3 runs\n    2 threads: p50"
    )
    assert "QPS 80 -> 39.87 (-50.2%), spread 1.0% -> 10.0%" in " ".join(printed(folder).split())


def test_an_edit_by_hand_is_said_to_be_one(folder: Path):
    path = folder / KEY / "test_a.json"
    path.write_text(path.read_text().replace('"qps": 79.2', '"qps": 70.8'))
    assert "EDITED after it was recorded: runs[2]" in printed(folder)


def test_new_files_removed_ones_and_those_that_are_none_are_printed(folder: Path):
    (folder / KEY / "test_a.json").unlink()
    put(folder, sealed(80), "test_b.json")
    (folder / KEY / "x\n::error::y.json").write_text("{")
    assert "edits 3 baselines" in printed(folder)
    assert "test_a.json: removed" in printed(folder)
    assert "test_b.json: new, 0 -> 1 run" in printed(folder)
    assert "x\\n::error::y.json: the one here is no baseline: it is not JSON" in printed(folder)


def test_a_folder_that_was_removed_is_a_change(folder: Path):
    (folder / KEY / "test_a.json").unlink()
    (folder / KEY).rmdir()
    folder.rmdir()
    assert "test_a.json: removed" in printed(folder)


def test_a_pull_request_is_compared_with_its_base_branch_where_git_has_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    assert revisions.base_of(folder) == "HEAD"
    monkeypatch.setenv("GITHUB_BASE_REF", "main")
    assert revisions.base_of(folder) == "HEAD"
    git(folder, "update-ref", "refs/remotes/origin/main", "HEAD")
    assert revisions.base_of(folder) == "origin/main"


@pytest.mark.parametrize("commit", ["nonsense", "--output=x"])
def test_a_commit_that_is_none_is_an_error(folder: Path, commit: str, capsys: pytest.CaptureFixture[str]):
    assert __main__.main(["diff", commit, str(folder)]) == 2
    assert commit in capsys.readouterr().err


def test_a_file_is_checked_by_content_name_and_digests(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    from pytest_paddle_mt.baselines.file_names import file_name

    found = sealed(80.0, 81.0)
    good = put(tmp_path, found, file_name(found.test, found.engine))
    assert __main__.main(["check", str(good)]) == 0
    other = put(tmp_path, dataclasses.replace(found, engine="python"), good.name)
    assert __main__.main(["check", str(other), str(tmp_path / "none.json")]) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"{other}: by its content it should be {KEY}/{file_name(found.test, 'python')}",
        f"{tmp_path / 'none.json'}: it is no regular file",
    ]


def test_a_wrong_call_prints_what_there_is(capsys: pytest.CaptureFixture[str]):
    assert __main__.main(["push"]) == 2
    assert "diff COMMIT [FOLDER]" in capsys.readouterr().err


def test_a_wrong_call_prints_what_there_is_where_python_drops_docstrings():
    command = [sys.executable, "-OO", "-m", "pytest_paddle_mt.baselines"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (2, __main__.USAGE)
