"""What exactly was served: the same is the same in every process, and what differs is named."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_paddle_mt import SyntheticWork
from pytest_paddle_mt.predictors import identity
from tests.builders import subject

INPUTS = [{"x": np.arange(6, dtype=np.float32).reshape(2, 3), "y": np.array([1, 2])}]


def own_query(predictor, inputs):
    """Of a user."""


def test_the_digest_of_inputs_is_that_of_names_types_shapes_and_contents():
    known = identity.inputs_digest(INPUTS)
    assert known == identity.inputs_digest([{name: array.copy() for name, array in reversed(INPUTS[0].items())}])
    x, y = INPUTS[0]["x"], INPUTS[0]["y"]
    for other in (
        [{"x": x, "z": y}],
        [{"x": x.reshape(3, 2), "y": y}],
        [{"x": x.astype(np.float64), "y": y}],
        [{"x": x + 1, "y": y}],
        [{"x": x}, {"y": y}],
        [*INPUTS, *INPUTS],
    ):
        assert identity.inputs_digest(other) != known


def test_an_array_that_is_a_view_has_the_digest_of_its_contents():
    transposed = np.arange(6, dtype=np.float32).reshape(3, 2).T
    assert identity.inputs_digest([{"x": transposed}]) == identity.inputs_digest([{"x": transposed.copy()}])


@pytest.mark.parametrize("value", ["a path", object(), np.array([object()])])
def test_inputs_that_are_no_arrays_have_no_digest(value):
    assert identity.inputs_digest([{"x": value}]) == identity.UNKNOWN


def test_work_is_called_the_same_in_every_process():
    assert identity.name_of(own_query) == "tests.unit.predictors.test_identity.own_query"
    assert identity.name_of(SyntheticWork(spin_ns=5.0)) == "SyntheticWork(spin_ns=5.0)"
    assert "0x" not in identity.name_of(lambda predictor, inputs: None)


def test_without_a_pool_versions_and_work_are_described():
    found = identity.describe(subject(engine="synthetic", batch_size=None), None, (), SyntheticWork(spin_ns=5.0))
    assert found["work"] == "SyntheticWork(spin_ns=5.0)"
    assert {"Python", "NumPy", "pytest-paddle-mt", "engine", "device"} < set(found)
    assert not {"inputs", "batch size", "model"} & set(found)


def test_a_model_is_known_by_the_digests_of_its_files(models, make_pool):
    one, same, other = (
        identity.describe(subject(), make_pool(models.get(name)), INPUTS, None) for name in ("mlp", "mlp", "several")
    )
    assert one == same
    for part in ("model program", "model parameters"):
        assert one[part].startswith("sha256 ")
        assert one[part] != other[part]
    assert one["paddlepaddle"][0].isdigit()


def test_given_predictors_are_of_an_unknown_model(models):
    from pytest_paddle_mt.predictors.pool import PredictorPool

    with PredictorPool.of([models.get("mlp").predictor()]) as pool:
        assert identity.describe(subject(), pool, INPUTS, None)["model"] == identity.UNKNOWN


@pytest.mark.parametrize("name", ["inputs", "batch size", "device"])
def test_sides_that_serve_different_inputs_batches_or_devices_cannot_be_compared(name):
    known = {"inputs": "sha256 1", "batch size": "1", "device": "cpu"}
    assert identity.objection(known, dict(known)) is None
    reason = identity.objection(known, {**known, name: "another"})
    assert reason is not None
    assert f"differ in {name}: {known[name]} and another" in reason


def test_an_unknown_fact_is_no_objection_and_is_listed_as_unknown():
    assert identity.objection({"inputs": identity.UNKNOWN}, {"inputs": "sha256 1"}) is None
    assert identity.differences({"inputs": identity.UNKNOWN}, {"inputs": identity.UNKNOWN}) == (
        "inputs: unknown, so it may differ",
    )


def test_differences_are_named_with_both_values():
    found = identity.differences({"Python": "3.11", "NumPy": "2.0"}, {"Python": "3.11", "NumPy": "1.26", "pool": "x"})
    assert found == ("NumPy 2.0 against 1.26", "pool none against x")
