"""What is no results file is refused with what is wrong about it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_paddle_mt.command import USAGE_ERROR, main
from pytest_paddle_mt.errors import UsageError
from pytest_paddle_mt.html_report.documents import read
from tests.unit.html_report.samples import document, everything, sweep


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "results.json"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_results_file_is_read_as_it_is(tmp_path):
    assert read(written(tmp_path, json.dumps(everything()))) == everything()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ("[]", "has schema None and this version reads schema 1"),
        ('{"schema": 2}', "has schema 2 and this version reads schema 1"),
        ('{"schema": NaN}', "NaN is no finite number"),
        ('{"schema": 1e999}', "1e999 is no finite number"),
        ('{"schema": 1}', "is no results file: plugin_version is missing"),
        (json.dumps({**document(), "sweeps": {}}), "is no results file: sweeps is no list"),
        (json.dumps({**document(), "environment": "\x1b[31m"}), "is no results file: environment is '\\x1b[31m'"),
        (json.dumps(document(sweep(status="\x1b[31m"), sweep(status=None))), r"sweeps[1].status is 'None'"),
        (json.dumps(document(sweep(points=[{"threads": True}]))), "sweeps[0].points[0].threads is 'True'"),
    ],
    ids=["empty", "deep", "list", "schema", "nan", "huge", "missing", "no-list", "control", "null", "bool"],
)
@pytest.mark.fault(
    "results", "a results file is damaged, empty or nested without end", "`paddle-mt report FILE` ends with one line"
)
def test_what_is_no_results_file_is_refused(tmp_path, capsys, text, why):
    path = written(tmp_path, text)
    assert main(["report", str(path), "-o", str(tmp_path / "report.html")]) == USAGE_ERROR
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"paddle-mt: {path} ")
    assert why in line
    assert line.endswith("; give a file that --paddle-json wrote")
    assert line.isprintable()


def test_a_file_that_is_no_text_or_not_there_is_refused(tmp_path):
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="is no text"):
        read(tmp_path / "binary")
    with pytest.raises(UsageError, match="No such file"):
        read(tmp_path / "missing")
