"""Options: the table, how it is declared to pytest and documented, and whether any option was given."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_paddle_mt.plugin import parsers
from pytest_paddle_mt.plugin.options import MARKER_ONLY, OPTIONS, MarkerArgument, Option, anything_given
from pytest_paddle_mt.plugin.resolve import resolve
from tests.unit.plugin.helpers import NATIVE_TOML

DOCS = Path(__file__).parents[3] / "docs"


# The table, and what pytest and the reference get from it


def test_the_options_are_those_that_exist_today_and_no_others() -> None:
    assert [option.name for option in OPTIONS] == [
        "--paddle-threads",
        "--paddle-engine",
        "--paddle-window",
        "--paddle-rounds",
        "--paddle-warmup",
        "--paddle-seed",
        "--paddle-forks",
        "--paddle-budget",
        "--paddle-batch-size",
        "--paddle-pool",
        "--paddle-device",
        "--paddle-streams",
        "--paddle-pin",
        "--paddle-xdist",
        "--paddle-min-efficiency",
        "--paddle-linear-until",
        "--paddle-max-collapse",
        "--paddle-max-drift",
        "--paddle-max-p99-drift",
        "--paddle-answers",
        "--paddle-against",
        "--paddle-against-rootdir",
        "--paddle-baselines",
        "--paddle-baseline-update",
        "--paddle-baseline-update-new-only",
        "--paddle-baseline-required",
        "--paddle-strict",
        "--paddle-json",
        "--paddle-html",
        "--paddle-export",
        "--paddle-markdown",
        "--paddle-github",
    ]


@pytest.mark.parametrize("option", ["--paddle-rate=9", "--paddle-tuning=t"])
def test_an_option_that_comes_later_is_not_accepted_now(parse: Callable[..., pytest.Config], option: str) -> None:
    with pytest.raises(pytest.UsageError, match="unrecognized arguments"):
        parse(option)


def test_the_help_shows_every_option_with_its_default(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("from pytest_paddle_mt.plugin.options import register as pytest_addoption")
    shown = " ".join(pytester.runpytest("-p", "no:paddle_mt", "--help").stdout.str().split())
    for option in OPTIONS:
        assert option.name in shown
        assert f"(default: {option.default or option.unset}" in option.help
        assert " ".join(option.help.split()) in shown
        assert f"{option.ini_names[0]} (string)" in shown
        assert f"{option.ini_names[1]} (string)" in shown


@pytest.mark.parametrize("arguments", [(), ("--strict-config",)])
def test_both_spellings_are_known_to_pytest(pytester: pytest.Pytester, arguments: tuple[str, ...]) -> None:
    pytester.makeconftest("from pytest_paddle_mt.plugin.options import register as pytest_addoption")
    pytester.makeini("[pytest]\npaddle-threads = 4\npaddle_seed = 1")
    pytester.makepyfile("def test_nothing(): pass")
    result = pytester.runpytest("-p", "no:paddle_mt", "-W", "error::pytest.PytestConfigWarning", *arguments)
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("row", [*OPTIONS, *MARKER_ONLY], ids=lambda row: row.key)
def test_every_option_and_marker_argument_names_a_parser_that_takes_its_default(row: Option | MarkerArgument) -> None:
    parse = getattr(parsers, row.parser)
    assert parse.__module__ == parsers.__name__
    assert not row.parser.startswith("_")
    if row.default is not None:
        parse(row.default)


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.key)
def test_every_option_has_a_default_or_a_text_that_stands_for_it(option: Option) -> None:
    assert (option.default is None) == bool(option.unset)


def test_the_tables_of_the_reference_are_those_that_the_script_writes() -> None:
    written = (DOCS / "options.md").read_text(encoding="utf-8")
    assert runpy.run_path(str(DOCS / "options_table.py"))["with_tables"](written) == written


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.key)
def test_the_reference_has_a_row_with_the_default_and_whether_a_marker_sets_it(option: Option) -> None:
    start = f"| `{option.name}{'=' if option.metavar else '`'}"
    rows = [line for line in (DOCS / "options.md").read_text(encoding="utf-8").splitlines() if line.startswith(start)]
    assert len(rows) == 1
    marker, default, meaning = [cell.strip() for cell in rows[0].replace("\\|", "/").strip("|").split("|")][1:]
    assert marker == ("yes" if option.per_test else "no")
    assert default.startswith(f"`{option.default}`" if option.default else option.unset)
    assert meaning == f"{option.meaning}."


@pytest.mark.parametrize("argument", MARKER_ONLY, ids=lambda argument: argument.key)
def test_the_reference_has_a_row_for_every_argument_that_only_the_marker_has(argument: MarkerArgument) -> None:
    section = (DOCS / "options.md").read_text(encoding="utf-8").split("## Marker only\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith(f"| `{argument.key}` |")]
    assert len(rows) == 1
    assert rows[0].split("|")[3].strip() == f"`{argument.default!r}`"


# Whether anything was given


@pytest.fixture
def given(parse: Callable[..., pytest.Config]) -> Callable[..., bool]:
    """Whether anything was given by these command line arguments and environment variables, and the ini file."""
    return lambda *arguments, **environ: anything_given(parse(*arguments), environ)


def written(option: Option) -> str:
    """The option on the command line."""
    return f"{option.name}=x" if option.metavar else option.name


def test_without_options_nothing_is_given(given: Callable[..., bool]) -> None:
    assert given() is False


def test_what_others_are_given_does_not_count(given: Callable[..., bool], pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\naddopts = -q\nxfail_strict = true\npaddle-unknown = 1")
    assert given("-v", "-o", "junit_logging=all", PYTEST_ADDOPTS="-q", PYTEST_PADDLE="1", PADDLE_THREADS="8") is False


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.key)
def test_every_option_counts_wherever_it_is_given(
    given: Callable[..., bool], pytester: pytest.Pytester, option: Option
) -> None:
    assert given(written(option)) is True
    assert given(**{option.variable: "x"}) is True
    for name in option.ini_names:
        assert given("-o", f"{name}=x") is True
        ini = pytester.makeini(f"[pytest]\n{name} = x")
        assert given() is True
        ini.unlink()
    assert given() is False


@pytest.mark.parametrize(
    ("arguments", "environ", "line"),
    [
        (("--paddle-threads=",), {}, ""),
        ((), {"PYTEST_PADDLE_STRICT": "0"}, ""),
        ((), {"PYTEST_PADDLE_SEED": ""}, ""),
        ((), {}, "paddle-strict = false"),
        ((), {}, "paddle-seed ="),
        ((), {}, "paddle-seed = 1\npaddle_seed = 2"),
    ],
)
def test_empty_false_and_contradictory_values_count_because_they_must_be_checked(
    given: Callable[..., bool],
    pytester: pytest.Pytester,
    arguments: tuple[str, ...],
    environ: dict[str, str],
    line: str,
) -> None:
    pytester.makeini(f"[pytest]\n{line}")
    assert given(*arguments, **environ) is True


@pytest.mark.parametrize("table", ["[tool.pytest.ini_options]", pytest.param("[tool.pytest]", marks=NATIVE_TOML)])
@pytest.mark.parametrize("value", ["0", "16", "0.9", "true", "false", "[1, 2]", "[]", '"1-4"', '""'])
def test_a_toml_value_of_any_type_counts_without_a_warning(
    parse: Callable[..., pytest.Config],
    pytester: pytest.Pytester,
    recwarn: pytest.WarningsRecorder,
    table: str,
    value: str,
) -> None:
    pytester.makepyprojecttoml(f"{table}\npaddle-threads = {value}\n")
    assert anything_given(parse(), {}) is True
    assert [warning for warning in recwarn if "ini option" in str(warning.message)] == []


@pytest.mark.parametrize(
    ("arguments", "environ", "ini"),
    [
        ((), {}, ""),
        (("-v",), {"PYTEST_PADDLE": "1"}, "xfail_strict = true"),
        (("--paddle-strict",), {}, ""),
        ((), {"PYTEST_PADDLE_WINDOW": "2q"}, ""),
        ((), {}, "paddle_engine = python"),
        (("-o", "paddle-seed=1"), {}, "paddle_seed = 2"),
    ],
)
def test_something_is_given_exactly_when_the_settings_have_a_source(
    parse: Callable[..., pytest.Config],
    pytester: pytest.Pytester,
    arguments: tuple[str, ...],
    environ: dict[str, str],
    ini: str,
) -> None:
    pytester.makeini(f"[pytest]\n{ini}")
    config = parse(*arguments)
    assert anything_given(config, environ) == bool(resolve(config, environ=environ).sources)


def test_the_environment_of_the_process_is_looked_at_by_default(
    parse: Callable[..., pytest.Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    for option in OPTIONS:
        monkeypatch.delenv(option.variable, raising=False)
    config = parse()
    assert anything_given(config) is False
    monkeypatch.setenv("PYTEST_PADDLE_SEED", "77")
    assert anything_given(config) is True


# What it costs


def test_importing_the_plugin_imports_only_a_few_modules_of_ours_and_nothing_that_pytest_has_not() -> None:
    program = (
        "import sys, pytest; before = set(sys.modules); import pytest_paddle_mt.plugin; "
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    in_plugin = ("fixtures", "hookspec", "identity", "options", "registration", "session")
    ours = ("pytest_paddle_mt", "pytest_paddle_mt.errors", "pytest_paddle_mt.plugin")
    assert set(done.stdout.split()) == {*ours, *(f"pytest_paddle_mt.plugin.{name}" for name in in_plugin)}


def test_declaring_options_and_asking_whether_any_was_given_import_nothing_more(tmp_path: Path) -> None:
    program = f"""
import sys
import pytest
from pytest_paddle_mt.plugin import options

def newly_imported(do):
    before = set(sys.modules)
    result = do()
    return result, sorted(set(sys.modules) - before)

class Hooks:
    pytest_addoption = staticmethod(lambda parser: print(newly_imported(lambda: options.register(parser))))
    pytest_configure = staticmethod(lambda config: print(newly_imported(lambda: options.anything_given(config, {{}}))))

pytest.main([{str(tmp_path)!r}, "-p", "no:cacheprovider"], plugins=[Hooks()])
"""
    environ = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environ)
    assert done.stdout.splitlines()[:2] == ["(None, [])", "(False, [])"]
