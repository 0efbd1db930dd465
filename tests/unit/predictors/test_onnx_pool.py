from __future__ import annotations

import sys

import numpy as np
import pytest

import pytest_paddle_mt
from pytest_paddle_mt.errors import InputError, ModelError, UsageError
from pytest_paddle_mt.predictors.inputs import checked_inputs, default_inputs
from pytest_paddle_mt.predictors.onnx_pool import OnnxPool
from tests.onnx_models import answer, linear


@pytest.fixture
def model(tmp_path):
    return linear(tmp_path)


def test_it_is_public_and_answers_what_the_model_computes(model):
    assert pytest_paddle_mt.OnnxPool is OnnxPool
    with OnnxPool(model) as pool:
        inputs = default_inputs(pool, 3, batch_size_asked=True)
        assert inputs["x"].shape == (3, 16)
        assert np.allclose(pool.answer(1, inputs)["y"], answer(inputs), rtol=1e-4)
        assert np.array_equal(pool.outputs(1)["y"], pool.answer(0, inputs)["y"])
        assert pool.facts()["provider"] == "CPUExecutionProvider"
        assert (pool.device, pool.math_threads, pool.facts()["idle math threads"]) == ("cpu", 1, "parked")
    assert pool.closed


@pytest.mark.parametrize(("method", "sessions"), [("clone", 3), ("shared", 1)])
def test_there_is_a_session_for_each_thread_or_one_for_all(model, method, sessions):
    for pool in (OnnxPool(model, method=method), OnnxPool(model)):
        pool.choose(method, None)
        assert len({id(pool[index]) for index in range(3)}) == sessions
        assert pool.method == method


def test_what_the_pool_says_itself_is_not_overruled(model):
    pool = OnnxPool(model, method="shared")
    pool.choose("clone", "cpu")
    assert pool.method == "shared"


def test_threads_that_share_a_session_keep_their_own_answers(model):
    pool = OnnxPool(model, method="shared")
    sets = [{"x": np.full((1, 16), value, dtype=np.float32)} for value in (1.0, 2.0)]
    for thread, inputs in enumerate(sets):
        pool.call(thread, [inputs])(0)
    for thread, inputs in enumerate(sets):
        assert np.allclose(pool.outputs(thread)["y"], answer(inputs), rtol=1e-4)


def test_options_of_the_users_own_take_the_place_of_ours(model):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    pool = OnnxPool(model, session_options=options)
    assert (pool.math_threads, pool.facts()["idle math threads"]) == (2, "spinning")


def test_inputs_are_checked_by_type_and_shape(tmp_path):
    pool = OnnxPool(linear(tmp_path, kind="int64"))
    [spec] = pool.input_specs()
    assert (spec.name, spec.shape, spec.data_type) == ("x", (-1, 16), 1)
    with pytest.raises(InputError, match="input 'x' is float32, the model wants int64"):
        checked_inputs(pool, {"x": np.ones((1, 16), dtype=np.float32)})


def test_text_is_left_to_a_query_of_the_users_own(tmp_path):
    with pytest.raises(InputError, match=r"input 'x' is a tensor\(string\), which OnnxPool cannot serve by itself"):
        OnnxPool(linear(tmp_path, kind="string")).input_specs()


def test_an_answer_that_is_no_number_is_refused_unless_it_is_allowed(tmp_path):
    model, inputs = linear(tmp_path, bias=float("nan")), {"x": np.ones((1, 16), dtype=np.float32)}
    with pytest.raises(ModelError, match=r"answers NaN or inf in output 'y' to finite input\. If that is what"):
        OnnxPool(model).answer(0, inputs)
    assert np.isnan(OnnxPool(model, allow_nonfinite=True).answer(0, inputs)["y"]).all()


def test_a_file_that_is_not_there_or_is_no_model_is_refused(tmp_path):
    pytest.importorskip("onnxruntime")
    with pytest.raises(ModelError, match=r"there is no model file 'x\.onnx'; check the path, which starts from"):
        OnnxPool("x.onnx")
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    with pytest.raises(ModelError, match=r"ONNX Runtime could not load the model '.*broken\.onnx' \(\w+: "):
        OnnxPool(broken)[0]


def test_inputs_that_it_refuses_are_named_with_what_was_suspected(model):
    with pytest.raises(ModelError, match=r"(?s)could not serve a first query of the model .*They were made up\. check"):
        OnnxPool(model).answer(0, {"x": np.ones(3, dtype=np.float32)}, suspicion=lambda: "They were made up. ")


def test_a_provider_that_is_not_there_is_refused_and_not_replaced(model):
    with pytest.raises(ModelError, match="NoProvider was asked for, and this onnxruntime cannot start it"):
        OnnxPool(model, providers=["NoProvider"])[0]


def test_a_gpu_is_where_the_first_provider_computes(model):
    pool = OnnxPool(model, providers=[("CUDAExecutionProvider", {"device_id": 2}), "CPUExecutionProvider"])
    assert pool.device == "gpu:2"
    with pytest.raises(UsageError, match="--paddle-device=gpu:0, but the OnnxPool computes on gpu:2"):
        pool.choose("clone", "gpu:0")


def test_what_it_cannot_be_made_by_is_refused(model, monkeypatch):
    with pytest.raises(UsageError, match="pool='predictor_pool' is a pool of Paddle's"):
        OnnxPool(model).choose("predictor_pool", None)
    with pytest.raises(UsageError, match="unknown pool method 'predictor_pool'"):
        OnnxPool(model, method="predictor_pool")
    with pytest.raises(UsageError, match="a session of 0 math threads computes nothing"):
        OnnxPool(model, intra_op_threads=0)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UsageError, match="install it with: pip install 'pytest-paddle-mt\\[onnx\\]'"):
        OnnxPool(model)


def test_a_model_of_paddles_is_not_shared():
    with pytest.raises(UsageError, match="two threads on one predictor of Paddle's crash or silently answer wrongly"):
        pytest_paddle_mt.PredictorPool(None, method="shared")
