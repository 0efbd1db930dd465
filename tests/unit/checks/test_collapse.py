"""The collapse check: beyond ``linear_until`` throughput may stop growing, and must not fall."""

from __future__ import annotations

import pytest

from pytest_paddle_mt.checks.collapse import CollapseCheck
from pytest_paddle_mt.records import Verdict
from tests.builders import Evidence, evidence, probed, rounds_of


def judged(given: Evidence) -> list[Verdict]:
    return list(CollapseCheck().judge(given))


def test_throughput_that_holds_passes():
    [verdict] = judged(evidence(rounds_of({1: 40, 2: 80, 4: 79})))
    assert (verdict.check, verdict.threads, verdict.status) == ("collapse", 4, "pass")
    assert verdict.observed == pytest.approx(79 / 80, abs=0.001)
    assert verdict.limit == pytest.approx(0.85)
    assert verdict.reason.startswith("QPS with 4 threads over QPS with 2 threads is 0.99 (")
    assert verdict.reason.endswith("at or above the limit 0.85")


def test_throughput_that_falls_by_more_than_max_collapse_fails():
    [verdict] = judged(evidence(rounds_of({1: 40, 2: 80, 4: 40})))
    assert verdict.status == "fail"
    assert verdict.reason == (
        "QPS with 4 threads over QPS with 2 threads is 0.50 (0.50 to 0.50, 8 rounds), below the limit 0.85"
    )


def test_a_larger_max_collapse_lets_it_fall_further():
    [verdict] = judged(evidence(rounds_of({1: 40, 2: 80, 4: 40}), max_collapse=0.6))
    assert verdict.status == "pass"


def test_an_interval_that_holds_the_limit_is_inconclusive():
    rounds = [*rounds_of({1: 40, 2: 80, 4: 76}, count=4), *rounds_of({1: 40, 2: 80, 4: 60}, count=4)]
    [verdict] = judged(evidence(rounds))
    assert verdict.status == "inconclusive"
    assert "the interval contains the limit 0.85" in verdict.reason


def test_three_rounds_are_too_few_for_an_interval():
    [verdict] = judged(evidence(rounds_of({1: 40, 2: 80, 4: 79}, count=3)))
    assert verdict.status == "inconclusive"
    assert "3 rounds are too few for an interval, which needs 4" in verdict.reason


def test_only_thread_counts_beyond_linear_until_are_judged():
    assert [one.threads for one in judged(evidence(rounds_of({1: 40, 2: 80, 4: 79, 8: 78})))] == [4, 8]


def test_nothing_beyond_linear_until_gives_no_verdict():
    assert judged(evidence(rounds_of({1: 40, 2: 80}))) == []


def test_the_base_is_the_largest_measured_count_up_to_linear_until():
    [verdict] = judged(evidence(rounds_of({1: 40, 2: 80, 8: 79}), linear_until=3))
    assert verdict.reason.startswith("QPS with 8 threads over QPS with 2 threads")


def test_on_one_usable_core_the_base_is_one_thread():
    [verdict] = judged(evidence(rounds_of({1: 40, 2: 20}), linear_until=1, usable_cores=1))
    assert verdict.status == "fail"
    assert verdict.reason.startswith("QPS with 2 threads over QPS with 1 thread is 0.50")


def test_a_speed_of_the_machine_that_changes_between_rounds_cancels():
    slow, fast = rounds_of({1: 40, 2: 80, 4: 79}, count=4), rounds_of({1: 80, 2: 160, 4: 158}, count=4)
    [verdict] = judged(evidence([*slow, *fast]))
    assert verdict.status == "pass"
    assert verdict.observed == pytest.approx(79 / 80, abs=0.001)


def test_rounds_in_which_the_base_was_disturbed_by_nobody_knows_how_much_are_set_aside():
    quiet = rounds_of({1: 40, 2: 80, 4: 40}, count=6)
    disturbed = rounds_of({1: 40, 2: 30, 4: 40}, count=6, at=2, stolen_cores=0.5)
    [verdict] = judged(evidence([*quiet, *disturbed]))
    assert verdict.status == "fail"
    assert verdict.observed == pytest.approx(0.5, abs=0.001)


def test_what_other_work_took_from_the_base_is_given_back_to_it():
    # half of the base's time was lost: it serves 80, not 40, and four threads serve half of that
    [verdict] = judged(evidence(rounds_of({1: 40, 2: 40, 4: 40}, at=2, delay_share=0.5)))
    assert verdict.status == "fail"
    assert verdict.observed == pytest.approx(0.5, abs=0.001)


def test_threads_beyond_the_cores_that_take_them_from_each_other_count():
    [verdict] = judged(evidence(rounds_of({1: 40, 2: 80, 4: 40}, at=4, cpu_share=0.5, delay_share=0.5)))
    assert verdict.status == "fail"
    assert verdict.observed == pytest.approx(0.5, abs=0.001)


def test_what_other_work_took_from_threads_beyond_the_cores_is_given_back_to_them():
    # they wanted two cores and got one
    [verdict] = judged(evidence(rounds_of({1: 40, 2: 80, 4: 40}, at=4, cpu_share=0.25, delay_share=0.75)))
    assert verdict.status == "pass"
    assert verdict.observed == pytest.approx(1.0, abs=0.001)


def test_too_few_usable_rounds_are_inconclusive_and_name_the_machine():
    [verdict] = judged(evidence(rounds_of({1: 40, 2: 80, 4: 79}, at=2, stolen_cores=0.5)))
    assert verdict.status == "inconclusive"
    assert verdict.observed is None
    assert "other work on this machine took the cores away in 8 of 8 rounds; run it on a quieter machine" in (
        verdict.reason
    )


def test_a_base_whose_threads_shared_a_core_is_named_as_the_reason():
    rounds = probed(rounds_of({1: 40, 2: 42, 4: 79}), {1: 500, 2: 510, 4: 1000})
    [verdict] = judged(evidence(rounds))
    assert verdict.status == "inconclusive"
    assert "two threads had one core between them in 8 of 8 rounds" in verdict.reason


def test_time_outside_queries_makes_it_inconclusive():
    [verdict] = judged(evidence(rounds_of({1: 40, 2: 80, 4: 40}, at=4, outside=0.03)))
    assert verdict.status == "inconclusive"
    assert "with 4 threads 3.1% of the time passed outside queries" in verdict.reason


def test_time_outside_queries_of_the_base_makes_it_inconclusive():
    [verdict] = judged(evidence(rounds_of({1: 40, 2: 80, 4: 40}, at=2, outside=0.03)))
    assert verdict.status == "inconclusive"
    assert "with 2 threads 3.1% of the time passed outside queries" in verdict.reason
