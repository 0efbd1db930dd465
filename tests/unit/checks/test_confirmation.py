"""A failure is believed when it shows again, as measured and beside a control; else it is inconclusive."""

from __future__ import annotations

from itertools import product

import pytest

from pytest_paddle_mt.checks import confirmation
from pytest_paddle_mt.checks.linear import LinearCheck
from pytest_paddle_mt.records import Verdict
from tests.builders import beside_control, evidence, rounds_of, verdict

FAILED = verdict("fail", observed=0.5, reason="efficiency is 0.50, below the limit 0.85")
STATUSES = ("pass", "fail", "inconclusive")
PAIRS = tuple(product(STATUSES, STATUSES))


def answer(status: str, observed: float | None = 0.5, reason: str = "the answer", **changes: object) -> Verdict:
    return verdict(status, observed=observed, reason=reason, **changes)


def confirmed(again: Verdict, beside: Verdict, first: Verdict = FAILED, where: str = "a fresh process") -> Verdict:
    [one] = confirmation.confirmed([first], [again], [beside], where)
    return one


# Whether anything is measured again.


@pytest.mark.parametrize("status", ["pass", "inconclusive", "not_comparable", "no_data", "calibrating"])
def test_without_a_failure_nothing_needs_confirming(status):
    assert not confirmation.needed([verdict(status), verdict("pass")])


def test_one_failure_among_others_needs_confirming():
    assert confirmation.needed([verdict("pass"), verdict("fail", threads=4)])


def test_a_sweep_without_verdicts_needs_no_confirming():
    assert not confirmation.needed([])


# When enough has been measured.


def test_a_failure_that_is_within_a_wide_limit_when_measured_again_is_answered_and_no_failure():
    """A check that has no use for a control, and whose limit is wide still."""
    again = answer("calibrating", reason="within the limit")
    assert confirmation.answered([FAILED], [again], [])
    [one] = confirmation.confirmed([FAILED], [again], [], "a fresh process")
    assert one.status == "inconclusive"
    assert "measured again in a fresh process it passed: within the limit" in one.reason


@pytest.mark.parametrize(("again", "beside"), PAIRS)
def test_a_failure_is_answered_by_one_pass_or_by_two_failures(again, beside):
    found = confirmation.answered([FAILED], [answer(again)], [answer(beside)])
    assert found == ("pass" in (again, beside) or (again, beside) == ("fail", "fail"))


def test_one_failure_that_is_open_keeps_the_others_from_being_answered():
    first = [FAILED, verdict("fail", threads=4)]
    both = [answer("fail"), answer("inconclusive", threads=4)]
    assert not confirmation.answered(first, both, [answer("fail"), answer("fail", threads=4)])
    assert confirmation.answered(first, [both[0], answer("fail", threads=4)], [both[0], answer("fail", threads=4)])


def test_what_did_not_fail_at_first_need_not_be_answered():
    first = [FAILED, verdict("pass", threads=4)]
    again = [answer("fail"), answer("inconclusive", threads=4)]
    assert confirmation.answered(first, again, again)


def test_a_failure_without_an_answer_is_not_answered():
    assert not confirmation.answered([FAILED], [], [])


# What becomes of a failure.


def test_a_failure_that_shows_again_both_ways_stays_and_says_how_it_was_confirmed():
    one = confirmed(answer("fail", 0.52), answer("fail", 0.49), where="3 fresh processes")
    assert one.status == "fail"
    assert one.reason == (
        f"{FAILED.reason}. Confirmed in 3 fresh processes: 0.52, and 0.49 relative to a control workload that shares "
        "nothing"
    )


@pytest.mark.parametrize("beside", STATUSES)
def test_a_failure_that_passes_as_measured_is_inconclusive_and_quotes_the_pass(beside):
    one = confirmed(answer("pass", 0.99, "efficiency is 0.99, above it"), answer(beside))
    assert one.status == "inconclusive"
    assert one.reason == (
        f"{FAILED.reason}, but measured again in a fresh process it passed: efficiency is 0.99, above it. Run it "
        "again; was something else at work?"
    )


@pytest.mark.parametrize("again", ["fail", "inconclusive"])
def test_a_failure_that_passes_beside_the_control_is_inconclusive_and_blames_the_machine(again):
    one = confirmed(answer(again), answer("pass", 0.97))
    assert one.status == "inconclusive"
    assert one.reason == (
        f"{FAILED.reason}, but the machine itself did not scale meanwhile: relative to a control workload that shares "
        "nothing it is 0.97. Run it where the cores are its own"
    )


@pytest.mark.parametrize("beside", ["fail", "inconclusive"])
def test_a_failure_that_is_open_as_measured_is_inconclusive_and_says_why_it_is_open(beside):
    one = confirmed(answer("inconclusive", reason="the interval holds it"), answer(beside, reason="not this"))
    assert one.status == "inconclusive"
    assert one.reason == (f"{FAILED.reason}, but it could not be confirmed in a fresh process: the interval holds it")


def test_a_failure_that_is_open_beside_the_control_says_that_it_is_open_there():
    one = confirmed(answer("fail", reason="not this"), answer("inconclusive", reason="the interval holds it"))
    assert one.status == "inconclusive"
    assert one.reason == (
        f"{FAILED.reason}, but it could not be confirmed in a fresh process relative to a control workload: the "
        "interval holds it"
    )


def test_only_two_failures_leave_a_failure_standing():
    standing = {both for both in PAIRS if confirmed(*map(answer, both)).status == "fail"}
    assert standing == {("fail", "fail")}


@pytest.mark.parametrize(("again", "beside"), PAIRS)
def test_what_was_measured_at_first_and_what_it_was_asked_stays_as_it_was(again, beside):
    one = confirmed(answer(again, 0.7), answer(beside, 0.8))
    assert (one.check, one.threads, one.observed, one.limit) == ("linear", 2, 0.5, 0.85)
    assert one.reason.startswith(FAILED.reason)


def test_a_check_that_observes_nothing_is_confirmed_without_a_number():
    one = confirmed(answer("fail", None), answer("fail", None))
    assert "Confirmed in a fresh process: unknown, and unknown relative to a control" in one.reason


def test_what_did_not_fail_is_left_alone_and_the_order_is_kept():
    first = [verdict("pass", threads=2), verdict("fail", threads=4), verdict("inconclusive", threads=8)]
    again = [answer("pass", threads=threads) for threads in (8, 4, 2)]
    made = confirmation.confirmed(first, again, again, "a fresh process")
    assert [one.threads for one in made] == [2, 4, 8]
    assert [one.status for one in made] == ["pass", "inconclusive", "inconclusive"]
    assert (made[0], made[2]) == (first[0], first[2])


def test_each_failure_is_answered_by_the_same_check_and_thread_count():
    first = [verdict("fail", 2), verdict("fail", 4), verdict("fail", 2, check="fairness")]
    statuses = {("linear", 2): "fail", ("linear", 4): "pass", ("fairness", 2): "inconclusive"}
    answers = [answer(status, threads=threads, check=check) for (check, threads), status in statuses.items()]
    made = confirmation.confirmed(first, answers[::-1], answers, "a fresh process")
    assert [one.status for one in made] == ["fail", "inconclusive", "inconclusive"]


@pytest.mark.parametrize("answers", [[], [answer("pass", threads=4)]])
def test_a_failure_of_a_check_that_asks_each_time_something_else_stays_as_it_was(answers):
    assert confirmation.confirmed([FAILED], answers, answers, "a fresh process") == (FAILED,)


# Together with a check of ours.


def test_a_machine_on_which_the_control_scales_as_badly_makes_a_failure_inconclusive():
    check = LinearCheck()
    measured = rounds_of({1: 40, 2: 44}, ripple=0.01)

    def judged(control_qps_2: float) -> Verdict:
        rounds = beside_control(measured, {1: 500, 2: control_qps_2})
        as_measured = check.judge(evidence(rounds))
        [one] = confirmation.confirmed(
            check.judge(evidence(measured)),
            as_measured,
            check.judge(evidence(rounds, relative_to_control=True)),
            "a fresh process",
        )
        return one

    assert judged(1000).status == "fail"
    assert "Confirmed in a fresh process: 0.55, and 0.55 relative" in judged(1000).reason
    assert judged(550).status == "inconclusive"
    assert "the machine itself did not scale meanwhile" in judged(550).reason
    assert "it is 1.00. Run it where the cores are its own" in judged(550).reason


def test_a_check_that_has_no_use_for_a_control_is_confirmed_by_the_rounds_alone():
    assert confirmation.answered([FAILED], [answer("fail")], [])
    (stands,) = confirmation.confirmed([FAILED], [answer("fail")], [], "a fresh process")
    assert stands.status == "fail"
    assert stands.reason.endswith("Confirmed in a fresh process: 0.50")
    (doubted,) = confirmation.confirmed([FAILED], [answer("inconclusive")], [], "a fresh process")
    assert doubted.status == "inconclusive"
