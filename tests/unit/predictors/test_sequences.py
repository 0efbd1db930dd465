"""Inputs with a LoD, served by a real model of sequences."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_paddle_mt.engines import Workload, answers
from pytest_paddle_mt.engines.native import NativeEngine
from pytest_paddle_mt.engines.python import PythonEngine
from pytest_paddle_mt.errors import InputError, ModelError
from pytest_paddle_mt.predictors.identity import inputs_digest
from pytest_paddle_mt.predictors.inputs import checked_inputs, served_inputs
from pytest_paddle_mt.predictors.sequences import lod_of
from pytest_paddle_mt.records import WindowPlan

ROWS = np.arange(12, dtype=np.float32).reshape(4, 3)
SHORT = WindowPlan(window_s=0.0, min_queries=3, warmup_s=0.0, warmup_queries=1)


@pytest.fixture
def pool(models, make_pool):
    return make_pool(models.pooled())


def answer(pool, rows, lod):
    (given,) = checked_inputs(pool, {"x": (rows, lod)})
    (output,) = pool.answer(0, given).values()
    return output


def test_each_sequence_has_an_answer_of_its_own(pool):
    one, two = answer(pool, ROWS[:1], [[0, 1]]), answer(pool, ROWS[1:], [[0, 3]])
    np.testing.assert_allclose(answer(pool, ROWS, [[0, 1, 4]]), np.concatenate([one, two]), rtol=1e-5)


@pytest.mark.parametrize("engine", [NativeEngine(), PythonEngine()], ids=lambda engine: engine.name)
def test_an_engine_gives_each_query_the_lod_of_its_input_set(pool, engine):
    given = checked_inputs(
        pool, [{"x": (ROWS, [[0, 1, 4]])}, {"x": (ROWS, np.array([[0, 3, 4]]))}, {"x": (ROWS, [[0, 4]])}]
    )
    golden = answers.golden(lambda index: pool.answer(0, given[index]), len(given))
    assert [len(next(iter(one.values()))) for one in golden.answers.values()] == [2, 2, 1]
    session = engine.open(Workload(pool=pool, inputs=given, query=None, synthetic=None, seed=1, golden=golden))
    try:
        for _ in range(4):  # a wrong answer raises
            assert session.measure(2, SHORT).queries >= 2
    finally:
        session.close()


def test_arrays_without_a_lod_do_not_get_that_of_an_earlier_sweep(pool):
    answer(pool, ROWS, [[0, 1, 4]])
    pool.copies_in(0, {"x": ROWS})
    assert pool.handles(0).inputs["x"].lod() == []


def test_a_model_of_sequences_that_is_given_none_says_how(pool):
    with pytest.raises(ModelError, match=r"give sequences with their offsets, \(array, lod\), such as"):
        pool.answer(0, {"x": ROWS})


@pytest.mark.parametrize(
    ("lod", "message"),
    [
        ([0, 1, 4], "is [0, 1, 4]; give a list of levels"),
        ([], "is []; give a list of levels"),
        ([[]], "is [[]]; give a list of levels"),
        ([[0, 1.5, 4]], "give a list of levels"),
        ("text", "is 'text'; give a list of levels"),
        ([[1, 4]], "is [1, 4]; its offsets must begin with 0, never fall, and end with 4, the number of rows"),
        ([[0, 3, 2, 4]], "is [0, 3, 2, 4]; its offsets must begin with 0, never fall"),
        ([[0, 9]], "level 0 of the LoD of input 'x' is [0, 9]; its offsets must begin with 0"),
        ([[0, 2], [0, 1, 3]], "level 1 of the LoD of input 'x' is [0, 1, 3]"),
        ([[0, 3], [0, 1, 4]], "end with 2, the number of sequences in the next level"),
    ],
)
def test_a_lod_that_does_not_fit_is_refused(pool, lod, message):
    with pytest.raises(InputError) as caught:
        checked_inputs(pool, {"x": (ROWS, lod)})
    assert message in str(caught.value)


def test_levels_within_levels_and_empty_sequences_fit(pool):
    (given,) = checked_inputs(pool, {"x": (ROWS, [[0, 2], [0, 0, 4]])})
    assert lod_of(given["x"]) == ((0, 2), (0, 0, 4))


def test_input_sets_with_and_without_a_lod_are_refused_together(pool):
    with pytest.raises(InputError, match="a LoD of 0 levels in one input set and of 1 in another"):
        checked_inputs(pool, [{"x": ROWS}, {"x": (ROWS, [[0, 4]])}])


def test_the_array_of_a_pair_is_checked_as_any_other(pool):
    with pytest.raises(InputError, match=r"has the shape \(4, 2\), the model wants"):
        checked_inputs(pool, {"x": (ROWS[:, :2], [[0, 4]])})


def test_what_was_served_shows_the_array_and_the_digest_knows_the_lod(pool):
    one, two = (checked_inputs(pool, {"x": (ROWS, lod)}) for lod in ([[0, 1, 4]], [[0, 4]]))
    assert served_inputs(one, made_up=False)[0].text == "float32 (4, 3), 0 to 11"
    assert inputs_digest(one) != inputs_digest(two)
