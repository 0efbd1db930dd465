"""Finds the C++ objects behind Paddle's Python objects, and the inputs that a model declares."""

from __future__ import annotations

import builtins
import contextlib
import re
import sys
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_paddle_mt import _native
from pytest_paddle_mt.errors import EngineUnavailable
from pytest_paddle_mt.predictors.sequences import lod_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

#: Paddle's name of a data type and NumPy's, by Paddle's number of it. NumPy has no bfloat16: uint16 carries its bits.
DATA_TYPES: dict[int, tuple[str, np.dtype[Any]]] = {
    number: (name, np.dtype("uint16" if name == "bfloat16" else name))
    for number, name in enumerate(
        ("float32", "int64", "int32", "uint8", "int8", "float16", "bool", "float64", "bfloat16")
    )
}

_USE_PYTHON_ENGINE = "measure the stock Python way instead with --paddle-engine=python"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class InputSpec:
    """One input, as the model declares it."""

    name: str
    shape: tuple[int, ...] | None  #: Extents, -1 for an open one; None if this Paddle cannot report them.
    #: Paddle's number of the data type, a key of ``DATA_TYPES``; None if this Paddle does not report it.
    data_type: int | None


@lru_cache(maxsize=1)
def api() -> _native.PaddleApi:
    """The exported functions of the libpaddle that this process has loaded.

    Raises:
        EngineUnavailable: this Paddle, or this platform, does not export them.
    """
    import paddle

    try:
        return _native.PaddleApi(library_path())
    except (RuntimeError, AttributeError) as error:
        raise EngineUnavailable(
            f"the native engine cannot drive paddlepaddle {paddle.__version__}: {error}; {_USE_PYTHON_ENGINE}"
        ) from error


def library_path() -> str:
    """Path of the loaded libpaddle."""
    import paddle

    return str(paddle.base.libpaddle.__file__)


@lru_cache(maxsize=1)
def _abis() -> tuple[str, ...]:
    """ABI ids of the pybind11 modules in this process.

    Older versions of pybind11 keep them in ``builtins``, newer ones in the interpreter's own dict.
    """
    names = [*vars(builtins), *_native.interpreter_state_names()]
    matches = (re.fullmatch(r"__pybind11_internals_v\d+(.*?)__", name) for name in names)
    return tuple(match[1] for match in matches if match)


def predictor_pointer(predictor: Any) -> int:
    """Address of the ``paddle_infer::Predictor`` behind a Python predictor."""
    return _pointer(predictor, api().predictor_typeinfo)


def tensor_pointer(tensor: Any) -> int:
    """Address of the ``paddle_infer::Tensor`` behind a Python handle."""
    return _pointer(tensor, api().tensor_typeinfo)


def _pointer(instance: Any, typeinfo: int) -> int:
    """The C++ object behind a pybind11 object: by the conduit if it has one, else by the simple layout."""
    for abi in _abis():
        pointer = _native.pointer_by_conduit(instance, abi, typeinfo)
        if pointer is not None:
            return pointer
    bases = type(instance).__mro__
    if not hasattr(bases[0], "_pybind11_conduit_v1_") and any(base.__name__ == "pybind11_object" for base in bases):
        pointer = _native.pointer_by_layout(instance)
        if pointer is not None:
            return pointer
    raise EngineUnavailable(
        f"the native engine found no C++ object behind {type(instance).__qualname__!r}: "
        f"its Python binding has another ABI than this platform's; {_USE_PYTHON_ENGINE}"
    )


def is_predictor(one: object) -> bool:
    """Whether it is a ``paddle.inference.Predictor``; does not import Paddle."""
    paddle = sys.modules.get("paddle")
    return paddle is not None and isinstance(one, paddle.inference.Predictor)


def input_specs(predictor: Any, program: str | None) -> tuple[InputSpec, ...]:
    """The inputs that the model declares, in the order of ``predictor.get_input_names()``.

    If this Paddle cannot be driven natively, shapes are unknown, and so are types unless the model's ``program`` file
    has them. Paddle (3.2.2, 3.3.1) reports float32 for every input of a ``.json`` model, so the types are read from the
    file; where the file is unknown, None, float32 counts as unknown.
    """
    shapes: Mapping[str, Sequence[int]] = {}
    types: Mapping[str, int | None] = {}
    try:
        pointer = predictor_pointer(predictor)
    except EngineUnavailable:
        pass  # the python engine works without them, on arrays of the user's
    else:
        with contextlib.suppress(RuntimeError):  # Paddle has no number for text, for instance
            shapes = api().input_shapes(pointer)
            known = {name: number for name, number in api().input_types(pointer).items() if number in DATA_TYPES}
            types = {name: None if program is None and number == 0 else number for name, number in known.items()}
    if program is not None and program.endswith(".json"):
        types = _types_in(program)
    return tuple(
        InputSpec(name=name, shape=tuple(shapes[name]) if name in shapes else None, data_type=types.get(name))
        for name in predictor.get_input_names()
    )


def _types_in(program: str) -> dict[str, int | None]:
    """The types of the inputs by name, from the ``.json`` file."""
    import paddle

    numbers = {f"paddle.{name}": number for number, (name, _) in DATA_TYPES.items()}
    parsed = paddle.base.libpaddle.pir.Program()
    paddle.base.core.deserialize_pir_program(program, parsed)
    inputs = [op.attrs() for op in parsed.global_block().ops if op.name() == "pd_op.data"]
    return {attributes["name"]: numbers.get(str(attributes["dtype"])) for attributes in inputs}


def host_array(array: npt.NDArray[Any]) -> _native.HostArray:
    """A copy of ``array``, which has one of the dtypes in ``DATA_TYPES``, and of its LoD, for the native loop."""
    data_type = next(number for number, (_, dtype) in DATA_TYPES.items() if dtype == array.dtype)
    return _native.HostArray.make(data_type, list(array.shape), np.ascontiguousarray(array).tobytes(), lod_of(array))


def numpy_array(array: _native.HostArray) -> npt.NDArray[Any]:
    """What the native loop copied out, with its dtype in ``DATA_TYPES``."""
    return np.frombuffer(array.content, DATA_TYPES[array.type][1]).reshape(array.shape)
