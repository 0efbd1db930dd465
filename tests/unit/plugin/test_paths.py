"""Options that name files and directories: what they are relative to, and which are refused."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_paddle_mt.plugin.resolve import resolve
from pytest_paddle_mt.plugin.session import checked_settings
from pytest_paddle_mt.workers import SERVER
from tests.unit.plugin.helpers import Read

# The other side of a comparison


def test_another_interpreter_and_rootdir_are_relative_to_where_they_were_written(
    read: Read, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makeini("[pytest]\npaddle-against = ../of/ini\npaddle-against-rootdir = checkout")
    monkeypatch.chdir(pytester.mkdir("below"))
    assert read().against == pytester.path / "../of/ini"
    assert read().against_rootdir == pytester.path / "checkout"
    assert read("--paddle-against=./of/cli").against == pytester.path / "below/of/cli"
    assert read(PYTEST_PADDLE_AGAINST_ROOTDIR="env").against_rootdir == pytester.path / "below/env"


def test_a_link_to_an_interpreter_stays_the_link(read: Read, tmp_path: Path) -> None:
    (tmp_path / "python").symlink_to(sys.executable)
    assert read(f"--paddle-against={tmp_path}/python").against == tmp_path / "python"


def test_an_interpreter_without_a_slash_is_looked_for_on_the_path(
    read: Read, refusal: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    name = Path(sys.executable).name
    assert read(f"--paddle-against={name}").against == Path(sys.executable).parent / name
    assert refusal("--paddle-against=no-such") == (
        "--paddle-against=no-such: there is no program 'no-such' on the PATH; give a Python interpreter, such as "
        "../before/.venv/bin/python"
    )


@pytest.mark.parametrize(
    ("option", "step"),
    [
        ("--paddle-against", "give a Python interpreter, such as ../before/.venv/bin/python"),
        ("--paddle-against-rootdir", "give a directory, such as ../before"),
    ],
)
def test_an_empty_name_of_the_other_side_is_refused(refusal: Callable[..., str], option: str, step: str) -> None:
    assert refusal(f"{option}=") == f"{option}=: the value is empty; {step}"


# The results file


def test_a_results_file_is_relative_to_where_pytest_was_started(read: Read, pytester: pytest.Pytester) -> None:
    assert read("--paddle-json=out/r.json").json_path == pytester.path / "out" / "r.json"
    assert read(PYTEST_PADDLE_JSON="e.json").json_path == pytester.path / "e.json"


def test_a_results_file_in_the_ini_file_is_relative_to_it(
    read: Read, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makeini("[pytest]\npaddle-json = r.json")
    pytester.mkdir("below")
    monkeypatch.chdir(pytester.path / "below")
    assert read().json_path == pytester.path / "r.json"
    assert read("-o", "paddle-json=o.json").json_path == pytester.path / "below" / "o.json"


def test_a_worker_of_xdist_has_a_results_file_of_its_own(pytester: pytest.Pytester) -> None:
    config = pytester.parseconfig("--paddle-json=out/r.json")
    config.workerinput = {"workerid": "gw1"}
    assert resolve(config).json_path == pytester.path / "out" / "r-gw1.json"


def test_an_absolute_results_file_stays_where_it_is(read: Read, tmp_path: Path) -> None:
    assert read(f"--paddle-json={tmp_path / 'r.json'}").json_path == tmp_path / "r.json"


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("", "the value is empty; give the name of a file, such as scaling.json"),
        ("new/", "'new/' is a directory; give the name of a file, such as scaling.json"),
        (".", "this is a directory; give the name of a file in it"),
    ],
)
def test_a_results_file_that_is_none_is_refused(refusal: Callable[..., str], written: str, message: str) -> None:
    assert refusal(f"--paddle-json={written}") == f"--paddle-json={written}: {message}"


@pytest.mark.parametrize("name", ["pipe", "link"])
def test_a_results_file_that_would_replace_something_else_is_refused(
    refusal: Callable[..., str], pytester: pytest.Pytester, name: str
) -> None:
    os.mkfifo(pytester.path / "pipe")
    (pytester.path / "link").symlink_to("pipe")
    assert refusal(f"--paddle-json={name}") == (
        f"--paddle-json={name}: this is a named pipe; give another name: the results replace a regular file only"
    )


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_a_results_file_that_is_a_stream_of_the_process_is_refused(refusal: Callable[..., str], name: str) -> None:
    assert f"--paddle-json={name}: this is a stream of a process; give" in refusal(f"--paddle-json={name}")


def test_a_results_file_may_be_a_link(read: Read, pytester: pytest.Pytester) -> None:
    (pytester.path / "link").symlink_to("not-there-yet.json")
    assert read("--paddle-json=link").json_path == pytester.path / "link"


# Exports


def test_exports_are_read_from_every_place_and_are_relative_to_it(read: Read, pytester: pytest.Pytester) -> None:
    expected = (("csv", pytester.path / "a.csv"), ("bmf", pytester.path / "b,1.json"))
    assert read("--paddle-export=csv:a.csv", "--paddle-export=bmf:b,1.json").exports == expected
    assert read(PYTEST_PADDLE_EXPORT="csv:a.csv, bmf:b,1.json").exports == expected
    pytester.makeini("[pytest]\npaddle-export = csv:a.csv,bmf:b,1.json")
    assert read().exports == expected


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (
            "a.csv",
            "'a.csv' has no colon; give FORMAT:FILE, such as csv:scaling.csv; formats: bmf, gab, openmetrics, csv",
        ),
        ("cvs:a", "there is no format 'cvs'; did you mean 'csv'? give FORMAT:FILE"),
        ("csv:", "the value is empty; give the name of a file"),
        ("csv:.", "this is a directory; give the name of a file in it"),
        ("csv:a,bmf:a", "a is named twice; give each format a file of its own"),
    ],
)
def test_an_export_that_cannot_be_written_is_refused(refusal: Callable[..., str], written: str, message: str) -> None:
    assert refusal(f"--paddle-export={written}").startswith(f"--paddle-export={written}: {message}")


# Baselines


def test_baselines_are_relative_to_the_root_directory_wherever_that_was_written(
    read: Read, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makeini("[pytest]\npaddle-baselines = stored")
    monkeypatch.chdir(pytester.mkdir("below"))
    assert read().baselines == pytester.path / "stored"
    assert read("--paddle-baselines=of/cli").baselines == pytester.path / "of" / "cli"
    assert read(PYTEST_PADDLE_BASELINES="e").baselines == pytester.path / "e"


def test_an_absolute_folder_of_baselines_stays_where_it_is(read: Read, tmp_path: Path) -> None:
    assert read(f"--paddle-baselines={tmp_path}").baselines == tmp_path


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (
            "",
            "the value is empty; give the name of a folder, such as baselines, or a URL, such as s3://bucket/baselines",
        ),
        ("file/", "{path}/file is not a folder"),
    ],
)
def test_a_folder_of_baselines_that_is_none_is_refused(
    refusal: Callable[..., str], pytester: pytest.Pytester, written: str, message: str
) -> None:
    (pytester.path / "file").write_text("")
    message = message.format(path=pytester.path)
    assert refusal(f"--paddle-baselines={written}") == f"--paddle-baselines={written}: {message}"


@pytest.mark.fault("baselines", "the folder of baselines is a link that leads nowhere", "pytest stops with the target")
def test_a_link_to_no_folder_of_baselines_is_refused(refusal: Callable[..., str], pytester: pytest.Pytester) -> None:
    (pytester.path / "baselines").symlink_to("unmounted")
    assert refusal() == (
        f"the default of --paddle-baselines: {pytester.path}/baselines is a symbolic link to unmounted, which does not "
        "exist; make that folder, or correct or remove the link"
    )


def test_a_file_in_the_place_of_the_default_folder_is_refused(
    refusal: Callable[..., str], pytester: pytest.Pytester
) -> None:
    (pytester.path / "baselines").write_text("")
    assert refusal() == f"the default of --paddle-baselines: {pytester.path}/baselines is not a folder"


# The report


def test_a_report_needs_jinja2_before_anything_is_measured(
    parse: Callable[..., pytest.Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = parse("--paddle-html=r.html")
    checked_settings(config)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(pytest.UsageError) as refused:
        checked_settings(config)
    assert str(refused.value) == (
        "--paddle-html=r.html: the report needs Jinja2; pip install 'pytest-paddle-mt[report]'"
    )


def test_a_fork_needs_no_jinja2_for_the_report_of_its_parent(
    parse: Callable[..., pytest.Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = parse("--paddle-html=r.html")
    config.stash[SERVER] = object()  # type: ignore[misc]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    checked_settings(config)
