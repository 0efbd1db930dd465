"""The search for a cause: what is measured again, and when. Windows are built."""

from __future__ import annotations

import threading

import pytest

from pytest_paddle_mt.engines.synthetic import SyntheticEngine
from pytest_paddle_mt.errors import ForkFailed, WrongAnswer
from pytest_paddle_mt.records import WindowPlan
from pytest_paddle_mt.sweeps import diagnosis
from pytest_paddle_mt.testing import FakeEngine, window
from pytest_paddle_mt.workers.in_process import InProcessWorker
from tests.builders import evidence, rounds_of, subject, verdict

PLAN = WindowPlan(window_s=0.1, min_queries=0, warmup_s=0.0, warmup_queries=1)
FAILED = [verdict("fail", 2, observed=0.6)]


class BesideWork(FakeEngine):
    """One thread, slower beside threads that read memory; what it is beside is what was opened last."""

    def __init__(self, beside_stream: float, error: Exception | None = None):
        super().__init__({1: 40.0, 2: 60.0})
        self.opened: list[str] = []
        self._beside_stream = beside_stream
        self._error = error

    def open_beside(self, engine, workload):
        self.opened.append("stream" if workload.synthetic is diagnosis.STREAM_WORK else "arithmetic")
        return FakeEngine({1: 500.0})

    def measure(self, threads, plan):
        if self._error is not None:
            raise self._error
        return window(threads, self._beside_stream if self.opened[-1] == "stream" else 40.0)


@pytest.fixture
def sought(monkeypatch):
    """Why two threads that should serve 80 queries per second serve 60."""

    def seek(engine, synthetic=True, rounds=None):
        monkeypatch.setattr(SyntheticEngine, "open", lambda *given: engine.open_beside(*given))
        judged = evidence(rounds or rounds_of({1: 40, 2: 60}))
        return diagnosis.likely_cause(
            FAILED, judged, subject(), InProcessWorker(engine), PLAN, SyntheticEngine() if synthetic else None, 1
        )

    return seek


def test_one_thread_is_measured_beside_other_work_in_turn(sought):
    engine = BesideWork(beside_stream=30.0)
    assert sought(engine).kind == "memory_bandwidth"
    assert engine.opened == ["stream", "arithmetic"] * 5


def test_it_is_unknown_where_that_makes_no_difference(sought):
    assert sought(BesideWork(beside_stream=40.0)).kind == "unknown"


def test_nothing_is_measured_again_where_the_rounds_show_the_cause(sought):
    engine = BesideWork(beside_stream=30.0)
    waits = rounds_of({1: 40, 2: 40}, at=2, cpu_share=0.5, sleeps_per_query=1)
    assert sought(engine, rounds=waits).kind == "lock"
    assert engine.opened == []


def test_nothing_is_measured_again_without_known_work(sought):
    engine = BesideWork(beside_stream=30.0)
    assert sought(engine, synthetic=False).kind == "unknown"
    assert engine.opened == []


def test_a_worker_that_fails_meanwhile_leaves_the_cause_unknown(sought):
    assert sought(BesideWork(30.0, ForkFailed("it is gone"))).kind == "unknown"


def test_a_wrong_answer_meanwhile_is_not_swallowed(sought):
    error = WrongAnswer(thread=0, query=7, threads=1, message="a wrong one")
    with pytest.raises(WrongAnswer):
        sought(BesideWork(30.0, error))


@pytest.mark.parametrize("work", [diagnosis.STREAM_WORK, diagnosis.ARITHMETIC_WORK])
def test_other_cores_are_kept_busy_inside_and_no_thread_is_left(work):
    def busy():
        return [one for one in threading.enumerate() if one.name == "paddle-mt-beside"]

    with diagnosis._kept_busy(work, SyntheticEngine(), 1, seed=1):
        assert len(busy()) == 1
    assert busy() == []
