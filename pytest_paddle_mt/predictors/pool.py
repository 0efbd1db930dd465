"""Makes and keeps the predictors of one model, one for each thread.

Guarantees
    * Predictors are made on demand, in order, and never twice: ``pool[i]`` is always the same object.
    * The whole family and its tensor handles live until ``close()``, which drops all of them together. (On Paddle 3.x
      with the old ``.pdmodel`` format, the end of one clone silently corrupts the answers of the others; a handle that
      outlives its predictor, and a predictor that outlives its ``paddle.inference.PredictorPool``, crash the process.)
    * No signal that arrives while a clone is made, Ctrl-C or the alarm of a time limit, destroys it.
    * If a predictor is still referred to elsewhere at ``close()``, the family is kept until the process ends.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_paddle_mt.errors import ModelError, UsageError
from pytest_paddle_mt.machine.versions import paddle_version
from pytest_paddle_mt.predictors import gil, libpaddle
from pytest_paddle_mt.predictors.advice import on_destroyed_clone
from pytest_paddle_mt.predictors.model_files import check_config, model_name
from pytest_paddle_mt.predictors.sequences import lod_of
from pytest_paddle_mt.predictors.streams import OwnStreams
from pytest_paddle_mt.records import POOL_METHODS, PoolMethod

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt
    from typing_extensions import Self

    from pytest_paddle_mt.records import GilState


#: Called after each predictor with how many there are, how many were asked for, and the seconds since the start.
Progress = Callable[[int, int, float], None]

#: Families of which a predictor was still referred to elsewhere when their pool was closed.
_kept_alive: list[Any] = []


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Handles:
    """The tensor handles of one predictor, made once: each ``get_*_handle`` call makes a new object."""

    inputs: dict[str, Any]
    outputs: dict[str, Any]


class PredictorPool:
    """Predictors of one ``paddle.inference.Config``, made on demand.

    Args:
        config: the model. Paddle makes only one predictor (or one pool) of a config.
        method: ``clone`` makes ``pool[i]`` by ``pool[0].clone()``; ``predictor_pool`` takes them from a
            ``paddle.inference.PredictorPool`` of ``size``.
        size: the largest number of predictors; None: no limit, which ``predictor_pool`` does not allow.
        allow_nonfinite: accept a model that answers NaN or inf to finite input.
        progress: called after each predictor, because clones may be slow.
        streams: ``own`` gives each predictor a CUDA stream, which needs ``clone`` and a GPU; else all share one.

    Raises:
        UsageError: ``config`` is not a ``paddle.inference.Config``, or an argument is out of range.
        ModelError: the model does not exist or Paddle cannot load it.
    """

    streams: OwnStreams | None  #: Streams of the predictors' own, which outlive these; None: all share Paddle's.
    closed: bool  #: Whether the predictors were let go; a closed pool serves nothing.
    engine: str | None = None  #: The engine that alone serves it; None: whichever was asked for.
    files: tuple[Path, ...] = ()  #: What the model was read from, where no config names it.
    _on_nonfinite = "Paddle does that silently when a parameters file is missing or damaged: check it. "

    def __init__(
        self,
        config: Any,
        *,
        method: PoolMethod = "clone",
        size: int | None = None,
        allow_nonfinite: bool = False,
        progress: Progress | None = None,
        streams: str = "shared",
    ) -> None:
        if method == "shared":
            raise UsageError(
                "two threads on one predictor of Paddle's crash or silently answer wrongly; use pool='clone' or "
                "pool='predictor_pool' ('shared' is for sessions of ONNX Runtime)"
            )
        if method not in POOL_METHODS:
            raise UsageError(f"unknown pool method {method!r}; use one of {', '.join(map(repr, POOL_METHODS))}")
        if size is not None and size < 1:
            raise UsageError(f"a pool of {size} predictors serves nothing; give a size of at least 1")
        if method == "predictor_pool" and size is None:
            raise UsageError("paddle.inference.PredictorPool needs its size beforehand; give size=...")
        if streams == "own" and method == "predictor_pool":
            raise UsageError('a PredictorPool makes predictors on one shared stream; give pool="clone" for own streams')
        check_config(config)
        self._set_up(config, method, size, allow_nonfinite, progress)
        if streams == "own":
            self.streams = OwnStreams(config)

    def _set_up(
        self, config: Any, method: PoolMethod | None, size: int | None, allow_nonfinite: bool, progress: Progress | None
    ) -> None:
        self.config = config  #: The ``paddle.inference.Config``; None for given predictors.
        self.method = method  #: How predictors are made; None for given predictors.
        self.size = size  #: The largest number of predictors; None: no limit.
        self.allow_nonfinite = allow_nonfinite
        #: Math threads of each predictor; None when unknown.
        self.math_threads: int | None = None if config is None else config.cpu_math_library_num_threads()
        self._progress = progress
        self._paddle_pool: Any = None
        self._predictors: list[Any] = []
        self._handles: dict[int, Handles] = {}
        self._shared: list[Any] = []
        self.streams = None
        self.noun = "predictor"  #: What it is a pool of, human-readable.
        self.closed = False  #: Whether the pool has dropped its predictors.
        self._users = 0

    def __len__(self) -> int:
        """How many predictors exist now."""
        return len(self._predictors)

    def __getitem__(self, index: int) -> Any:
        """The ``paddle.inference.Predictor`` of thread ``index``, made now if it does not exist."""
        if index < 0:
            raise IndexError(f"predictors are counted from 0, got {index}")
        self.grow(index + 1)
        return self._predictors[index]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @classmethod
    def of(cls, predictors: Sequence[Any], *, allow_nonfinite: bool = False) -> PredictorPool:
        """A pool of given predictors, one per thread.

        Raises:
            UsageError: the list is empty, or contains an object twice: two threads on one predictor crash or silently
                get wrong answers.
        """
        return cls._of("predictor", predictors, allow_nonfinite, ", by predictor.clone()")

    @classmethod
    def of_objects(cls, objects: Sequence[Any]) -> PredictorPool:
        """A pool of whatever a user's own query takes in place of a predictor, one per thread.

        Raises:
            UsageError: there is none, one is None, or one is there twice.
        """
        if any(one is None for one in objects):
            index = next(index for index, one in enumerate(objects) if one is None)
            raise UsageError(f"object {index} of {len(objects)} is None; give each thread what its query is to take")
        return cls._of("object", objects, True, "")

    @classmethod
    def _of(cls, noun: str, given: Sequence[Any], allow_nonfinite: bool, advice: str) -> PredictorPool:
        first_at: dict[int, int] = {}
        for index, one in enumerate(given):
            if first_at.setdefault(id(one), index) != index:
                raise UsageError(
                    f"{noun}s {first_at[id(one)]} and {index} are one object: two threads on one predictor "
                    f"crash or silently answer wrongly; give each thread its own{advice}"
                )
        if not given:
            raise UsageError(f"an empty list of {noun}s serves nothing; give one {noun} per thread")
        pool = cls.__new__(cls)
        pool._set_up(None, None, len(given), allow_nonfinite, None)
        pool._predictors = list(given)
        pool.noun = noun
        return pool

    @property
    def device(self) -> str | None:
        """The device of the config, ``cpu`` or ``gpu:N``; None without a config."""
        if self.config is None:
            return None
        return f"gpu:{self.config.gpu_device_id()}" if self.config.use_gpu() else "cpu"

    @property
    def name(self) -> str:
        """What messages call the model."""
        return model_name(self.config)

    @property
    def knows_inputs(self) -> bool:
        """Whether the model declares its inputs: it has predictors, and not objects of a user's."""
        return libpaddle.is_predictor(self[0])

    def facts(self) -> dict[str, str]:
        """What reporters print of the runtime."""
        return {
            "paddle": f"paddlepaddle {paddle_version() or 'not installed'}",
            "measured": "the wheel's own libpaddle",
        }

    def gil(self, inputs: Mapping[str, npt.NDArray[Any]]) -> GilState:
        """Whether a query of these inputs holds the GIL while it runs."""
        return gil.probe(self[0].run)

    def grow(self, count: int) -> None:
        """Make predictors until there are ``count``.

        Raises:
            UsageError: the pool is closed.
            IndexError: the pool has a smaller ``size``.
            ModelError: Paddle could not make one.
        """
        self._check_open()
        if self.size is not None and count > self.size:
            raise IndexError(f"{count} predictors asked of a pool of {self.size}; make it with a larger size")
        started_s = time.monotonic()
        while len(self._predictors) < count:
            with _paddle_errors(f"predictor {len(self._predictors)} of", self.config):
                make, arguments = self._maker(len(self._predictors))
                # Inside one call in C, so no signal drops a clone that was made, and with it the family.
                self._predictors.extend(itertools.starmap(make, [arguments]))
            if self._progress is not None:
                self._progress(len(self._predictors), count, time.monotonic() - started_s)

    def handles(self, index: int) -> Handles:
        """The tensor handles of predictor ``index``, the same objects at every call."""
        predictor = self[index]
        if index not in self._handles:
            self._handles[index] = Handles(
                inputs={name: predictor.get_input_handle(name) for name in predictor.get_input_names()},
                outputs={name: predictor.get_output_handle(name) for name in predictor.get_output_names()},
            )
        return self._handles[index]

    def input_specs(self) -> tuple[libpaddle.InputSpec, ...]:
        """The inputs that the model declares, in its own order."""
        program = None if self.config is None or self.config.model_from_memory() else self.config.prog_file()
        return libpaddle.input_specs(self[0], program or None)

    def copies_in(self, index: int, inputs: Mapping[str, npt.NDArray[Any]]) -> list[Callable[[], None]]:
        """Calls that copy the input arrays of predictor ``index`` in, with their LoD, in the stock Python way."""
        handles = self.handles(index)
        return [copy for name, array in inputs.items() for copy in self._copies_in(handles.inputs[name], array)]

    def answer(
        self, index: int, inputs: Mapping[str, npt.NDArray[Any]], *, suspicion: Callable[[], str] | None = None
    ) -> dict[str, npt.NDArray[Any]]:
        """Serve one query with predictor ``index`` the stock Python way, and return the outputs by name.

        ``suspicion`` gives what an error suspects before the model's files, ready to be followed by those.

        Raises:
            ModelError: Paddle refused it, or finite input gave NaN or inf (unless ``allow_nonfinite``).
        """
        handles = self.handles(index)
        with _paddle_errors("a first query of", self.config, suspicion):
            for copy_in in self.copies_in(index, inputs):
                copy_in()
            self._predictors[index].run()
            outputs = {name: _copied_out(handle) for name, handle in handles.outputs.items()}
        if not self.allow_nonfinite:
            self._check_finite(inputs, outputs, suspicion)
        return outputs

    def outputs(self, index: int) -> dict[str, npt.NDArray[Any]]:
        """The outputs of the last query of predictor ``index``, by name."""
        return {name: _copied_out(handle) for name, handle in self.handles(index).outputs.items()}

    def call(self, index: int, input_sets: Sequence[Mapping[str, npt.NDArray[Any]]]) -> Callable[[int], None]:
        """Serves the query of an index with predictor ``index``, by its input set in turn: copy in, run, copy out."""
        predictor = self[index]
        copies_in = [self.copies_in(index, one) for one in input_sets]
        outputs = list(self.handles(index).outputs.values())

        def call(query: int) -> None:
            for copy_in in copies_in[query % len(copies_in)]:
                copy_in()
            predictor.run()
            for handle in outputs:
                handle.copy_to_cpu()

        return call

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """While this is held, ``close()`` is refused: threads are running the predictors."""
        self._check_open()
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1

    def close(self) -> None:
        """Drop every handle and predictor together. Safe to call twice.

        Raises:
            UsageError: a sweep is still using the predictors.
        """
        if self._users:
            raise UsageError("the predictor pool is in use by a running sweep; close it afterwards")
        if self.closed:
            return
        self.closed = True
        self._handles.clear()
        if self.engine is None and _held_elsewhere(self._predictors):
            _kept_alive.append((self._predictors, self._paddle_pool, self._shared))
            self._predictors, self._shared = [], []
            if self.streams is not None:
                self.streams.keep()
                self.streams = None
        while self._predictors:
            self._predictors.pop()
        self._paddle_pool = None
        self._shared.clear()
        if self.streams is not None:
            self.streams.close()

    def _maker(self, index: int) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """What makes predictor ``index``, and its arguments."""
        from paddle import inference

        if self.method == "predictor_pool":
            if self._paddle_pool is None:
                self._paddle_pool = inference.PredictorPool(self.config, self.size)
            # Paddle 2.6 spells it "retrive".
            retrieve = getattr(self._paddle_pool, "retrieve", None) or self._paddle_pool.retrive
            return retrieve, (index,)
        if self.streams is not None:
            stream = self.streams.new()
            if index:
                return self._predictors[0].clone, (stream,)
            self.config.set_exec_stream(stream)
        return (inference.create_predictor, (self.config,)) if index == 0 else (self._predictors[0].clone, ())

    def _copies_in(self, handle: Any, array: npt.NDArray[Any]) -> list[Callable[[], None]]:
        copy_in, lod = self._copy_in(handle, array), lod_of(array)
        if lod:
            return [copy_in, functools.partial(handle.set_lod, lod)]
        if hasattr(handle, "set_lod") and handle.lod():  # of an earlier sweep's inputs
            handle.set_lod([])
        return [copy_in]

    def _copy_in(self, handle: Any, array: npt.NDArray[Any]) -> Callable[[], None]:
        if array.dtype != np.uint16:
            return functools.partial(handle.copy_from_cpu, array)
        # copy_from_cpu would take the bits of bfloat16 for int32, but Paddle takes a tensor of uint16 for bfloat16.
        import paddle

        core = paddle.base.core
        tensor = core.DenseTensor() if hasattr(core, "DenseTensor") else core.LoDTensor()  # 3.0 and newer; 2.6
        self._shared.append(tensor)  # the handle does not keep it alive

        def copy_in() -> None:
            tensor.set(array, paddle.CPUPlace())
            handle.share_external_data(tensor)

        return copy_in

    def _check_open(self) -> None:
        if self.closed:
            raise UsageError("the predictor pool is closed; use it inside the test, or make one with a wider scope")

    def _check_finite(
        self,
        inputs: Mapping[str, npt.NDArray[Any]],
        outputs: Mapping[str, npt.NDArray[Any]],
        suspicion: Callable[[], str] | None,
    ) -> None:
        bad = next((name for name, array in outputs.items() if not _is_finite(array)), None)
        if bad is not None and all(_is_finite(array) for array in inputs.values()):
            raise ModelError(
                f"the model {self.name!r} answers NaN or inf in output {bad!r} to finite input. "
                f"{suspicion() if suspicion else ''}{self._on_nonfinite}If that is what the model should answer, "
                "allow it with @pytest.mark.paddle_scaling(allow_nonfinite=True)"
            )


def _held_elsewhere(objects: list[Any]) -> bool:
    """Whether anything but this list refers to one of its objects.

    How many references the count itself adds depends on the Python: from 3.14 on, a local variable lends its reference
    to a call. So the counts are compared with that of an object to which only a list refers.
    """
    return max(_reference_counts(objects), default=0) > _reference_counts([object()])[0]


def _reference_counts(objects: list[Any]) -> list[int]:
    return [sys.getrefcount(one) for one in objects]


@contextlib.contextmanager
def _paddle_errors(what: str, config: Any, suspicion: Callable[[], str] | None = None) -> Iterator[None]:
    """Turn what Paddle raises (RuntimeError, ValueError, MemoryError, ...) into a ModelError with a next step.

    ``suspicion`` as in ``PredictorPool.answer``.
    """
    try:
        yield
    except ModelError:
        raise
    except Exception as error:
        message = str(error).strip() or type(error).__name__
        advice = (
            "make a new Config for each test: paddle_config must not return the same object twice"
            if "only be used for one predictor" in message
            else "give sequences with their offsets, (array, lod), such as (array, [[0, 1, 4]])"
            if "LoD" in message
            else "memory ran out: ask for fewer threads (--paddle-threads), or raise the limit of the container"
            if isinstance(error, MemoryError)
            else "check that the files are whole and were exported for this Paddle"
        )
        failed = f"Paddle could not serve {what} the model {model_name(config)!r} ({type(error).__name__}: {message})"
        known = on_destroyed_clone(message)
        if known:
            raise ModelError(failed + known) from error
        raise ModelError(f"{failed}{'. ' + suspicion() if suspicion else '; '}{advice}") from error


def _copied_out(handle: Any) -> npt.NDArray[Any]:
    array: npt.NDArray[Any] = handle.copy_to_cpu()
    if handle.type().name != "BFLOAT16":
        return array
    # Paddle 3.x returns an array of float32 with the bits of bfloat16 in its first half.
    return array.ravel().view(np.uint16)[: array.size].reshape(array.shape)


def _is_finite(array: npt.NDArray[Any]) -> bool:
    if array.dtype == np.uint16:  # the bits of bfloat16; all ones in the exponent: NaN or inf
        return not bool(((array & 0x7F80) == 0x7F80).any())
    return array.dtype.kind not in "fc" or bool(np.isfinite(array).all())
