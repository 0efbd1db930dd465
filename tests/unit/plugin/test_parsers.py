"""Parsers: which values an option accepts, and how the others are refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.unit.plugin.helpers import Read, scaling

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
def test_a_window_in_seconds_lasts_for_eight_queries_at_least(read: Read, value: object) -> None:
    window = read(marks=(scaling(window=value),)).window
    assert (window.window_s, window.min_queries, window.expected_queries) == (0.25, 0, 8)


@pytest.mark.parametrize(("written", "queries"), [("200q", 200), ("2q", 2)])
def test_a_window_in_queries_has_no_seconds(read: Read, written: str, queries: int) -> None:
    window = read(f"--paddle-window={written}").window
    assert (window.window_s, window.min_queries, window.expected_queries) == (0.0, queries, 0)


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


ROUNDS = "give MIN:MAX, such as 6:96, or one number for both"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("0:3", f"0 rounds measure nothing; {ROUNDS}, at least 1"),
        ("-1:3", f"-1 rounds measure nothing; {ROUNDS}, at least 1"),
        ("5:2", "MIN, 5, is more than MAX, 2; write 2:5"),
        ("x", f"'x' is not a whole number; {ROUNDS}"),
        ("4:", f"the value is empty; {ROUNDS}"),
        ("", f"the value is empty; {ROUNDS}"),
        ("1:2:3", f"'1:2:3' is not one or two numbers; {ROUNDS}"),
        ((1, 2, 3), f"(1, 2, 3) is not one or two numbers; {ROUNDS}"),
        (2.5, f"2.5 is not a whole number; {ROUNDS}"),
    ],
)
def test_rounds_that_cannot_be_are_refused(refusal: Callable[..., str], value: object, message: str) -> None:
    assert refusal(marks=(scaling(rounds=value),)) == f"paddle_scaling(rounds={value!r}): {message}"


@pytest.mark.parametrize(("value", "seconds"), [("0", 0.0), ("0.3", 0.3), (2, 2.0)])
def test_a_warm_up_may_be_nothing(read: Read, value: object, seconds: float) -> None:
    assert read(marks=(scaling(warmup=value),)).window.warmup_s == seconds


SINGLE_NUMBERS = {
    "--paddle-warmup": "give seconds, such as 0.05, or 0",
    "--paddle-budget": "give the seconds that one sweep may take, such as 60",
    "--paddle-seed": "give a whole number, 0 or more",
    "--paddle-forks": "give how many fresh processes measure in turn, 0 to 64",
    "--paddle-batch-size": "give the number of items in a batch, 1 or more, or several with commas between them",
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
        ("--paddle-batch-size", "1,0", "0 is below 1"),
        ("--paddle-batch-size", "1,", "the value is empty"),
        ("--paddle-linear-until", "0", "0 is below 1"),
        ("--paddle-linear-until", "never", "'never' is not a whole number"),
        ("--paddle-linear-until", "", "the value is empty"),
        (
            "--paddle-min-efficiency",
            "0",
            "0 cannot be the smallest efficiency: 1 is perfect scaling",
        ),
        (
            "--paddle-min-efficiency",
            "1.5",
            "1.5 cannot be the smallest efficiency: 1 is perfect scaling",
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


@pytest.mark.parametrize("value", ["8,1,8", [8, 1], (8, 1, 1)])
def test_batch_sizes_keep_their_order_and_come_once(read: Read, value: object) -> None:
    settings = read(marks=(scaling(batch_size=value),))
    assert (settings.batch_sizes, settings.batch_size) == ((8, 1), 8)


@pytest.mark.parametrize(
    ("value", "mode", "gpus"),
    [("serial", "serial", ()), ("devices", "devices", ()), ("devices:3,0,3", "devices", (3, 0))],
)
def test_workers_of_xdist_measure_as_asked(read: Read, value: str, mode: str, gpus: tuple[int, ...]) -> None:
    wanted = read(f"--paddle-xdist={value}").xdist
    assert wanted is not None
    assert (wanted.mode, wanted.gpus) == (mode, gpus)
    assert read().xdist is None


@pytest.mark.parametrize(
    ("value", "fact"),
    [
        ("side", "'side' is no way to measure under pytest-xdist"),
        ("cores:2", "'cores:2' is no way to measure under pytest-xdist"),
        ("devices:", "'' is no list of GPUs"),
        ("devices:gpu:1", "'gpu:1' is no list of GPUs"),
    ],
)
def test_another_way_of_xdist_is_refused(refusal: Callable[..., str], value: str, fact: str) -> None:
    step = "give serial, cores, devices, or devices and the numbers of the GPUs, such as devices:0,2"
    assert refusal(f"--paddle-xdist={value}") == f"--paddle-xdist={value}: {fact}; {step}"


@pytest.mark.parametrize("device", ["cpu", "gpu:0", "gpu:12"])
def test_a_device_is_the_cpu_or_one_gpu(read: Read, device: str) -> None:
    assert read(f"--paddle-device={device}").device == device


def test_a_gpu_without_a_number_is_refused_with_the_first_one(refusal: Callable[..., str]) -> None:
    assert refusal("--paddle-device=gpu") == (
        "--paddle-device=gpu: the number of the GPU is missing; write gpu:0 for the first one"
    )


@pytest.mark.parametrize("device", ["cuda:0", "gpu:x", "gpu:-1", "gpu:01", "cpu:0", "GPU:0", ""])
def test_any_other_device_is_refused(refusal: Callable[..., str], device: str) -> None:
    assert refusal(f"--paddle-device={device}") == (
        f"--paddle-device={device}: {device!r} is not a device; write cpu, or gpu:0 for the first GPU"
    )


# Placement


@pytest.mark.parametrize("written", ["auto", " none "])
def test_auto_and_none_leave_the_threads_to_the_scheduler(read: Read, written: str) -> None:
    assert read(f"--paddle-pin={written}").pin == ()


@pytest.mark.parametrize(
    ("written", "cpus"), [("0", (0,)), ("3, 1", (1, 3)), ("0-2,2,8-9", (0, 1, 2, 8, 9)), ("1023", (1023,))]
)
def test_cpus_are_a_list_of_numbers_and_ranges(read: Read, written: str, cpus: tuple[int, ...]) -> None:
    assert read(f"--paddle-pin={written}").pin == cpus


@pytest.mark.parametrize("value", [0, [0], (0,)])
def test_a_marker_gives_cpus_as_numbers(read: Read, value: object) -> None:
    assert read(marks=(scaling(pin=value),)).pin == (0,)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("0,x", "'x' is not a whole number; give auto, none, or CPUs such as 0,2-5"),
        ("", "the value is empty; give auto, none, or CPUs such as 0,2-5"),
        ("0,,1", "the value is empty; give auto, none, or CPUs such as 0,2-5"),
        ("5-2", "the range runs backwards, from 5 down to 2; write 2-5"),
        ("-1", "there is no CPU -1; give auto, none, or CPUs such as 0,2-5, each from 0 to 1023"),
        ("0-1024", "there is no CPU 1024; give auto, none, or CPUs such as 0,2-5, each from 0 to 1023"),
    ],
)
def test_anything_else_than_cpus_is_refused(refusal: Callable[..., str], written: str, message: str) -> None:
    assert refusal(f"--paddle-pin={written}") == f"--paddle-pin={written}: {message}"


# Flags


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


def test_github_is_told_unless_that_is_off(read: Read, refusal: Callable[..., str]) -> None:
    assert read().github is True
    assert read("--paddle-github=auto").github is True
    assert read(PYTEST_PADDLE_GITHUB=" Off ").github is False
    assert refusal("--paddle-github=on") == (
        "--paddle-github=on: 'on' is neither auto nor off; give auto to write in GitHub Actions only, or off"
    )


def test_the_markdown_file_is_relative_to_where_pytest_was_started(read: Read, pytester: pytest.Pytester) -> None:
    assert read().markdown_path is None
    assert read("--paddle-markdown=out/s.md").markdown_path == pytester.path / "out" / "s.md"


# Answers


@pytest.mark.parametrize(
    ("written", "count"), [("on", 0), ("off", None), ("true", 0), ("0", None), ("1", 0), ("2", 2), ("3000", 3000)]
)
def test_answers_are_on_off_or_how_many_are_compared(read: Read, written: str, count: int | None) -> None:
    assert read(f"--paddle-answers={written}").answers == count


@pytest.mark.parametrize(("value", "count"), [(True, 0), (False, None), (3000, 3000)])
def test_answers_in_a_marker_are_a_python_value(read: Read, value: object, count: int | None) -> None:
    assert read(marks=(scaling(answers=value),)).answers == count


@pytest.mark.parametrize(
    ("written", "fact"), [("-5", "-5 is below 2"), ("many", "'many' is not a whole number"), ("", "the value is empty")]
)
def test_answers_that_are_no_count_are_refused(refusal: Callable[..., str], written: str, fact: str) -> None:
    assert refusal(f"--paddle-answers={written}") == (
        f"--paddle-answers={written}: {fact}; give on, off, or how many answers to compare at least, such as 3000"
    )
