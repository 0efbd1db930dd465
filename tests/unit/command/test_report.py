"""``paddle-mt report`` in this process."""

from __future__ import annotations

import importlib.util
import json
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from pytest_paddle_mt.command import USAGE_ERROR, main
from tests.unit.html_report.samples import document, sweep


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "results.json"
    path.write_text(json.dumps(document(sweep(measured_rounds=2))))
    return path


def test_the_command_is_installed_as_paddle_mt():
    [script] = entry_points(group="console_scripts", name="paddle-mt")
    assert script.load() is main


def test_it_makes_a_page_of_several_files(results, capsys):
    Path("second.json").write_text(results.read_text())
    assert main(["report", "results.json", "second.json", "-o", "out/report.html"]) == 0
    page = Path("out/report.html").read_text(encoding="utf-8")
    assert "second.json" in page
    assert page.count("<article") == 2
    assert capsys.readouterr().out == "report of 2 results files in out/report.html\n"


def test_a_file_that_is_named_twice_is_shown_once(results):
    assert main(["report", "results.json", "results.json"]) == 0
    assert Path("report.html").read_text(encoding="utf-8").count("<article") == 1


@pytest.mark.fault("results", "a report is to be written over its results file", "it is refused")
def test_a_results_file_is_never_replaced_by_its_page(results, capsys):
    before = results.read_bytes()
    Path("link").symlink_to("results.json")
    assert main(["report", "results.json", "-o", "link"]) == 2
    assert "which would be lost; give another name" in capsys.readouterr().err
    assert results.read_bytes() == before


def test_what_cannot_be_used_is_an_error_without_a_traceback(results, capsys):
    assert main(["report", "missing.json", "-o", "report.html"]) == 2
    assert capsys.readouterr().err == (
        "paddle-mt: missing.json cannot be read: No such file or directory; give a file that --paddle-json wrote\n"
    )
    assert main(["report", "results.json", "-o", "/dev/null"]) == 2
    assert "could not be written" in capsys.readouterr().err
    assert not Path("report.html").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"latency_ms": {"p50": "fast"}},
        {"qps_ci": [1]},
        {"qps": 10**400},
        {"peak_rss_bytes": "much"},
        {"fairness": []},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
@pytest.mark.fault(
    "results", "a member of a results file has another form", "`paddle-mt report FILE` ends with one line"
)
def test_a_member_of_an_unknown_form_is_an_error_without_a_traceback(results, capsys, wrong):
    changed = sweep(measured_rounds=2)
    changed["points"][1] |= wrong
    results.write_text(json.dumps(document(changed)))
    assert main(["report", "results.json"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("paddle-mt: results.json: a member has a form that this version does not know (")
    assert not Path("report.html").exists()


def test_without_jinja2_it_names_the_extra(results, capsys, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert main(["report", "results.json", "-o", "report.html"]) == 2
    assert "pip install 'pytest-paddle-mt[report]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["swep", "m"], "there is no command 'swep'; did you mean 'sweep'? (see paddle-mt --help)"),
        (["m.pdmodel"], "there is no command 'm.pdmodel'; did you mean paddle-mt sweep m.pdmodel? (see"),
        (["x"], "there is no command 'x' (see paddle-mt --help)"),
        (["report"], "the following arguments are required: RESULTS.json (see paddle-mt report --help)"),
    ],
)
def test_words_that_are_no_command_are_one_line_with_the_next_step(capsys, words, message):
    with pytest.raises(SystemExit, match="2"):
        main(words)
    [line] = capsys.readouterr().err.splitlines()
    assert message in line


def test_without_words_it_prints_its_help_and_is_an_error(capsys):
    assert main([]) == USAGE_ERROR
    assert "paddle-mt sweep model/inference.json" in capsys.readouterr().err


def test_help_fits_a_screen(capsys):
    for arguments in (["--help"], ["report", "--help"]):
        with pytest.raises(SystemExit):
            main(arguments)
        assert 5 < len(capsys.readouterr().out.splitlines()) < 24
