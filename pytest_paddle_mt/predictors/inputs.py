"""Checks inputs against the model, or makes them from the model's own specification."""

from __future__ import annotations

import dataclasses
import difflib
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_paddle_mt.errors import InputError
from pytest_paddle_mt.predictors.libpaddle import DATA_TYPES, InputSpec
from pytest_paddle_mt.predictors.sequences import checked_lod, is_pair, lod_of, with_lod
from pytest_paddle_mt.records import ServedInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from pytest_paddle_mt.predictors.pool import PredictorPool

InputSet = dict[str, "npt.NDArray[Any]"]

_SETS_S = 1.0  #: Input sets that are made up cost at most this much time to be asked once each, in seconds.
_SETS_BYTES = 1 << 26  #: And so much memory, 64 MB.
_STEP = 7  #: They are shifted by so many elements each. Prime to 255, after which the values repeat.

_FLOAT32 = 0  #: The type that an input is assumed to have if Paddle does not report one.


class DefaultInputs(dict[str, Any]):
    """An input set that was made for the model of ``predictor``."""

    def __init__(self, arrays: Mapping[str, Any], predictor: Any) -> None:
        super().__init__(arrays)
        self.predictor = predictor


class InputsOnDemand(Mapping[str, Any]):
    """A default input set that is made when it is first read: the model's specification costs a predictor."""

    def __init__(self, make: Callable[[], Mapping[str, Any]]) -> None:
        self._make = make

    def __getitem__(self, name: str) -> Any:
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    @functools.cached_property
    def _arrays(self) -> Mapping[str, Any]:
        return self._make()


def default_inputs(
    pool: PredictorPool,
    batch_size: int,
    *,
    batch_size_asked: bool,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
) -> DefaultInputs:
    """One input set from the model's own names, types and shapes, filled with ``i % 255 * 0.1`` as in Paddle's guide.

    The first dimension is ``batch_size`` if the model leaves it open. Shapes in ``shapes`` overrule the model's.

    Raises:
        InputError: another dimension is open, or the model fixes another batch size than the one asked for.
    """
    given = shapes or {}
    arrays = {}
    for spec in pool.input_specs():
        shape = given[spec.name] if spec.name in given else _shape(spec, batch_size, batch_size_asked)
        arrays[spec.name] = fill(shape, _type(spec))
    return DefaultInputs(arrays, pool[0])


def alike(given: Mapping[str, Any], count: int, query_s: float) -> list[InputSet]:
    """Input sets like one that was made up, itself the first: the same values, each set in another order.

    So a model that takes one takes the others, as a rule, and answers each of them otherwise.

    Args:
        given: arrays by input name.
        count: how many sets; fewer where asking each of them would take long, or all together much memory.
        query_s: how long a query takes, in seconds.
    """
    arrays = {name: np.asarray(array) for name, array in given.items()}
    size = sum(array.nbytes for array in arrays.values())
    count = max(1, min(count, int(_SETS_S / max(query_s, 1e-9)), _SETS_BYTES // max(size, 1)))
    return [
        dict(given) if index == 0 else {name: np.roll(array, -_STEP * index) for name, array in arrays.items()}
        for index in range(count)
    ]


def fill(shape: tuple[int, ...], data_type: int) -> npt.NDArray[Any]:
    """An array of ``shape`` and Paddle's ``data_type``; element i is i % 255 * 0.1, rounded towards 0 for integers."""
    values = np.arange(int(np.prod(shape)), dtype=np.int64) % 255 * 0.1
    name, dtype = DATA_TYPES[data_type]
    if name == "bfloat16":
        return (values.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16).reshape(shape)
    return values.astype(dtype).reshape(shape)


def checked_inputs(pool: PredictorPool, given: Any) -> list[InputSet]:
    """``given`` as a list of input sets that fit the model: contiguous arrays, in the model's order.

    Args:
        pool: predictors of the model.
        given: a dict of arrays by input name, or a list of such dicts, which queries take in turn. An array and its
            LoD may stand for an array.

    Raises:
        InputError: it is something else, or a name, dtype, rank or extent does not fit.
    """
    specs = pool.input_specs()
    checked = [_checked_set(specs, one) for one in input_sets(given, may_be_empty=not specs)]
    for spec in specs:
        levels = {len(lod_of(one[spec.name])) for one in checked}
        if len(levels) > 1:  # a handle keeps its LoD until it gets another
            raise InputError(
                f"input {spec.name!r} has a LoD of {min(levels)} levels in one input set and of {max(levels)} in "
                "another; give all of them as (array, lod) with as many levels"
            )
        if levels != {0} and not hasattr(pool.handles(0).inputs[spec.name], "set_lod"):
            raise InputError(
                f"input {spec.name!r} has a LoD, which this Paddle cannot be given; use an older Paddle, or export a "
                "model that takes padded sequences"
            )
    return checked


def input_sets(given: Any, *, may_be_empty: bool = False) -> list[InputSet]:
    """``given`` as a list of dicts, as it is; ``may_be_empty`` for a model that has no inputs.

    Raises:
        InputError: it is neither a dict nor a list of dicts, or an empty one.
    """
    sets: Sequence[Any] = [given] if isinstance(given, dict) else given
    if not isinstance(sets, (list, tuple)) or not all(isinstance(one, dict) for one in sets):
        raise InputError(
            f"paddle_inputs must be a dict of arrays by input name, or a list of such dicts; got {_shown(given)}"
        )
    if not sets or not (may_be_empty or all(sets)):
        raise InputError("paddle_inputs is empty; give at least one dict with an array for each input of the model")
    return list(sets)


def served_inputs(sets: Sequence[Mapping[str, Any]], *, made_up: bool, checked: bool = True) -> tuple[ServedInput, ...]:
    """What these input sets are, input by input; what is no array of numbers is left out.

    Args:
        sets: the input sets.
        made_up: whether the plugin made them.
        checked: whether they fit the model, so that uint16 is the bits of bfloat16.
    """
    by_name: dict[str, list[npt.NDArray[Any]]] = {}
    for one in sets:
        for name, array in one.items():
            if isinstance(array, np.ndarray) and array.dtype.kind in "fiub":
                by_name.setdefault(str(name), []).append(array)
    return tuple(_served_input(name, arrays, made_up, checked) for name, arrays in by_name.items())


def _served_input(name: str, arrays: list[npt.NDArray[Any]], made_up: bool, checked: bool) -> ServedInput:
    bits = checked and arrays[0].dtype == np.uint16
    numbers = [_float32_of_bfloat16(array) for array in arrays] if bits else arrays
    finite = [found for array in numbers if (found := array[np.isfinite(array)]).size]
    shape: tuple[int | None, ...] | None = None
    if len({array.ndim for array in arrays}) == 1:
        extents = zip(*(array.shape for array in arrays), strict=True)
        shape = tuple(extent[0] if len(set(extent)) == 1 else None for extent in extents)
    return ServedInput(
        name=name,
        dtype="bfloat16" if bits else arrays[0].dtype.name,
        shape=shape,
        low=min((float(array.min()) for array in finite), default=None),
        high=max((float(array.max()) for array in finite), default=None),
        made_up=made_up,
    )


def _float32_of_bfloat16(bits: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return (bits.astype(np.uint32) << 16).view(np.float32)


def suspicion_of_made_up(specs: Sequence[InputSpec], made: Mapping[str, Any]) -> str:
    """What an error says of inputs that were made up: what they are, and the fixture that gives others."""
    lines = [f"    {one.name}: {one.text}" for one in served_inputs([made], made_up=True)]
    exact = [dataclasses.replace(spec, shape=made[spec.name].shape) for spec in specs]
    return (
        "The inputs were made up by pytest-paddle-mt:\n\n" + "\n".join(lines) + "\n\n"
        "If the model cannot take them (a factor that it divides by, ids beyond a table, lengths, a mask), write a "
        f"fixture that gives what it can take:\n\n{example_fixture(exact)}\n\nOtherwise: "
    )


def _checked_set(specs: Sequence[InputSpec], given: Mapping[str, Any]) -> InputSet:
    names = [spec.name for spec in specs]
    for name in given:
        if name not in names:
            close = difflib.get_close_matches(str(name), names, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            known = f"its inputs are {', '.join(map(repr, names))}" if names else "it has none at all"
            raise InputError(f"the model has no input {name!r}; {known}{hint}")
    for name in names:
        if name not in given:
            raise InputError(f"paddle_inputs lacks the model's input {name!r}; add it to the dict")
    checked = {spec.name: _checked_array(spec, given[spec.name]) for spec in specs}
    if checked and not any(array.size for array in checked.values()):
        name, array = next(iter(checked.items()))
        raise InputError(
            f"no input has elements ({name!r} has the shape {array.shape}); a query needs at least one, and only a "
            "part of the inputs, such as a cache, may be empty"
        )
    return checked


def _checked_array(spec: InputSpec, given: Any) -> npt.NDArray[Any]:
    if is_pair(given):
        array = _checked_array(spec, given[0])
        if not array.ndim:
            raise InputError(f"input {spec.name!r} has a LoD and is a single number; give an array of rows")
        return with_lod(array, checked_lod(spec.name, given[1], len(array)))
    try:
        array = np.asarray(given)
    except ValueError as error:  # rows of different lengths, for instance
        raise InputError(
            f"input {spec.name!r} cannot be made an array: {error}; give a NumPy array, or (array, lod) for sequences "
            "of different lengths"
        ) from error
    if array.dtype.kind in "US" or (array.dtype.kind == "O" and isinstance(next(iter(array.flat), None), (str, bytes))):
        raise InputError(
            f"input {spec.name!r} is text, which no engine copies into a predictor; export the model without its "
            "tokenizer, or serve it by a query of your own: concurrent_runner(predictor_pool, query=...)"
        )
    if array.dtype.name == "bfloat16":
        array = array.view(np.uint16)
    type_name, dtype = DATA_TYPES[_type(spec)]
    if spec.data_type is None and array.dtype not in [known for _, known in DATA_TYPES.values()]:
        raise InputError(
            f"input {spec.name!r} is {array.dtype}, which no model of Paddle's takes; convert it with .astype(...) to "
            "what the model was exported with"
        )
    if spec.data_type is not None and array.dtype != dtype:
        wanted, step = type_name, f"convert it with .astype({dtype.name!r})"
        if type_name == "bfloat16":
            wanted += " (its bits as uint16)"
            step = 'convert float32 with (array.view("uint32") >> 16).astype("uint16")'
        raise InputError(f"input {spec.name!r} is {array.dtype}, the model wants {wanted}; {step}")
    if spec.shape is not None:
        _check_shape(spec.name, spec.shape, array)
    return np.ascontiguousarray(array)


def _check_shape(name: str, shape: tuple[int, ...], array: npt.NDArray[Any]) -> None:
    if array.ndim != len(shape):
        raise InputError(
            f"input {name!r} has {array.ndim} dimensions {array.shape}, the model wants {len(shape)}: "
            f"{_shape_text(shape)}; reshape it"
        )
    if any(wanted not in (-1, extent) for wanted, extent in zip(shape, array.shape, strict=True)):
        raise InputError(
            f"input {name!r} has the shape {array.shape}, the model wants {_shape_text(shape)}; reshape it"
        )


def _type(spec: InputSpec) -> int:
    return _FLOAT32 if spec.data_type is None else spec.data_type


def _shape(spec: InputSpec, batch_size: int, batch_size_asked: bool) -> tuple[int, ...]:
    if spec.shape is None:
        raise InputError(
            f"the shape of input {spec.name!r} is unknown, as this Paddle does not report it. Write a fixture that "
            "gives the arrays:\n\n" + example_fixture([spec])
        )
    if not spec.shape:
        return ()
    first, *rest = spec.shape
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
    """The text of a ``paddle_inputs`` fixture for these inputs, with ... for each open extent."""
    lines = ["    @pytest.fixture", "    def paddle_inputs():", "        return {"]
    for spec in specs:
        dtype = DATA_TYPES[_type(spec)][1].name
        lines.append(f'            "{spec.name}": numpy.ones({_shape_text(spec.shape)}, "{dtype}"),')
    return "\n".join([*lines, "        }"])


def _shape_text(shape: tuple[int, ...] | None) -> str:
    if shape is None:
        return "..."
    extents = ["..." if extent < 0 else str(extent) for extent in shape]
    return f"({', '.join(extents)}{',' if len(extents) == 1 else ''})"


def _shown(value: Any) -> str:
    text = f"{type(value).__name__} {value!r}"
    return text if len(text) <= 80 else text[:77] + "..."
