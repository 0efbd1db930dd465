"""Every command on a page is one that its program takes: pytest's own parser reads it, that of paddle-mt, and so on."""

from __future__ import annotations

import argparse
import ast
import importlib
import importlib.util
import pkgutil
import re
import shlex
from pathlib import Path
from typing import NamedTuple

import pytest

from pytest_paddle_mt import command
from pytest_paddle_mt.command import sweep
from pytest_paddle_mt.plugin import parsers
from pytest_paddle_mt.plugin.options import OPTIONS
from tests.repository.test_docs import PAGES, ROOT, relative

_PROGRAMS = r"(?:[\w.][\w./-]*/)?(?:pytest|python3?(?= -| \S+\.py)|paddle-mt|pip)|\.ci/[a-z-]+"
#: Not commands to type: a sentence that quotes a beginning, or shows what an option is called with.
_PLACEHOLDER = re.compile(r"\.\.\.|\[|<")
_PLACES_OF_THE_READER = ("interpreter", "directory")


class Written(NamedTuple):
    """A command and where it is written."""

    page: str
    words: tuple[str, ...]

    @property
    def program(self) -> str:
        return self.words[0] if self.words[0].startswith(".ci/") else Path(self.words[0]).name


def lines_of(text: str) -> list[str]:
    """What may be commands: lines of blocks that are no Python, and code inside sentences."""
    found = []
    for language, block in re.findall(r"^ *```(\S*)[^\n]*\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL):
        if language != "python":
            found += block.replace("\\\n", " ").splitlines()
    outside = re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)
    return found + [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", outside)]


def commands_of(page: Path) -> list[Written]:
    found = []
    for line in lines_of(page.read_text()):
        line = re.sub("^ *options: (?=--paddle)", "pytest ", line)  # of the action
        start = re.match(rf"\s*(?:- )?(?:run: |\$ |sh ')?((?:[A-Z_]+=\S+ )*(?:{_PROGRAMS}) .*)", line)
        if start is None or "# at commit " in line or (_PLACEHOLDER.search(line) and " install " not in line):
            continue
        words: list[str] = []
        typed = start[1].rstrip("'") if "sh '" in line else start[1]
        for word in [*shlex.split(typed, comments=True), "&&"]:
            if word in ("&&", "|", ";", ">"):
                if len(words) > 1 and re.match(rf"(?:{_PROGRAMS}) ", " ".join(words)):
                    found.append(Written(relative(page), tuple(words)))
                words = []
            elif words or not re.fullmatch(r"[A-Z_]+=.*", word):
                words.append(word)
    return found


COMMANDS = sorted({written for page in PAGES for written in commands_of(page)})


def of_program(*names: str) -> list[Written]:
    return [written for written in COMMANDS if written.program in names]


def for_each(commands: list[Written]):
    return pytest.mark.parametrize("written", commands, ids=lambda one: f"{one.page}: {shlex.join(one.words)}")


def check_pytest(config: pytest.Config, words: list[str]):
    """Refuse an option that no plugin has, a value that this plugin does not take, and a file that is not there."""
    given, unknown = config._parser.parse_known_and_unknown_args(words)
    assert unknown == []
    for option in OPTIONS:
        value = getattr(given, option.ini_names[1]) if option.metavar else None
        for one in value if isinstance(value, list) else [value]:
            if one not in (None, option.metavar) and option.parser not in _PLACES_OF_THE_READER:
                getattr(parsers, option.parser)(one)
    for path in given.file_or_dir:
        if not path.startswith("tests/test_"):  # those of the reader
            assert (ROOT / path.partition("::")[0]).exists(), path


@for_each(of_program("pytest"))
def test_pytest_takes_it(written: Written, pytestconfig: pytest.Config):
    check_pytest(pytestconfig, list(written.words[1:]))


@for_each(of_program("paddle-mt"))
def test_paddle_mt_takes_it(written: Written, pytestconfig: pytest.Config):
    parser = argparse.ArgumentParser(exit_on_error=False)
    subparsers = parser.add_subparsers(required=True)
    for module in pkgutil.iter_modules(command.__path__, f"{command.__name__}."):
        imported = importlib.import_module(module.name)
        if hasattr(imported, "add"):
            imported.add(subparsers)
    given = parser.parse_args(written.words[1:])
    if written.words[1] == "sweep" and given.words:
        _, _, options = sweep._read(given.words)
        check_pytest(pytestconfig, options)


def flags_of(script: Path) -> set[str]:
    """The long options that a script declares, and the modules beside it that it imports."""
    tree = ast.parse(script.read_text())
    flags = {
        argument.value
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "add_argument"
        for argument in call.args
        if isinstance(argument, ast.Constant)
    }
    for node in ast.walk(tree):
        modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        for module in modules:
            beside = script.with_name(f"{module.rpartition('.')[2]}.py")
            if beside.exists() and beside != script:
                flags |= flags_of(beside)
    return flags


@for_each(of_program("python", "python3"))
def test_python_finds_it_and_it_has_these_options(written: Written):
    words = list(written.words[1:])
    if words[0] == "-m":
        assert importlib.util.find_spec(words[1]) is not None
        if words[1] == "pytest_paddle_mt.baselines":
            main = importlib.import_module(f"{words[1]}.__main__")
            assert re.search(rf"^    {words[2]} ", main.USAGE, re.MULTILINE)
        return
    if words[0].startswith("-"):
        return
    script = ROOT / words[0]
    assert script.is_file(), words[0]
    assert {word.partition("=")[0] for word in words[1:] if word.startswith("--")} <= flags_of(script)


@for_each(of_program("pip"))
def test_pip_is_asked_for_extras_that_there_are(written: Written):
    project = (ROOT / "pyproject.toml").read_text()
    known = re.findall(r"^([a-z]+) = \[", project.partition("[project.optional-dependencies]\n")[2], re.MULTILINE)
    for extras in re.findall(r"(?:^|[./]|pytest-paddle-mt)\[([a-z,]+)\]", " ".join(written.words)):
        assert set(extras.split(",")) <= set(known)


@for_each([written for written in COMMANDS if written.program.startswith(".ci/")])
def test_a_script_of_ci_takes_it(written: Written):
    """Its usage has the words that are no placeholder, versions and seconds left out."""
    text = (ROOT / written.program).read_text()
    for word in written.words[1:]:
        if re.fullmatch(r"[a-z]+", word):
            assert re.search(rf"\b{word}\b", text), word


def test_commands_of_every_kind_are_found():
    assert {"pytest", "paddle-mt", "python", "python3", "pip", ".ci/on-paddle"} <= {one.program for one in COMMANDS}
    assert len(COMMANDS) > 60
