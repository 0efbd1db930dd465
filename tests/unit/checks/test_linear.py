"""The linear check: scaling efficiency against its limit, for every thread count up to ``linear_until``."""

from __future__ import annotations

import dataclasses
import itertools
import math
import re

import pytest

from pytest_paddle_mt.checks.linear import LinearCheck
from pytest_paddle_mt.records import Verdict
from pytest_paddle_mt.statistics.looks import confidence
from tests.builders import Evidence, evidence, limits, paired_rounds, probed, round_of, rounds_of


def judged(given: Evidence) -> list[Verdict]:
    return list(LinearCheck().judge(given))


def test_efficiency_at_or_above_the_limit_passes():
    [verdict] = judged(evidence(rounds_of({1: 40, 2: 78}, ripple=0.01)))
    assert (verdict.check, verdict.threads, verdict.status) == ("linear", 2, "pass")
    assert verdict.observed == pytest.approx(0.975, abs=0.001)
    assert verdict.limit == 0.85
    assert verdict.reason.startswith("scaling efficiency with 2 threads is 0.97 (0.9")
    assert verdict.reason.endswith("at or above the limit 0.85")


def test_an_interval_that_begins_at_the_limit_passes():
    [verdict] = judged(evidence(rounds_of({1: 40, 2: 40}), min_efficiency=0.5 - 1e-9))
    assert verdict.status == "pass"


def test_efficiency_below_the_limit_fails():
    [verdict] = judged(evidence(rounds_of({1: 40, 2: 44}, ripple=0.01)))
    assert verdict.status == "fail"
    assert verdict.observed == pytest.approx(0.55, abs=0.001)
    assert verdict.reason.startswith("scaling efficiency with 2 threads is 0.55 (0.5")
    assert verdict.reason.endswith(", 8 rounds), below the limit 0.85")


def test_an_interval_that_holds_the_limit_is_inconclusive_and_asks_for_more():
    [verdict] = judged(evidence(rounds_of({1: 40, 2: 70}, ripple=0.1)))
    assert verdict.status == "inconclusive"
    assert verdict.reason.startswith("scaling efficiency with 2 threads is 0.87 (")
    assert "the interval contains the limit 0.85; about " in verdict.reason
    assert verdict.reason.endswith(" more rounds would decide it; give a larger --paddle-budget")


def at_times(rounds, seconds_each):
    """The rounds, begun so many seconds after each other."""

    def begun(one):
        visits = [
            dataclasses.replace(visit, window=dataclasses.replace(visit.window, opened_ns=round(at_ns)))
            for visit, at_ns in zip(one.visits, itertools.count(one.index * seconds_each * 1e9), strict=False)
        ]
        return dataclasses.replace(one, visits=tuple(visits))

    return [begun(one) for one in rounds]


def test_what_is_missing_is_a_number_of_rounds_with_their_time_and_the_options_that_allow_them():
    known = dataclasses.replace(
        evidence(at_times(rounds_of({1: 40, 2: 70}, ripple=0.1), 5.0), confidence=confidence(1.0)),
        allowed_rounds=(4, 8),
    )
    [verdict] = judged(known)
    found = re.search(
        r"; about (\d+) more rounds, (\d+) s, would decide it: --paddle-rounds=4:(\d+) --paddle-budget=(\d+)$",
        verdict.reason,
    )
    more, seconds, rounds, budget = map(int, found.groups())
    assert (seconds, rounds) == (5 * more, 8 + more)
    assert budget == 10 * math.ceil((7 * 5 + (more + 1) * 5) / 10)
    enough = rounds_of({1: 40, 2: 70}, ripple=0.1, count=rounds + rounds % 2)
    # more rounds may have all eight looks, with a share of alpha each
    assert [one.status for one in judged(evidence(enough, confidence=confidence(1 / 8)))] == ["pass"]


def test_a_ratio_at_the_limit_is_never_decided_and_says_so():
    [verdict] = judged(evidence(rounds_of({1: 40, 2: 68 * (1 - 1e-9)}, ripple=0.05), min_efficiency=0.849))
    assert "it is too near to be decided" in verdict.reason


def test_three_rounds_are_too_few_for_an_interval():
    [verdict] = judged(evidence(rounds_of({1: 40, 2: 78}, count=3)))
    assert verdict.status == "inconclusive"
    assert verdict.observed == pytest.approx(0.975, abs=0.001)
    assert verdict.reason == (
        "scaling efficiency with 2 threads could not be judged: 3 rounds are too few for an interval, which needs 4; "
        "give more --paddle-rounds or a larger --paddle-budget"
    )


def test_rounds_in_which_the_threads_were_disturbed_by_nobody_knows_how_much_are_set_aside():
    quiet = rounds_of({1: 40, 2: 78}, count=6)
    disturbed = rounds_of({1: 40, 2: 20}, count=6, at=2, stolen_cores=0.5)
    [verdict] = judged(evidence([*quiet, *disturbed]))
    assert verdict.status == "pass"
    assert verdict.observed == pytest.approx(0.975, abs=0.001)


def test_rounds_in_which_one_thread_was_disturbed_so_are_set_aside_as_well():
    quiet = rounds_of({1: 40, 2: 44}, count=6)
    disturbed = rounds_of({1: 10, 2: 44}, count=6, at=1, stolen_cores=0.5)
    [verdict] = judged(evidence([*quiet, *disturbed]))
    assert verdict.status == "fail"
    assert verdict.observed == pytest.approx(0.55, abs=0.001)


def test_rounds_in_which_more_was_lost_than_can_be_corrected_are_set_aside():
    quiet = rounds_of({1: 40, 2: 44}, count=6)
    disturbed = rounds_of({1: 40, 2: 20}, count=6, at=2, delay_share=0.8)
    [verdict] = judged(evidence([*quiet, *disturbed]))
    assert verdict.status == "fail"
    assert verdict.observed == pytest.approx(0.55, abs=0.001)


def test_what_other_work_took_is_taken_out_round_by_round():
    shares = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
    rounds = [round_of({1: 40, 2: 76 * (1 - share)}, at=2, delay_share=share) for share in shares]
    [verdict] = judged(evidence(rounds))
    assert verdict.status == "pass"
    assert verdict.reason.startswith("scaling efficiency with 2 threads is 0.95 (0.95 to 0.95, 6 rounds), at or above")


def test_what_other_work_took_from_one_thread_is_taken_out_too():
    [verdict] = judged(evidence(rounds_of({1: 28, 2: 44}, at=1, delay_share=0.3)))
    assert verdict.status == "fail"
    assert verdict.observed == pytest.approx(0.55, abs=0.001)


def test_what_other_threads_of_this_process_took_is_its_own_affair():
    [verdict] = judged(evidence(rounds_of({1: 40, 2: 56}, at=2, delay_share=0.3, other_cores=0.6)))
    assert verdict.status == "fail"
    assert verdict.observed == pytest.approx(0.7, abs=0.001)


def test_what_disturbs_four_threads_takes_nothing_from_two():
    rounds = [round_of({1: 40, 2: 78, 4: 60}, index, at=4, stolen_cores=0.5) for index in range(6)]
    two, four = judged(evidence(rounds, linear_until=4, usable_cores=4))
    assert (two.threads, two.status) == (2, "pass")
    assert (four.threads, four.status) == (4, "inconclusive")


def test_too_few_usable_rounds_are_inconclusive_and_name_the_machine():
    quiet = rounds_of({1: 40, 2: 78}, count=3)
    disturbed = rounds_of({1: 40, 2: 20}, count=5, at=2, stolen_cores=0.5)
    [verdict] = judged(evidence([*quiet, *disturbed]))
    assert verdict.status == "inconclusive"
    assert verdict.reason == (
        "scaling efficiency with 2 threads could not be judged: other work on this machine took the cores away in 5 of "
        "8 rounds; run it on a quieter machine"
    )


def test_rounds_on_shared_cores_are_set_aside():
    own = probed(rounds_of({1: 40, 2: 78}, count=6), {1: 500, 2: 1000})
    shared = probed(rounds_of({1: 40, 2: 42}, count=6), {1: 500, 2: 510})
    [verdict] = judged(evidence([*own, *shared]))
    assert verdict.status == "pass"
    assert verdict.observed == pytest.approx(0.975, abs=0.001)


def test_too_few_rounds_on_cores_of_their_own_are_inconclusive_and_say_what_to_do():
    own = probed(rounds_of({1: 40, 2: 78}, count=3), {1: 500, 2: 1000})
    shared = probed(rounds_of({1: 40, 2: 42}, count=5), {1: 500, 2: 510})
    [verdict] = judged(evidence([*own, *shared]))
    assert verdict.status == "inconclusive"
    assert verdict.reason == (
        "scaling efficiency with 2 threads could not be judged: two threads had one core between them in 5 of 8 "
        "rounds, as a probe that fills cores shows; run it where each thread has a core, or give "
        "--paddle-linear-until, up to which each has one"
    )


def test_without_a_usable_round_nothing_is_observed():
    [verdict] = judged(evidence(rounds_of({1: 40, 2: 20}, at=2, stolen_cores=0.5)))
    assert verdict.status == "inconclusive"
    assert verdict.observed is None


def test_every_thread_count_up_to_linear_until_is_judged_and_none_beyond():
    rounds = rounds_of({1: 40, 2: 78, 3: 115, 4: 150, 8: 160})
    assert [one.threads for one in judged(evidence(rounds, linear_until=4, usable_cores=4))] == [2, 3, 4]


def test_each_thread_count_has_its_own_verdict():
    rounds = rounds_of({1: 40, 2: 78, 4: 90})
    assert [one.status for one in judged(evidence(rounds, linear_until=4, usable_cores=4))] == ["pass", "fail"]


def test_linear_until_may_lie_between_two_thread_counts():
    assert [one.threads for one in judged(evidence(rounds_of({1: 40, 2: 78, 4: 90}), linear_until=3))] == [2]


@pytest.mark.fault("machine", "one core is usable", "nothing is judged, and the reason is shown")
def test_one_usable_core_is_not_comparable_and_says_why():
    rounds = rounds_of({1: 40, 2: 41})
    [verdict] = judged(evidence(rounds, linear_until=1, usable_cores=1))
    assert (verdict.threads, verdict.status, verdict.observed) == (None, "not_comparable", None)
    assert verdict.reason == (
        "no thread count above one is at or below 1, up to which throughput can grow linearly here "
        "(1 usable core, 1 math thread a predictor); run it on more cores"
    )


@pytest.mark.parametrize(
    ("qps", "known", "steps"),
    [
        (
            {1: 40, 2: 41},
            {"linear_until": 1, "math_threads": 8},
            "math threads with config.set_cpu_math_library_num_threads(1) or run it on more cores",
        ),
        ({1: 40, 8: 41}, {"linear_until": 1, "math_threads": 8}, "run it on more cores"),
        (
            {1: 40, 8: 41},
            {"linear_until": 2},
            "measure up to 2 threads with --paddle-threads=2 or run it on more cores",
        ),
        ({1: 40}, {"linear_until": 2}, "measure up to 2 threads with --paddle-threads=2"),
        ({1: 40}, {"linear_until": 1, "usable_cores": 1}, "run it on more cores"),
    ],
)
def test_each_step_that_would_let_it_be_judged_is_named(qps, known, steps):
    [verdict] = judged(evidence(rounds_of(qps), **known))
    assert verdict.reason.partition(" a predictor); ")[2].removeprefix("give each predictor fewer ") == steps


@pytest.mark.parametrize(
    ("qps", "steps"),
    [
        (
            {1: 40, 4: 41},
            "measure up to 2 threads with --paddle-threads=2 or raise --paddle-linear-until to 4",
        ),
        ({1: 40}, "measure up to 2 threads with --paddle-threads=2"),
    ],
)
def test_where_linear_until_was_asked_for_more_cores_would_not_do(qps, steps):
    known = evidence(rounds_of(qps), linear_until=2)
    [verdict] = judged(dataclasses.replace(known, limits=limits(linear_until=2)))
    assert verdict.reason.endswith(f" a predictor); {steps}")


def test_time_outside_queries_above_two_percent_makes_it_inconclusive_whatever_the_efficiency():
    [verdict] = judged(evidence(rounds_of({1: 40, 2: 78}, at=2, outside=0.03)))
    assert verdict.status == "inconclusive"
    assert verdict.observed == pytest.approx(0.975, abs=0.001)
    assert verdict.reason.startswith("with 2 threads 3.1% of the time passed outside queries (at most 2%)")


def test_time_outside_queries_of_one_thread_makes_it_inconclusive_too():
    [verdict] = judged(evidence(rounds_of({1: 40, 2: 30}, at=1, outside=0.03)))
    assert verdict.status == "inconclusive"
    assert "with 1 thread 3.1% of the time passed outside queries" in verdict.reason


def test_threads_that_did_not_run_side_by_side_make_it_inconclusive():
    [verdict] = judged(evidence(rounds_of({1: 40, 2: 78}, at=2, at_work=0.5)))
    assert verdict.status == "inconclusive"
    assert "one of them was at work for only 50% of the window" in verdict.reason


def test_a_comparison_does_not_judge_scaling():
    assert judged(evidence(paired_rounds({1: 40, 2: 41}, {1: 40, 2: 41}))) == []
