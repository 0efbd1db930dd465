"""One fork, from its parent's side: how long it may take, and the errors that it reports."""

from __future__ import annotations

import errno
import os
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_paddle_mt.engines.python_crew import PythonCrew
from pytest_paddle_mt.engines.python_loop import PythonLoop
from pytest_paddle_mt.errors import ForkFailed, ModelError, PaddleMtError, QueryFailed, WrongAnswer
from pytest_paddle_mt.records import WindowPlan
from pytest_paddle_mt.workers import child, fork
from pytest_paddle_mt.workers.fork import ForkWorker
from pytest_paddle_mt.workers.launch import Place, Role
from pytest_paddle_mt.workers.protocol import Closed, Cut, Ended, Failed, Missed

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
@pytest.mark.fault("processes", "one fork crashes with one thread", "the advice is to try less than that")
def test_the_advice_after_a_crash_is_to_try_less_than_what_crashed(worker, role, threads, advice):
    worker._threads, worker._role = threads, None
    if role is not None:
        side, place, against = role
        worker._place, worker._role = place, Role(side=side, place=place, first=1, against=against)
    assert worker._advice().startswith(f"Find out whether it also happens {advice}")


class FakeProcess:
    """A process that ended with ``status``, or lives."""

    def __init__(self, status):
        self.killed = False
        self.status = lambda: status
        self.lives = lambda: status is None
        self.wait = lambda seconds: status is not None
        self.stacks = lambda: "in measure"
        self.last_lines = lambda: "\nIts output:\n    about to end"
        self.death = fork.ForkProcess.death.__get__(self)

    def kill(self):
        self.killed = True


ON_EITHER_SIDE = "the test fails, names the side and how to run it alone"
NO_ROOM = "the test fails with the limit to raise"
NO_SPACE = "the test fails, and says to free space or to set TMPDIR"

SIDES = {
    "this": (Role(side="this", place=None, first=1, against=True), "fork 1 ", "without the comparison"),
    "other": (
        Role(side="other", place=PLACE, first=2, against=True),
        "fork 1 (the other side, /venv/bin/python) ",
        "there alone",
    ),
}


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        pytest.param(
            Closed(),
            -signal.SIGSEGV,
            ["died of SIGSEGV while it measured 2 threads", "about to end"],
            marks=pytest.mark.fault("processes", "SIGSEGV on either side of `--paddle-against`", ON_EITHER_SIDE),
        ),
        pytest.param(
            Closed(),
            -signal.SIGKILL,
            ["died of SIGKILL", "The kernel sends it when memory runs out: look at dmesg"],
            marks=pytest.mark.fault("processes", "either side of `--paddle-against` is killed", ON_EITHER_SIDE),
        ),
        pytest.param(
            Closed(),
            3,
            ["exited with status 3", "about to end"],
            marks=pytest.mark.fault("processes", "either side of `--paddle-against` exits by itself", ON_EITHER_SIDE),
        ),
        pytest.param(
            Missed(),
            None,
            ["hung: it did not answer within 7 s", "was killed", "in measure"],
            marks=pytest.mark.fault(
                "processes", "either side of `--paddle-against` hangs", "the test fails with the side and its stacks"
            ),
        ),
        pytest.param(
            Cut("in the middle of a message"),
            0,
            ["exited with status 0 while it measured 2 threads (in the middle of a message)"],
            marks=pytest.mark.fault(
                "processes", "the connection to either side of `--paddle-against` breaks", ON_EITHER_SIDE
            ),
        ),
    ],
)
def test_a_side_that_ends_or_hangs_is_named_with_how_to_run_it_alone(tmp_path, monkeypatch, side, error, status, told):
    role, name, alone = SIDES[side]
    process = FakeProcess(status)
    monkeypatch.setattr(fork, "ForkProcess", lambda *_: process)
    worker = ForkWorker(1, SimpleNamespace(config=None), 1, tmp_path / "fork1", role)
    worker._threads, worker._doing = 2, "measured 2 threads"
    failure = worker._failure(error, 7.0)
    worker._channel.close()
    assert type(failure) is ForkFailed
    assert str(failure).startswith(name)
    for part in [*told, "with one thread (--paddle-threads=1) or ", alone]:
        assert part in str(failure)
    assert worker.process.killed is (status is None)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.fault(
    "processes",
    "the test ends on either side of `--paddle-against` before it serves (no model, a failed fixture)",
    "the test fails with what ended it there",
)
def test_a_side_whose_test_ends_before_it_serves_is_a_failure_with_its_problem(worker, side):
    role, *_ = SIDES[side]
    worker._place, worker._role, worker.process = role.place, role, FakeProcess(None)
    error = worker._ended_early(Ended(problems=("setup failed:\nModelError: there is no 'm.json'",), absent=None))
    assert type(error) is ForkFailed
    assert "ModelError: there is no 'm.json'" in str(error)


@pytest.mark.parametrize(
    ("refused", "number", "step"),
    [
        pytest.param(
            "socket.socketpair",
            errno.EMFILE,
            "raise the limit on open files (ulimit -n)",
            marks=pytest.mark.fault("machine", "a fork finds no free file descriptor", NO_ROOM),
        ),
        pytest.param(
            "subprocess.Popen",
            errno.EAGAIN,
            "raise the limit on processes (ulimit -u, the container's pids)",
            marks=pytest.mark.fault("machine", "no further process may be started", NO_ROOM),
        ),
        pytest.param(
            "pathlib.Path.mkdir",
            errno.ENOSPC,
            "free space, or set TMPDIR to a folder that has some",
            marks=pytest.mark.fault("machine", "the disk of the temporary folder is full", NO_SPACE),
        ),
        ("pathlib.Path.open", errno.ENOSPC, "free space, or set TMPDIR to a folder that has some"),
        ("subprocess.Popen", errno.ENOEXEC, "check that what it names exists and can be used"),
    ],
)
def test_a_fork_that_cannot_be_started_fails_with_what_to_do_and_leaves_nothing_open(
    tmp_path, monkeypatch, refused, number, step
):
    def refuse(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fork.launch, "command", lambda *_: [])
    monkeypatch.setattr(fork.launch, "working_directory", lambda *_: tmp_path)
    before = len(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(refused, refuse)
    with pytest.raises(ForkFailed, match="fork 1 could not be started") as raised:
        ForkWorker(1, SimpleNamespace(config=None), 1, tmp_path / "fork1")
    assert str(raised.value).endswith(f"{step}, or measure without forks (--paddle-forks=0)")
    assert len(os.listdir("/proc/self/fd")) == before
