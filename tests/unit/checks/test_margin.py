"""The rule that the checks share: what a pass promises, threads that wait, and what the control workload changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_paddle_mt.checks.collapse import CollapseCheck
from pytest_paddle_mt.checks.linear import LinearCheck
from pytest_paddle_mt.records import Round, Verdict
from pytest_paddle_mt.testing import window
from tests.builders import beside_control, evidence, round_of, round_with, rounds_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def linear(rounds, *, relative: bool = True) -> Verdict:
    [verdict] = LinearCheck().judge(evidence(rounds, relative_to_control=relative))
    return verdict


def collapse(rounds, *, relative: bool = True) -> Verdict:
    [verdict] = CollapseCheck().judge(evidence(rounds, relative_to_control=relative))
    return verdict


def test_a_control_that_scales_as_badly_turns_a_failure_of_efficiency_into_a_pass():
    rounds = beside_control(rounds_of({1: 40, 2: 44}, ripple=0.01), {1: 500, 2: 550})
    assert linear(rounds, relative=False).status == "fail"
    verdict = linear(rounds)
    assert verdict.status == "pass"
    assert verdict.observed == pytest.approx(1.0, abs=0.001)


def test_a_control_that_scales_leaves_a_failure_of_efficiency_one():
    verdict = linear(beside_control(rounds_of({1: 40, 2: 44}, ripple=0.01), {1: 500, 2: 1000}))
    assert verdict.status == "fail"
    assert verdict.observed == pytest.approx(0.55, abs=0.001)
    assert verdict.limit == 0.85


def test_a_control_that_falls_as_far_turns_a_collapse_into_a_pass():
    rounds = beside_control(rounds_of({1: 40, 2: 80, 4: 40}, ripple=0.01), {1: 500, 2: 1000, 4: 500})
    assert collapse(rounds, relative=False).status == "fail"
    verdict = collapse(rounds)
    assert verdict.status == "pass"
    assert verdict.observed == pytest.approx(1.0, abs=0.001)


def test_a_control_that_holds_leaves_a_collapse_one():
    verdict = collapse(beside_control(rounds_of({1: 40, 2: 80, 4: 40}), {1: 500, 2: 1000, 4: 1000}))
    assert verdict.status == "fail"
    assert verdict.observed == pytest.approx(0.5, abs=0.001)


def test_a_control_that_stands_by_changes_nothing_as_measured():
    rounds = rounds_of({1: 40, 2: 44}, ripple=0.01)
    with_control = linear(beside_control(rounds, {1: 500, 2: 550}), relative=False)
    assert (with_control.status, with_control.reason) == ("fail", linear(rounds, relative=False).reason)


def test_what_moves_control_and_predictor_alike_cancels_round_by_round():
    rounds = [
        one
        for index, pace in enumerate((1.0, 0.7, 0.9, 0.6, 0.8, 1.0))
        for one in beside_control(rounds_of({1: 40, 2: 76 * pace}, count=1), {1: 500, 2: 1000 * pace})
    ]
    assert linear(rounds, relative=False).status == "inconclusive"
    verdict = linear(rounds)
    assert verdict.status == "pass"
    assert verdict.reason.startswith("scaling efficiency with 2 threads is 0.95 (0.95 to 0.95, 6 rounds)")


def test_what_other_work_took_from_the_control_is_given_back_to_it():
    rounds = rounds_of({1: 40, 2: 44}, ripple=0.01)
    verdict = linear(beside_control(rounds, {1: 500, 2: 550}, at=2, delay_share=0.45))
    assert verdict.status == "fail"
    assert verdict.observed == pytest.approx(0.55, abs=0.001)


def test_rounds_whose_control_was_disturbed_by_nobody_knows_how_much_are_set_aside():
    measured = rounds_of({1: 40, 2: 44}, count=6)
    quiet = beside_control(measured, {1: 500, 2: 1000})
    disturbed = beside_control(measured, {1: 500, 2: 550}, at=2, stolen_cores=0.5)
    verdict = linear([*quiet, *disturbed])
    assert verdict.status == "fail"
    assert verdict.observed == pytest.approx(0.55, abs=0.001)
    assert linear(disturbed).status == "inconclusive"
    assert "other work on this machine took the cores away in 6 of 6 rounds" in linear(disturbed).reason


def test_relative_to_a_control_that_nobody_measured_is_an_error():
    with pytest.raises(ValueError, match=r"a visit with 1 thread has no control"):
        linear(rounds_of({1: 40, 2: 44}))


def test_a_pass_may_have_an_interval_that_ends_five_points_below_the_limit_and_no_more():
    spread = {0.03: "pass", 0.12: "inconclusive"}
    for ripple, status in spread.items():
        verdict = linear(rounds_of({1: 40, 2: 70}, ripple=ripple, count=12), relative=False)
        assert (verdict.status, round(verdict.observed, 2)) == (status, 0.87)


def test_an_estimate_below_the_limit_never_passes():
    verdict = linear(rounds_of({1: 40, 2: 67.6}, ripple=0.001, count=48), relative=False)
    assert verdict.observed == pytest.approx(0.845, abs=0.001)
    assert verdict.status == "fail"


def test_time_that_waiting_threads_lost_is_not_credited_to_a_pass():
    """A lock held for the whole of each query, next to other work: 0.50 in truth, and 0.96 with all the credit."""
    lost = {"cpu_share": 0.5, "delay_share": 0.48}
    waits = linear(rounds_of({1: 40, 2: 40}, ripple=0.01, at=2, sleeps_per_query=0.05, **lost), relative=False)
    assert waits.status == "inconclusive"
    assert "so it is 0.50 if other work cost them nothing, and 0.96 if it cost what it seems to" in waits.reason
    alone = linear(rounds_of({1: 40, 2: 40}, ripple=0.01, at=2, **lost), relative=False)
    assert alone.status == "pass"


def test_waiting_threads_that_lost_no_time_fail():
    rounds = rounds_of({1: 40, 2: 40}, ripple=0.01, at=2, cpu_share=0.5, sleeps_per_query=0.05)
    assert linear(rounds, relative=False).status == "fail"


def waiting(qps_of: Callable[[float], float], lost: Sequence[float], *, alone: float = 40) -> tuple[Round, ...]:
    """A round for each lost share; two threads, which wait for each other, serve ``qps_of`` it."""
    return tuple(
        round_of({1: alone, 2: qps_of(share)}, index, at=2, sleeps_per_query=0.05, cpu_share=0.3, delay_share=share)
        for index, share in enumerate(lost)
    )


LOST = (0.05, 0.48, 0.31, 0.55, 0.02, 0.4, 0.22, 0.5, 0.08)
SCATTER = dict(zip(LOST, (1.02, 0.97, 1.0, 1.03, 0.99, 1.01, 0.98, 1.02, 1.0), strict=True))


def test_waiting_threads_that_serve_as_much_whatever_they_lose_fail_beside_other_work():
    """Work under one lock needs one core: 0.50 in truth, and 0.75 with all the credit."""
    verdict = linear(waiting(lambda share: 40 * SCATTER[share], LOST), relative=False)
    assert verdict.status == "fail"
    assert verdict.observed == pytest.approx(0.5, abs=0.01)


def test_the_loss_of_waiting_threads_is_judged_alike_relative_to_the_control():
    rounds = beside_control(waiting(lambda share: 40 * SCATTER[share], LOST), {1: 500, 2: 900})
    assert linear(rounds).status == "fail"
    assert linear(rounds).observed == pytest.approx(0.5 / 0.9, abs=0.01)


def test_waiting_threads_that_lose_in_proportion_do_not_fail():
    """They reach 0.95 in the time that other work leaves them, and 0.67 as measured."""
    verdict = linear(waiting(lambda share: 76 * (1 - share) * SCATTER[share], LOST), relative=False)
    assert verdict.status == "inconclusive"
    assert verdict.observed == pytest.approx(0.95, abs=0.02)


def test_waiting_threads_that_lose_more_than_their_own_delay_do_not_fail():
    """Each waits for the other while that one has no core: 0.95 in truth, 0.65 with all the credit."""
    verdict = linear(waiting(lambda share: 76 * (1 - share) ** 2 * SCATTER[share], LOST), relative=False)
    assert verdict.status == "inconclusive"
    assert verdict.observed == pytest.approx(0.95, abs=0.02)


def test_a_loss_that_seems_to_add_to_throughput_lowers_no_bound():
    """Other work adds nothing: without it they reach what they reach with it, at least."""
    verdict = linear(waiting(lambda share: 40 + 30 * share, LOST), relative=False)
    assert verdict.status == "fail"
    assert verdict.observed == pytest.approx(0.6, abs=0.01)


def test_where_no_round_lost_little_waiting_threads_have_full_credit():
    """Then nothing shows what it costs."""
    lost = [0.44, 0.5, 0.4, 0.56, 0.48, 0.42, 0.52, 0.46]
    verdict = linear(waiting(lambda share: 40 + share, lost), relative=False)
    assert verdict.status == "inconclusive"
    assert verdict.observed == pytest.approx(0.95, abs=0.02)


def test_an_estimate_below_the_limit_says_how_many_rounds_more_would_show_it():
    """A lock of 70 %: more rounds decide it beside other work, and no quieter machine is needed."""
    lost = [0.02, 0.45, 0.05, 0.5, 0.3, 0.4]
    scatter = dict(zip(lost, (1.1, 0.9, 0.92, 1.1, 1.0, 0.95), strict=True))
    verdict = linear(waiting(lambda share: 57 * (1 - 0.4 * share) * scatter[share], lost), relative=False)
    assert verdict.status == "inconclusive"
    assert verdict.observed == pytest.approx(0.71, abs=0.03)
    assert "more rounds would decide it" in verdict.reason


def test_a_collapse_from_a_count_that_waits_too_is_judged_with_full_credit():
    """The loss of both is unknown then, and one line cannot show what each cost."""
    rounds = [
        round_with(
            *(
                window(threads, qps, sleeps_per_query=0.05, cpu_share=0.3, delay_share=share if threads == 4 else 0.0)
                if threads > 1
                else window(threads, qps)
                for threads, qps in ((1, 40), (2, 40), (4, 30), (4, 30), (2, 40), (1, 40))
            ),
            index=index,
        )
        for index, share in enumerate((0.0, 0.3, 0.01, 0.5, 0.4, 0.2, 0.3, 0.0, 0.5))
    ]
    verdict = collapse(rounds, relative=False)
    assert verdict.status == "inconclusive"
    assert verdict.observed > 0.9
