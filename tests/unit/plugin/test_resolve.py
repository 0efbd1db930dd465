"""Settings: what is accepted, where it may come from, who wins, and what a user is told who got it wrong."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_paddle_mt.errors import UsageError
from pytest_paddle_mt.plugin import options
from pytest_paddle_mt.plugin.options import MARKER, OPTIONS
from pytest_paddle_mt.plugin.parsers import PARSERS
from pytest_paddle_mt.plugin.resolve import MARKER_ONLY, resolve, scaling_marks
from pytest_paddle_mt.records import POOL_METHODS, Settings

Read = Callable[..., Settings]

ENGINES = ("native", "python", "synthetic")
NATIVE_TOML = pytest.mark.skipif(pytest.version_tuple < (9, 0), reason="[tool.pytest] came with pytest 9")


def scaling(**arguments: Any) -> pytest.Mark:
    return getattr(pytest.mark, MARKER)(**arguments).mark  # type: ignore[no-any-return]


class OptionsPlugin:
    """Our options without the rest of the plugin."""

    @staticmethod
    def pytest_addoption(parser: pytest.Parser) -> None:
        options.register(parser)


@pytest.fixture
def parse(pytester: pytest.Pytester) -> Callable[..., pytest.Config]:
    """A real pytest configuration to which our options, and only they, were added."""
    pytester.plugins.append(OptionsPlugin())
    return lambda *arguments: pytester.parseconfig("-p", "no:paddle_mt", *arguments)


@pytest.fixture
def read(parse: Callable[..., pytest.Config]) -> Read:
    """Settings from command line arguments, marks and environment variables."""

    def settings(
        *arguments: str, marks: Sequence[pytest.Mark] = (), known_engines: Any = ENGINES, **environ: str
    ) -> Settings:
        return resolve(parse(*arguments), marks, known_engines, environ)

    return settings


@pytest.fixture
def refusal(read: Read) -> Callable[..., str]:
    """What a user is told whose input is refused."""

    def message(*arguments: str, **more: Any) -> str:
        with pytest.raises(UsageError) as caught:
            read(*arguments, **more)
        return str(caught.value)

    return message


# Defaults


def test_nothing_given_means_the_documented_defaults(read: Read) -> None:
    settings = read()
    assert settings.thread_counts is None
    assert settings.threads_note is None
    assert settings.engines == (options.DEFAULT_ENGINE,)
    assert settings.window.window_s == float(options.DEFAULT_WINDOW)
    assert settings.window.min_queries == 20
    assert settings.window.warmup_s == float(options.DEFAULT_WARMUP)
    assert settings.window.warmup_queries == 3
    assert f"{settings.rounds_min}:{settings.rounds_max}" == options.DEFAULT_ROUNDS
    assert settings.seed is None
    assert settings.forks == int(options.DEFAULT_FORKS)
    assert settings.budget_s == float(options.DEFAULT_BUDGET)
    assert settings.batch_size == 1
    assert settings.device == "cpu"
    assert settings.limits.min_efficiency == 0.85
    assert settings.limits.max_collapse == 0.15
    assert settings.limits.max_drift == float(options.DEFAULT_MAX_DRIFT)
    assert settings.against is None
    assert settings.against_rootdir is None
    assert settings.limits.linear_until is None
    assert settings.limits.max_drift == float(options.DEFAULT_MAX_DRIFT)
    assert settings.limits.max_p99_drift == float(options.DEFAULT_MAX_P99_DRIFT)
    assert settings.baselines.name == options.DEFAULT_BASELINES
    assert settings.baseline_update == "none"
    assert settings.baseline_required is False
    assert settings.pool == "clone"
    assert settings.allow_nonfinite is False
    assert settings.strict is False
    assert settings.json_path is None
    assert settings.sources == {}


# Thread counts


@pytest.mark.parametrize(
    ("written", "counts"),
    [
        ("16", (1, 2, 4, 8, 16)),
        ("12", (1, 2, 4, 8, 12)),
        ("3", (1, 2, 3)),
        ("2", (1, 2)),
        ("1", (1,)),
        ("1-16", tuple(range(1, 17))),
        (" 1 - 3 ", (1, 2, 3)),
        ("4-4", (1, 4)),
        ("1,3,8", (1, 3, 8)),
        ("8, 3,1,3", (1, 3, 8)),
        ("1024", tuple(2**power for power in range(11))),
    ],
)
def test_threads_are_a_largest_count_a_range_or_a_list(read: Read, written: str, counts: tuple[int, ...]) -> None:
    assert read(f"--paddle-threads={written}").thread_counts == counts


@pytest.mark.parametrize("value", [[1, 2, 4], (4, 2, 1), {1, 2, 4}, ["1", "2", 4], "1,2,4", 4, "4"])
def test_threads_in_a_marker_are_natural_python_values(read: Read, value: object) -> None:
    assert read(marks=(scaling(threads=value),)).thread_counts == (1, 2, 4)


def test_threads_in_a_marker_may_be_a_python_range(read: Read) -> None:
    assert read(marks=(scaling(threads=range(1, 4)),)).thread_counts == (1, 2, 3)


@pytest.mark.parametrize(("written", "counts"), [("2,4", (1, 2, 4)), ("2-4", (1, 2, 3, 4))])
def test_one_thread_is_added_and_said(read: Read, written: str, counts: tuple[int, ...]) -> None:
    settings = read(f"--paddle-threads={written}")
    assert settings.thread_counts == counts
    assert (
        settings.threads_note == f"1 was added to --paddle-threads={written}: efficiency is measured against one thread"
    )


def test_the_note_on_an_added_thread_quotes_the_marker(read: Read) -> None:
    assert read(marks=(scaling(threads=[2, 4]),)).threads_note == (
        "1 was added to paddle_scaling(threads=[2, 4]): efficiency is measured against one thread"
    )


@pytest.mark.parametrize("written", ["4", "1-4", "1,3"])
def test_nothing_is_said_when_one_thread_was_asked_for(read: Read, written: str) -> None:
    assert read(f"--paddle-threads={written}").threads_note is None


def test_a_backwards_range_is_refused_with_what_was_written(refusal: Callable[..., str]) -> None:
    assert refusal("--paddle-threads=8-2") == (
        "--paddle-threads=8-2: the range runs backwards, from 8 down to 2; write 2-8"
    )


FORMS = "give the largest count (16), a range (1-16) or a list (1,3,8)"


@pytest.mark.parametrize(
    ("written", "fact"),
    [
        ("0", "0 is not a count of threads, which starts at 1"),
        ("-1", "-1 is not a count of threads, which starts at 1"),
        ("0-4", "0 is not a count of threads, which starts at 1"),
        ("1,0", "0 is not a count of threads, which starts at 1"),
        ("x", "'x' is not a whole number"),
        ("1.5", "'1.5' is not a whole number"),
        ("1_0", "'1_0' is not a whole number"),
        ("٣", "'٣' is not a whole number"),
        ("8-", "'8-' is not a whole number"),
        ("1,2-4", "'2-4' is not a whole number"),
        ("1,x", "'x' is not a whole number"),
        ("", "the value is empty"),
        ("1,,2", "a place in the list is empty"),
        ("1,2,", "a place in the list is empty"),
    ],
)
def test_a_thread_count_that_is_none_is_refused_with_the_forms_there_are(
    refusal: Callable[..., str], written: str, fact: str
) -> None:
    assert refusal(f"--paddle-threads={written}") == f"--paddle-threads={written}: {fact}; {FORMS}"


@pytest.mark.parametrize(
    ("value", "fact"),
    [
        (True, "True is not a whole number"),
        (8.0, "8.0 is not a whole number"),
        ([1, None], "None is not a whole number"),
        ({1: 2}, "{1: 2} is not a whole number"),
        ([], "the list is empty"),
    ],
)
def test_a_marker_value_of_the_wrong_type_is_refused(refusal: Callable[..., str], value: object, fact: str) -> None:
    assert refusal(marks=(scaling(threads=value),)) == f"paddle_scaling(threads={value!r}): {fact}; {FORMS}"


@pytest.mark.parametrize("written", ["1025", "10000", "1-10000", "1,10000", "1-99999999999999999999999"])
def test_more_threads_than_the_limit_are_refused_with_the_limit_and_why(
    refusal: Callable[..., str], written: str
) -> None:
    most = written.replace(",", "-").split("-")[-1]
    assert refusal(f"--paddle-threads={written}") == (
        f"--paddle-threads={written}: {most} threads are more than the limit of 1024: "
        "each thread gets its own predictor; ask for 1024 threads or fewer"
    )


def test_an_endless_python_range_is_refused_at_once(refusal: Callable[..., str]) -> None:
    assert "1025 threads are more than the limit of 1024" in refusal(marks=(scaling(threads=range(1, 10**15)),))


# Engines


@pytest.mark.parametrize(
    ("written", "engines"),
    [
        ("python", ("python",)),
        ("python,native", ("python", "native")),
        (" native , python,native ", ("native", "python")),
    ],
)
def test_engines_keep_their_order_and_come_once(read: Read, written: str, engines: tuple[str, ...]) -> None:
    assert read(f"--paddle-engine={written}").engines == engines


@pytest.mark.parametrize("value", ["native,python", ["native", "python"], ("native", "python")])
def test_engines_in_a_marker_are_text_or_a_list(read: Read, value: object) -> None:
    assert read(marks=(scaling(engine=value),)).engines == ("native", "python")


def test_an_unknown_engine_is_refused_with_the_known_ones_and_the_closest(refusal: Callable[..., str]) -> None:
    assert refusal("--paddle-engine=native,pyhton") == (
        "--paddle-engine=native,pyhton: there is no engine 'pyhton'; did you mean 'python'? "
        "Known: native, python, synthetic"
    )


def test_an_engine_like_no_other_is_refused_with_the_known_ones(refusal: Callable[..., str]) -> None:
    assert refusal(marks=(scaling(engine="zzz"),)) == (
        "paddle_scaling(engine='zzz'): there is no engine 'zzz'; use one that is known. "
        "Known: native, python, synthetic"
    )


def test_a_default_engine_that_is_missing_is_refused_too(refusal: Callable[..., str]) -> None:
    assert "--paddle-engine=native: there is no engine 'native'" in refusal(known_engines=("python",))


def test_any_engine_will_do_when_the_known_ones_are_not_given(read: Read) -> None:
    assert read("--paddle-engine=mine", known_engines=None).engines == ("mine",)


@pytest.mark.parametrize(
    ("value", "fact"),
    [
        ("", "the name of an engine is empty"),
        ("native,", "the name of an engine is empty"),
        (3, "3 is not the name of an engine"),
        (["native", 3], "3 is not the name of an engine"),
        ([], "the list is empty"),
    ],
)
def test_an_engine_without_a_name_is_refused(refusal: Callable[..., str], value: object, fact: str) -> None:
    assert refusal(marks=(scaling(engine=value),)) == (
        f"paddle_scaling(engine={value!r}): {fact}; name an engine, or several with commas between them, such as native"
    )


# How it is measured


@pytest.mark.parametrize("value", ["0.25", 0.25, " .25 "])
def test_a_window_in_seconds_asks_for_twenty_queries_too(read: Read, value: object) -> None:
    window = read(marks=(scaling(window=value),)).window
    assert (window.window_s, window.min_queries) == (0.25, 20)


@pytest.mark.parametrize(("written", "queries"), [("200q", 200), ("2q", 2)])
def test_a_window_in_queries_has_no_seconds(read: Read, written: str, queries: int) -> None:
    window = read(f"--paddle-window={written}").window
    assert (window.window_s, window.min_queries) == (0.0, queries)


WINDOWS = "give seconds (0.5), or queries of every thread (200q)"


@pytest.mark.parametrize(
    ("written", "fact"),
    [
        ("0", "a window of 0 s measures nothing"),
        ("-1", "a window of -1 s measures nothing"),
        ("1e-400", "a window of 0 s measures nothing"),
        ("5x", "'5x' is not a number"),
        ("1.5q", "'1.5q' is not a number"),
        ("q", "'q' is not a number"),
        ("1_0", "'1_0' is not a number"),
        ("nan", "'nan' is not a number"),
        ("inf", "'inf' is not finite"),
        ("1e400", "'1e400' is not finite"),
        ("", "the value is empty"),
    ],
)
def test_a_window_that_measures_nothing_is_refused(refusal: Callable[..., str], written: str, fact: str) -> None:
    assert refusal(f"--paddle-window={written}") == f"--paddle-window={written}: {fact}; {WINDOWS}"


@pytest.mark.parametrize("queries", ["0", "-1", "1"])
def test_a_window_of_too_few_queries_is_refused_with_why(refusal: Callable[..., str], queries: str) -> None:
    assert refusal(f"--paddle-window={queries}q") == (
        f"--paddle-window={queries}q: a window of {queries}q is too short: throughput is counted between completions, "
        f"so every thread needs 2q or more; {WINDOWS}"
    )


@pytest.mark.parametrize(
    ("value", "rounds"),
    [("3:9", (3, 9)), ("1:1", (1, 1)), ("6", (6, 6)), (6, (6, 6)), ((3, 9), (3, 9)), ([3, "9"], (3, 9))],
)
def test_rounds_are_two_numbers_or_one_for_both(read: Read, value: object, rounds: tuple[int, int]) -> None:
    settings = read(marks=(scaling(rounds=value),))
    assert (settings.rounds_min, settings.rounds_max) == rounds


ROUNDS = f"give MIN:MAX, such as {options.DEFAULT_ROUNDS}, or one number for both"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("0:3", f"0 rounds measure nothing; {ROUNDS}, at least 1"),
        ("-1:3", f"-1 rounds measure nothing; {ROUNDS}, at least 1"),
        ("5:2", "the fewest rounds, 5, are more than the most, 2; write 2:5"),
        ("x", f"'x' is not a whole number; {ROUNDS}"),
        ("4:", f"the value is empty; {ROUNDS}"),
        ("", f"the value is empty; {ROUNDS}"),
        ("1:2:3", f"'1:2:3' is not one or two numbers; {ROUNDS}"),
        ((1, 2, 3), f"(1, 2, 3) is not one or two numbers; {ROUNDS}"),
        (2.5, f"2.5 is not a whole number; {ROUNDS}"),
    ],
)
def test_rounds_that_cannot_be_are_refused(refusal: Callable[..., str], value: object, told: str) -> None:
    assert refusal(marks=(scaling(rounds=value),)) == f"paddle_scaling(rounds={value!r}): {told}"


@pytest.mark.parametrize(("value", "seconds"), [("0", 0.0), ("0.3", 0.3), (2, 2.0)])
def test_a_warm_up_may_be_nothing(read: Read, value: object, seconds: float) -> None:
    assert read(marks=(scaling(warmup=value),)).window.warmup_s == seconds


SINGLE_NUMBERS = {
    "--paddle-warmup": f"give seconds, such as {options.DEFAULT_WARMUP}, or 0",
    "--paddle-budget": f"give the seconds that one sweep may take, such as {options.DEFAULT_BUDGET}",
    "--paddle-seed": "give a whole number, 0 or more",
    "--paddle-forks": "give how many fresh processes measure in turn, 0 to 64; 0 is the default",
    "--paddle-batch-size": "give the number of items in a batch, 1 or more",
    "--paddle-linear-until": "give auto, or the largest thread count to judge, 1 or more",
    "--paddle-min-efficiency": "give a share above 0 and up to 1, such as 0.85",
    "--paddle-max-collapse": "give the share of throughput that may be lost, above 0 and below 1, such as 0.15",
    "--paddle-max-drift": "give the share by which it may drift, above 0, such as 0.10 for 10 %",
    "--paddle-max-p99-drift": "give the share by which it may drift, above 0, such as 0.10 for 10 %",
}


@pytest.mark.parametrize(
    ("option", "written", "fact"),
    [
        ("--paddle-warmup", "-0.1", "-0.1 s is below 0"),
        ("--paddle-warmup", "soon", "'soon' is not a number"),
        ("--paddle-warmup", "nan", "'nan' is not a number"),
        ("--paddle-budget", "0", "0 s leave no time to measure"),
        ("--paddle-budget", "-5", "-5 s leave no time to measure"),
        ("--paddle-budget", "inf", "'inf' is not finite"),
        ("--paddle-seed", "-1", "-1 is below 0"),
        ("--paddle-seed", "x", "'x' is not a whole number"),
        ("--paddle-forks", "-1", "-1 is below 0"),
        ("--paddle-forks", "65", "65 processes are more than the limit of 64: each loads its own model"),
        ("--paddle-forks", "99999999", "99999999 processes are more than the limit of 64: each loads its own model"),
        ("--paddle-forks", "some", "'some' is not a whole number"),
        ("--paddle-batch-size", "0", "0 is below 1"),
        ("--paddle-batch-size", "1.5", "'1.5' is not a whole number"),
        ("--paddle-linear-until", "0", "0 is below 1"),
        ("--paddle-linear-until", "never", "'never' is not a whole number"),
        ("--paddle-linear-until", "", "the value is empty"),
        (
            "--paddle-min-efficiency",
            "0",
            "an efficiency of 0 is no limit: it is above 0, and 1 is perfect scaling",
        ),
        (
            "--paddle-min-efficiency",
            "1.5",
            "an efficiency of 1.5 is no limit: it is above 0, and 1 is perfect scaling",
        ),
        ("--paddle-min-efficiency", "nan", "'nan' is not a number"),
        ("--paddle-min-efficiency", "inf", "'inf' is not finite"),
        ("--paddle-min-efficiency", "85%", "'85%' is not a number"),
        ("--paddle-max-collapse", "0", "0 is not between 0 and 1"),
        ("--paddle-max-collapse", "1", "1 is not between 0 and 1"),
        ("--paddle-max-collapse", "nan", "'nan' is not a number"),
        ("--paddle-max-drift", "0", "0 leaves no room for noise"),
        ("--paddle-max-drift", "10%", "'10%' is not a number"),
        ("--paddle-max-p99-drift", "-0.1", "-0.1 leaves no room for noise"),
        ("--paddle-max-p99-drift", "inf", "'inf' is not finite"),
    ],
)
def test_a_number_out_of_range_is_refused_with_the_range(
    refusal: Callable[..., str], option: str, written: str, fact: str
) -> None:
    assert refusal(f"{option}={written}") == f"{option}={written}: {fact}; {SINGLE_NUMBERS[option]}"


def test_numbers_inside_their_range_are_taken(read: Read) -> None:
    settings = read(
        "--paddle-budget=5.5",
        "--paddle-seed=0",
        "--paddle-batch-size=8",
        "--paddle-min-efficiency=1",
        "--paddle-max-collapse=0.5",
        "--paddle-linear-until=4",
    )
    assert (settings.budget_s, settings.seed, settings.batch_size) == (5.5, 0, 8)
    assert (settings.limits.min_efficiency, settings.limits.max_collapse) == (1.0, 0.5)
    assert settings.limits.linear_until == 4


def test_more_forks_than_rounds_are_refused_since_some_would_never_measure(
    read: Read, refusal: Callable[..., str]
) -> None:
    assert read("--paddle-forks=4", "--paddle-rounds=4").forks == 4
    assert refusal("--paddle-forks=5", "--paddle-rounds=2:4") == (
        "--paddle-forks=5: every fork measures whole rounds, and there are at most 4 (--paddle-rounds=2:4); "
        "give --paddle-rounds=5:5 or more, or fewer forks"
    )


def test_auto_overrules_a_number_from_a_weaker_source(read: Read) -> None:
    settings = read("--paddle-linear-until=4", marks=(scaling(linear_until="auto"),))
    assert settings.limits.linear_until is None


@pytest.mark.parametrize("device", ["cpu", "gpu:0", "gpu:12"])
def test_a_device_is_the_cpu_or_one_gpu(read: Read, device: str) -> None:
    assert read(f"--paddle-device={device}").device == device


def test_a_gpu_without_a_number_is_told_to_write_zero(refusal: Callable[..., str]) -> None:
    assert refusal("--paddle-device=gpu") == (
        "--paddle-device=gpu: it does not say which GPU; write gpu:0 for the first one"
    )


@pytest.mark.parametrize("device", ["cuda:0", "gpu:x", "gpu:-1", "gpu:01", "cpu:0", "GPU:0", ""])
def test_any_other_device_is_refused(refusal: Callable[..., str], device: str) -> None:
    assert refusal(f"--paddle-device={device}") == (
        f"--paddle-device={device}: {device!r} is not a device; write cpu, or gpu:0 for the first GPU"
    )


# For the whole run


def test_strict_is_a_flag(read: Read) -> None:
    settings = read("--paddle-strict")
    assert settings.strict is True
    assert settings.sources == {"strict": "--paddle-strict"}


@pytest.mark.parametrize(
    ("written", "strict"),
    [("1", True), ("true", True), ("TRUE", True), ("0", False), ("false", False), ("off", False)],
)
def test_strict_in_the_environment_is_yes_or_no(read: Read, written: str, strict: bool) -> None:
    assert read(PYTEST_PADDLE_STRICT=written).strict is strict


@pytest.mark.parametrize("written", ["", "maybe", "2"])
def test_strict_that_is_neither_is_refused(refusal: Callable[..., str], written: str) -> None:
    assert refusal(PYTEST_PADDLE_STRICT=written) == (
        f"PYTEST_PADDLE_STRICT={written}: {written!r} is neither yes nor no; give true or false"
    )


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


def test_an_absolute_results_file_stays_where_it_is(read: Read, tmp_path: Path) -> None:
    assert read(f"--paddle-json={tmp_path / 'r.json'}").json_path == tmp_path / "r.json"


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("", "the value is empty; give the name of a file, such as scaling.json"),
        ("new/", "'new/' is a directory; give the name of a file, such as scaling.json"),
        (".", "this is a directory; give the name of a file in it"),
    ],
)
def test_a_results_file_that_is_none_is_refused(refusal: Callable[..., str], written: str, told: str) -> None:
    assert refusal(f"--paddle-json={written}") == f"--paddle-json={written}: {told}"


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
    ("written", "told"),
    [
        ("", "the value is empty; give the name of a folder, such as baselines"),
        ("file/", "{path}/file is no folder"),
    ],
)
def test_a_folder_of_baselines_that_is_none_is_refused(
    refusal: Callable[..., str], pytester: pytest.Pytester, written: str, told: str
) -> None:
    (pytester.path / "file").write_text("")
    told = told.format(path=pytester.path)
    assert refusal(f"--paddle-baselines={written}") == f"--paddle-baselines={written}: {told}"


def test_a_file_in_the_place_of_the_default_folder_is_refused(
    refusal: Callable[..., str], pytester: pytest.Pytester
) -> None:
    (pytester.path / "baselines").write_text("")
    assert refusal() == f"the default of --paddle-baselines: {pytester.path}/baselines is no folder"


@pytest.mark.parametrize(
    ("arguments", "update"),
    [((), "none"), (("--paddle-baseline-update",), "all"), (("--paddle-baseline-update-new-only",), "new")],
)
def test_the_flags_say_whose_baseline_is_updated(read: Read, arguments: tuple[str, ...], update: str) -> None:
    assert read(*arguments).baseline_update == update


def test_a_baseline_may_be_required(read: Read) -> None:
    assert read("--paddle-baseline-required").baseline_required is True


def test_both_kinds_of_update_at_once_are_refused(refusal: Callable[..., str]) -> None:
    told = refusal("--paddle-baseline-update", PYTEST_PADDLE_BASELINE_UPDATE_NEW_ONLY="1")
    assert told.startswith(
        "--paddle-baseline-update and PYTEST_PADDLE_BASELINE_UPDATE_NEW_ONLY=1 contradict each other"
    )
    assert told.endswith("give one of them")


@pytest.mark.parametrize("update", ["--paddle-baseline-update", "--paddle-baseline-update-new-only"])
def test_an_update_and_a_comparison_are_refused(refusal: Callable[..., str], update: str) -> None:
    told = refusal(update, "--paddle-against=python3")
    assert told.startswith(f"{update} and --paddle-against=python3 contradict each other")
    assert told.endswith("record without the other side")


# Who wins


@pytest.fixture
def everywhere(pytester: pytest.Pytester, read: Read) -> Callable[[int], Settings]:
    """Settings with a batch size given by the weakest ``count`` of the four sources."""
    sources: list[dict[str, Any]] = [
        {"PYTEST_PADDLE_BATCH_SIZE": "3"},
        {"arguments": ("--paddle-batch-size=4",)},
        {"marks": (scaling(batch_size=5),)},
    ]

    def settings(count: int) -> Settings:
        if count:
            pytester.makeini("[pytest]\npaddle-batch-size = 2")
        given: dict[str, Any] = {}
        for source in sources[: max(0, count - 1)]:
            given.update(source)
        return read(*given.pop("arguments", ()), **given)

    return settings


@pytest.mark.parametrize(
    ("given_in", "batch_size", "source"),
    [
        (0, 1, None),
        (1, 2, "paddle-batch-size = 2 in tox.ini"),
        (2, 3, "PYTEST_PADDLE_BATCH_SIZE=3"),
        (3, 4, "--paddle-batch-size=4"),
        (4, 5, "paddle_scaling(batch_size=5)"),
    ],
)
def test_marker_wins_over_cli_over_environment_over_ini_over_default(
    everywhere: Callable[[int], Settings], given_in: int, batch_size: int, source: str | None
) -> None:
    settings = everywhere(given_in)
    assert settings.batch_size == batch_size
    assert settings.sources.get("batch_size") == source


PER_TEST = {
    "threads": "8",
    "engine": "python",
    "window": "9q",
    "rounds": "2:3",
    "warmup": "7",
    "seed": "9",
    "forks": "3",
    "budget": "11",
    "batch_size": "5",
    "device": "gpu:1",
    "min_efficiency": "0.5",
    "linear_until": "2",
    "max_collapse": "0.3",
    "max_drift": "0.2",
    "max_p99_drift": "0.4",
}


def flat(settings: Settings) -> list[object]:
    window, limits = settings.window, settings.limits
    return [
        settings.thread_counts,
        settings.engines,
        window.window_s,
        window.min_queries,
        window.warmup_s,
        settings.rounds_min,
        settings.rounds_max,
        settings.seed,
        settings.forks,
        settings.budget_s,
        settings.batch_size,
        settings.device,
        limits.min_efficiency,
        limits.linear_until,
        limits.max_collapse,
        limits.max_drift,
        limits.max_p99_drift,
    ]


ALL_GIVEN = [(1, 2, 4, 8), ("python",), 0.0, 9, 7.0, 2, 3, 9, 3, 11.0, 5, "gpu:1", 0.5, 2, 0.3, 0.2, 0.4]


@pytest.mark.parametrize("source", ["cli", "environment", "ini", "underscores", "override", "marker"])
def test_every_option_can_be_given_everywhere(read: Read, pytester: pytest.Pytester, source: str) -> None:
    names = {option.key: option for option in OPTIONS}
    assert {option.key for option in OPTIONS if option.per_test} == set(PER_TEST)
    arguments: list[str] = []
    more: dict[str, Any] = {}
    if source == "cli":
        arguments = [f"{names[key].name}={value}" for key, value in PER_TEST.items()]
    elif source == "environment":
        more = {f"PYTEST_PADDLE_{key.upper()}": value for key, value in PER_TEST.items()}
    elif source == "marker":
        more = {"marks": (scaling(**PER_TEST),)}
    elif source == "override":
        arguments = [part for key, value in PER_TEST.items() for part in ("-o", f"{names[key].ini_names[0]}={value}")]
    else:
        spelling = 0 if source == "ini" else 1
        lines = [f"{names[key].ini_names[spelling]} = {value}" for key, value in PER_TEST.items()]
        pytester.makeini("\n".join(["[pytest]", *lines]))
    settings = read(*arguments, **more)
    assert flat(settings) == ALL_GIVEN
    assert set(settings.sources) == set(PER_TEST)


def test_the_environment_of_the_process_is_read_by_default(
    parse: Callable[..., pytest.Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_PADDLE_SEED", "77")
    assert resolve(parse()).seed == 77


def test_a_weaker_value_is_not_judged_when_a_stronger_one_is_given(read: Read) -> None:
    assert read("--paddle-seed=5", PYTEST_PADDLE_SEED="x").seed == 5


@pytest.mark.parametrize(
    ("arguments", "more", "source"),
    [
        (("--paddle-threads=8-2",), {}, "--paddle-threads=8-2"),
        (("--paddle-threads", "8-2"), {}, "--paddle-threads=8-2"),
        ((), {"PYTEST_PADDLE_THREADS": "8-2"}, "PYTEST_PADDLE_THREADS=8-2"),
        (("-o", "paddle-threads=8-2"), {}, "-o paddle-threads=8-2"),
        (("-o", "paddle_threads=8-2"), {}, "-o paddle_threads=8-2"),
        ((), {"marks": (scaling(threads="8-2"),)}, "paddle_scaling(threads='8-2')"),
    ],
)
def test_a_refusal_says_where_the_value_came_from(
    refusal: Callable[..., str], arguments: tuple[str, ...], more: dict[str, Any], source: str
) -> None:
    assert refusal(*arguments, **more).startswith(f"{source}: the range runs backwards")


# The ini file


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
    ("line", "told"),
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
    refusal: Callable[..., str], pytester: pytest.Pytester, line: str, told: str
) -> None:
    pytester.makepyprojecttoml(f"[tool.pytest]\n{line}\n")
    assert refusal().startswith(told)


def test_two_spellings_with_different_values_are_refused(
    refusal: Callable[..., str], pytester: pytest.Pytester
) -> None:
    pytester.makeini("[pytest]\npaddle-threads = 4\npaddle_threads = 8")
    told = (
        "paddle-threads = 4 in tox.ini and paddle_threads = 8 in tox.ini: "
        "two spellings of one option contradict each other; keep paddle-threads"
    )
    assert refusal() == told
    assert refusal("--paddle-threads=2") == told
    assert refusal(marks=(scaling(threads=2),)) == told


def test_two_spellings_with_the_same_value_are_fine(read: Read, pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\npaddle-threads = 4\npaddle_threads = 4")
    assert read().thread_counts == (1, 2, 4)


@pytest.mark.parametrize(("in_file", "over"), [("paddle-seed", "paddle_seed"), ("paddle_seed", "paddle-seed")])
def test_an_override_replaces_either_spelling(read: Read, pytester: pytest.Pytester, in_file: str, over: str) -> None:
    pytester.makeini(f"[pytest]\n{in_file} = 4")
    settings = read("-o", f"{over}=8")
    assert settings.seed == 8
    assert settings.sources == {"seed": f"-o {over}=8"}


# The marker


def test_the_closest_mark_wins_argument_by_argument(read: Read) -> None:
    marks = (scaling(threads=2), scaling(threads=4, seed=4), scaling(threads=8, seed=8, batch_size=8))
    settings = read(marks=marks)
    assert (settings.thread_counts, settings.seed, settings.batch_size) == ((1, 2), 4, 8)
    assert settings.sources["seed"] == "paddle_scaling(seed=4)"


def test_none_in_a_marker_is_as_if_it_had_not_been_written(read: Read) -> None:
    settings = read("--paddle-seed=3", marks=(scaling(seed=None, threads=None),))
    assert (settings.seed, settings.thread_counts) == (3, None)
    assert settings.sources == {"seed": "--paddle-seed=3"}


def test_other_marks_are_passed_over(read: Read) -> None:
    assert read(marks=(pytest.mark.skip("why").mark, pytest.mark.skipif(False, reason="threads").mark)).sources == {}


KNOWN = "Known: " + ", ".join([*PER_TEST, "pool", "allow_nonfinite"])


def test_a_positional_marker_argument_is_refused_with_the_names(refusal: Callable[..., str]) -> None:
    mark = pytest.mark.paddle_scaling(8, "x").mark
    assert refusal(marks=(mark,)) == (
        f"paddle_scaling(8, 'x'): its arguments have names; write for instance paddle_scaling(threads=8). {KNOWN}"
    )


def test_an_unknown_marker_argument_is_refused_with_the_closest(refusal: Callable[..., str]) -> None:
    assert refusal(marks=(scaling(min_eficiency=0.9),)) == (
        "paddle_scaling(min_eficiency=0.9): 'min_eficiency' is not an argument of the marker; "
        f"did you mean 'min_efficiency'? {KNOWN}"
    )


def test_a_marker_argument_like_no_other_is_refused_with_the_known_ones(refusal: Callable[..., str]) -> None:
    assert refusal(marks=(scaling(zzz=None),)) == (
        f"paddle_scaling(zzz=None): 'zzz' is not an argument of the marker; use one that is known. {KNOWN}"
    )


@pytest.mark.parametrize(
    ("name", "value", "option"),
    [
        ("strict", True, "--paddle-strict"),
        ("json", "f", "--paddle-json"),
        ("against", "p", "--paddle-against"),
        ("against_rootdir", "d", "--paddle-against-rootdir"),
        ("baselines", "b", "--paddle-baselines"),
        ("baseline_update", True, "--paddle-baseline-update"),
        ("baseline_update_new_only", True, "--paddle-baseline-update-new-only"),
        ("baseline_required", True, "--paddle-baseline-required"),
    ],
)
def test_an_option_of_the_whole_run_is_refused_in_a_marker(
    refusal: Callable[..., str], name: str, value: object, option: str
) -> None:
    assert refusal(marks=(scaling(**{name: value}),)) == (
        f"paddle_scaling({name}={value!r}): {name!r} is not an argument of the marker; "
        f"it is for the whole run: use {option}. {KNOWN}"
    )


def test_marks_of_an_item_come_closest_first(pytester: pytest.Pytester, read: Read) -> None:
    pytester.makeini("[pytest]\naddopts = -p no:paddle_mt\nmarkers = paddle_scaling: of this test")
    items = pytester.getitems(
        """
        import pytest

        pytestmark = pytest.mark.paddle_scaling(threads=1, seed=1, batch_size=1, budget=1)

        @pytest.mark.paddle_scaling(threads=2, seed=2, batch_size=2)
        class Base:
            @pytest.mark.parametrize("x", [pytest.param(0, marks=pytest.mark.paddle_scaling(threads=5))])
            @pytest.mark.paddle_scaling(threads=4)
            def test_it(self, x):
                pass

        @pytest.mark.paddle_scaling(seed=3)
        @pytest.mark.skip("not ours")
        class TestDerived(Base):
            pass
        """
    )
    marks = scaling_marks(items[-1])
    assert {mark.name for mark in marks} == {MARKER}
    settings = read(marks=marks)
    assert settings.thread_counts == (1, 2, 4, 5)
    assert (settings.seed, settings.batch_size, settings.budget_s) == (3, 2, 1.0)


# Arguments that only the marker has


@pytest.mark.parametrize("pool", ["clone", "predictor_pool", " clone "])
def test_a_pool_is_cloned_or_a_predictor_pool(read: Read, pool: str) -> None:
    settings = read(marks=(scaling(pool=pool),))
    assert settings.pool == pool.strip()
    assert settings.sources == {"pool": f"paddle_scaling(pool={pool!r})"}


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("clones", "did you mean 'clone'?"),
        ("PredictorPool", "did you mean 'predictor_pool'?"),
        ("zzz", "use one that is known."),
        ("", "use one that is known."),
        (3, "use one that is known."),
        (["clone"], "did you mean 'clone'?"),
    ],
)
def test_an_unknown_pool_is_refused_with_the_known_ones_and_the_closest(
    refusal: Callable[..., str], value: object, hint: str
) -> None:
    assert refusal(marks=(scaling(pool=value),)) == (
        f"paddle_scaling(pool={value!r}): there is no pool {value!r}; {hint} Known: clone, predictor_pool"
    )


def test_the_pools_are_those_that_can_be_made() -> None:
    pytest.importorskip("numpy")  # a dependency, which these tests do not need otherwise
    from pytest_paddle_mt import records

    assert POOL_METHODS == records.POOL_METHODS


@pytest.mark.parametrize("value", [True, False])
def test_answers_that_are_no_numbers_are_allowed_with_true(read: Read, value: bool) -> None:
    settings = read(marks=(scaling(allow_nonfinite=value),))
    assert settings.allow_nonfinite is value
    assert settings.sources == {"allow_nonfinite": f"paddle_scaling(allow_nonfinite={value})"}


@pytest.mark.parametrize("value", [1, 0, "true", "", [True]])
def test_allowing_them_with_anything_but_true_or_false_is_refused(refusal: Callable[..., str], value: object) -> None:
    assert refusal(marks=(scaling(allow_nonfinite=value),)) == (
        f"paddle_scaling(allow_nonfinite={value!r}): {value!r} is neither True nor False; "
        "give True to let the model answer NaN or infinity"
    )


def test_the_closest_mark_wins_for_them_too_and_none_is_as_if_not_written(read: Read) -> None:
    marks = (
        scaling(pool=None, allow_nonfinite=False),
        scaling(pool="predictor_pool", allow_nonfinite=True),
        scaling(pool="clone"),
    )
    settings = read(marks=marks)
    assert (settings.pool, settings.allow_nonfinite) == ("predictor_pool", False)


@pytest.mark.parametrize("option", ["--paddle-pool=clone", "--paddle-allow-nonfinite"])
def test_they_are_not_accepted_on_the_command_line(parse: Callable[..., pytest.Config], option: str) -> None:
    with pytest.raises(pytest.UsageError, match="unrecognized arguments"):
        parse(option)


def test_they_are_not_read_from_the_environment_or_the_ini_file(read: Read, pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\npaddle-pool = predictor_pool\npaddle-allow-nonfinite = true")
    settings = read(PYTEST_PADDLE_POOL="predictor_pool", PYTEST_PADDLE_ALLOW_NONFINITE="true")
    assert (settings.pool, settings.allow_nonfinite) == ("clone", False)
    assert settings.sources == {}


# The module, its parsers and the reference


def test_every_option_and_every_marker_argument_has_a_parser() -> None:
    assert list(PARSERS) == [*(option.key for option in OPTIONS), *MARKER_ONLY]


@pytest.mark.parametrize("name", MARKER_ONLY)
def test_the_reference_has_a_row_for_every_argument_that_only_the_marker_has(name: str) -> None:
    reference = Path(__file__).parents[3] / "docs" / "options.md"
    section = reference.read_text(encoding="utf-8").split("## Marker only\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith(f"| `{name}` |")]
    assert len(rows) == 1
    default = MARKER_ONLY[name]
    assert rows[0].split("|")[3].strip() == (f'`"{default}"`' if isinstance(default, str) else f"`{default}`")


@pytest.mark.parametrize("start", ["[tool.pytest.ini_options]", pytest.param("[tool.pytest]", marks=NATIVE_TOML)])
def test_the_toml_examples_of_the_reference_work(read: Read, pytester: pytest.Pytester, start: str) -> None:
    reference = (Path(__file__).parents[3] / "docs" / "options.md").read_text(encoding="utf-8")
    (example,) = [part.split("```")[0] for part in reference.split("```toml\n")[1:] if part.startswith(f"{start}\n")]
    pytester.makepyprojecttoml(example)
    assert len(read().sources) == len([line for line in example.splitlines() if "=" in line])


def test_importing_the_settings_needs_neither_numpy_nor_paddle_nor_difflib() -> None:
    program = (
        "import sys, pytest; before = set(sys.modules); import pytest_paddle_mt.plugin.resolve; "
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["pytest_paddle_mt"]
