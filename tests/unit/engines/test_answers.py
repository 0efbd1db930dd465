"""Wrong answers under load are found, on real predictors; right ones raise no alarm."""

from __future__ import annotations

import contextlib
import dataclasses
import threading

import numpy as np
import pytest

from pytest_paddle_mt.engines import Workload, answers
from pytest_paddle_mt.engines.native import NativeEngine
from pytest_paddle_mt.engines.python import PythonEngine
from pytest_paddle_mt.errors import WrongAnswer
from pytest_paddle_mt.predictors.pool import PredictorPool
from pytest_paddle_mt.records import WindowPlan
from tests.models import FORMATS, PADDLE

PLAN = WindowPlan(window_s=0.02, min_queries=5, warmup_s=0.0, warmup_queries=2)
TWO_SETS = [{"x": np.full((2, 16), number, dtype=np.float32)} for number in (1, 2)]


def copy_in_and_run(predictor, given):
    for name, array in given.items():
        predictor.get_input_handle(name).copy_from_cpu(array)
    predictor.run()


def copy_out(predictor):
    return [predictor.get_output_handle(name).copy_to_cpu() for name in predictor.get_output_names()]


def serve(predictor, given):
    copy_in_and_run(predictor, given)
    return copy_out(predictor)


def golden_of(pool, inputs, query=None):
    if query is None:
        return answers.golden(lambda index: pool.answer(0, inputs[index]), len(inputs))
    return answers.golden(lambda index: query(pool[0], inputs[index]), len(inputs))


@pytest.fixture
def open_session():
    """``open_session(engine, pool, inputs, query, own_sets)``: a session that compares with golden answers."""
    sessions = []

    def open_one(engine, pool, inputs, query=None, own_sets=0):
        golden = dataclasses.replace(golden_of(pool, inputs, query), own_sets=own_sets)
        work = Workload(pool=pool, inputs=inputs, query=query, synthetic=None, seed=1, golden=golden, own_sets=own_sets)
        sessions.append(engine.open(work))
        return sessions[-1]

    yield open_one
    for session in sessions:
        session.close()


@pytest.fixture
def pool(models, make_pool):
    return make_pool(models.get("mlp"))


def in_thread(index):
    return threading.current_thread().name == f"paddle-mt-{index}"


# What is found


@pytest.mark.fault(
    "answers", "two threads share one predictor", "the test fails: the answer belongs to another thread's input"
)
def test_a_predictor_that_another_thread_ran_before_its_answer_was_read_is_found(pool, open_session):
    shared, turn = pool[0], threading.Lock()

    def query(_, given):
        with turn:  # Paddle crashes on two threads at once, as a rule
            copy_in_and_run(shared, given)
            if in_thread(1):
                another = threading.Thread(target=copy_in_and_run, args=(shared, TWO_SETS[0]))
                another.start()
                another.join()
            return copy_out(shared)

    with pytest.raises(WrongAnswer) as caught:
        open_session(PythonEngine(), pool, TWO_SETS, query, own_sets=1).measure(2, PLAN)
    error = caught.value
    assert (error.thread, error.threads) == (1, 2)
    assert "query 0 of thread 1 was answered wrongly while 2 threads ran: to input set 1, " in str(error)
    assert "of 8 in output '[0]' differ, first at [0, " in str(error)
    assert "It is the answer to input set 0, which thread 0 asks: answers were mixed up" in str(error)
    for step in ("a predictor of its own", "all clones of a .pdmodel model", "--paddle-answers=off"):
        assert step in str(error)


@pytest.mark.fault(
    "answers", "one element of one thread's answers changes after some queries", "the test fails with that element"
)
def test_one_element_that_one_thread_changes_after_some_queries_is_found(pool, open_session):
    asked = []

    def query(predictor, given):
        [scores] = serve(predictor, given)
        if in_thread(1):
            asked.append(1)
            if len(asked) > 4:
                scores[1, 2] += 1
        return {"scores": scores, "label": int(scores[0].argmax())}

    session = open_session(PythonEngine(), pool, TWO_SETS[:1], query)
    expected = golden_of(pool, TWO_SETS[:1]).answers[0]
    value = next(iter(expected.values()))[1, 2].item()
    with pytest.raises(WrongAnswer) as caught:
        session.measure(2, dataclasses.replace(PLAN, warmup_queries=12))
    assert (caught.value.thread, caught.value.query) == (1, 4)
    message = caught.value.message
    assert message.startswith("to input set 0, 1 element of 8 in output 'scores' differ, first at [1, 2]: expected ")
    assert float(message.split("expected ")[1].split(",")[0]) == pytest.approx(value)
    assert float(message.split("got ")[1]) == pytest.approx(value + 1)


@pytest.mark.fault(
    "answers", "a query returns the answer of the one before", "the test fails: the answer belongs to another input set"
)
def test_the_answer_to_the_query_before_is_found(pool, open_session):
    before = {}

    def query(predictor, given):
        answer = serve(predictor, given)
        if threading.current_thread() is threading.main_thread():
            return answer
        late = before.get(predictor, answer)
        before[predictor] = answer
        return late

    with pytest.raises(
        WrongAnswer, match=r"It is the answer to input set [01], which this thread asked just before: answers"
    ):
        open_session(PythonEngine(), pool, TWO_SETS, query).measure(1, PLAN)


@pytest.mark.fault(
    "answers", "output handles are swapped between threads", "the test fails: the answer belongs to another thread"
)
def test_native_answers_that_are_swapped_between_threads_are_found(pool, open_session):
    session = open_session(NativeEngine(), pool, TWO_SETS, own_sets=1)
    session.prepare(2)
    for target in session._targets:
        target.query(4)
    session.check_answers([5, 5])
    session._targets.reverse()
    match = r"query 4 of thread 0 .* to input set 0, .* It is the answer to input set 1, which thread 1 asks: answers"
    with pytest.raises(WrongAnswer, match=match):
        session.check_answers([5, 5])


# What raises no alarm


@pytest.mark.parametrize("engine", [NativeEngine(), PythonEngine()], ids=lambda engine: engine.name)
@pytest.mark.parametrize("onednn", [False, True], ids=["plain", "onednn"])
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", ["mlp", "mobilenet_v1"])
def test_right_answers_pass(models, open_session, name, form, onednn, engine):
    numbers = np.random.default_rng(1)
    shape, key = ((16,), "x") if name == "mlp" else ((3, 32, 32), "image")
    inputs = [{key: numbers.random((rows, *shape), dtype=np.float32)} for rows in (1, 2, 1)]
    pool = PredictorPool(models.get(name, form).config(onednn=onednn))
    session = open_session(engine, pool, inputs)
    assert not golden_of(pool, inputs).drawn
    for threads in (1, 3):
        session.measure(threads, PLAN)
    session.close()
    pool.close()


@pytest.mark.parametrize("engine", [NativeEngine(), PythonEngine()], ids=lambda engine: engine.name)
def test_outputs_whose_shapes_follow_the_data_are_compared(models, make_pool, open_session, engine):
    pool = make_pool(models.get("positives"))
    inputs = [{"x": np.array(x, dtype=np.float32)} for x in ([1, -1, 2], [-1, -2], [3])]
    session = open_session(engine, pool, inputs)
    for threads in (2, 3):
        session.measure(threads, PLAN)


@pytest.mark.skipif(PADDLE < (3,), reason="in 2.6 every run of a model with random numbers gives the same ones")
@pytest.mark.parametrize("engine", [NativeEngine(), PythonEngine()], ids=lambda engine: engine.name)
@pytest.mark.parametrize("name", ["random", "drawn"])
@pytest.mark.fault("answers", "a model draws its answers", "they are not compared")
def test_a_model_that_draws_its_answers_is_exempt_and_reported(models, make_pool, open_session, name, engine):
    pool = make_pool(models.get(name))
    inputs = [{"x": np.ones((8, 4), dtype=np.float32)}]
    session = open_session(engine, pool, inputs)
    for _ in range(3):
        session.measure(2, PLAN)
    assert golden_of(pool, inputs).described == "not compared (the same input gives different ones)"


def test_without_golden_answers_nothing_is_compared(pool):
    def query(predictor, given):
        return threading.current_thread().name

    work = Workload(pool=pool, inputs=TWO_SETS, query=query, synthetic=None, seed=1)
    with contextlib.closing(PythonEngine().open(work)) as session:
        session.measure(2, PLAN)


def test_the_last_answer_of_a_query_is_let_go_before_the_next_one(pool, open_session):
    class Counted(np.ndarray):
        alive = most = 0

        def __del__(self):
            Counted.alive -= 1

    def query(predictor, given):
        answer = np.zeros(3).view(Counted)
        Counted.alive += 1
        if threading.current_thread() is not threading.main_thread():
            Counted.most = max(Counted.most, Counted.alive)
        return answer

    open_session(PythonEngine(), pool, TWO_SETS[:1], query).measure(1, PLAN)
    assert Counted.most == 1


# What an answer is made of


@pytest.mark.parametrize(
    ("answer", "names"),
    [
        (np.zeros(3), [""]),
        (3, [""]),
        ("cat", [""]),
        ([1.0, 2.0], [""]),
        ([[1, 2], [3]], ["[0]", "[1]"]),
        ((np.zeros(3), 1), ["[0]", "[1]"]),
        ({"label": "cat", "boxes": [{"x": 1}, {"x": 2}]}, ["label", "boxes[0]['x']", "boxes[1]['x']"]),
        ({"none": None, "empty": []}, []),
        (None, []),
        (object(), None),
        ([1, object()], None),
        (np.array([object()]), None),
        (10**30, None),
    ],
)
def test_an_answer_is_arrays_and_plain_values_in_lists_tuples_and_dicts(answer, names):
    found = answers.parts(answer)
    assert (None if found is None else list(found)) == names


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        (1.0, 1.0 + 1e-4, True),
        (1.0, 1.01, False),
        ([1.0, 0.0], [1.0, 9e-6], True),
        ([1.0, 0.0], [1.0, 2e-5], False),
        ([1e6, 0.0], [1e6, 9e-6], True),
        ([1e6, 0.0], [1e6, 2e-5], False),
        ([1e-14, 0.0], [1e-14, 9e-20], True),
        ([1e-14, 0.0], [1e-14, 2e-19], False),
        ([np.inf, 1e-14], [np.inf, 2e-14], False),
        (1 + 1j, 1 + 1j, True),
        ([], [], True),
        (float("nan"), float("nan"), True),
        (float("inf"), float("-inf"), False),
        (1, 1.0, False),
        (1, 2, False),
        (True, 1, False),
        ("cat", "cat", True),
        ("cat", "cats", False),
        ([1, 2], [1], False),
        (np.float32([1, np.nan]), np.float32([1, np.nan]), True),
        (np.float32([1]), np.float64([1]), False),
    ],
)
def test_floats_are_alike_within_a_tolerance_and_everything_else_exactly(one, other, alike):
    assert answers.same(np.asarray(one), np.asarray(other)) is alike


def message_of(expected, got):
    golden = answers.golden(lambda index: expected, 1)
    with pytest.raises(WrongAnswer) as caught:
        golden.check(0, 7, 2, got, [0])
    return caught.value.message


def test_what_differs_is_named():
    assert message_of({"a": 1}, {"a": 2}) == (
        "to input set 0, 1 element of 1 in output 'a' differ, first: expected 1, got 2"
    )
    assert message_of({"a": 1, "b": 2}, {"a": 1}) == "to input set 0, output 'b' is missing"
    assert message_of({"a": 1}, {"a": 1, "b": 2}) == "to input set 0, output 'b' is there, and was not expected"
    assert message_of("cat", None) == "to input set 0, what the query returned is missing"
    assert message_of("cat", object()) == "to input set 0, it is nothing that can be compared"
    assert message_of(np.zeros((2, 3)), np.zeros((2, 4))) == (
        "to input set 0, what the query returned is float64 [2, 4] where float64 [2, 3] was expected"
    )


def test_an_output_that_is_drawn_hides_no_other():
    drawn = iter(range(1000))
    golden = answers.golden(lambda index: {"drawn": next(drawn), "fixed": 1}, 2)
    assert golden.described == "compared without drawn"
    golden.check(0, 0, 1, {"drawn": -1, "fixed": 1}, [0])
    with pytest.raises(WrongAnswer, match="output 'fixed'"):
        golden.check(0, 0, 1, {"drawn": -1, "fixed": 2}, [0])


def test_a_list_whose_length_is_drawn_is_not_compared_whatever_its_length():
    lengths = iter(range(1000))
    golden = answers.golden(lambda index: {"label": 1, "tokens": ["a"] * next(lengths)}, 1)
    assert golden.described == "compared without tokens"
    golden.check(0, 0, 1, {"label": 1, "tokens": ["b"] * 2000}, [0])
    with pytest.raises(WrongAnswer, match="output 'label'"):
        golden.check(0, 0, 1, {"label": 2, "tokens": []}, [0])


@pytest.mark.parametrize("answer", [lambda count: ["a"] * count, lambda count: {f"key {count}": 1}])
def test_an_answer_whose_parts_are_drawn_is_not_compared(answer):
    counts = iter(range(1000))
    golden = answers.golden(lambda index: answer(next(counts)), 2)
    assert golden.described == "not compared (the same input gives different ones)"
    golden.check(0, 0, 1, answer(2000), [0])


def test_many_outputs_that_are_drawn_are_counted():
    numbers = iter(range(1000))
    golden = answers.golden(lambda index: [{"drawn": next(numbers)} for _ in range(5)] + ["fixed"], 1)
    assert golden.described == "compared without 5 outputs"


def test_an_empty_list_is_an_answer_where_another_input_set_has_a_full_one():
    golden = answers.golden(lambda index: ["cat"] * index, 2)
    golden.check(0, 0, 1, [], [0])
    with pytest.raises(WrongAnswer, match=r"'\[0\]' is there, and was not expected. It is the answer to input set 1"):
        golden.check(0, 0, 1, ["cat"], [0])


def test_a_query_that_returns_nothing_is_not_compared():
    for nothing in (None, object()):
        golden = answers.golden(lambda index, nothing=nothing: nothing, 3)
        assert golden.described == "not compared (the query returns nothing that can be)"
        golden.check(0, 0, 1, nothing, [0])


def test_many_slow_input_sets_are_asked_as_long_as_that_may_take():
    now_s = 0.0
    asked = []

    def ask(index):
        nonlocal now_s
        now_s += 0.4
        asked.append(index)
        return index

    golden = answers.golden(ask, 100, clock=lambda: now_s)
    assert golden.described == "compared for 7 of 100 input sets"
    assert len(asked) == 2 * 7 + 4
    assert not golden.check(0, 50, 1, "anything", range(100))
    with pytest.raises(WrongAnswer, match="to input set 3"):
        golden.check(1, 103, 2, 0, range(100))


def test_a_golden_answer_is_not_changed_by_who_reuses_its_memory():
    buffer = np.zeros(3)
    golden = answers.golden(lambda index: buffer, 1)
    buffer += 1
    with pytest.raises(WrongAnswer):
        golden.check(0, 0, 1, buffer, [0])
