from __future__ import annotations

import numpy as np
import pytest

from pytest_paddle_mt.errors import InputError
from pytest_paddle_mt.predictors.inputs import checked_inputs, default_inputs, example_fixture, fill, served_inputs
from pytest_paddle_mt.predictors.libpaddle import DATA_TYPES, InputSpec
from pytest_paddle_mt.predictors.pool import PredictorPool
from tests.models import CAST_TYPES, FORMATS

NUMBERS = {name: number for number, (name, _) in DATA_TYPES.items()}


@pytest.fixture
def mlp(models, make_pool):
    return make_pool(models.get("mlp"))


@pytest.fixture
def several(models, make_pool):
    return make_pool(models.get("several"))


def x(rows=2, columns=16, dtype=np.float32):
    return {"x": np.zeros((rows, columns), dtype=dtype)}


def refused(pool, given):
    with pytest.raises(InputError) as caught:
        checked_inputs(pool, given)
    return str(caught.value)


# Made from the model


def test_the_fill_is_that_of_paddles_guide():
    values = fill((2, 300), NUMBERS["float32"])
    assert values.shape == (2, 300)
    expected = [np.float32(i % 255 * 0.1) for i in range(600)]
    assert values.ravel().tolist() == expected


@pytest.mark.parametrize("name", ["int64", "int32", "uint8", "int8"])
def test_the_fill_of_integers_is_rounded_towards_zero(name):
    values = fill((255,), NUMBERS[name])
    assert values.dtype == name
    assert values.tolist() == [int(i * 0.1) for i in range(255)]


def test_the_fill_of_bool_is_true_where_it_is_not_zero():
    assert fill((3,), NUMBERS["bool"]).tolist() == [False, True, True]


def test_the_fill_of_bfloat16_is_the_upper_half_of_the_bits_of_float32():
    bits = fill((30,), NUMBERS["bfloat16"])
    assert bits.dtype == np.uint16
    back = (bits.astype(np.uint32) << 16).view(np.float32)
    np.testing.assert_allclose(back, [i * 0.1 for i in range(30)], rtol=2**-7)


@pytest.mark.parametrize("form", FORMATS)
def test_default_inputs_have_the_models_names_types_and_shapes(models, make_pool, form):
    inputs = default_inputs(make_pool(models.get("several", form)), 3, batch_size_asked=False)
    assert [(name, array.dtype, array.shape) for name, array in inputs.items()] == [
        ("ids", np.int64, (3, 5)),
        ("weights", np.float32, (3, 5)),
    ]


@pytest.mark.parametrize(("form", "dtype"), [(form, dtype) for form in FORMATS for dtype in CAST_TYPES[form]])
def test_default_inputs_fit_a_model_of_every_type(models, make_pool, form, dtype):
    pool = make_pool(models.cast(dtype, form))
    inputs = default_inputs(pool, 4, batch_size_asked=True)
    assert inputs["x"].dtype == DATA_TYPES[NUMBERS[dtype]][1]
    (checked,) = checked_inputs(pool, dict(inputs))
    assert checked["x"] is inputs["x"]


def test_default_inputs_know_the_predictor_they_were_made_for(mlp):
    assert default_inputs(mlp, 1, batch_size_asked=False).predictor is mlp[0]


@pytest.mark.parametrize("batch_size", [1, 8])
def test_the_first_open_dimension_is_the_batch(mlp, batch_size):
    assert default_inputs(mlp, batch_size, batch_size_asked=True)["x"].shape == (batch_size, 16)


def test_a_batch_that_the_model_fixes_is_kept_unless_another_was_asked_for(models, make_pool):
    pool = make_pool(models.get("fixed_batch"))
    assert default_inputs(pool, 1, batch_size_asked=False)["x"].shape == (2, 4)
    assert default_inputs(pool, 2, batch_size_asked=True)["x"].shape == (2, 4)
    with pytest.raises(InputError) as caught:
        default_inputs(pool, 8, batch_size_asked=True)
    assert "--paddle-batch-size=8 was asked, but the model fixes the batch of input 'x' at 2" in str(caught.value)
    assert "export it with an open first dimension, or drop the option" in str(caught.value)


def test_another_open_dimension_cannot_be_guessed_and_the_error_shows_what_to_write(models, make_pool):
    with pytest.raises(InputError) as caught:
        default_inputs(make_pool(models.get("sequence")), 1, batch_size_asked=False)
    said = str(caught.value)
    assert "input 'x' has the shape (..., ..., 3): only the first open dimension, the batch, can be guessed" in said
    assert "def paddle_inputs():" in said
    assert '"x": numpy.ones((..., ..., 3), "float32"),' in said


def test_the_fixture_that_is_shown_is_python():
    specs = [InputSpec(name="a", shape=(-1,), data_type=1), InputSpec(name="b", shape=(1, -1), data_type=None)]
    lines = example_fixture(specs).splitlines()
    compile("\n".join(line[4:] for line in lines), "shown", "exec")
    assert '            "a": numpy.ones((...,), "int64"),' in lines
    assert '            "b": numpy.ones((1, ...), "float32"),' in lines


# Given by the user


def test_arrays_that_fit_are_taken_as_they_are(mlp):
    given = x(rows=9)
    assert checked_inputs(mlp, given)[0]["x"] is given["x"]


def test_several_input_sets_stay_several(mlp):
    assert [one["x"].shape[0] for one in checked_inputs(mlp, [x(1), x(2), x(3)])] == [1, 2, 3]
    assert len(checked_inputs(mlp, (x(), x()))) == 2


def test_inputs_are_put_in_the_models_order(several):
    given = {"weights": np.zeros((2, 5), np.float32), "ids": np.zeros((2, 5), np.int64)}
    assert list(checked_inputs(several, given)[0]) == ["ids", "weights"]


def test_arrays_become_contiguous(mlp):
    given = {"x": np.arange(64, dtype=np.float32).reshape(16, 4).T}
    (checked,) = checked_inputs(mlp, given)
    assert checked["x"].flags.c_contiguous
    np.testing.assert_array_equal(checked["x"], given["x"])


@pytest.mark.parametrize(
    ("given", "shown"),
    [(None, "NoneType None"), (3, "int 3"), ("x", "str 'x'"), ([1], "list [1]"), ([x(), None], "list [{")],
)
def test_what_is_no_dict_of_arrays_is_refused_with_what_it_is(mlp, given, shown):
    said = refused(mlp, given)
    assert "paddle_inputs must be a dict of arrays by input name, or a list of such dicts; got " + shown in said
    assert len(said) < 200


@pytest.mark.parametrize("given", [[], (), {}, [{}]])
def test_an_empty_input_is_refused(mlp, given):
    assert "paddle_inputs is empty; give at least one dict with an array for each input" in refused(mlp, given)


def test_a_name_that_the_model_does_not_know_is_refused_with_those_it_knows(several):
    said = refused(several, {"weigths": np.zeros((2, 5), np.float32), "ids": np.zeros((2, 5), np.int64)})
    assert "the model has no input 'weigths'; its inputs are 'ids', 'weights'; did you mean 'weights'?" in said


def test_a_name_that_resembles_none_gets_no_guess(mlp):
    assert "did you mean" not in refused(mlp, {"temperature": np.zeros((2, 16), np.float32)})


def test_an_input_that_is_not_given_is_named(several):
    said = refused(several, {"ids": np.zeros((2, 5), np.int64)})
    assert "paddle_inputs lacks the model's input 'weights'; add it to the dict" in said


@pytest.mark.parametrize("dtype", ["float64", "float16", "int32", "int64"])
def test_another_dtype_is_refused_with_how_to_convert(mlp, dtype):
    said = refused(mlp, x(dtype=dtype))
    assert f"input 'x' is {dtype}, the model wants float32; convert it with .astype('float32')" in said


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("dtype", ["int32", "float32"])
def test_another_dtype_of_an_integer_input_is_refused_in_both_formats(models, make_pool, form, dtype):
    pool = make_pool(models.get("several", form))
    said = refused(pool, {"ids": np.zeros((2, 5), dtype), "weights": np.zeros((2, 5), np.float32)})
    assert f"input 'ids' is {dtype}, the model wants int64; convert it with .astype('int64')" in said


@pytest.mark.parametrize("form", FORMATS)
def test_floats_for_bfloat16_are_refused_with_a_conversion_that_works(models, make_pool, form):
    if "bfloat16" not in CAST_TYPES[form]:
        pytest.skip("this Paddle has no bfloat16 on the host")
    pool = make_pool(models.cast("bfloat16", form))
    array = np.ones((2, 6), dtype=np.float32)
    said = refused(pool, {"x": array})
    assert "input 'x' is float32, the model wants bfloat16 (its bits as uint16)" in said
    assert '(array.view("uint32") >> 16).astype("uint16")' in said
    converted = (array.view("uint32") >> 16).astype("uint16")
    assert checked_inputs(pool, {"x": converted})[0]["x"] is converted


@pytest.mark.parametrize("shape", [(16,), (2, 4, 4), ()])
def test_another_rank_is_refused_with_the_shape_wanted(mlp, shape):
    said = refused(mlp, {"x": np.zeros(shape, np.float32)})
    assert f"input 'x' has {len(shape)} dimensions {shape}, the model wants 2: (..., 16); reshape it" in said


def test_another_extent_is_refused_with_the_shape_wanted(mlp):
    assert "input 'x' has the shape (2, 17), the model wants (..., 16); reshape it" in refused(mlp, x(columns=17))


def test_arrays_that_all_are_without_elements_are_refused(mlp):
    assert "no input has elements ('x' has the shape (0, 16)); a query needs at least one" in refused(mlp, x(rows=0))


def test_one_input_of_several_may_be_without_elements(models, make_pool):
    pool = make_pool(models.get("cached"))
    given = {"x": np.ones((1, 2, 8), np.float32), "cache": np.ones((1, 0, 8), np.float32)}
    (checked,) = checked_inputs(pool, given)
    assert checked["cache"].shape == (1, 0, 8)
    assert [array.shape for array in pool.answer(0, checked).values()] == [(1, 2, 8)]
    assert served(given)[1] == ("cache", "float32 (1, 0, 8)")


def test_rows_of_different_lengths_are_refused(mlp):
    assert "input 'x' cannot be made an array: " in refused(mlp, {"x": [[1.0, 2.0], [3.0]]})


@pytest.mark.parametrize("text", ["words", ["words"], [b"bytes"], np.array(["words"], dtype=object)])
def test_text_is_refused_with_what_to_do(mlp, text):
    said = refused(mlp, {"x": text})
    assert "input 'x' is text, which no engine copies into a predictor; export the model without its tokenizer" in said
    assert "concurrent_runner(predictor_pool, query=...)" in said


@pytest.mark.skipif("json" not in FORMATS, reason="the old format does not load such a model")
def test_a_model_without_inputs_takes_an_empty_set_and_no_other(models, make_pool):
    pool = make_pool(models.get("no_inputs"))
    for given in (default_inputs(pool, 1, batch_size_asked=False), {}, [{}, {}]):
        assert not any(checked_inputs(pool, given))
    assert "the model has no input 'x'; it has none at all" in refused(pool, {"x": np.ones(1, np.float32)})


def test_an_object_that_is_no_array_is_refused(mlp):
    assert "input 'x' is object, the model wants float32" in refused(mlp, {"x": None})


# Predictors whose model file is unknown


@pytest.mark.parametrize("form", FORMATS)
def test_of_given_predictors_the_types_are_taken_from_the_arrays(models, form):
    with PredictorPool.of([models.get("several", form).predictor()]) as pool:
        given = {"ids": np.ones((2, 5), np.int64), "weights": np.ones((2, 5), np.float32)}
        (checked,) = checked_inputs(pool, given)
        assert [array.dtype for array in checked.values()] == [np.int64, np.float32]
        assert len(pool.answer(0, checked)) == 3


def test_of_given_predictors_a_type_that_paddle_does_not_know_is_refused(models):
    with PredictorPool.of([models.get("mlp").predictor()]) as pool:
        assert "input 'x' is complex64, which no model of Paddle's takes" in refused(pool, x(dtype=np.complex64))


def test_default_inputs_of_given_predictors_are_float32(models):
    with PredictorPool.of([models.get("mlp").predictor()]) as pool:
        assert default_inputs(pool, 1, batch_size_asked=False)["x"].dtype == np.float32


class UnreachablePool:
    """Stands for ``PredictorPool`` on a Paddle that cannot be driven natively: names alone are known."""

    def input_specs(self):
        return (InputSpec(name="x", shape=None, data_type=None),)

    def __getitem__(self, index):
        return object()


def test_a_users_arrays_are_taken_as_they_are_where_paddle_cannot_be_asked():
    given = {"x": np.zeros((3, 5), "int64")}
    assert checked_inputs(UnreachablePool(), given)[0]["x"].shape == (3, 5)


def test_inputs_cannot_be_made_where_paddle_cannot_be_asked():
    with pytest.raises(InputError, match=r"the shape of input 'x' is unknown(.|\n)*def paddle_inputs\(\)"):
        default_inputs(UnreachablePool(), 1, batch_size_asked=False)


# What was served


def served(*sets, **known):
    return [(one.name, one.text) for one in served_inputs(sets, **{"made_up": False, **known})]


def test_an_input_is_described_by_its_type_its_shape_and_its_range():
    arrays = {"x": np.array([[-1.5, 2.0]], np.float32), "ids": np.full(3, 7), "mask": np.array([True, False])}
    assert served(arrays) == [
        ("x", "float32 (1, 2), -1.5 to 2"),
        ("ids", "int64 (3,), all 7"),
        ("mask", "bool (2,), 0 to 1"),
    ]


def test_sets_are_described_together_with_the_extents_in_which_they_differ():
    assert served(x(1, 16), {"x": np.ones((2, 16), np.float32)}) == [("x", "float32 (..., 16), 0 to 1")]
    assert served(x(), {"x": np.ones(3, np.float32)}) == [("x", "float32 ..., 0 to 1")]


def test_the_range_is_that_of_the_finite_elements():
    values = np.array([np.nan, np.inf, 1, 2], np.float32)
    assert served({"x": values}) == [("x", "float32 (4,), 1 to 2")]
    assert served({"x": values[:2]}) == [("x", "float32 (2,)")]


def test_the_bits_of_bfloat16_are_described_as_numbers():
    bits = {"x": fill((1, 11), NUMBERS["bfloat16"])}
    assert served(bits) == [("x", "bfloat16 (1, 11), 0 to 1")]
    assert served({"x": np.array([5], np.uint16)}, checked=False) == [("x", "uint16 (1,), all 5")]


def test_what_is_no_array_of_numbers_is_not_described():
    assert served({"path": "a.jpg", "words": np.array(["a"])}) == []
