"""What every engine promises, whoever wrote it: one set of tests over all that are built in."""

from __future__ import annotations

import dataclasses
import os
import statistics

import numpy as np
import pytest

from pytest_paddle_mt import engines
from pytest_paddle_mt.engines import SyntheticWork, Workload
from pytest_paddle_mt.engines.callables import call
from pytest_paddle_mt.errors import QueryFailed, UsageError
from pytest_paddle_mt.predictors.callable_pool import CallablePool
from pytest_paddle_mt.predictors.inputs import default_inputs
from pytest_paddle_mt.predictors.onnx_pool import OnnxPool
from pytest_paddle_mt.records import WindowPlan
from tests.onnx_models import linear

ENGINES = engines.built_in()

PLAN = WindowPlan(window_s=0.05, min_queries=20, warmup_s=0.01, warmup_queries=3)
SHORT = WindowPlan(window_s=0.0, min_queries=2, warmup_s=0.0, warmup_queries=1)


@pytest.fixture(params=ENGINES, ids=lambda engine: engine.name)
def engine(request):
    return request.param


@pytest.fixture
def workload(engine, request):
    """Something that the engine can serve: a tiny model, a callable, or 50 us of known work."""
    if not engine.needs_pool:
        return Workload(pool=None, inputs=(), query=None, synthetic=SyntheticWork(spin_ns=5e4), seed=1)
    if engine.name == "callable":
        pool, inputs = CallablePool([_doubled] * 5), [{"x": np.ones((2, 16), dtype=np.float32)}]
        return Workload(pool=pool, inputs=inputs, query=call, synthetic=None, seed=1)
    if engine.name == "onnxruntime":
        pool = OnnxPool(linear(request.getfixturevalue("tmp_path")))
    else:
        pool = request.getfixturevalue("make_pool")(request.getfixturevalue("models").get("mlp"))
    inputs = [default_inputs(pool, 2, batch_size_asked=False)]
    return Workload(pool=pool, inputs=inputs, query=None, synthetic=None, seed=1)


def _doubled(inputs):
    if inputs["x"].shape != (2, 16):
        raise ValueError("InvalidArgument")
    return 2 * inputs["x"]


@pytest.fixture
def failing(engine, workload):
    """The same with a query that fails after the first ones: an input of another shape, or a failure asked for."""
    if not engine.needs_pool:
        return Workload(pool=None, inputs=(), query=None, synthetic=SyntheticWork(spin_ns=5e4, fail_at=5), seed=1)
    good = workload.inputs[0]
    bad = {"x": np.zeros((2, 7), dtype=np.float32)}
    return dataclasses.replace(workload, inputs=[good, good, good, bad])


@pytest.fixture
def open_session(engine):
    sessions = []

    def open_one(workload):
        sessions.append(engine.open(workload))
        return sessions[-1]

    yield open_one
    for session in sessions:
        session.close()


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_a_window_has_an_entry_for_every_thread(open_session, workload, threads):
    window = open_session(workload).measure(threads, PLAN)
    assert window.threads == len(window.per_thread) == threads
    assert window.queries == sum(thread.queries for thread in window.per_thread)


def test_a_window_lasts_its_time_and_its_queries(open_session, workload):
    window = open_session(workload).measure(2, WindowPlan(window_s=0.05, min_queries=40, warmup_s=0, warmup_queries=1))
    assert window.open_ns >= 50_000_000
    assert all(thread.queries >= 40 for thread in window.per_thread)


def test_a_window_of_no_time_lasts_its_queries(open_session, workload):
    assert all(thread.queries >= 2 for thread in open_session(workload).measure(2, SHORT).per_thread)


def test_completions_lie_inside_the_window(open_session, workload):
    window = open_session(workload).measure(2, PLAN)
    for thread in window.per_thread:
        assert window.opened_ns <= thread.first_completion_ns < thread.last_completion_ns
        # A processor may read the clock and look whether the window is open in either order, some ns apart.
        assert thread.last_completion_ns <= window.opened_ns + window.open_ns + 1_000


def test_throughput_is_positive_and_the_sum_of_the_threads(open_session, workload):
    window = open_session(workload).measure(2, PLAN)
    assert all(thread.qps > 0 for thread in window.per_thread)
    assert window.qps == pytest.approx(sum(thread.qps for thread in window.per_thread))


def test_latencies_add_up(open_session, workload):
    for thread in open_session(workload).measure(2, PLAN).per_thread:
        assert thread.latencies.queries == thread.queries
        assert int(thread.latencies.values_ns.sum()) == thread.busy_ns
        assert np.all(np.diff(thread.latencies.values_ns) >= 0)


def test_mean_latency_times_throughput_is_the_number_of_threads(open_session, workload):
    session = open_session(workload)
    plan = WindowPlan(window_s=0.3, min_queries=20, warmup_s=0.01, warmup_queries=3)
    windows = [session.measure(2, plan) for _ in range(5)]
    assert 0.8 < statistics.median(window.mean_latency_ns * window.qps / 1e9 / 2 for window in windows) < 1.25


def test_cpu_time_and_switches_of_every_thread_are_there(open_session, workload):
    for thread in open_session(workload).measure(2, PLAN).per_thread:
        assert 0 < thread.cpu_ns <= 1.05 * thread.wall_ns
        assert thread.voluntary_switches >= 0
        assert thread.involuntary_switches >= 0
        assert thread.run_delay_ns is None or thread.run_delay_ns >= 0


def test_more_threads_may_be_measured_later(open_session, workload):
    session = open_session(workload)
    session.prepare(1)
    assert [session.measure(threads, SHORT).threads for threads in (1, 3, 2, 4, 1)] == [1, 3, 2, 4, 1]


def what_the_target_says(failing):
    return "synthetic failure asked for" if failing.pool is None else "InvalidArgument"


@pytest.mark.fault(
    "processes",
    "a query throws in one thread",
    "the window is discarded; the test fails with thread, query and message",
)
def test_a_failing_query_names_its_thread_its_query_and_the_thread_count(open_session, failing):
    session = open_session(failing)
    with pytest.raises(QueryFailed) as caught:
        session.measure(2, WindowPlan(window_s=0.0, min_queries=1000, warmup_s=0, warmup_queries=1))
    error = caught.value
    assert error.thread in (0, 1)
    assert error.query == (5 if failing.pool is None else 3 - error.thread)  # thread 1 begins with the second input
    assert error.threads == 2
    assert what_the_target_says(failing) in error.message
    assert f"query {error.query} of thread {error.thread} failed while 2 threads ran" in str(error)
    assert "every thread joined and its data discarded" in str(error)


def test_what_the_target_said_is_in_the_error(open_session, failing):
    with pytest.raises(QueryFailed) as caught:
        open_session(failing).measure(1, PLAN)
    assert what_the_target_says(failing) in caught.value.message


@pytest.mark.fault("processes", "a query fails in every window", "each window ends with the error, none hangs")
def test_a_failing_query_fails_every_time_and_never_hangs(open_session, failing):
    session = open_session(failing)
    for threads in (1, 3, 2):
        with pytest.raises(QueryFailed):
            session.measure(threads, PLAN)


def test_the_same_session_measures_again_after_a_failure(open_session, failing):
    session = open_session(failing)
    with pytest.raises(QueryFailed):
        session.measure(2, PLAN)
    if failing.pool is not None:
        failing.inputs.pop()  # the bad one
        session = open_session(failing)
        assert session.measure(2, PLAN).threads == 2
    else:
        slow = open_session(
            Workload(pool=None, inputs=(), query=None, synthetic=SyntheticWork(spin_ns=1e6, fail_at=400), seed=1)
        )
        with pytest.raises(QueryFailed):
            slow.measure(2, WindowPlan(window_s=0, min_queries=401, warmup_s=0, warmup_queries=1))
        assert slow.measure(2, SHORT).threads == 2


@pytest.mark.fault("answers", "a predictor is used after a query of it failed", "it answers correctly")
def test_predictors_answer_correctly_after_a_failure(open_session, engine, failing):
    if not engine.needs_pool or engine.name == "callable":
        pytest.skip(f"the {engine.name} engine has no predictors")
    before = failing.pool.answer(0, failing.inputs[0])
    with pytest.raises(QueryFailed):
        open_session(failing).measure(2, PLAN)
    for index in range(2):  # the one that failed, and the one that was stopped
        after = failing.pool.answer(index, failing.inputs[0])
        assert all(np.array_equal(array, after[name]) for name, array in before.items())


def test_close_joins_every_thread_and_may_be_called_twice(open_session, workload, measuring_threads):
    session = open_session(workload)
    session.measure(3, SHORT)
    session.close()
    measuring_threads(0)
    session.close()


def test_no_thread_is_left_after_a_failure_and_close(open_session, failing, measuring_threads):
    session = open_session(failing)
    with pytest.raises(QueryFailed):
        session.measure(3, PLAN)
    session.close()
    measuring_threads(0)


def test_a_session_on_a_closed_pool_refuses_to_measure(open_session, engine, workload):
    if not engine.needs_pool:
        pytest.skip(f"the {engine.name} engine has no predictors")
    session = open_session(workload)
    session.measure(2, SHORT)
    session.close()
    workload.pool.close()
    with pytest.raises(UsageError, match="the predictor pool is closed"):
        session.measure(2, SHORT)


def test_an_engine_that_serves_predictors_says_so_when_it_is_given_none(engine):
    if not engine.needs_pool:
        pytest.skip(f"the {engine.name} engine has no predictors")
    with pytest.raises(UsageError, match=rf"the {engine.name} engine serves .*concurrent_runner\("):
        engine.open(Workload(pool=None, inputs=(), query=None, synthetic=None, seed=1))


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_are_on_the_cpus_of_the_plan_when_the_window_closes(open_session, workload, threads):
    session = open_session(workload)
    cpus = tuple(sorted(os.sched_getaffinity(0)))[:2]
    placed = session.measure(threads, dataclasses.replace(SHORT, cpus=cpus))
    assert [thread.pinned for thread in placed.per_thread] == [True] * threads
    free = session.measure(threads, SHORT)
    assert [thread.pinned for thread in free.per_thread] == [False] * threads
