"""What a parent asks of its forks: how long it waits, and that they serve the same."""

from __future__ import annotations

import pytest

from pytest_paddle_mt.errors import ForkFailed
from pytest_paddle_mt.records import WindowPlan
from pytest_paddle_mt.workers import fork
from pytest_paddle_mt.workers.fork import Crew, ForkWorker
from tests.builders import subject


def deadline_s(threads=1, query_s=0.01, **changes):
    plan = {"window_s": 0.5, "min_queries": 20, "warmup_s": 0.1, "warmup_queries": 3, **changes}
    worker = ForkWorker.__new__(ForkWorker)
    worker._query_s = query_s
    return worker._deadline_s(threads, WindowPlan(**plan))


def crew(*subjects):
    made = Crew.__new__(Crew)
    made.workers = []
    for number, one in enumerate(subjects, 1):
        worker = ForkWorker.__new__(ForkWorker)
        worker.fork, worker.subject = number, one
        made.workers.append(worker)
    return made


def test_a_window_has_its_own_seconds_and_ten_times_its_queries_at_the_speed_of_the_first_for_each_thread():
    assert deadline_s() == pytest.approx(fork.SLACK_S + 0.6 + 10 * 23 * 0.01)
    assert deadline_s(threads=8) - deadline_s() == pytest.approx(7 * 10 * 23 * 0.01)
    assert deadline_s(window_s=60.5) - deadline_s() == pytest.approx(60)


def test_an_engine_that_does_not_say_how_long_a_query_takes_gets_a_second_for_each():
    assert deadline_s(query_s=None) == deadline_s(query_s=1.0)


def test_forks_serve_what_the_first_serves_and_the_sweep_says_how_many_they_are():
    whole = crew(subject(), subject()).subject
    assert (whole.engine, whole.batch_size, whole.facts["forks"]) == ("native", 1, "2")


def test_forks_that_serve_different_things_are_refused_with_both():
    with pytest.raises(ForkFailed, match="fork 2 serves something else than fork 1: batch size 8 and 1"):
        crew(subject(), subject(batch_size=8)).subject  # noqa: B018


@pytest.mark.parametrize(
    ("states", "together"),
    [
        (("held", "held"), "held"),
        (("unknown", "released"), "released"),
        (("held", "released"), "unknown"),
        (("unknown", "unknown"), "unknown"),
        ((None, None), None),
    ],
)
def test_whether_the_gil_is_held_is_known_when_no_fork_contradicts(states, together):
    assert crew(*(subject(gil=state) for state in states)).subject.gil == together
