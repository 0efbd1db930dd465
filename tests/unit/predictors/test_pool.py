from __future__ import annotations

import contextlib
import gc
import os
import shutil
import signal
import sys
import time
import weakref

import numpy as np
import pytest

from pytest_paddle_mt.errors import ModelError, UsageError
from pytest_paddle_mt.predictors import pool
from pytest_paddle_mt.predictors.model_files import check_files, model_name
from pytest_paddle_mt.predictors.pool import PredictorPool, _kept_alive
from tests.models import FORMATS, PADDLE, Model, config

METHODS = ("clone", "predictor_pool")  #: Those of Paddle.
X = {"x": np.linspace(-1, 1, 32, dtype=np.float32).reshape(2, 16)}


def only(answer):
    (array,) = answer.values()
    return array


@pytest.fixture
def copy(models, tmp_path):
    """``copy(form)``: the tiny MLP in files of its own, to be damaged."""

    def make(form):
        model = models.get("mlp", form)
        made = Model(program=tmp_path / f"model.{form}", params=tmp_path / "model.pdiparams")
        shutil.copy(model.program, made.program)
        shutil.copy(model.params, made.params)
        return made

    return make


class Alarm(BaseException):
    """What a time limit or Ctrl-C raises wherever the program is."""


@pytest.fixture
def until_alarm():
    """``until_alarm(seconds, call)``: calls it, and raises ``Alarm`` in it so long from now if it still runs then."""

    def ring(*_):
        raise Alarm

    def run(seconds, call):
        with contextlib.suppress(Alarm):
            try:
                signal.setitimer(signal.ITIMER_REAL, seconds)
                call()
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)

    before = signal.signal(signal.SIGALRM, ring)
    yield run
    signal.signal(signal.SIGALRM, before)


# Predictors by index


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("method", METHODS)
def test_every_index_is_a_predictor_of_its_own_that_answers_alike(models, make_pool, form, method):
    from paddle import inference

    pool = make_pool(models.get("mlp", form), method=method, size=3)
    assert len({id(pool[index]) for index in range(3)}) == 3
    assert all(isinstance(pool[index], inference.Predictor) for index in range(3))
    answers = [only(pool.answer(index, X)).tobytes() for index in range(3)]
    assert answers[0] == answers[1] == answers[2]


def test_the_answer_is_the_models(models, make_pool):
    pool = make_pool(models.get("mlp"))
    predictor = models.get("mlp").predictor()
    predictor.get_input_handle("x").copy_from_cpu(X["x"])
    predictor.run()
    by_hand = predictor.get_output_handle(predictor.get_output_names()[0]).copy_to_cpu()
    np.testing.assert_array_equal(only(pool.answer(0, X)), by_hand)
    assert np.ptp(by_hand) > 0


def test_predictors_are_made_when_first_asked_for(models, make_pool):
    pool = make_pool(models.get("mlp"))
    lengths = [len(pool)]
    for index in (0, 2, 1):
        pool[index]
        lengths.append(len(pool))
    assert lengths == [0, 1, 3, 3]


def test_an_index_is_always_the_same_object(models, make_pool):
    pool = make_pool(models.get("mlp"))
    first = pool[1]
    pool.grow(4)
    assert pool[1] is first


def test_handles_are_made_once_in_the_models_own_order(models, make_pool):
    pool = make_pool(models.get("several"))
    handles = pool.handles(1)
    assert list(handles.inputs) == pool[1].get_input_names() == ["ids", "weights"]
    assert list(handles.outputs) == pool[1].get_output_names()
    assert pool.handles(1) is handles


def test_progress_is_reported_after_each_predictor(models, make_pool):
    told = []
    pool = make_pool(models.get("mlp"), progress=lambda made, of, elapsed_s: told.append((made, of, elapsed_s)))
    pool.grow(3)
    pool.grow(2)
    assert [(made, of) for made, of, _ in told] == [(1, 3), (2, 3), (3, 3)]
    assert 0 <= told[0][2] <= told[1][2] <= told[2][2]


def test_a_pool_knows_its_device_its_math_threads_and_its_method(models, make_pool):
    pool = make_pool(models.get("mlp"), size=2)
    assert (pool.device, pool.math_threads, pool.method, pool.size) == ("cpu", 1, "clone", 2)


# Arguments


def test_an_unknown_method_is_refused_with_those_there_are(models):
    with pytest.raises(UsageError, match="unknown pool method 'clones'; use one of 'clone', 'predictor_pool'"):
        PredictorPool(models.get("mlp").config(), method="clones")


@pytest.mark.parametrize("size", [0, -3])
def test_a_pool_of_none_is_refused(models, size):
    with pytest.raises(UsageError, match=f"a pool of {size} predictors serves nothing; give a size of at least 1"):
        PredictorPool(models.get("mlp").config(), size=size)


def test_paddles_own_pool_without_a_size_is_refused(models):
    with pytest.raises(UsageError, match=r"needs its size beforehand; give size="):
        PredictorPool(models.get("mlp").config(), method="predictor_pool")


@pytest.mark.parametrize("method", METHODS)
def test_more_predictors_than_the_size_are_refused(models, make_pool, method):
    pool = make_pool(models.get("mlp"), method=method, size=2)
    with pytest.raises(IndexError, match="3 predictors asked of a pool of 2; make it with a larger size"):
        pool[2]
    assert only(pool.answer(1, X)).shape == (2, 4)


def test_a_negative_index_is_refused(models, make_pool):
    with pytest.raises(IndexError, match="predictors are counted from 0, got -1"):
        make_pool(models.get("mlp"))[-1]


@pytest.mark.parametrize("given", [None, "model.json", 3])
def test_something_else_than_a_config_is_refused_with_what_to_write(models, given):
    with pytest.raises(UsageError) as caught:
        PredictorPool(given)
    assert f"got {type(given).__name__}" in str(caught.value)
    assert 'paddle.inference.Config("model.json", "model.pdiparams")' in str(caught.value)


# Models that are not there or not whole


def refused(program, params):
    """The error that a pool of these files raises."""
    with pytest.raises(ModelError) as caught, PredictorPool(config(program, params)) as pool:
        pool.answer(0, X)
    return str(caught.value)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("what", ["program", "params"])
def test_a_file_that_is_missing_is_named(copy, form, what):
    model = copy(form)
    made = model.config()  # which looks for the model itself, but not for the parameters
    getattr(model, what).unlink()
    with pytest.raises(ModelError) as caught:
        PredictorPool(made)
    said = str(caught.value)
    assert f"the {'model' if what == 'program' else 'parameters'} file {str(getattr(model, what))!r}" in said
    assert f"does not exist (looked from {os.getcwd()!r}); check the path" in said


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("what", ["program", "params"])
def test_a_file_that_is_a_directory_is_named(copy, form, what):
    model = copy(form)
    made = model.config()
    path = getattr(model, what)
    path.unlink()
    path.mkdir()
    with pytest.raises(ModelError) as caught:
        PredictorPool(made)
    assert f"file {str(path)!r} is a directory; name the file in it" in str(caught.value)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("what", ["program", "params"])
def test_a_file_that_is_empty_is_named(copy, form, what):
    model = copy(form)
    path = getattr(model, what)
    path.write_bytes(b"")
    assert f"file {str(path)!r} is empty; export the model again" in refused(model.program, model.params)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("what", ["program", "params"])
def test_a_file_that_was_cut_off_is_a_model_error_with_paddles_message(copy, form, what):
    model = copy(form)
    path = getattr(model, what)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    said = refused(model.program, model.params)
    assert f"Paddle could not serve predictor 0 of the model {str(model.program)!r}" in said
    assert "Error: " in said
    assert "check that the files are whole and were exported for this Paddle" in said


@pytest.mark.parametrize("form", FORMATS)
def test_a_model_without_parameters_is_served_without_their_file(models, form):
    model = models.get("no_parameters", form)
    assert not model.params.exists()
    said = refused(model.program, model.params)
    assert 'check the path, or give "" as the second argument for a model that has no parameters' in said
    with PredictorPool(config(model.program, "")) as pool:
        np.testing.assert_array_equal(only(pool.answer(0, {"x": np.ones((1, 4), np.float32)})), np.full((1, 4), 3))


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("content", [b"not a model at all", b"\x00\x00\x00\x00\x00\x00\x00\x00params", b"[1, 2]"])
def test_a_model_file_of_another_format_is_named(copy, form, content):
    model = copy(form)
    model.program.write_bytes(content)
    said = refused(model.program, model.params)
    assert f"the model file {str(model.program)!r} is not a" in said
    assert f"it starts with {content[:8]!r}" in said
    assert "name the file that was exported" in said


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.fault("models", "model and parameters are swapped", "it is refused")
def test_model_and_parameters_in_each_others_place_are_refused(models, form):
    model = models.get("mlp", form)
    assert "the model before its parameters" in refused(model.params, model.program)


@pytest.mark.parametrize("form", FORMATS)
def test_a_parameters_file_of_another_format_is_a_model_error(copy, form):
    model = copy(form)
    model.params.write_bytes(b"nothing of the kind")
    assert "check that the files are whole" in refused(model.program, model.params)


@pytest.mark.parametrize("form", FORMATS)
def test_the_original_error_of_paddle_is_the_cause(copy, form):
    model = copy(form)
    model.params.write_bytes(b"nothing of the kind")
    with pytest.raises(ModelError) as caught:
        PredictorPool(model.config())[0]
    assert isinstance(caught.value.__cause__, (RuntimeError, ValueError))


def test_an_empty_config_is_refused_with_what_to_write(models):
    from paddle import inference

    with pytest.raises(ModelError, match=r"Config is empty: it names no model.*\n?.*Write paddle.inference.Config\("):
        PredictorPool(inference.Config())


@pytest.mark.fault("models", "a `Config` is used twice", "the test fails with what to do")
def test_a_config_used_twice_is_refused_with_what_to_do(models, make_pool):
    used = models.get("mlp").config()
    with PredictorPool(used) as pool:
        pool.grow(1)
        with pytest.raises(ModelError) as caught:
            PredictorPool(used).grow(1)
    assert "Each config can only be used for one predictor" in str(caught.value)
    assert "paddle_config must not return the same object twice" in str(caught.value)


def test_a_model_given_from_memory_is_served_and_named_so(models):
    model = models.get("mlp", "pdmodel")
    program, params = model.program.read_bytes(), model.params.read_bytes()
    made = config(model.program, model.params)
    made.set_model_buffer(program, len(program), params, len(params))
    assert model_name(made) == "given from memory"
    with PredictorPool(made) as pool:
        assert only(pool.answer(0, X)).shape == (2, 4)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            b'{"base_code": {}}',
            "is a .json model, on which Paddle crashes: it takes only the .pdmodel format from memory",
        ),
        (b"garbage\xff", "is not a Paddle program (it starts with b'garbage\\xff'), and Paddle would crash on it"),
        (b"text alone", "is not a Paddle program (it starts with b'text alo'), and Paddle would crash on it"),
        (b"", "is empty, and Paddle would make a predictor of nothing"),
    ],
)
@pytest.mark.fault("models", "a model from memory is none", "it is refused before Paddle crashes")
def test_what_is_no_model_of_the_old_format_is_refused_from_memory_before_paddle_crashes(models, content, said):
    from paddle import inference

    made = inference.Config()
    made.set_model_buffer(content, len(content), b"", 0)
    with pytest.raises(ModelError) as caught:
        PredictorPool(made)
    assert f"the model given to Config.set_model_buffer {said}" in str(caught.value)


# Answers that are not numbers


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    ("name", "more", "is_so"), [("not_a_number", {}, np.isnan), ("divided", {"factor": 0.0}, np.isinf)]
)
@pytest.mark.fault(
    "models",
    "a model answers NaN or inf to finite inputs",
    "the test fails with the output, what to check, and the switch that allows it",
)
def test_an_answer_that_is_not_a_number_is_refused_with_its_output_and_the_switch(
    models, make_pool, form, name, more, is_so
):
    model = models.get(name, form)
    pool = make_pool(model)
    inputs = {which: np.full((1, 4), value, dtype=np.float32) for which, value in {"x": 1.0, **more}.items()}
    with pytest.raises(ModelError) as caught:
        pool.answer(0, inputs)
    assert is_so(only(pool.outputs(0))).all()
    (output,) = pool.handles(0).outputs
    assert f"the model {str(model.program)!r} answers NaN or inf in output {output!r} to finite input" in str(
        caught.value
    )
    assert "parameters file is missing or damaged" in str(caught.value)
    assert "allow_nonfinite=True" in str(caught.value)


def test_a_model_that_means_its_nan_is_served_when_allowed(models, make_pool):
    pool = make_pool(models.get("not_a_number"), allow_nonfinite=True)
    assert np.isnan(only(pool.answer(0, {"x": np.ones((1, 4), dtype=np.float32)}))).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_answer_to_nan_or_inf_may_be_nan_or_inf(models, make_pool, value):
    answer = make_pool(models.get("fixed_batch")).answer(0, {"x": np.full((2, 4), value, dtype=np.float32)})
    assert not np.isfinite(only(answer)).all()


@pytest.mark.skipif(PADDLE < (3,), reason="Paddle 2.6 has no bfloat16 on the host")
@pytest.mark.parametrize("bits", [0x7FC0, 0x7F80, 0xFF80])
def test_nan_and_inf_are_recognised_in_the_bits_of_bfloat16(bits):
    assert pool._is_finite(np.array([0x3F80, 0x7F7F], dtype=np.uint16))
    assert not pool._is_finite(np.array([0x3F80, bits], dtype=np.uint16))


# The end of a pool


def test_a_closed_pool_refuses_everything(models, make_pool):
    pool = make_pool(models.get("mlp"))
    pool.grow(2)
    pool.close()
    assert pool.closed
    uses = [lambda: pool[0], lambda: pool.grow(1), lambda: pool.handles(0), lambda: pool.answer(0, X), pool.input_specs]
    for use in uses:
        with pytest.raises(
            UsageError, match=r"the predictor pool is closed; use it inside the test, or make one with a wider"
        ):
            use()
    with pytest.raises(UsageError, match="the predictor pool is closed"), pool.in_use():
        pass


def test_close_may_be_called_twice(models, make_pool):
    pool = make_pool(models.get("mlp"))
    pool.close()
    pool.close()


def test_a_pool_closes_at_the_end_of_its_with_statement(models):
    with PredictorPool(models.get("mlp").config()) as pool:
        assert not pool.closed
    assert pool.closed


@pytest.mark.fault("models", "a pool is closed while it is measured", "it is refused, and goes on")
def test_close_is_refused_while_a_sweep_uses_the_pool(models, make_pool):
    pool = make_pool(models.get("mlp"))
    with pool.in_use():
        with pytest.raises(UsageError, match="the predictor pool is in use by a running sweep; close it afterwards"):
            pool.close()
        assert not pool.closed
        assert only(pool.answer(0, X)).shape == (2, 4)
    pool.close()
    assert pool.closed


@pytest.mark.parametrize("method", METHODS)
def test_predictors_that_are_not_held_elsewhere_go_with_their_pool(models, make_pool, method):
    pool = make_pool(models.get("mlp"), method=method, size=2)
    pool.answer(1, X)
    ends = [weakref.ref(pool[index]) for index in range(2)]
    kept = len(_kept_alive)
    pool.close()
    gc.collect()
    assert [end() for end in ends] == [None, None]
    assert len(_kept_alive) == kept


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("held", [0, 2])
@pytest.mark.fault(
    "answers",
    "a predictor is used after its pool was closed (the end of a `.pdmodel` clone would spoil its answers)",
    "it answers correctly: the pool keeps the others alive",
)
def test_a_predictor_that_is_held_elsewhere_answers_correctly_after_close(models, make_pool, form, method, held):
    # The end of one clone of the family makes the others answer wrongly (Paddle 3.x, .pdmodel), and that of
    # Paddle's own pool crashes the process.
    pool = make_pool(models.get("mlp", form), method=method, size=3)
    right, *_ = [only(pool.answer(index, X)) for index in range(3)]
    mine = pool[held]
    pool.close()
    gc.collect()
    for _ in range(3):
        mine.get_input_handle("x").copy_from_cpu(X["x"])
        mine.run()
        answer = mine.get_output_handle(mine.get_output_names()[0]).copy_to_cpu()
        np.testing.assert_array_equal(answer, right)


@pytest.mark.parametrize("lent", [0, 1])
def test_an_object_is_held_elsewhere_whatever_references_this_python_counts_by_itself(monkeypatch, lent):
    count = sys.getrefcount
    monkeypatch.setattr(sys, "getrefcount", lambda one: count(one) - 1 - lent)  # the argument is one more
    objects = [object(), object()]
    assert not pool._held_elsewhere([])
    assert not pool._held_elsewhere(objects)
    mine = objects[1]
    assert pool._held_elsewhere(objects)
    del mine
    assert not pool._held_elsewhere(objects)


# Given predictors


def test_given_predictors_are_served_as_they_are(models):
    first = models.get("mlp").predictor()
    given = [first, first.clone()]
    with PredictorPool.of(given) as pool:
        assert [pool[0], pool[1]] == given
        assert (len(pool), pool.size, pool.config, pool.method, pool.device, pool.math_threads) == (
            2, 2, None, None, None, None,
        )  # fmt: skip
        np.testing.assert_array_equal(only(pool.answer(0, X)), only(pool.answer(1, X)))


def test_one_predictor_given_twice_is_refused_with_both_places(models):
    first = models.get("mlp").predictor()
    with pytest.raises(UsageError) as caught:
        PredictorPool.of([first, first.clone(), first])
    assert "predictors 0 and 2 are one object" in str(caught.value)
    assert "predictor.clone()" in str(caught.value)


def test_an_empty_list_of_predictors_is_refused():
    with pytest.raises(UsageError, match="an empty list of predictors serves nothing; give one predictor per thread"):
        PredictorPool.of([])


def test_more_predictors_than_were_given_are_refused(models):
    with (
        PredictorPool.of([models.get("mlp").predictor()]) as pool,
        pytest.raises(IndexError, match="2 predictors asked"),
    ):
        pool[1]


def test_a_given_model_is_named_as_what_it_is(models):
    with (
        PredictorPool.of([models.get("mlp").predictor()]) as pool,
        pytest.raises(ModelError, match="of the given predictors"),
    ):
        pool.answer(0, {"x": np.ones((1, 7), dtype=np.float32)})


# Faults while it clones


@pytest.mark.skipif(PADDLE < (3,), reason="in 2.6 the end of a clone leaves its siblings alone")
@pytest.mark.fault(
    "processes",
    "Ctrl-C or a time limit (SIGALRM) arrives inside `clone()`",
    "no clone is dropped, so those of a `.pdmodel` that were made before still answer correctly",
)
def test_a_signal_inside_clone_takes_nothing_from_the_clones_before(models, make_pool, until_alarm):
    pool = make_pool(models.get("mlp", "pdmodel"))  # clones of the other format do no harm to each other
    right = only(pool.answer(0, X))
    started_s = time.monotonic()
    pool.grow(3)
    clone_s = (time.monotonic() - started_s) / 2
    for share in range(16):  # at 16 moments of a clone
        until_alarm(clone_s * (share + 0.5) / 16, lambda: pool.grow(len(pool) + 1))
    pool.grow(len(pool) + 1)
    for index in range(len(pool)):
        np.testing.assert_array_equal(only(pool.answer(index, X)), right)


@pytest.mark.fault("machine", "memory runs out while a pool clones", "the test fails, and says what to do about memory")
def test_memory_that_runs_out_while_cloning_is_a_model_error_of_memory(models, make_pool, monkeypatch):
    pool = make_pool(models.get("mlp"))
    right = only(pool.answer(0, X))

    def no_memory(index):
        raise MemoryError("(ResourceExhausted) Fail to alloc memory of 1048576 size")

    with monkeypatch.context() as limited:
        limited.setattr(pool, "_maker", lambda index: (no_memory, (index,)))
        with pytest.raises(ModelError, match=r"predictor 1 of .*memory ran out: ask for fewer threads") as raised:
            pool.grow(2)
    assert "whole" not in str(raised.value)
    assert len(pool) == 1
    np.testing.assert_array_equal(only(pool.answer(1, X)), right)


@pytest.mark.fault("models", "a pipe or a device stands in a parameters file's place", "it is refused, not opened")
def test_a_pipe_in_the_place_of_parameters_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (str(tmp_path / "pipe"), "/dev/zero"):
        with pytest.raises(
            ModelError, match=f"the parameters file '{path}' is a pipe or a device; name a regular file"
        ):
            check_files("", path)
