"""One fork, from its parent's side: how long it may take, and the errors that it reports."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_paddle_mt.engines.python_crew import PythonCrew
from pytest_paddle_mt.engines.python_loop import PythonLoop
from pytest_paddle_mt.errors import ForkFailed, ModelError, PaddleMtError, QueryFailed, WrongAnswer
from pytest_paddle_mt.records import WindowPlan
from pytest_paddle_mt.workers import child, fork
from pytest_paddle_mt.workers.fork import ForkWorker
from pytest_paddle_mt.workers.launch import Place, Role
from pytest_paddle_mt.workers.protocol import Failed

PLACE = Place(python=Path("/venv/bin/python"), rootdir=Path("/there"))


@pytest.fixture
def worker():
    """A worker without a process."""
    made = ForkWorker.__new__(ForkWorker)
    made._name, made._place, made._doing, made._query_s = "fork 1", None, "measured 1 thread", 0.01
    return made


def deadline_s(worker, threads=1, **changes):
    plan = {"window_s": 0.5, "min_queries": 20, "warmup_s": 0.1, "warmup_queries": 3, **changes}
    return worker._deadline_s(threads, WindowPlan(**plan))


def test_a_window_has_its_own_seconds_and_ten_times_its_queries_at_the_speed_of_the_first_for_each_thread(worker):
    assert deadline_s(worker) == pytest.approx(fork.SLACK_S + 0.6 + 10 * 23 * 0.01)
    assert deadline_s(worker, threads=8) - deadline_s(worker) == pytest.approx(7 * 10 * 23 * 0.01)
    assert deadline_s(worker, window_s=60.5) - deadline_s(worker) == pytest.approx(60)


def test_an_engine_that_reports_no_query_time_gets_a_second_for_each_query(worker):
    worker._query_s = 1.0
    of_a_second = deadline_s(worker)
    worker._query_s = None
    assert deadline_s(worker) == of_a_second


def test_an_error_is_raised_as_the_class_that_the_fork_names(worker):
    error = worker._as_error(Failed(error="ModelError", text="no such file", arguments={}))
    assert (type(error), str(error)) == (ModelError, "no such file")


@pytest.mark.parametrize("kind", [QueryFailed, WrongAnswer])
def test_a_failed_query_and_a_wrong_answer_keep_their_thread_and_query(worker, kind):
    there = kind(thread=1, query=5, threads=2, message="out of range")
    error = worker._as_error(child._failed(there))
    assert type(error) is kind
    assert (error.thread, error.query, error.threads, error.message) == (1, 5, 2, "out of range")
    assert str(error) == str(there)


def test_an_error_of_the_users_query_keeps_its_traceback_from_the_users_code_on(worker):
    def query(query):
        return {}["missing"]

    plan = WindowPlan(window_s=0.0, min_queries=1, warmup_s=0.0, warmup_queries=1)
    with pytest.raises(QueryFailed) as there:
        PythonLoop([query], plan).run(PythonCrew())
    error = worker._as_error(child._failed(there.value))
    told = str(error.__cause__)
    assert told.startswith("in fork 1:\n    Traceback (most recent call last):\n")
    assert f'File "{__file__}"' in told
    assert told.endswith("KeyError: 'missing'")
    assert "python_loop" not in told


def test_an_error_without_code_of_the_users_keeps_its_whole_traceback():
    with pytest.raises(AttributeError) as there:
        child._options(None)
    assert "in _options" in child._failed(there.value.with_traceback(there.tb.tb_next)).text


@pytest.mark.parametrize("name", ["pytest", "GateFailure", "annotations", "Garbled", "nothing"])
def test_a_name_that_is_no_error_of_ours_gives_the_base_class(worker, name):
    error = worker._as_error(Failed(error=name, text="it broke", arguments={}))
    assert (type(error), str(error)) == (PaddleMtError, "it broke")


def test_an_error_that_is_not_ours_is_a_failed_fork_with_its_traceback(worker):
    error = worker._as_error(Failed(error="", text="Traceback ...\nLookupError: no row", arguments={}))
    assert type(error) is ForkFailed
    assert str(error) == "fork 1 failed while it measured 1 thread:\n    Traceback ...\n    LookupError: no row"


@pytest.mark.parametrize(
    ("role", "threads", "advice"),
    [
        (None, 1, "without forks (--paddle-forks=0)"),
        (None, 4, "with one thread (--paddle-threads=1) or without forks (--paddle-forks=0)"),
        (("this", None, False), 1, "without forks (--paddle-forks=0)"),
        (("this", None, True), 1, "without the comparison (no --paddle-against, and --paddle-forks=0)"),
        (
            ("other", PLACE, True),
            2,
            "with one thread (--paddle-threads=1) or there alone (/venv/bin/python -m pytest",
        ),
    ],
)
def test_the_advice_after_a_crash_is_to_try_less_than_what_crashed(worker, role, threads, advice):
    worker._threads, worker._role = threads, None
    if role is not None:
        side, place, against = role
        worker._place, worker._role = place, Role(side=side, place=place, first=1, against=against)
    assert worker._advice().startswith(f"Find out whether it also happens {advice}")
