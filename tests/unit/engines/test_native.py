from __future__ import annotations

import numpy as np
import pytest

from pytest_paddle_mt import _native
from pytest_paddle_mt.engines import Workload
from pytest_paddle_mt.engines.native import NativeEngine, NativeSession, agree
from pytest_paddle_mt.errors import EngineUnavailable, ModelError, QueryFailed
from pytest_paddle_mt.predictors import libpaddle
from pytest_paddle_mt.predictors.inputs import checked_inputs, default_inputs
from pytest_paddle_mt.predictors.pool import PredictorPool
from pytest_paddle_mt.records import WindowPlan
from tests.models import CAST_TYPES, FORMATS, PADDLE

PLAN = WindowPlan(window_s=0.03, min_queries=20, warmup_s=0.0, warmup_queries=2)


@pytest.fixture
def open_session():
    sessions = []

    def open_one(pool, inputs):
        sessions.append(NativeEngine().open(Workload(pool=pool, inputs=inputs, query=None, synthetic=None, seed=1)))
        return sessions[-1]

    yield open_one
    for session in sessions:
        session.close()


def answer_of(session, pool, index):
    """What thread ``index`` copied out last, by output name."""
    return dict(
        zip(pool.handles(index).outputs, map(libpaddle.numpy_array, session._targets[index].outputs()), strict=True)
    )


def same_bits(one, other):
    return one.keys() == other.keys() and all(
        array.dtype == other[name].dtype
        and array.shape == other[name].shape
        and array.tobytes() == other[name].tobytes()
        for name, array in one.items()
    )


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("method", ["clone", "predictor_pool"])
@pytest.mark.parametrize("name", ["mlp", "several"])
def test_every_thread_answers_what_the_stock_python_way_answers(models, make_pool, open_session, name, form, method):
    pool = make_pool(models.get(name, form), method=method, size=4)
    inputs = default_inputs(pool, 3, batch_size_asked=False)
    session = open_session(pool, [inputs])
    session.measure(4, PLAN)
    stock = pool.answer(0, inputs)
    for index in range(4):
        assert same_bits(answer_of(session, pool, index), stock)


@pytest.mark.parametrize("form", FORMATS)
def test_mobilenet_answers_what_the_stock_python_way_answers(models, make_pool, open_session, form):
    pool = make_pool(models.get("mobilenet_v1", form))
    inputs = default_inputs(pool, 1, batch_size_asked=False)
    session = open_session(pool, [inputs])
    session.measure(2, PLAN)
    stock = pool.answer(0, inputs)
    for index in range(2):
        for name, array in answer_of(session, pool, index).items():
            np.testing.assert_allclose(array, stock[name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("form", "dtype"), [(form, dtype) for form in FORMATS for dtype in CAST_TYPES[form]])
def test_inputs_and_outputs_of_every_type_arrive_unchanged(models, make_pool, open_session, form, dtype):
    pool = make_pool(models.cast(dtype, form))
    inputs = default_inputs(pool, 64, batch_size_asked=False)
    if dtype == "float64":
        inputs["x"] = np.float32(inputs["x"]).astype(np.float64)  # the model goes through float32
    assert len(np.unique(inputs["x"])) > 1
    session = open_session(pool, [inputs])
    session.measure(2, PLAN)
    for index in range(2):
        linear, echo = answer_of(session, pool, index).values()
        assert linear.dtype == np.float32
        assert echo.dtype == inputs["x"].dtype
        assert echo.tobytes() == inputs["x"].tobytes()


@pytest.mark.parametrize("form", FORMATS)
def test_several_inputs_and_outputs_of_different_types_keep_their_places(models, make_pool, open_session, form):
    pool = make_pool(models.get("several", form))
    ids = np.arange(10, dtype=np.int64).reshape(2, 5)
    weights = np.linspace(0, 2, 10, dtype=np.float32).reshape(2, 5)
    session = open_session(pool, checked_inputs(pool, {"weights": weights, "ids": ids}))
    session.measure(2, PLAN)
    floats, squares, over_one = answer_of(session, pool, 1).values()
    assert floats.dtype == np.float32
    np.testing.assert_array_equal(squares, ids * ids)
    np.testing.assert_array_equal(over_one, weights > 1)


@pytest.mark.parametrize("form", FORMATS)
def test_input_sets_are_taken_in_turn(models, make_pool, open_session, form):
    pool = make_pool(models.get("mlp", form))
    rows = np.random.default_rng(1).random((3, 2, 16), dtype=np.float32)
    inputs = [{"x": row} for row in rows]
    session = open_session(pool, inputs)
    session.prepare(1)
    stock = [pool.answer(0, one) for one in inputs]
    for query in (0, 1, 2, 3, 4, 8):
        session._targets[0].query(query)
        assert same_bits(answer_of(session, pool, 0), stock[query % 3])


def test_each_thread_begins_with_another_input_set(models, make_pool, open_session):
    pool = make_pool(models.get("mlp"))
    inputs = [{"x": np.full((1, 16), number, dtype=np.float32)} for number in range(3)]
    session = open_session(pool, inputs)
    session.prepare(4)
    for index in range(4):
        session._targets[index].query(0)
        assert same_bits(answer_of(session, pool, index), pool.answer(0, inputs[index % 3]))


@pytest.mark.parametrize("form", FORMATS)
def test_input_sets_may_differ_in_batch_size(models, make_pool, open_session, form):
    pool = make_pool(models.get("mlp", form))
    inputs = [{"x": np.full((rows, 16), rows, dtype=np.float32)} for rows in (1, 7, 2)]
    session = open_session(pool, inputs)
    window = session.measure(3, PLAN)
    assert window.threads == 3
    stock = [pool.answer(0, one) for one in inputs]
    for index in range(3):
        assert any(same_bits(answer_of(session, pool, index), one) for one in stock)


@pytest.mark.parametrize("form", FORMATS)
def test_output_shapes_that_follow_the_data_are_copied_whole(models, make_pool, open_session, form):
    pool = make_pool(models.get("positives", form))
    many = np.arange(1, 5001, dtype=np.float32)
    inputs = [{"x": x} for x in (many, -many, np.array([-1, 2, -3, 4], dtype=np.float32), many[:100])]
    session = open_session(pool, inputs)
    session.measure(3, PLAN)
    for query in range(8):
        session._targets[0].query(query)
        x = inputs[query % 4]["x"]
        values, places = answer_of(session, pool, 0).values()
        np.testing.assert_array_equal(values, 2 * x[x > 0])
        np.testing.assert_array_equal(places.ravel(), np.flatnonzero(x > 0))


def test_an_array_without_elements_is_copied_in(models, make_pool, open_session):
    pool = make_pool(models.get("cached"))
    inputs = {"x": np.ones((1, 2, 8), np.float32), "cache": np.ones((1, 0, 8), np.float32)}
    session = open_session(pool, [inputs])
    session.measure(2, PLAN)
    assert same_bits(answer_of(session, pool, 1), pool.answer(0, inputs))


def test_one_dnn_answers_what_the_stock_python_way_answers(models, open_session):
    pool = PredictorPool(models.get("mlp").config(onednn=True))
    inputs = default_inputs(pool, 2, batch_size_asked=False)
    session = open_session(pool, [inputs])
    session.measure(2, PLAN)
    stock = pool.answer(0, inputs)
    for index in range(2):
        for name, array in answer_of(session, pool, index).items():
            np.testing.assert_allclose(array, stock[name], rtol=1e-5, atol=1e-6)
    session.close()
    pool.close()


def test_a_predictor_recovers_from_an_input_that_does_not_fit(models, make_pool, open_session):
    pool = make_pool(models.get("mlp"))
    good = default_inputs(pool, 2, batch_size_asked=False)
    stock = pool.answer(0, good)
    session = open_session(pool, [good, {"x": np.zeros((2, 7), dtype=np.float32)}])
    with pytest.raises(QueryFailed, match=r"query (1 of thread 0|0 of thread 1) failed while 2 threads ran"):
        session.measure(2, PLAN)
    for index in range(2):
        session._targets[index].query(2 + index)
        assert same_bits(answer_of(session, pool, index), stock)


def test_a_first_input_set_that_does_not_fit_is_a_model_error(models, make_pool, open_session):
    session = open_session(make_pool(models.get("mlp")), [{"x": np.zeros((2, 7), dtype=np.float32)}])
    with pytest.raises(ModelError, match="a first query of"):
        session.prepare(1)


@pytest.mark.skipif(PADDLE < (3,), reason="in 2.6 every run of a model with random numbers gives the same ones")
def test_a_model_that_never_answers_the_same_twice_is_served(models, make_pool, open_session):
    pool = make_pool(models.get("random"))
    inputs = default_inputs(pool, 2, batch_size_asked=False)
    one, other = pool.answer(0, inputs), pool.answer(0, inputs)
    assert not same_bits(one, other)
    assert open_session(pool, [inputs]).measure(2, PLAN).threads == 2


def test_a_model_that_draws_one_of_two_is_never_refused(models, make_pool, open_session):
    pool = make_pool(models.get("drawn"))
    session = open_session(pool, [default_inputs(pool, 1, batch_size_asked=False)])
    session.prepare(12)  # each of these is compared, and half of them draw another answer natively
    assert len(session._targets) == 12


def answers(*values):
    return [{"x": np.asarray(value)} for value in values]


@pytest.mark.parametrize(
    ("stock", "native", "fits"),
    [
        (answers(1), answers(1), True),
        (answers(1), answers(2), False),
        (answers(1, 1), answers(2, 1), True),
        (answers(1, 2), answers(3, 3), True),
        (answers(1.0), answers(1), False),
        (answers(1.0, 2.0), answers(1, 2), False),
        (answers([1, 2], [2, 1]), answers([3], [3]), False),
        (answers([1, 2], [2]), answers([3], [3]), True),
        (answers([1, 2], [2]), answers([[3]], [[3]]), False),
        (answers([1, 2]), answers([1]), False),
        (answers(1.0), answers(1.0 + 1e-5), True),
        (answers(np.nan), answers(np.nan), True),
    ],
)
def test_answers_agree_in_type_and_shape_and_in_value_where_the_stock_ones_are_alike(stock, native, fits):
    assert agree(stock, native) is fits


def test_an_output_that_is_drawn_hides_no_other():
    stock = [{"drawn": np.array(1), "fixed": np.array(1)}, {"drawn": np.array(2), "fixed": np.array(1)}]
    native = [{"drawn": np.array(1), "fixed": np.array(5)}, {"drawn": np.array(2), "fixed": np.array(5)}]
    assert not agree(stock, native)


def session_of(pool, inputs):
    return NativeSession(pool, Workload(pool=pool, inputs=[inputs], query=None, synthetic=None, seed=1))


@pytest.mark.fault("models", "a wrapper stands in a predictor's place", "the test fails and names the `python` engine")
def test_an_object_that_is_no_predictor_names_the_python_engine(models):
    class Wrapper:
        """What a user may put around a predictor: its interface, but no object of Paddle's."""

        def __init__(self, predictor):
            for name in ("get_input_names", "get_input_handle", "get_output_names", "get_output_handle", "run"):
                setattr(self, name, getattr(predictor, name))

    pool = PredictorPool.of([Wrapper(models.get("mlp").predictor())])
    session = session_of(pool, {"x": np.ones((1, 16), dtype=np.float32)})
    with pytest.raises(EngineUnavailable) as caught:
        session.prepare(1)
    assert "Wrapper" in str(caught.value)
    assert "--paddle-engine=python" in str(caught.value)


@pytest.mark.fault(
    "answers", "native answers differ from the stock Python way's", "the test fails and names the `python` engine"
)
def test_a_predictor_that_answers_differently_natively_names_the_python_engine(models, make_pool, monkeypatch):
    pool = make_pool(models.get("mlp"))
    inputs = default_inputs(pool, 1, batch_size_asked=False)
    wrong = {name: array + 1 for name, array in pool.answer(0, inputs).items()}
    monkeypatch.setattr(pool, "answer", lambda index, inputs: wrong)
    with pytest.raises(
        EngineUnavailable, match=r"predictor 0 answers the same query differently .*--paddle-engine=python"
    ):
        session_of(pool, inputs).prepare(1)


def test_a_target_refuses_bytes_that_do_not_fit_their_shape(models, make_pool):
    pool = make_pool(models.get("mlp"))
    handles = pool.handles(0)
    pointers = {
        "api": libpaddle.api(),
        "predictor": libpaddle.predictor_pointer(pool[0]),
        "inputs": [libpaddle.tensor_pointer(handle) for handle in handles.inputs.values()],
        "outputs": [libpaddle.tensor_pointer(handle) for handle in handles.outputs.values()],
    }
    array = _native.HostArray.make
    with pytest.raises(ValueError, match="has 8 bytes, 64 by its shape and type"):
        _native.PaddleTarget(**pointers, input_sets=[[array(0, [1, 16], bytes(8))]])
    with pytest.raises(ValueError, match="0 arrays for a model with 1 inputs"):
        _native.PaddleTarget(**pointers, input_sets=[[]])
    with pytest.raises(ValueError, match="no input set was given"):
        _native.PaddleTarget(**pointers, input_sets=[])
    with pytest.raises(ValueError, match="data type number 9 is not one of Paddle's"):
        _native.PaddleTarget(**pointers, input_sets=[[array(9, [1, 16], bytes(64))]])
