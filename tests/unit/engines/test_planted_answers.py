"""Faults that users had are planted in real predictors: the check finds each, and without it each passes."""

from __future__ import annotations

import contextlib
import dataclasses
import threading

import numpy as np
import pytest

from pytest_paddle_mt.engines import Workload
from pytest_paddle_mt.engines.native import NativeEngine
from pytest_paddle_mt.engines.python import PythonEngine
from pytest_paddle_mt.errors import QueryFailed, WrongAnswer
from pytest_paddle_mt.predictors.inputs import alike, default_inputs
from pytest_paddle_mt.predictors.pool import PredictorPool
from pytest_paddle_mt.records import WindowPlan
from pytest_paddle_mt.sweeps.right_answers import OWN_SETS, with_golden
from tests.models import FORMATS, PADDLE, Model

PLAN = WindowPlan(window_s=0.01, min_queries=2, warmup_s=0.0, warmup_queries=4)
ENGINES = pytest.mark.parametrize("engine", [NativeEngine(), PythonEngine()], ids=lambda engine: engine.name)
CHECKED = pytest.mark.parametrize("checked", [True, False], ids=["on", "off"])


@contextlib.contextmanager
def found(checked, match):
    """Expects a wrong answer where answers are compared, and nothing where they are not."""
    if not checked:
        yield
        return
    with pytest.raises(WrongAnswer, match=match):
        yield


def open_session(engine, pool, threads, checked=True, query=None):
    inputs = alike(default_inputs(pool, 1, batch_size_asked=False), OWN_SETS * threads, 0.0)
    assert len(inputs) == OWN_SETS * threads
    work = Workload(pool=pool, inputs=inputs[:1], query=query, synthetic=None, seed=1)
    served = with_golden(work, inputs)
    assert served.golden.own_sets == OWN_SETS
    assert served.golden.described == "compared"
    answers = {array.tobytes() for answer in served.golden.answers.values() for array in answer.values()}
    assert len(answers) == len(inputs), "or they could not be told apart"
    return engine.open(served if checked else dataclasses.replace(served, golden=None))


@pytest.fixture
def pool(models, make_pool, form):
    return make_pool(models.get("mlp", form))


@pytest.mark.parametrize("form", FORMATS)
@ENGINES
@CHECKED
def test_handles_that_are_swapped_between_threads_are_found(pool, engine, checked):
    with contextlib.closing(open_session(engine, pool, 2, checked)) as session:
        third = session._workload.inputs[2]
        pool.answer(1, third)
        pool.handles(0).outputs.update(pool.handles(1).outputs)
        with found(checked, r"query 0 of thread 0 .* to input set 0, .* It is the answer to input set 2, which no thr"):
            session.measure(1, PLAN)


@pytest.mark.parametrize("form", FORMATS)
@ENGINES
@CHECKED
def test_the_answer_to_the_query_before_is_found(pool, engine, checked):
    with contextlib.closing(open_session(engine, pool, 1, checked)) as session:
        pool.answer(0, session._workload.inputs[0])  # it will never see another input
        pool.handles(0).inputs.update(pool.handles(1).inputs)
        with found(checked, r"query 1 .* set 1, .* answer to input set 0, which this thread asked just before: answer"):
            session.measure(1, PLAN)


@pytest.mark.parametrize("form", FORMATS)
@ENGINES
@CHECKED
@pytest.mark.fault("answers", "one predictor has another weight", "the test fails")
def test_one_element_that_one_thread_answers_otherwise_is_found(models, tmp_path, form, engine, checked):
    model = models.get("mlp", form)
    weights = bytearray(model.params.read_bytes())
    weights[-4:] = (np.frombuffer(weights[-4:], np.float32) + 1).tobytes()  # a bias of the last layer
    (tmp_path / "other.pdiparams").write_bytes(weights)
    other = Model(program=model.program, params=tmp_path / "other.pdiparams")
    pool = PredictorPool.of([model.predictor(), other.predictor()])
    with contextlib.closing(open_session(engine, pool, 2, checked)) as session:
        session.measure(1, PLAN)
        with found(checked, r"query 0 of thread 1 .* set 2, 1 element of 4 in .*, first at \[0, 3\]: expected"):
            session.measure(2, PLAN)
    pool.close()


@pytest.mark.parametrize("form", FORMATS)
@CHECKED
@pytest.mark.fault("answers", "a `query=` uses one predictor in two threads", "the test fails")
def test_one_predictor_that_two_threads_share_is_found(pool, checked):
    shared, turn = pool[0], threading.Lock()

    def ran(given):
        shared.get_input_handle("x").copy_from_cpu(given["x"])
        shared.run()

    def query(_, given):
        with turn:  # at once they would crash, as a rule
            ran(given)
            if threading.current_thread().name == "paddle-mt-1":
                meanwhile = threading.Thread(target=ran, args=(session._workload.inputs[0],))
                meanwhile.start()
                meanwhile.join()
            return shared.get_output_handle(shared.get_output_names()[0]).copy_to_cpu()

    match = r"of thread 1 .* to input set 2, .* It is the answer to input set 0, which thread 0 asks"
    session = open_session(PythonEngine(), pool, 2, checked, query)
    with contextlib.closing(session), found(checked, match):
        session.measure(2, PLAN)


@pytest.mark.skipif(PADDLE < (3,), reason="in 2.6 the end of a clone leaves its siblings alone")
@ENGINES
@pytest.mark.fault(
    "answers",
    "a clone of a `.pdmodel` predictor was destroyed outside of the pool",
    "the test fails; the message has the end of a clone among the causes",
)
def test_the_end_of_a_sibling_of_a_pdmodel_is_found_or_named(models, engine):
    first = models.get("mlp", "pdmodel").predictor()
    pool = PredictorPool.of([first, first.clone()])
    sibling = [first.clone()]
    with contextlib.closing(open_session(engine, pool, 2)) as session:
        session.measure(2, PLAN)
        sibling.clear()
        with pytest.raises((WrongAnswer, QueryFailed), match="the end of one"):
            session.measure(2, dataclasses.replace(PLAN, warmup_queries=50))
    pool.close()


@pytest.mark.parametrize("form", FORMATS[:1])
def test_one_wrong_answer_among_many_is_found(pool):
    asked = []

    def query(predictor, given):
        predictor.get_input_handle("x").copy_from_cpu(given["x"])
        predictor.run()
        answer = predictor.get_output_handle(predictor.get_output_names()[0]).copy_to_cpu()
        if threading.current_thread() is not threading.main_thread():
            asked.append(1)
        return answer + (len(asked) == 31)

    with contextlib.closing(open_session(PythonEngine(), pool, 1, query=query)) as session:
        with pytest.raises(WrongAnswer, match="query 30 of thread 0"):
            session.measure(1, dataclasses.replace(PLAN, warmup_queries=40))
        assert session.measure(1, dataclasses.replace(PLAN, warmup_queries=40)).compared == 41


@pytest.mark.parametrize("form", FORMATS[:1])
def test_native_warm_ups_are_compared_query_by_query(pool):
    with contextlib.closing(open_session(NativeEngine(), pool, 2)) as session:
        window = session.measure(2, dataclasses.replace(PLAN, warmup_queries=40))
        assert window.compared == 2 * 41 < window.served
        target = session._targets[0]
        target.query(1)
        target.check(0)
        assert (target.compared, [query for query, _ in target.others()]) == (41, [0])
