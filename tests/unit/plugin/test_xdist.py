"""What goes from a worker of pytest-xdist to the controller with the reports of a test."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pytest_paddle_mt.errors import UsageError
from pytest_paddle_mt.plugin.baseline_update import BaselineAcceptance
from pytest_paddle_mt.plugin.session import session_of
from pytest_paddle_mt.plugin.shares import Share
from pytest_paddle_mt.plugin.xdist import Controller, Worker
from pytest_paddle_mt.settings import Xdist
from tests.builders import measured, sweep
from tests.suite import forget_this_run

NODEID = sweep().nodeid


def report(when="call", outcome="passed", **more):
    location = ("test_scaling.py", 4, "test_serving_scales")
    return pytest.TestReport(NODEID, location, {}, outcome, None, when, user_properties=[("a", "b")], **more)


@pytest.fixture
def config(pytester, monkeypatch):
    """A configuration with a session, in which nothing runs."""
    forget_this_run(monkeypatch)
    config = pytester.parseconfig("--paddle-baseline-update")
    pytest.Session.from_config(config)
    return config


@pytest.fixture
def sent(config):
    """What a worker puts out with the report of a test that has measured."""
    worker = Worker(config, Share(mode="cores", workers=2, cpus=(0,)))
    worker.measured(sweep(), measured())
    return next_data(worker)


def next_data(worker):
    """What becomes of the data of the next report."""
    wrapper = worker.pytest_report_to_serializable(report())
    next(wrapper)
    with pytest.raises(StopIteration) as returned:
        wrapper.send({})
    return returned.value.value


class Kept:
    """A reporter that keeps what it is given, or fails."""

    def __init__(self, error=None):
        self.name = "kept" if error is None else "broken"
        self.finished = []
        self.error = error

    def sweep_finished(self, finished):
        if self.error is not None:
            raise self.error
        self.finished.append(finished)


def controlled(config, reporters, *reports):
    """The session of a controller after these reports."""
    session = session_of(config)
    session._reporters = list(reporters)
    for one in reports:
        Controller(session, Xdist(mode="cores", gpus=())).pytest_runtest_logreport(one)
    return session


def test_a_sweep_is_sent_once_with_the_next_report_of_its_test(config):
    worker = Worker(config, Share(mode="cores", workers=2, cpus=(0,)))
    worker.measured(sweep(), measured())
    assert set(next_data(worker)) == {"paddle_mt"}
    assert next_data(worker) == {}


def test_the_controller_reports_it_with_where_the_test_is_and_keeps_it_once(config, sent):
    kept = Kept()
    session = controlled(config, [kept], report("setup"), report(**sent), report("setup"), report(**sent))
    assert [one.nodeid for one in session.sweeps] == [NODEID]
    first = kept.finished[0]
    assert (first.sweep.nodeid, len(first.measured.rounds), first.benchmark) == (NODEID, 8, None)
    assert first.item.nodeid == NODEID
    assert (first.item.path, first.item.location[1]) == (config.rootpath / "test_scaling.py", 4)
    assert first.item.user_properties == [("a", "b")]


def test_nobody_else_sees_what_was_sent(config, sent):
    one = report(**sent)
    controlled(config, [], one)
    assert not hasattr(one, "paddle_mt")


def test_a_reporter_that_fails_fails_the_session_and_the_others_go_on(config, sent):
    kept = Kept()
    session = controlled(config, [Kept(ZeroDivisionError("of a plugin")), kept], report(**sent))
    assert session.unwritten == {"broken": "the reporter 'broken' failed: ZeroDivisionError('of a plugin')"}
    assert len(kept.finished) == 1


def finished(**changes):
    return SimpleNamespace(
        config=SimpleNamespace(option=SimpleNamespace(collectonly=False), getoption=lambda *_: False),
        exitstatus=pytest.ExitCode.OK,
        shouldstop=False,
        shouldfail=False,
        **changes,
    )


@pytest.mark.parametrize(
    ("workers", "reason"),
    [
        ([0, 0], None),
        ([None, 0], None),  # one crashed
        ([2, None], "2 tests deselected"),
        ([None, None], "every worker of pytest-xdist crashed"),
    ],
)
def test_what_workers_deselected_keeps_baselines_from_being_updated(config, workers, reason):
    acceptance = BaselineAcceptance(config)
    for count in workers:
        output = {} if count is None else {"workeroutput": {"paddle_mt": count}}
        acceptance.pytest_testnodedown(SimpleNamespace(**output))
    refusal = acceptance._refusal(finished())
    assert refusal is None if reason is None else reason in refusal


def test_a_later_attempt_of_a_test_that_passes_counts(config):
    acceptance = BaselineAcceptance(config)
    for one in (report("setup"), report(outcome="failed"), report("setup"), report()):
        acceptance.pytest_runtest_logreport(one)
    assert acceptance._failure_of(NODEID) is None
    acceptance.pytest_runtest_logreport(report("teardown", outcome="failed"))
    assert acceptance._failure_of(NODEID) == "its teardown ended as failed"


def test_a_worker_says_what_it_deselected(config):
    worker = Worker(config, Share(mode="cores", workers=2, cpus=(0,)))
    worker.pytest_deselected([object(), object()])
    ended = SimpleNamespace(config=SimpleNamespace(workeroutput={}))
    worker.pytest_sessionfinish(ended)
    assert ended.config.workeroutput == {"paddle_mt": 2}


def test_a_worker_with_one_gpu_refuses_another_number(config):
    worker = Worker(config, Share(mode="devices", workers=2, cpus=(0,), gpu="fake4"))
    for device in ("cpu", "gpu:0"):
        worker.will_measure(device)
    with pytest.raises(UsageError, match="is gpu:1, and with --paddle-xdist=devices each worker sees one GPU"):
        worker.will_measure("gpu:1")


def test_where_workers_take_turns_a_test_that_measures_has_the_machine_alone(config, tmp_path, monkeypatch):
    monkeypatch.setattr(config.option, "basetemp", str(tmp_path / "popen-gw0"))
    worker = Worker(config, Share(mode="serial", workers=2))
    asked = []
    for name in ("use", "use_alone", "leave"):
        monkeypatch.setattr(worker._machine, name, lambda name=name: asked.append(name))
    for fixtures in (["tmp_path"], ["concurrent_runner"]):
        running = worker.pytest_runtest_protocol(SimpleNamespace(fixturenames=fixtures))
        next(running)
        with pytest.raises(StopIteration):
            running.send(None)
    worker.will_measure("cpu")  # by a test that requests concurrent_runner by its name
    assert asked == ["use", "leave", "use_alone", "leave", "use_alone"]
