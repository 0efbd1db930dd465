from __future__ import annotations

import dataclasses
import functools
import os
import signal
import threading
import time
import weakref

import numpy as np
import pytest

from pytest_paddle_mt.engines import Workload, python_loop
from pytest_paddle_mt.engines.python import PythonEngine
from pytest_paddle_mt.engines.python_crew import PythonCrew
from pytest_paddle_mt.engines.python_loop import PythonLoop
from pytest_paddle_mt.errors import QueryFailed, UsageError
from pytest_paddle_mt.predictors.inputs import default_inputs
from pytest_paddle_mt.predictors.pool import PredictorPool
from pytest_paddle_mt.records import WindowPlan
from pytest_paddle_mt.statistics.counting import fraction_inside
from tests.models import CAST_TYPES, FORMATS

PLAN = WindowPlan(window_s=0.02, min_queries=20, warmup_s=0.0, warmup_queries=3)
ENDLESS = WindowPlan(window_s=3600.0, min_queries=20, warmup_s=0.0, warmup_queries=1)


@pytest.fixture
def pool(models, make_pool):
    return make_pool(models.get("mlp"))


@pytest.fixture
def inputs(pool):
    return default_inputs(pool, 2, batch_size_asked=False)


#: The sessions of a test, closed after it.
SESSIONS = []


@pytest.fixture(autouse=True)
def _sessions_are_closed():
    yield
    while SESSIONS:
        SESSIONS.pop().close()


def open_session(pool, inputs, query=None):
    SESSIONS.append(PythonEngine().open(Workload(pool=pool, inputs=inputs, query=query, synthetic=None, seed=1)))
    return SESSIONS[-1]


def test_a_query_of_the_users_own_is_what_is_called(pool, inputs):
    calls = []

    def query(predictor, given):
        calls.append((threading.current_thread().name, predictor, given))

    window = open_session(pool, [inputs], query).measure(2, PLAN)
    assert len(calls) >= window.queries + 2 * 3
    for index in range(2):
        mine = [call for call in calls if call[0] == f"paddle-mt-{index}"]
        assert all(predictor is pool[index] for _, predictor, _ in mine)
        assert all(given is inputs for _, _, given in mine)


@pytest.mark.parametrize("min_queries", [0, 2])
@pytest.mark.fault("processes", "one thread starves another", "the window closes without it")
def test_a_thread_that_another_starves_holds_no_window_up(pool, inputs, min_queries):
    served_s = time.monotonic()

    def query(predictor, given):
        nonlocal served_s
        if predictor is pool[0]:
            served_s = time.monotonic()
            time.sleep(0.001)
        else:
            began_s = time.monotonic()
            while time.monotonic() < max(began_s, served_s) + 0.2:  # as long as the other one serves, and never short
                time.sleep(0.01)

    plan = WindowPlan(window_s=0.05, min_queries=min_queries, warmup_s=0.0, warmup_queries=1)
    serving, starved = open_session(pool, [inputs], query).measure(2, plan).per_thread
    assert 0 < starved.completed < serving.completed


def test_the_patience_with_a_starved_thread_is_that_of_the_fastest_query():
    loop = PythonLoop([lambda index: None] * 3, PLAN)
    of_fastest_ns = 20 * 1e8  # 20 queries of 100 ms
    assert loop._count_steady(500_000_000, 5) == of_fastest_ns
    assert loop._count_steady(60_000_000_000, 1) == of_fastest_ns  # waited a minute for a lock
    assert loop._count_steady(10_000_000, 10) == 3e8  # 20 queries of 1 ms are less than 0.3 s


def test_nothing_but_the_users_own_query_runs_the_predictor(pool):
    not_for_the_model = {"anything": np.zeros(3)}  # the user's query knows what to do with it
    window = open_session(pool, [not_for_the_model], lambda predictor, given: None).measure(2, PLAN)
    assert window.queries >= 40


def test_input_sets_are_taken_in_turn(pool, inputs):
    seen = []
    sets = [dict(inputs), dict(inputs), dict(inputs)]
    open_session(pool, sets, lambda predictor, given: seen.append(given)).measure(1, PLAN)
    assert all(given is sets[query % 3] for query, given in enumerate(seen))


def test_each_thread_begins_with_another_input_set(pool, inputs):
    first = {}
    sets = [dict(inputs), dict(inputs), dict(inputs)]
    query = lambda predictor, given: first.setdefault(threading.current_thread().name, given)  # noqa: E731
    open_session(pool, sets, query).measure(4, PLAN)
    assert all(first[f"paddle-mt-{index}"] is sets[index % 3] for index in range(4))


def test_a_thread_serves_on_until_the_query_that_another_has_under_way_at_the_close_has_ended(
    pool, inputs, monkeypatch
):
    monkeypatch.setattr(python_loop, "_PATIENCE_NS", 1e11)  # however long 100 queries take on a busy machine
    calls = {"paddle-mt-0": 0, "paddle-mt-1": 0}
    more_than_a_window = threading.Event()
    waited = []

    def query(predictor, given):
        time.sleep(0.001)
        name = threading.current_thread().name
        calls[name] += 1
        if name == "paddle-mt-0" and waited:
            waited[0] -= 1
            if waited[0] == 0:
                more_than_a_window.set()
        if name == "paddle-mt-1" and calls[name] == 12:
            waited.append(100)  # queries of 1 ms, twice the window
            waited.append(more_than_a_window.wait(10))

    plan = WindowPlan(window_s=0.05, min_queries=2, warmup_s=0.0, warmup_queries=2)
    open_session(pool, [inputs], query).measure(2, plan)
    assert waited[1]


def test_the_queries_at_the_edges_count_by_their_share_inside(pool, inputs, monkeypatch):
    edges = []

    def counted(*times):
        edges.append(times)
        return fraction_inside(*times)

    monkeypatch.setattr(python_loop, "fraction_inside", counted)
    plan = WindowPlan(window_s=0.011, min_queries=2, warmup_s=0.0, warmup_queries=2)
    window = open_session(pool, [inputs], lambda predictor, given: time.sleep(0.002)).measure(1, plan)
    (began_ns, opening_end_ns, opened_ns, closed_ns), (closing_start_ns, ended_ns, *same) = edges
    assert same == [opened_ns, closed_ns] == [window.opened_ns, window.opened_ns + window.open_ns]
    assert began_ns <= opened_ns <= opening_end_ns
    assert closing_start_ns <= closed_ns <= ended_ns
    started_inside = window.queries - 1  # the query under way at the opening completed inside, too
    recount = started_inside + sum(fraction_inside(*times) for times in edges)
    assert window.per_thread[0].completed == pytest.approx(recount)


def test_a_window_lasts_the_expected_queries_of_a_thread_by_the_mean_of_all(pool, inputs):
    def query(predictor, given):
        time.sleep(0.004 if threading.current_thread().name == "paddle-mt-1" else 0.001)

    plan = WindowPlan(window_s=0.0, min_queries=2, warmup_s=0.0, warmup_queries=3, expected_queries=6)
    assert open_session(pool, [inputs], query).measure(2, plan).open_ns >= 6 * 2_500_000


@pytest.mark.fault(
    "processes", "a `query=` raises in a measuring thread", "the test fails with thread, query and its message"
)
def test_what_the_users_own_query_raises_is_the_cause_of_the_failure(pool, inputs, measuring_threads):
    error = ValueError("no such label: 7")
    calls = []

    def query(predictor, given):
        if threading.current_thread().name == "paddle-mt-1":
            calls.append(1)
            if len(calls) == 12:
                raise error

    with pytest.raises(QueryFailed) as caught:
        open_session(pool, [inputs], query).measure(3, ENDLESS)
    assert caught.value.__cause__ is error
    assert (caught.value.thread, caught.value.query, caught.value.threads) == (1, 11, 3)
    assert caught.value.message == "ValueError: no such label: 7"
    measuring_threads(0)


@pytest.mark.parametrize("text", ["std::exception", "could not execute a primitive"])
def test_an_error_that_new_threads_with_two_models_have_comes_with_advice(pool, inputs, text):
    def query(predictor, given):
        raise RuntimeError(text)

    with pytest.raises(QueryFailed, match=rf"RuntimeError: {text}\. Paddle with oneDNN .* --paddle-forks=1"):
        open_session(pool, [inputs], query).measure(1, PLAN)


@pytest.mark.fault("processes", "a `query=` calls `sys.exit()`", "the test fails with thread and query")
def test_a_query_that_exits_does_not_die_unseen(pool, inputs):
    def query(predictor, given):
        if threading.current_thread().name == "paddle-mt-1":
            raise SystemExit(3)

    with pytest.raises(QueryFailed, match="query 0 of thread 1 failed while 2 threads ran: SystemExit: 3"):
        open_session(pool, [inputs], query).measure(2, ENDLESS)


def test_a_failure_during_the_warm_up_stops_the_window(pool, inputs):
    def query(predictor, given):
        raise RuntimeError("cold")

    plan = WindowPlan(window_s=1.0, min_queries=20, warmup_s=3600.0, warmup_queries=1)
    with pytest.raises(QueryFailed, match=r"query 0 of thread \d failed"):
        open_session(pool, [inputs], query).measure(2, plan)


@pytest.mark.fault("processes", "Ctrl-C in a window of Python threads", "every thread is joined")
def test_ctrl_c_joins_every_thread(pool, inputs, measuring_threads):
    calls = []

    def query(predictor, given):
        calls.append(1)
        if len(calls) == 50:
            os.kill(os.getpid(), signal.SIGINT)  # Python hands it to the main thread

    with pytest.raises(KeyboardInterrupt):
        open_session(pool, [inputs], query).measure(3, ENDLESS)
    measuring_threads(0)


def test_a_second_ctrl_c_leaves_no_thread_behind_either(pool, inputs, measuring_threads):
    serving, ended = threading.Event(), threading.Event()

    def query(predictor, given):
        serving.set()
        ended.wait(60)

    def interrupt_twice():
        serving.wait(60)
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.2)  # so that the second finds the threads being joined: if it does not, nothing is tested
        ended.set()

    interrupting = threading.Thread(target=interrupt_twice)
    interrupting.start()
    with pytest.raises(KeyboardInterrupt):
        open_session(pool, [inputs], query).measure(3, ENDLESS)
    measuring_threads(0)
    interrupting.join()


@pytest.mark.fault(
    "machine", "no further thread may be started (`python` engine)", "the test fails with what to do; no thread is left"
)
def test_a_thread_that_cannot_be_started_leaves_none_behind(pool, inputs, monkeypatch, measuring_threads):
    start = threading.Thread.start

    def refuse_the_third(thread):
        if thread.name == "paddle-mt-2":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse_the_third)
    with pytest.raises(UsageError, match="can't start new thread; ask for fewer threads"):
        open_session(pool, [inputs]).measure(4, ENDLESS)
    measuring_threads(0)


def test_threads_end_with_their_session(pool, inputs, measuring_threads):
    session = open_session(pool, [inputs])
    session.measure(3, PLAN)
    session.measure(1, PLAN)
    measuring_threads(3)
    session.close()
    measuring_threads(0)


def test_the_same_thread_serves_a_predictor_in_every_window(pool, inputs):
    threads = {}

    def query(predictor, given):
        threads.setdefault(id(predictor), set()).add(threading.current_thread())

    session = open_session(pool, [inputs], query)
    for count in (1, 3, 2, 3, 1):
        session.measure(count, PLAN)
    assert {predictor: len(of_it) for predictor, of_it in threads.items()} == {id(pool[i]): 1 for i in range(3)}
    assert len(set.union(*threads.values())) == 3


def test_what_a_thread_keeps_is_made_once_a_session(pool, inputs):
    mine = threading.local()
    made = []

    def query(predictor, given):
        if not hasattr(mine, "cache"):
            mine.cache = True
            made.append(1)

    session = open_session(pool, [inputs], query)
    for _ in range(3):
        session.measure(2, PLAN)
    assert len(made) == 2


def test_waiting_threads_hold_on_to_no_predictor(models, inputs):
    class Served:
        pass

    served = [Served(), Served()]
    gone = [weakref.ref(one) for one in served]
    pool = PredictorPool.of_objects(served)
    served.clear()
    crew = PythonCrew()
    calls = [functools.partial(lambda one, query: None, pool[index]) for index in range(2)]
    PythonLoop(list(calls), PLAN).run(crew)
    calls.clear()
    pool.close()
    time_s = time.monotonic()
    while any(one() is not None for one in gone) and time.monotonic() < time_s + 10:
        time.sleep(0.001)  # a thread lets go right after the window was over
    crew.close()
    assert [one() for one in gone] == [None, None]


def test_threads_that_a_failure_ended_are_replaced(pool, inputs, measuring_threads):
    calls = []

    def query(predictor, given):
        calls.append(1)
        if len(calls) == 12:
            raise ValueError("once")

    session = open_session(pool, [inputs], query)
    with pytest.raises(QueryFailed, match="ValueError: once"):
        session.measure(2, ENDLESS)
    measuring_threads(0)
    assert session.measure(2, PLAN).threads == 2


def test_a_closed_session_lets_go_of_the_predictors(pool, inputs):
    session = open_session(pool, [inputs])
    session.measure(2, PLAN)
    session.close()
    assert session._calls == []


@pytest.mark.parametrize(("form", "dtype"), [(form, dtype) for form in FORMATS for dtype in CAST_TYPES[form]])
def test_the_stock_way_serves_inputs_of_every_type(models, make_pool, form, dtype):
    pool = make_pool(models.cast(dtype, form))
    inputs = default_inputs(pool, 64, batch_size_asked=False)
    if dtype == "float64":
        inputs["x"] = np.float32(inputs["x"]).astype(np.float64)  # the model goes through float32
    assert open_session(pool, [inputs]).measure(2, PLAN).threads == 2
    for index in range(2):
        _, echo = pool.answer(index, inputs).values()
        assert echo.dtype == inputs["x"].dtype
        assert echo.tobytes() == inputs["x"].tobytes()


@pytest.mark.parametrize("form", FORMATS)
def test_every_predictor_answers_correctly_after_threads_ran_side_by_side(models, make_pool, form):
    pool = make_pool(models.get("several", form))
    inputs = default_inputs(pool, 3, batch_size_asked=False)
    before = pool.answer(0, inputs)
    open_session(pool, [inputs]).measure(4, PLAN)
    for index in range(4):
        after = pool.answer(index, inputs)
        assert all(array.tobytes() == after[name].tobytes() for name, array in before.items())


def test_a_thread_stays_on_its_cpu_from_its_second_query_to_the_end_of_the_window(pool, inputs):
    everywhere = os.sched_getaffinity(0)
    cpu = max(everywhere)
    seen = []
    session = open_session(pool, [inputs], lambda *_: seen.append(os.sched_getaffinity(0)))
    window = session.measure(1, dataclasses.replace(PLAN, cpus=(cpu,)))
    assert seen[0] == everywhere
    assert [one for one in seen[1:] if one != {cpu}] == []
    assert window.per_thread[0].pinned
    seen.clear()
    assert not session.measure(1, PLAN).per_thread[0].pinned
    assert seen[-1] == everywhere


def test_a_query_that_changes_the_affinity_of_its_thread_shows(pool, inputs):
    everywhere = os.sched_getaffinity(0)
    session = open_session(pool, [inputs], lambda *_: os.sched_setaffinity(0, everywhere))
    window = session.measure(1, dataclasses.replace(PLAN, cpus=(min(everywhere),)))
    assert window.per_thread[0].pinned == (len(everywhere) == 1)
