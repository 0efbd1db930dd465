from __future__ import annotations

import numpy as np
import pytest

from pytest_paddle_mt import _native
from pytest_paddle_mt.errors import EngineUnavailable
from pytest_paddle_mt.predictors import libpaddle
from tests.models import CAST_TYPES, FORMATS, PADDLE


@pytest.fixture
def fresh_api():
    """``libpaddle.api`` forgets what it found, before and after."""
    libpaddle.api.cache_clear()
    yield
    libpaddle.api.cache_clear()


def test_the_library_is_the_one_that_paddle_loaded(models):
    with open("/proc/self/maps") as maps:
        assert any(line.rstrip().endswith(libpaddle.library_path()) for line in maps)


def test_the_functions_are_found_once(models, fresh_api):
    assert libpaddle.api() is libpaddle.api()
    assert libpaddle.api().predictor_typeinfo != libpaddle.api().tensor_typeinfo


@pytest.mark.fault(
    "models", "Paddle lacks a function that the native engine calls", "the test fails, names it and the `python` engine"
)
def test_a_library_without_the_functions_names_the_missing_one_and_the_python_engine(models, fresh_api, monkeypatch):
    import paddle

    monkeypatch.setattr(libpaddle, "library_path", lambda: _native.__file__)
    with pytest.raises(EngineUnavailable) as caught:
        libpaddle.api()
    said = str(caught.value)
    assert f"the native engine cannot drive paddlepaddle {paddle.__version__}" in said
    assert f"{_native.__file__} does not export _ZN12paddle_infer9Predictor3RunEv" in said
    assert "--paddle-engine=python" in said


def test_a_library_that_is_not_loaded_is_named(models, fresh_api, monkeypatch, tmp_path):
    monkeypatch.setattr(libpaddle, "library_path", lambda: str(tmp_path / "libpaddle.so"))
    with pytest.raises(
        EngineUnavailable, match=r"libpaddle.so is not loaded in this process; .*--paddle-engine=python"
    ):
        libpaddle.api()


def test_a_paddle_without_that_module_names_the_python_engine(models, fresh_api, monkeypatch):
    import paddle

    monkeypatch.delattr(paddle.base, "libpaddle")
    with pytest.raises(EngineUnavailable, match="--paddle-engine=python"):
        libpaddle.api()


@pytest.mark.skipif(PADDLE < (3,), reason="Paddle 2.6 has no conduit")
def test_conduit_and_simple_layout_give_the_same_pointers(models, make_pool):
    pool = make_pool(models.get("several"))
    handles = pool.handles(1)
    objects = [pool[0], pool[1], *handles.inputs.values(), *handles.outputs.values()]
    infos = [libpaddle.api().predictor_typeinfo] * 2 + [libpaddle.api().tensor_typeinfo] * 5
    for one, info in zip(objects, infos, strict=True):
        by_conduit = [_native.pointer_by_conduit(one, abi, info) for abi in libpaddle._abis()]
        assert _native.pointer_by_layout(one) in by_conduit


def test_every_object_has_a_pointer_of_its_own(models, make_pool):
    pool = make_pool(models.get("several"))
    pointers = [libpaddle.predictor_pointer(pool[index]) for index in range(3)]
    pointers += [libpaddle.tensor_pointer(handle) for handle in pool.handles(0).inputs.values()]
    assert len(set(pointers)) == 5
    assert libpaddle.predictor_pointer(pool[0]) == pointers[0]


@pytest.mark.skipif(PADDLE < (3,), reason="Paddle 2.6 has no conduit")
def test_a_wrong_abi_or_a_wrong_type_gives_no_pointer(models, make_pool):
    pool = make_pool(models.get("mlp"))
    api = libpaddle.api()
    assert _native.pointer_by_conduit(pool[0], "_another_abi", api.predictor_typeinfo) is None
    for abi in libpaddle._abis():
        assert _native.pointer_by_conduit(pool[0], abi, api.tensor_typeinfo) is None


@pytest.mark.skipif(PADDLE < (3,), reason="without a conduit the type is not checked")
def test_a_handle_is_no_predictor(models, make_pool):
    handle = make_pool(models.get("mlp")).handles(0).inputs["x"]
    with pytest.raises(EngineUnavailable, match="--paddle-engine=python"):
        libpaddle.predictor_pointer(handle)


@pytest.mark.parametrize("thing", [object(), 3, b"\xff" * 64], ids=["object", "int", "bytes"])
def test_an_object_that_is_smaller_than_one_of_pybind11s_has_no_pointer_to_read(thing):
    assert _native.pointer_by_layout(thing) is None


@pytest.mark.parametrize("thing", [object(), "predictor", None, 3])
def test_what_is_no_object_of_paddles_names_the_python_engine(models, thing):
    with pytest.raises(EngineUnavailable) as caught:
        libpaddle.predictor_pointer(thing)
    assert f"found no C++ object behind {type(thing).__qualname__!r}" in str(caught.value)
    assert "--paddle-engine=python" in str(caught.value)


@pytest.mark.parametrize("form", FORMATS)
def test_a_model_declares_names_shapes_and_types_of_its_inputs(models, make_pool, form):
    specs = make_pool(models.get("several", form)).input_specs()
    assert [(spec.name, spec.shape, libpaddle.DATA_TYPES[spec.data_type][0]) for spec in specs] == [
        ("ids", (-1, 5), "int64"),
        ("weights", (-1, 5), "float32"),
    ]


@pytest.mark.parametrize(("form", "dtype"), [(form, dtype) for form in FORMATS for dtype in CAST_TYPES[form]])
def test_a_model_declares_each_type_of_input(models, make_pool, form, dtype):
    (spec,) = make_pool(models.cast(dtype, form)).input_specs()
    assert libpaddle.DATA_TYPES[spec.data_type][0] == dtype


def test_without_the_model_file_float32_counts_as_unknown(models):
    (spec,) = libpaddle.input_specs(models.get("mlp").predictor(), None)
    assert (spec.name, spec.shape, spec.data_type) == ("x", (-1, 16), None)


@pytest.mark.parametrize("number", sorted(libpaddle.DATA_TYPES))
def test_an_array_of_every_type_goes_to_the_native_loop_and_back_unchanged(number):
    dtype = libpaddle.DATA_TYPES[number][1]
    array = np.array([[0, 1, 2], [3, 4, 5]]).astype(dtype)
    host = libpaddle.host_array(array)
    assert (host.type, host.shape) == (number, [2, 3])
    back = libpaddle.numpy_array(host)
    assert back.dtype == dtype
    np.testing.assert_array_equal(back, array)


def test_an_array_that_is_not_contiguous_goes_to_the_native_loop_in_its_own_order():
    array = np.arange(6, dtype=np.float32).reshape(2, 3).T
    np.testing.assert_array_equal(libpaddle.numpy_array(libpaddle.host_array(array)), array)


@pytest.mark.parametrize("shape", [(), (0, 3), (1,)])
def test_odd_shapes_go_to_the_native_loop_and_back(shape):
    array = np.zeros(shape, dtype=np.int64)
    assert libpaddle.numpy_array(libpaddle.host_array(array)).shape == shape


def test_names_alone_are_known_where_paddle_cannot_be_driven_natively(models, make_pool, monkeypatch):
    def unavailable():
        raise EngineUnavailable("no such symbols here")

    pool = make_pool(models.get("mlp"))
    monkeypatch.setattr(libpaddle, "api", unavailable)
    (spec,) = libpaddle.input_specs(pool[0], None)
    assert (spec.name, spec.shape, spec.data_type) == ("x", None, None)


@pytest.mark.parametrize("method", ["input_shapes", "input_types"])
def test_what_paddle_cannot_report_of_an_input_counts_as_unknown(models, make_pool, monkeypatch, method):
    class Api:
        predictor_typeinfo = libpaddle.api().predictor_typeinfo

        def input_shapes(self, pointer):
            return libpaddle_api.input_shapes(pointer)

        def input_types(self, pointer):
            return libpaddle_api.input_types(pointer)

    def refuse(self, pointer):
        raise RuntimeError("(Unimplemented) Unsupported data type")

    libpaddle_api = libpaddle.api()
    monkeypatch.setattr(Api, method, refuse)
    monkeypatch.setattr(libpaddle, "api", Api)
    (spec,) = libpaddle.input_specs(make_pool(models.get("mlp"))[0], None)
    assert (spec.name, spec.data_type) == ("x", None)
