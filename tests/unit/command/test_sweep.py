"""``paddle-mt sweep``: what it makes of its words, without running pytest."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from pytest_paddle_mt import command
from pytest_paddle_mt.command import sweep
from pytest_paddle_mt.plugin.options import OPTIONS


@pytest.fixture
def ran(tmp_path, monkeypatch):
    """A directory with a model, and what pytest is given: its arguments, and the texts of the temporary files."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.json").write_text("{}")
    (tmp_path / "a.pdiparams").write_text("x")
    found = {}

    def main(arguments):
        test = Path(arguments[0])
        found.update(arguments=arguments, test=test, text=test.read_text(), conftest=(test.parent / "conftest.py"))
        found["conftest"] = found["conftest"].read_text()
        return pytest.ExitCode.TESTS_FAILED

    monkeypatch.setattr(pytest, "main", main)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    return found


def test_options_reach_pytest_as_they_were_written_and_its_exit_code_is_that_of_the_command(ran):
    options = ["--paddle-threads", "4", "-x", "--paddle-json=r.json", "-k", "scales"]
    assert command.main(["sweep", "a.json", *options]) == 1
    assert ran["arguments"][-len(options) :] == options


def test_the_test_names_the_files_by_absolute_paths_and_is_gone_afterwards(ran, tmp_path):
    command.main(["sweep", "a"])
    compile(ran["text"], "test_sweep.py", "exec")
    assert f"{str(tmp_path / 'a.json')!r}, {str(tmp_path / 'a.pdiparams')!r}" in ran["text"]
    assert not ran["test"].parent.exists()


def test_a_model_without_parameters_gets_none(ran):
    command.main(["sweep", "a.json", ""])
    assert "a.json', '')" in ran["text"]


def test_shapes_stand_in_the_test_and_in_its_name(ran):
    command.main(["sweep", "a", "--shape", "x=1,3,48,320", "--shape=im=info=2", "-q"])
    compile(ran["text"], "test_sweep.py", "exec")
    assert "{'x': (1, 3, 48, 320), 'im=info': (2,)}" in ran["text"]
    assert "ids=['im=info=2-x=1,3,48,320']" in ran["text"]
    assert ran["arguments"][-1] == "-q"


def test_neither_the_ini_file_nor_a_conftest_of_the_current_directory_is_read(ran, tmp_path):
    command.main(["sweep", "a"])
    directory = ran["test"].parent
    assert {f"--rootdir={tmp_path}", "--config-file=/dev/null", f"--confcutdir={directory}"} < set(ran["arguments"])


def test_a_model_is_known_by_its_path_from_here_and_by_its_absolute_path_elsewhere(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for written in ("./m/../m/a.json", str(tmp_path / "here/m/a.json")):
        assert sweep.name_of(written) == "m/a.json"
    assert sweep.name_of("../a.json") == str(tmp_path / "a.json")
    assert sweep.name_of("..a.json") == "..a.json"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--paddle-threads=2", "a"], "--paddle-threads=2 stands before the model; write paddle-mt sweep MODEL"),
        (["a", "a.pdiparams", "tests"], "'tests' is one path too many"),
        (["a", "--shape"], "--shape has no value; write --shape NAME=1,3,48,320"),
        (["a", "--shape", "x=1,b"], "--shape x=1,b: this is no shape of an input; write --shape NAME=1,3,48,320"),
        (["a", "--shape=1,3"], "--shape 1,3: this is no shape"),
        (["a", "--shape=x=-1,3"], "--shape x=-1,3: this is no shape"),
        (["a", "--paddle-treads=8"], "there is no option --paddle-treads; did you mean --paddle-threads?"),
        (["nothing.json"], "no model 'nothing.json'"),
        (["b.json", ""], "the model file 'b.json' is not a JSON object"),
        (["a", "b.pdiparams"], "the parameters file 'b.pdiparams' is empty; export the model again"),
    ],
)
def test_what_cannot_be_run_is_an_error_before_pytest_starts(ran, capsys, words, message):
    Path("b.json").write_text("PK")
    Path("b.pdiparams").write_text("")
    assert command.main(["sweep", *words]) == 4
    assert message in capsys.readouterr().err
    assert ran == {}


def test_a_missing_paddle_is_an_error_with_the_command_that_installs_it(ran, capsys, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert command.main(["sweep", "a"]) == 4
    assert "paddle is not installed; install it with: pip install" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["-h"], ["--help"], ["a", "--paddle-threads=2", "--help"]])
def test_the_help_fits_a_screen_and_names_options_that_exist(ran, capsys, words):
    assert command.main(["sweep", *words]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    named = set(re.findall(r"--paddle-[a-z0-9-]+", "\n".join(lines)))
    assert named < {option.name for option in OPTIONS}


def test_without_words_it_prints_its_help_and_is_an_error(ran, capsys):
    assert command.main(["sweep"]) == 4
    assert "usage: paddle-mt sweep MODEL" in capsys.readouterr().err
