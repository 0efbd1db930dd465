"""Real models for the tests, exported by the Paddle that is installed: tiny, random weights, nothing downloaded."""

from __future__ import annotations

import contextlib
import functools
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any


def _paddle_version() -> tuple[int, ...]:
    for distribution in ("paddlepaddle", "paddlepaddle-gpu"):
        try:
            return tuple(int(part) for part in metadata.version(distribution).split(".")[:3])
        except metadata.PackageNotFoundError:
            continue
    return ()


#: Version of the installed Paddle; empty without one.
PADDLE = _paddle_version()

#: The model formats that it exports, its own first; both stand in one directory, so each has its own stem.
FORMATS = () if not PADDLE else ("pdmodel",) if PADDLE < (3,) else ("json", "pdmodel")

#: The input types that ``Models.cast`` is made for. The old format has no cast of int8; 2.6 no bfloat16 on the host.
CAST_TYPES = {
    "json": ("float32", "float64", "int64", "int32", "int8", "uint8", "bool", "float16", "bfloat16"),
    "pdmodel": ("float32", "float64", "int64", "int32", "uint8", "bool", "float16")
    + (("bfloat16",) if PADDLE >= (3,) else ()),
}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Model:
    """The two files of an exported model."""

    program: Path
    params: Path

    def config(self, *, onednn: bool = False) -> Any:
        """A new ``paddle.inference.Config``: silent, and without oneDNN unless asked for, which makes it fast."""
        return config(self.program, self.params, onednn=onednn)

    def predictor(self) -> Any:
        """A predictor that no pool knows of."""
        from paddle import inference

        return inference.create_predictor(self.config())


def config(program: Path | str, params: Path | str, *, onednn: bool = False) -> Any:
    """A silent ``paddle.inference.Config`` of these files, whatever is in them."""
    from paddle import inference

    made = inference.Config(str(program), str(params))
    made.disable_glog_info()
    if not onednn:
        made.disable_mkldnn()
    return made


class Models:
    """Models by name, each exported when a test first asks for it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._made: dict[str, Model] = {}

    def get(self, name: str, form: str | None = None) -> Model:
        """The model that the function ``_<name>`` below describes, in the format ``form`` (default: Paddle's own)."""
        form = form or FORMATS[0]
        stem = f"{name}-{form}"
        if stem not in self._made:
            self._made[stem] = self._export(stem, form, globals()[f"_{name}"])
        return self._made[stem]

    def cast(self, dtype: str, form: str | None = None) -> Model:
        """A model with an input ``x`` of ``dtype``, shape (batch, 6): a linear layer on it in float32, and x itself."""
        form = form or FORMATS[0]
        stem = f"cast-{dtype}-{form}"
        if stem not in self._made:
            self._made[stem] = self._export(stem, form, functools.partial(_cast, dtype))
        return self._made[stem]

    def pooled(self) -> Model:
        """A model of sequences with an input ``x`` of rows of three: a linear layer, summed over each sequence."""
        if "pooled" not in self._made:
            self._made["pooled"] = _export_pooled(self._directory / "pooled")
        return self._made["pooled"]

    def _export(self, stem: str, form: str, describe: Callable[[], tuple[Any, list[Any]]]) -> Model:
        import paddle

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Paddle's own, while it exports
            paddle.seed(1)
            network, inputs = describe()
            network.eval()
            old_format = form == "pdmodel" and PADDLE >= (3,)
            with paddle.pir_utils.OldIrGuard() if old_format else contextlib.nullcontext():
                paddle.jit.save(network, str(self._directory / stem), input_spec=inputs)
        return Model(program=self._directory / f"{stem}.{form}", params=self._directory / f"{stem}.pdiparams")


def _spec(shape: list[int | None], dtype: str, name: str) -> Any:
    import paddle

    return paddle.static.InputSpec(shape, dtype, name)


def _mlp() -> tuple[Any, list[Any]]:
    """Some 40 us a query."""
    from paddle import nn

    return nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4)), [_spec([None, 16], "float32", "x")]


def _deep20() -> tuple[Any, list[Any]]:
    """About a millisecond a query, in 20 layers alike whose weights stay in the cache."""
    return _deep(20)


def _deep100() -> tuple[Any, list[Any]]:
    """Five times that work: no neighbour makes the one look like the other."""
    return _deep(100)


def _deep(layers: int) -> tuple[Any, list[Any]]:
    from paddle import nn

    return nn.Sequential(*[nn.Linear(128, 128) for _ in range(layers)]), [_spec([32, 128], "float32", "x")]


def _wide() -> tuple[Any, list[Any]]:
    """Milliseconds a query at a batch of 64, nearly all of them matrix products."""
    from paddle import nn

    return nn.Sequential(*[nn.Linear(512, 512) for _ in range(4)]), [_spec([None, 512], "float32", "x")]


def _mobilenet_v1() -> tuple[Any, list[Any]]:
    """The model of Paddle's multi-thread guide, at a quarter of its width."""
    import paddle

    return paddle.vision.models.mobilenet_v1(scale=0.25), [_spec([None, 3, 32, 32], "float32", "image")]


def _several() -> tuple[Any, list[Any]]:
    """int64 and float32 in; float32, int64 and bool out."""
    import paddle

    class Several(paddle.nn.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = paddle.nn.Embedding(100, 8)
            self.linear = paddle.nn.Linear(8, 3)

        def forward(self, ids: Any, weights: Any) -> Any:
            vectors = self.embedding(ids) * paddle.unsqueeze(weights, [-1])
            return self.linear(vectors), ids * ids, weights > 1.0

    return Several(), [_spec([None, 5], "int64", "ids"), _spec([None, 5], "float32", "weights")]


def _positives() -> tuple[Any, list[Any]]:
    """The shapes of both outputs depend on the data: the elements above zero, and where they are."""
    import paddle

    class Positives(paddle.nn.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.scale = self.create_parameter([1])
            self.scale.set_value(paddle.full([1], 2.0))

        def forward(self, x: Any) -> Any:
            return paddle.masked_select(x * self.scale, x > 0), paddle.nonzero(x > 0)

    return Positives(), [_spec([None], "float32", "x")]


def _sequence() -> tuple[Any, list[Any]]:
    """A second dimension that the model leaves open."""
    from paddle import nn

    return nn.Linear(3, 2), [_spec([None, None, 3], "float32", "x")]


def _fixed_batch() -> tuple[Any, list[Any]]:
    """A batch of two, said by the model."""
    from paddle import nn

    return nn.Linear(4, 2), [_spec([2, 4], "float32", "x")]


def _not_a_number() -> tuple[Any, list[Any]]:
    """Answers NaN to every finite input, and means it."""
    import paddle

    class NotANumber(paddle.nn.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.bias = self.create_parameter([4])
            self.bias.set_value(paddle.full([4], float("nan")))

        def forward(self, x: Any) -> Any:
            return x + self.bias

    return NotANumber(), [_spec([None, 4], "float32", "x")]


def _divided() -> tuple[Any, list[Any]]:
    """Divides by an input, which is 0 in what the plugin makes up."""
    import paddle

    class Divided(paddle.nn.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.linear = paddle.nn.Linear(4, 4)

        def forward(self, x: Any, factor: Any) -> Any:
            return self.linear(x) / factor

    return Divided(), [_spec([None, 4], "float32", "x"), _spec([None, 4], "float32", "factor")]


def _table() -> tuple[Any, list[Any]]:
    """Looks ids up in a table of three; the plugin makes up larger ones."""
    from paddle import nn

    return nn.Sequential(nn.Embedding(3, 4)), [_spec([None, 40], "int64", "ids")]


def _cached() -> tuple[Any, list[Any]]:
    """Puts what it is given behind a cache, which is empty at first."""
    import paddle

    class Cached(paddle.nn.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.linear = paddle.nn.Linear(8, 8)

        def forward(self, x: Any, cache: Any) -> Any:
            return self.linear(paddle.concat([cache, x], axis=1))

    return Cached(), [_spec([1, None, 8], "float32", "x"), _spec([1, None, 8], "float32", "cache")]


def _no_inputs() -> tuple[Any, list[Any]]:
    """Always gives the same answer, whatever it is not asked."""
    import paddle

    class NoInputs(paddle.nn.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.linear = paddle.nn.Linear(8, 8)

        def forward(self) -> Any:
            return self.linear(paddle.ones([2, 8]))

    return NoInputs(), []


def _no_parameters() -> tuple[Any, list[Any]]:
    """Paddle writes no file of parameters for it."""
    import paddle

    class NoParameters(paddle.nn.Layer):
        def forward(self, x: Any) -> Any:
            return x * 2 + 1

    return NoParameters(), [_spec([None, 4], "float32", "x")]


def _random() -> tuple[Any, list[Any]]:
    """Never gives the same answer twice."""
    import paddle

    class Random(paddle.nn.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.linear = paddle.nn.Linear(4, 4)

        def forward(self, x: Any) -> Any:
            return self.linear(x) + paddle.rand([4])

    return Random(), [_spec([None, 4], "float32", "x")]


def _drawn() -> tuple[Any, list[Any]]:
    """Draws one of two, so two answers are often the same."""
    import paddle

    class Drawn(paddle.nn.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.linear = paddle.nn.Linear(4, 2)

        def forward(self, x: Any) -> Any:
            return paddle.multinomial(paddle.nn.functional.softmax(self.linear(x) * 0.0), 1)

    return Drawn(), [_spec([None, 4], "float32", "x")]


def _export_pooled(stem: Path) -> Model:
    """Only the old format has ops of sequences, and only static programs."""
    import paddle

    with warnings.catch_warnings(), _static_mode(), contextlib.ExitStack() as old_format:
        warnings.simplefilter("ignore")  # Paddle's own, while it exports
        if PADDLE >= (3,):
            old_format.enter_context(paddle.pir_utils.OldIrGuard())
        program, startup = paddle.static.Program(), paddle.static.Program()
        with paddle.static.program_guard(program, startup):
            x = paddle.static.data("x", [-1, 3], "float32", **({} if PADDLE >= (3,) else {"lod_level": 1}))
            rows = paddle.static.nn.fc(x, 4)
            made = program.global_block().create_var
            pooled, places = made(dtype="float32", shape=[-1, 4]), made(dtype="int32", shape=[-1, 4])
            program.global_block().append_op(
                type="sequence_pool",
                inputs={"X": [rows]},
                outputs={"Out": [pooled], "MaxIndex": [places]},
                attrs={"pooltype": "SUM", "is_test": True, "pad_value": 0.0},
            )
            executor = paddle.static.Executor(paddle.CPUPlace())
            executor.run(startup)
            paddle.static.save_inference_model(str(stem), [x], [pooled], executor, program=program)
    return Model(program=stem.with_suffix(".pdmodel"), params=stem.with_suffix(".pdiparams"))


@contextlib.contextmanager
def _static_mode() -> Iterator[None]:
    import paddle

    paddle.enable_static()
    try:
        yield
    finally:
        paddle.disable_static()


def _cast(dtype: str) -> tuple[Any, list[Any]]:
    import paddle

    class Cast(paddle.nn.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.linear = paddle.nn.Linear(6, 2)

        def forward(self, x: Any) -> Any:
            wide = paddle.cast(x, "float32")
            return self.linear(wide), paddle.cast(wide, x.dtype)

    return Cast(), [_spec([None, 6], dtype, "x")]
