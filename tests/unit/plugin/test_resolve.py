"""Settings: the defaults, which source wins, and which values contradict each other."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from pytest_paddle_mt.plugin.options import OPTIONS
from pytest_paddle_mt.plugin.resolve import resolve
from pytest_paddle_mt.settings import Settings
from tests.unit.plugin.helpers import PER_TEST, Read, scaling

# Defaults


def test_nothing_given_means_the_documented_defaults(read: Read) -> None:
    settings = read()
    assert settings.thread_counts is None
    assert settings.threads_note is None
    assert settings.engines == ("native",)
    assert settings.window.window_s == 0.1
    assert (settings.window.min_queries, settings.window.expected_queries) == (0, 8)
    assert settings.window.warmup_s == 0.02
    assert (settings.window.warmup_queries, settings.first_warmup_queries) == (1, 3)
    assert (settings.rounds_min, settings.rounds_max) == (6, 96)
    assert settings.seed is None
    assert settings.forks == 0
    assert settings.budget_s == 60.0
    assert settings.budget_two_sides_s == 120.0
    assert settings.batch_size == 1
    assert settings.device == "cpu"
    assert settings.limits.min_efficiency == 0.85
    assert settings.limits.max_collapse == 0.15
    assert settings.against is None
    assert settings.against_rootdir is None
    assert settings.limits.linear_until is None
    assert settings.limits.max_drift == 0.10
    assert settings.limits_two_sides.max_drift == 0.05
    assert settings.limits.max_p99_drift == 0.25
    assert settings.baselines.name == "baselines"
    assert settings.baseline_update == "none"
    assert settings.baseline_required is False
    assert settings.pool == "clone"
    assert settings.allow_nonfinite is False
    assert settings.strict is False
    assert settings.json_path is None
    assert settings.sources == {}


def test_who_lets_undecided_tests_fail_spends_three_budgets_before(read: Read) -> None:
    settings = read("--paddle-strict")
    assert (settings.budget_s, settings.budget_two_sides_s) == (180.0, 360.0)
    given = read("--paddle-strict", "--paddle-budget=50")
    assert (given.budget_s, given.budget_two_sides_s) == (50.0, 50.0)


def test_a_given_budget_and_drift_apply_to_a_comparison_too(read: Read) -> None:
    settings = read("--paddle-budget=7", "--paddle-max-drift=0.2")
    assert (settings.budget_two_sides_s, settings.limits_two_sides.max_drift) == (7.0, 0.2)


# One thread is always measured


@pytest.mark.parametrize(("written", "counts"), [("2,4", (1, 2, 4)), ("2-4", (1, 2, 3, 4))])
def test_one_thread_is_added_and_reported(read: Read, written: str, counts: tuple[int, ...]) -> None:
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
def test_no_note_is_made_when_one_thread_was_asked_for(read: Read, written: str) -> None:
    assert read(f"--paddle-threads={written}").threads_note is None


# Which engines exist


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


# Updates, and what contradicts what


def test_more_forks_than_rounds_are_refused_since_some_would_never_measure(
    read: Read, refusal: Callable[..., str]
) -> None:
    assert read("--paddle-forks=4", "--paddle-rounds=4").forks == 4
    assert refusal("--paddle-forks=5", "--paddle-rounds=2:4") == (
        "--paddle-forks=5: every fork measures whole rounds, and there are at most 4 (--paddle-rounds=2:4); "
        "give --paddle-rounds=5:5 or more, or fewer forks"
    )


@pytest.mark.parametrize(
    ("arguments", "update"),
    [((), "none"), (("--paddle-baseline-update",), "all"), (("--paddle-baseline-update-new-only",), "new")],
)
def test_the_flags_say_whose_baseline_is_updated(read: Read, arguments: tuple[str, ...], update: str) -> None:
    assert read(*arguments).baseline_update == update


def test_a_baseline_may_be_required(read: Read) -> None:
    assert read("--paddle-baseline-required").baseline_required is True


def test_both_kinds_of_update_at_once_are_refused(refusal: Callable[..., str]) -> None:
    message = refusal("--paddle-baseline-update", PYTEST_PADDLE_BASELINE_UPDATE_NEW_ONLY="1")
    assert message.startswith(
        "--paddle-baseline-update and PYTEST_PADDLE_BASELINE_UPDATE_NEW_ONLY=1 contradict each other"
    )
    assert message.endswith("give one of them")


@pytest.mark.parametrize("update", ["--paddle-baseline-update", "--paddle-baseline-update-new-only"])
def test_an_update_and_a_comparison_are_refused(refusal: Callable[..., str], update: str) -> None:
    message = refusal(update, "--paddle-against=python3")
    assert message.startswith(f"{update} and --paddle-against=python3 contradict each other")
    assert message.endswith("record without the other side")


# Which source wins


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


def flat(settings: Settings) -> list[object]:
    window, limits = settings.window, settings.limits
    return [
        settings.thread_counts,
        settings.engines,
        window.window_s,
        window.min_queries,
        window.expected_queries,
        window.warmup_s,
        settings.rounds_min,
        settings.rounds_max,
        settings.seed,
        settings.forks,
        settings.budget_s,
        settings.batch_size,
        settings.device,
        settings.streams,
        limits.min_efficiency,
        limits.linear_until,
        limits.max_collapse,
        limits.max_drift,
        limits.max_p99_drift,
    ]


ALL_GIVEN = [(1, 2, 4, 8), ("python",), 0.0, 9, 0, 7.0, 2, 3, 9, 3, 11.0, 5, "gpu:1", "own", 0.5, 2, 0.3, 0.2, 0.4]


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


def test_auto_overrules_a_number_from_a_weaker_source(read: Read) -> None:
    settings = read("--paddle-linear-until=4", marks=(scaling(linear_until="auto"),))
    assert settings.limits.linear_until is None


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


# What it costs


def test_importing_the_settings_needs_neither_numpy_nor_paddle_nor_difflib() -> None:
    program = (
        "import sys, pytest; before = set(sys.modules); import pytest_paddle_mt.plugin.resolve; "
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["pytest_paddle_mt"]
