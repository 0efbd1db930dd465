"""Is this side slower than the other?"""

from __future__ import annotations

import pytest

from pytest_paddle_mt.checks import against
from tests.builders import evidence, paired_rounds, rounds_of


def verdict(this, other=100.0, *, max_drift=0.10, count=12, ripple=0.002, threads=2, **disturbed):
    [found] = judged(
        paired_rounds({threads: this}, {threads: other}, count, ripple=ripple, **disturbed), max_drift=max_drift
    )
    return found


def judged(rounds, **changes):
    return against.AgainstCheck().judge(evidence(rounds, confidence=0.99, names=("b", "a"), **changes))


def test_the_limit_is_the_throughput_of_a_query_that_takes_as_much_longer_as_is_accepted():
    assert against.limit(0.25) == pytest.approx(0.8)
    assert against.limit(1) == 0.5


@pytest.mark.parametrize(
    ("this", "status"), [(120, "pass"), (100, "pass"), (92.5, "pass"), (89.5, "fail"), (50, "fail")]
)
def test_a_side_fails_when_its_queries_take_longer_than_is_accepted(this, status):
    found = verdict(this)
    assert (found.check, found.threads, found.status) == ("against", 2, status)
    assert found.observed == pytest.approx(this / 100, rel=1e-3)
    assert found.limit == pytest.approx(1 / 1.1)


def test_an_interval_around_the_limit_is_inconclusive_and_says_what_to_do():
    found = verdict(93, ripple=0.05)
    assert found.status == "inconclusive"
    assert "the interval contains the limit 0.909; about " in found.reason
    assert "would decide it" in found.reason


def test_the_reason_names_the_sides_the_figures_and_the_rounds():
    reason = verdict(80).reason
    assert reason.startswith("QPS of b over a with 2 threads is 0.800 (0.7")
    assert "12 rounds), below the limit 0.909" in reason


def test_a_faster_side_passes_and_is_said_to_be_faster():
    assert verdict(120).reason.endswith("b is faster")
    assert "faster" not in verdict(100).reason


def test_too_few_rounds_are_inconclusive_however_clear():
    found = verdict(10, count=3)
    assert found.status == "inconclusive"
    assert "an interval needs 4 rounds and there are 3" in found.reason


def test_windows_that_do_not_measure_the_predictor_are_inconclusive_and_name_the_side():
    found = verdict(100, outside=0.2)
    assert found.status == "inconclusive"
    assert found.reason.startswith("b: with 2 threads 25.0% of the time passed outside queries")


def test_a_side_that_lost_time_to_others_is_judged_by_the_rest():
    assert verdict(50, cpu_share=0.5, delay_share=0.5).status == "pass"
    assert verdict(50).status == "fail"


def test_each_thread_count_has_a_verdict():
    found = judged(paired_rounds({1: 100, 2: 150}, {1: 100, 2: 200}, ripple=0.001))
    assert [(one.threads, one.status) for one in found] == [(1, "pass"), (2, "fail")]


def test_a_sweep_of_one_side_is_not_asked():
    assert judged(rounds_of({1: 40, 2: 78})) == []


def test_sides_that_could_not_be_measured_have_one_verdict_with_the_reason():
    found = against.undecidable("no_data", "no such test", 0.1)
    assert (found.status, found.reason, found.threads, found.observed) == ("no_data", "no such test", None, None)
