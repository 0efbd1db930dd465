"""Makes and keeps sessions of ONNX Runtime for one model: one for all threads, or one for each."""

from __future__ import annotations

import contextlib
import functools
import glob
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pytest_paddle_mt.errors import InputError, ModelError, UsageError
from pytest_paddle_mt.machine.versions import installed_version
from pytest_paddle_mt.predictors import gil
from pytest_paddle_mt.predictors.libpaddle import DATA_TYPES, InputSpec
from pytest_paddle_mt.predictors.pool import PredictorPool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy.typing as npt

    from pytest_paddle_mt.records import GilState, PoolMethod

Provider = str | tuple[str, "dict[str, Any]"]  #: As ONNX Runtime takes it: a name, or a name with options.

#: Our numbers of the types that it names otherwise than Paddle, and all the others.
_TYPES = {name: number for number, (name, _) in DATA_TYPES.items() if name != "bfloat16"}
_TYPES = {**_TYPES, "float": _TYPES["float32"], "double": _TYPES["float64"]}

_ON_A_GPU = ("CUDAExecutionProvider", "TensorrtExecutionProvider")


class OnnxPool(PredictorPool):
    """Sessions of ONNX Runtime for one model, made on demand. The ``onnxruntime`` engine serves them.

    Args:
        model: the ``.onnx`` file.
        method: ``clone``: a session for each thread; ``shared``: one for all; None: as ``--paddle-pool`` has it.
        intra_op_threads: math threads of each session. They do not spin between queries.
        providers: what executes the model, the first choice first.
        session_options: an ``onnxruntime.SessionOptions`` in place of the two that the arguments above make.
        size: the largest number of threads; None: no limit.
        allow_nonfinite: accept a model that answers NaN or inf to finite input.

    Raises:
        UsageError: ONNX Runtime is not installed, or an argument is out of range.
        ModelError: the model does not exist or cannot be loaded, or the first provider is not there.
    """

    engine = "onnxruntime"
    _on_nonfinite = ""

    def __init__(
        self,
        model: str | Path,
        *,
        method: Literal["clone", "shared"] | None = None,
        intra_op_threads: int = 1,
        providers: Sequence[Provider] = ("CPUExecutionProvider",),
        session_options: Any = None,
        size: int | None = None,
        allow_nonfinite: bool = False,
    ) -> None:
        path = Path(model)
        if method not in (None, "clone", "shared"):
            raise UsageError(f"unknown pool method {method!r}; use 'clone', a session for each thread, or 'shared'")
        if intra_op_threads < 1:
            raise UsageError(f"a session of {intra_op_threads} math threads computes nothing; give at least 1")
        if not path.is_file():
            raise ModelError(f"there is no model file {str(model)!r}; check the path, which starts from {Path.cwd()}")
        self._onnxruntime = _imported()
        self._set_up(None, method, size, allow_nonfinite, None)
        self.files = tuple(_beside(path))
        self._path = path
        self._providers = list(providers)
        self._options = session_options or self._silent_options(intra_op_threads)
        self.math_threads = session_options.intra_op_num_threads or None if session_options else intra_op_threads
        self._answered: dict[int, list[Any]] = {}  # by thread: what its session returned last

    @property
    def name(self) -> str:
        """What messages call the model."""
        return str(self._path)

    @property
    def knows_inputs(self) -> bool:
        """The model declares its inputs."""
        return True

    @property
    def device(self) -> str:
        """Where the first provider computes, ``cpu`` or ``gpu:N``."""
        first = self._providers[0]
        name, options = (first, {}) if isinstance(first, str) else first
        return f"gpu:{options.get('device_id', 0)}" if name in _ON_A_GPU else "cpu"

    def facts(self) -> dict[str, str]:
        """What reporters print of the runtime."""
        return {
            "runtime": f"onnxruntime {self._onnxruntime.__version__}",
            "provider": ", ".join(self[0].get_providers()),
            "measured": "InferenceSession.run()",
            "idle math threads": "parked" if self._spins() == "0" else "spinning",
        }

    def gil(self, inputs: Mapping[str, npt.NDArray[Any]]) -> GilState:
        """Whether a query of these inputs holds the GIL while it runs."""
        session = getattr(self[0], "_sess", self[0])  # the C function below the method of Python
        names = [output.name for output in self[0].get_outputs()]
        return gil.probe(functools.partial(session.run, names, dict(inputs), None))

    def choose(self, method: PoolMethod, device: str | None) -> None:
        """Settle what the pool leaves open, and compare the rest with what was asked for.

        Args:
            method: of ``--paddle-pool``.
            device: of ``--paddle-device``; None where it was not given.

        Raises:
            UsageError: sessions cannot be made like that, or the providers are for another device.
        """
        if self.method is None and method == "predictor_pool":
            raise UsageError(
                "pool='predictor_pool' is a pool of Paddle's; sessions of ONNX Runtime are made by 'clone', one for "
                "each thread, or 'shared', one for all"
            )
        self.method = self.method or method
        if device not in (None, self.device):
            raise UsageError(
                f"--paddle-device={device}, but the OnnxPool computes on {self.device}; give it "
                'providers=[("CUDAExecutionProvider", {"device_id": 0})] for gpu:0, or drop the option'
            )

    def input_specs(self) -> tuple[InputSpec, ...]:
        """The inputs that the model declares, in its own order."""
        return tuple(map(_spec, self[0].get_inputs()))

    def answer(
        self, index: int, inputs: Mapping[str, npt.NDArray[Any]], *, suspicion: Callable[[], str] | None = None
    ) -> dict[str, npt.NDArray[Any]]:
        """Serve one query for thread ``index``, and return the outputs by name.

        Raises:
            ModelError: ONNX Runtime refused it, or finite input gave NaN or inf (unless ``allow_nonfinite``).
        """
        session = self[index]
        with self._errors("serve a first query of", suspicion):
            self._answered[index] = session.run(None, dict(inputs))
        outputs = self.outputs(index)
        if not self.allow_nonfinite:
            # A classifier may answer with a list of dicts, too.
            arrays = {name: one for name, one in outputs.items() if hasattr(one, "dtype")}
            self._check_finite(inputs, arrays, suspicion)
        return outputs

    def outputs(self, index: int) -> dict[str, npt.NDArray[Any]]:
        """The outputs of the last query of thread ``index``, by name."""
        names = [output.name for output in self[index].get_outputs()]
        return dict(zip(names, self._answered[index], strict=True))

    def call(self, index: int, input_sets: Sequence[Mapping[str, npt.NDArray[Any]]]) -> Callable[[int], None]:
        """Serves the query of an index for thread ``index``, by its input set in turn."""
        run, answered, feeds = self[index].run, self._answered, [dict(one) for one in input_sets]

        def call(query: int) -> None:
            answered.pop(index, None)  # as a server would, it lets go of one answer before it asks for the next
            answered[index] = run(None, feeds[query % len(feeds)])

        return call

    def _maker(self, index: int) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """What makes the session of thread ``index``, and its arguments."""
        return self._session, (index,)

    def _session(self, index: int) -> Any:
        self.method = self.method or "clone"
        if index and self.method == "shared":
            return self._predictors[0]
        first = self._providers[0]
        wanted = first if isinstance(first, str) else first[0]
        available = self._onnxruntime.get_available_providers()
        if wanted in available:
            with self._errors("load", None):
                session = self._onnxruntime.InferenceSession(self._path, self._options, providers=self._providers)
            if session.get_providers()[0] == wanted:
                return session
        raise ModelError(
            f"{wanted} was asked for, and this onnxruntime cannot start it: it would silently take another. It has "
            f"{', '.join(available)}; ask for one of them, or install the onnxruntime that has {wanted} and what "
            "that needs"
        )

    def _silent_options(self, intra_op_threads: int) -> Any:
        options = self._onnxruntime.SessionOptions()
        options.intra_op_num_threads = intra_op_threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors
        options.add_session_config_entry(_SPINNING, "0")
        return options

    def _spins(self) -> str:
        try:
            return str(self._options.get_session_config_entry(_SPINNING))
        except RuntimeError:  # nobody has set it
            return "1"

    @contextlib.contextmanager
    def _errors(self, what: str, suspicion: Callable[[], str] | None) -> Iterator[None]:
        """Turn what ONNX Runtime raises into a ModelError with a next step."""
        try:
            yield
        except Exception as error:  # its own classes have no base but Exception
            message = f"{type(error).__name__}: {str(error).strip()}"
            raise ModelError(
                f"ONNX Runtime could not {what} the model {self.name!r} ({message}). "
                f"{suspicion() if suspicion else ''}check that the file is whole, and that onnxruntime "
                f"{self._onnxruntime.__version__} knows its opset"
            ) from error


_SPINNING = "session.intra_op.allow_spinning"


def _beside(path: Path) -> Iterator[Path]:
    """The model's file, and what stands beside it under a name that begins like it, as large weights do."""
    yield from (one for one in sorted(path.parent.glob(f"{glob.escape(path.name)}*")) if one.is_file())


def _imported() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        version = installed_version("onnxruntime")
        state = f"onnxruntime {version} cannot be loaded ({error})" if version else "onnxruntime is not installed"
        raise UsageError(f"{state}; install it with: pip install 'pytest-paddle-mt[onnx]'") from error
    return onnxruntime


def _spec(node: Any) -> InputSpec:
    """An input, as ONNX Runtime describes it: ``tensor(float)``, extents that are numbers or names."""
    kind = str(node.type)
    number = _TYPES.get(kind.removeprefix("tensor(").removesuffix(")"))
    if number is None:
        raise InputError(
            f"input {node.name!r} is a {kind}, which OnnxPool cannot serve by itself; serve it by a query of your own: "
            "concurrent_runner(pool, query=lambda session, inputs: session.run(None, ...)[0])"
        )
    shape = tuple(extent if isinstance(extent, int) and extent >= 0 else -1 for extent in node.shape)
    return InputSpec(name=node.name, shape=shape, data_type=number)
