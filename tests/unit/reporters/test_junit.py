"""JUnit: figures as properties of the test."""

from __future__ import annotations

from pytest_paddle_mt.records import Sweep
from pytest_paddle_mt.reporters import Finished
from pytest_paddle_mt.reporters.junit import JunitReporter
from tests.builders import measured, point, sweep, verdict


class FakeItem:
    """A test, as far as the reporter needs it."""

    def __init__(self) -> None:
        self.user_properties: list[tuple[str, object]] = []


def properties(*sweeps: Sweep) -> list[tuple[str, object]]:
    item = FakeItem()
    for one in sweeps:
        JunitReporter().sweep_finished(Finished(sweep=one, measured=measured(), item=item, benchmark=None))
    return item.user_properties


def test_the_status_and_the_figures_of_each_thread_count_become_properties():
    assert properties(sweep(points=(point(1, 40, efficiency=1.0), point(2, 78.12345)))) == [
        ("paddle_mt_status", "pass"),
        ("paddle_mt_qps_1", 40),
        ("paddle_mt_efficiency_1", 1.0),
        ("paddle_mt_qps_2", 78.123),
        ("paddle_mt_efficiency_2", 0.98),
    ]


def test_an_efficiency_that_is_undefined_is_left_out():
    names = [name for name, _ in properties(sweep(points=(point(2, 78, efficiency=None),)))]
    assert names == ["paddle_mt_status", "paddle_mt_qps_2"]


def test_the_status_is_the_worst_of_the_verdicts():
    assert properties(sweep(verdicts=(verdict("pass"), verdict("fail"))))[0] == ("paddle_mt_status", "fail")


def test_a_second_attempt_of_a_test_replaces_the_properties_of_the_first():
    second = properties(sweep(verdicts=(verdict("fail"),)), sweep())
    assert [value for name, value in second if name == "paddle_mt_status"] == ["pass"]
    assert len(second) == len({name for name, _ in second})
