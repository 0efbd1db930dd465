"""The marker: whose argument wins, which are refused, and the arguments that only the marker has."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pytest_paddle_mt.plugin.options import MARKER
from pytest_paddle_mt.plugin.resolve import scaling_marks
from tests.unit.plugin.helpers import PER_TEST, Read, scaling


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


KNOWN = "Known: " + ", ".join([*PER_TEST, "allow_nonfinite"])


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


@pytest.mark.parametrize("pool", ["clone", "predictor_pool", "shared", " clone "])
def test_a_pool_is_cloned_a_predictor_pool_or_shared(read: Read, pool: str) -> None:
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
        f"paddle_scaling(pool={value!r}): there is no pool {value!r}; {hint} Known: clone, predictor_pool, shared"
    )


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


def test_it_is_not_accepted_on_the_command_line(parse: Callable[..., pytest.Config]) -> None:
    with pytest.raises(pytest.UsageError, match="unrecognized arguments"):
        parse("--paddle-allow-nonfinite")


def test_it_is_not_read_from_the_environment_or_the_ini_file(read: Read, pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\npaddle-allow-nonfinite = true")
    settings = read(PYTEST_PADDLE_ALLOW_NONFINITE="true")
    assert settings.allow_nonfinite is False
    assert settings.sources == {}
