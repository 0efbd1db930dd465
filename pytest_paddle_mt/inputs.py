"""Inputs for the queries: checked against the model, or made from the model's own specification."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_paddle_mt.errors import InputError
from pytest_paddle_mt.libpaddle import DATA_TYPES, InputSpec, input_specs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

InputSet = dict[str, "npt.NDArray[Any]"]


class DefaultInputs(dict[str, Any]):
    """The input set made for one predictor of the model that it came from."""

    def __init__(self, arrays: Mapping[str, Any], predictor: Any) -> None:
        super().__init__(arrays)
        self.predictor = predictor


def default_inputs(predictor: Any, batch_size: int, *, batch_size_asked: bool) -> DefaultInputs:
    """One input set from the model's own names, types and shapes, filled with ``i % 255 * 0.1`` as in Paddle's guide.

    The first dimension, where the model leaves it open, is ``batch_size``.

    Raises:
        InputError: another dimension is open, or the model fixes a batch size other than the one asked for.
    """
    return DefaultInputs(
        {
            spec.name: fill(_shape(spec, batch_size, batch_size_asked), spec.data_type)
            for spec in input_specs(predictor)
        },
        predictor,
    )


def fill(shape: tuple[int, ...], data_type: int) -> npt.NDArray[Any]:
    """An array of ``shape`` and Paddle's ``data_type`` with element i = i % 255 * 0.1, rounded towards 0 for integers."""
    values = np.arange(int(np.prod(shape)), dtype=np.int64) % 255 * 0.1
    name, dtype = DATA_TYPES[data_type]
    if name == "bfloat16":
        return (values.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16).reshape(shape)
    return values.astype(dtype).reshape(shape)


def checked_inputs(predictor: Any, given: Any) -> list[InputSet]:
    """``given`` as a list of input sets that fit the model: contiguous arrays, in the model's order.

    Args:
        predictor: a predictor of the model.
        given: a dict of arrays by input name, or a list of such dicts to take in turn.

    Raises:
        InputError: it is something else, or a name, dtype, rank or extent does not fit.
    """
    sets: Sequence[Any] = [given] if isinstance(given, dict) else given
    if not isinstance(sets, (list, tuple)) or not all(isinstance(one, dict) for one in sets):
        raise InputError(
            f"paddle_inputs must be a dict of arrays by input name, or a list of such dicts; got {_shown(given)}"
        )
    if not sets:
        raise InputError("paddle_inputs is an empty list; give at least one dict of arrays")
    specs = input_specs(predictor)
    return [_checked_set(specs, one) for one in sets]


def _checked_set(specs: Sequence[InputSpec], given: Mapping[str, Any]) -> InputSet:
    names = [spec.name for spec in specs]
    for name in given:
        if name not in names:
            close = difflib.get_close_matches(str(name), names, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise InputError(f"the model has no input {name!r}; its inputs are {', '.join(map(repr, names))}{hint}")
    for name in names:
        if name not in given:
            raise InputError(f"paddle_inputs lacks the model's input {name!r}; add it to the dict")
    return {spec.name: _checked_array(spec, given[spec.name]) for spec in specs}


def _checked_array(spec: InputSpec, given: Any) -> npt.NDArray[Any]:
    array = np.asarray(given)
    type_name, dtype = DATA_TYPES[spec.data_type]
    if type_name == "bfloat16" and array.dtype.name == "bfloat16":
        array = array.view(np.uint16)
    if array.dtype != dtype:
        carrier = " (its bits as uint16)" if type_name == "bfloat16" else ""
        raise InputError(
            f"input {spec.name!r} is {array.dtype}, the model wants {type_name}{carrier}; "
            f"convert it with .astype({dtype.name!r})"
        )
    if array.ndim != len(spec.shape):
        raise InputError(
            f"input {spec.name!r} has {array.ndim} dimensions {array.shape}, the model wants {len(spec.shape)}: "
            f"{_shape_text(spec.shape)}; reshape it"
        )
    if any(wanted not in (-1, extent) for wanted, extent in zip(spec.shape, array.shape)):
        raise InputError(
            f"input {spec.name!r} has the shape {array.shape}, the model wants {_shape_text(spec.shape)}; reshape it"
        )
    if array.size == 0:
        raise InputError(f"input {spec.name!r} has no elements (shape {array.shape}); a query needs at least one")
    return np.ascontiguousarray(array)


def _shape(spec: InputSpec, batch_size: int, batch_size_asked: bool) -> tuple[int, ...]:
    if not spec.shape:
        return ()
    first, rest = spec.shape[0], spec.shape[1:]
    if any(extent < 0 for extent in rest):
        raise InputError(
            f"input {spec.name!r} has the shape {_shape_text(spec.shape)}: only the first open dimension, the batch, "
            "can be guessed. Write a fixture that gives the arrays:\n\n" + example_fixture([spec])
        )
    if first < 0:
        return (batch_size, *rest)
    if batch_size_asked and first != batch_size:
        raise InputError(
            f"--paddle-batch-size={batch_size} was asked, but the model fixes the batch of input {spec.name!r} at "
            f"{first}; export it with an open first dimension, or drop the option"
        )
    return spec.shape


def example_fixture(specs: Sequence[InputSpec]) -> str:
    """The text of a ``paddle_inputs`` fixture for these inputs, with ... where an extent is open."""
    lines = ["    @pytest.fixture", "    def paddle_inputs():", "        return {"]
    for spec in specs:
        dtype = DATA_TYPES[spec.data_type][1].name
        lines.append(f'            "{spec.name}": numpy.zeros({_shape_text(spec.shape)}, "{dtype}"),')
    return "\n".join([*lines, "        }"])


def _shape_text(shape: tuple[int, ...]) -> str:
    extents = ["..." if extent < 0 else str(extent) for extent in shape]
    return f"({', '.join(extents)}{',' if len(extents) == 1 else ''})"


def _shown(value: Any) -> str:
    text = f"{type(value).__name__} {value!r}"
    return text if len(text) <= 80 else text[:77] + "..."
