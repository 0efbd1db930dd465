"""Options in the ini file: both spellings, the types of TOML, and overrides."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_paddle_mt.settings import Settings
from tests.unit.plugin.helpers import NATIVE_TOML, Read, scaling


@pytest.mark.parametrize("name", ["paddle-threads", "paddle_threads"])
@pytest.mark.parametrize(
    ("file", "table"),
    [
        ("pytest.ini", "[pytest]"),
        ("tox.ini", "[pytest]"),
        ("setup.cfg", "[tool:pytest]"),
        ("pyproject.toml", "[tool.pytest.ini_options]"),
        pytest.param("pyproject.toml", "[tool.pytest]", marks=NATIVE_TOML),
        pytest.param("pytest.toml", "[pytest]", marks=NATIVE_TOML),
    ],
)
def test_a_refusal_names_the_file_and_the_spelling(
    refusal: Callable[..., str], pytester: pytest.Pytester, file: str, table: str, name: str
) -> None:
    value = '"8-2"' if file.endswith("toml") else "8-2"
    (pytester.path / file).write_text(f"{table}\n{name} = {value}\n", encoding="utf-8")
    assert refusal().startswith(f"{name} = 8-2 in {file}: the range runs backwards")


@pytest.mark.parametrize(
    "table",
    ["[tool.pytest.ini_options]", pytest.param("[tool.pytest]", marks=NATIVE_TOML)],
)
@pytest.mark.parametrize(
    ("line", "get", "expected"),
    [
        ("paddle-threads = 16", lambda found: found.thread_counts, (1, 2, 4, 8, 16)),
        ('paddle-threads = "16"', lambda found: found.thread_counts, (1, 2, 4, 8, 16)),
        ("paddle-threads = [1, 3, 8]", lambda found: found.thread_counts, (1, 3, 8)),
        ('paddle-threads = "1,3,8"', lambda found: found.thread_counts, (1, 3, 8)),
        ("paddle_threads = 2", lambda found: found.thread_counts, (1, 2)),
        ('paddle-engine = ["native", "python"]', lambda found: found.engines, ("native", "python")),
        ('paddle-window = "200q"', lambda found: found.window.min_queries, 200),
        ("paddle-window = 2", lambda found: found.window.window_s, 2.0),
        ("paddle-rounds = [3, 9]", lambda found: (found.rounds_min, found.rounds_max), (3, 9)),
        ("paddle-rounds = 5", lambda found: (found.rounds_min, found.rounds_max), (5, 5)),
        ("paddle-seed = 0", lambda found: found.seed, 0),
        ("paddle-min-efficiency = 0.9", lambda found: found.limits.min_efficiency, 0.9),
        ("paddle-linear-until = 4", lambda found: found.limits.linear_until, 4),
        ("paddle-strict = true", lambda found: found.strict, True),
        ("paddle-strict = false", lambda found: found.strict, False),
        ('paddle-strict = "true"', lambda found: found.strict, True),
        ('paddle-json = "r.json"', lambda found: found.json_path.name, "r.json"),
    ],
)
def test_toml_values_may_have_their_natural_type(
    read: Read,
    pytester: pytest.Pytester,
    recwarn: pytest.WarningsRecorder,
    table: str,
    line: str,
    get: Callable[[Settings], object],
    expected: object,
) -> None:
    pytester.makepyprojecttoml(f"{table}\n{line}\n")
    assert get(read()) == expected
    assert [warning for warning in recwarn if "ini option" in str(warning.message)] == []


@NATIVE_TOML
@pytest.mark.parametrize("file", ["pytest.toml", ".pytest.toml"])
def test_a_toml_file_of_pytests_own_may_have_natural_types_too(
    read: Read, pytester: pytest.Pytester, file: str
) -> None:
    (pytester.path / file).write_text("[pytest]\npaddle-threads = [1, 2]\n", encoding="utf-8")
    assert read().sources == {"threads": f"paddle-threads = [1, 2] in {file}"}


@NATIVE_TOML
@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("paddle-threads = [0, 2]", "paddle-threads = [0, 2] in pyproject.toml: 0 is not a count of threads"),
        ('paddle-threads = ["a"]', "paddle-threads = [\"a\"] in pyproject.toml: 'a' is not a whole number"),
        ("paddle-threads = true", "paddle-threads = true in pyproject.toml: True is not a whole number"),
        ("paddle-threads = 1.5", "paddle-threads = 1.5 in pyproject.toml: 1.5 is not a whole number"),
        ("paddle-min-efficiency = nan", "paddle-min-efficiency = nan in pyproject.toml: nan is not a number"),
        ("paddle-json = 3", "paddle-json = 3 in pyproject.toml: 3 is not the name of a file"),
        ("paddle-strict = 2", "paddle-strict = 2 in pyproject.toml: 2 is neither yes nor no"),
    ],
)
def test_a_typed_toml_value_is_refused_as_it_was_written(
    refusal: Callable[..., str], pytester: pytest.Pytester, line: str, message: str
) -> None:
    pytester.makepyprojecttoml(f"[tool.pytest]\n{line}\n")
    assert refusal().startswith(message)


def test_two_spellings_with_different_values_are_refused(
    refusal: Callable[..., str], pytester: pytest.Pytester
) -> None:
    pytester.makeini("[pytest]\npaddle-threads = 4\npaddle_threads = 8")
    message = (
        "paddle-threads = 4 in tox.ini and paddle_threads = 8 in tox.ini: "
        "two spellings of one option contradict each other; keep paddle-threads"
    )
    assert refusal() == message
    assert refusal("--paddle-threads=2") == message
    assert refusal(marks=(scaling(threads=2),)) == message


def test_two_spellings_with_the_same_value_are_fine(read: Read, pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\npaddle-threads = 4\npaddle_threads = 4")
    assert read().thread_counts == (1, 2, 4)


@pytest.mark.parametrize(("in_file", "over"), [("paddle-seed", "paddle_seed"), ("paddle_seed", "paddle-seed")])
def test_an_override_replaces_either_spelling(read: Read, pytester: pytest.Pytester, in_file: str, over: str) -> None:
    pytester.makeini(f"[pytest]\n{in_file} = 4")
    settings = read("-o", f"{over}=8")
    assert settings.seed == 8
    assert settings.sources == {"seed": f"-o {over}=8"}


@pytest.mark.parametrize("start", ["[tool.pytest.ini_options]", pytest.param("[tool.pytest]", marks=NATIVE_TOML)])
def test_the_toml_examples_of_the_reference_work(read: Read, pytester: pytest.Pytester, start: str) -> None:
    reference = (Path(__file__).parents[3] / "docs" / "options.md").read_text(encoding="utf-8")
    (example,) = [part.split("```")[0] for part in reference.split("```toml\n")[1:] if part.startswith(f"{start}\n")]
    pytester.makepyprojecttoml(example)
    assert len(read().sources) == len([line for line in example.splitlines() if "=" in line])
