"""What the proof bench serves: work that scales, and faults of known kinds. What each reaches is measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_paddle_mt import SyntheticWork

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_QUERY_NS = 1e6


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Workload:
    """One workload of the proof bench."""

    #: Human-readable.
    text: str
    #: For the synthetic engine; None: a real model.
    work: SyntheticWork | None = None
    #: Exports the model below a directory and gives its config; None: synthetic work.
    config: Callable[[Path], Any] | None = None
    engine: str = "native"
    #: Math threads of each predictor.
    math_threads: int = 1


def _grows(efficiency: float) -> Workload:
    """Each further thread makes a query longer, so that two threads reach ``efficiency``."""
    work = SyntheticWork(spin_ns=_QUERY_NS, growth=1 / efficiency - 1)
    return Workload(text=f"a query takes {work.growth:.0%} longer with each further thread", work=work)


def _locked(fraction: float) -> Workload:
    work = SyntheticWork(spin_ns=_QUERY_NS, exponential=True, locked_fraction=fraction)
    return Workload(text=f"exponential times, {fraction:.0%} of each under one lock", work=work)


def _mobilenet(directory: Path) -> Any:
    return mobilenet(directory, 0.5)


def mobilenet(directory: Path, scale: float = 1.0) -> Any:
    """MobileNetV1, its layers as wide as ``scale`` says; 1: the model of Paddle's guide."""
    from paddle.vision import models

    return _exported(directory / f"mobilenet_v1_{scale:g}", models.mobilenet_v1(scale=scale), (1, 3, 224, 224), 1)


def mobilenet_json(directory: Path) -> Any:
    """MobileNetV1 in the format of Paddle 3, as the example has it."""
    from paddle.vision import models

    return _exported(directory / "mobilenet_v1", models.mobilenet_v1(), (1, 3, 224, 224), 1, ".json")


def _products(directory: Path) -> Any:
    """Matrix products whose weights fit into a core's own cache."""
    from paddle import nn

    width, batch = 256, 256
    network = nn.Sequential(*[nn.Linear(width, width) for _ in range(4)])
    return _exported(directory / "products", network, (batch, width), 1)


def _oversubscribed(directory: Path) -> Any:
    """Matrix products that two math threads share, so that two predictors want four cores."""
    from paddle import nn

    width, batch = 1024, 64
    network = nn.Sequential(*[nn.Linear(width, width) for _ in range(4)])
    return _exported(directory / "shared_products", network, (batch, width), 2)


def _wide(directory: Path) -> Any:
    """Matrices times one vector: each query reads 200 MB of weights, more than any cache holds."""
    from paddle import nn

    width = 3500
    network = nn.Sequential(*[nn.Linear(width, width) for _ in range(4)])
    return _exported(directory / "wide", network, (1, width), 1)


def linear_4096(directory: Path) -> Any:
    """Four linear layers at batch 1: each query reads 268 MB of weights."""
    from paddle import nn

    width = 4096
    network = nn.Sequential(*[nn.Linear(width, width) for _ in range(4)])
    return _exported(directory / "linear_4096", network, (1, width), 1)


def _exported(stem: Path, network: Any, shape: tuple[int, ...], math_threads: int, program: str = ".pdmodel") -> Any:
    """A config of the network, in the old format by default: its executor has no threads; see docs/performance.md."""
    import contextlib

    import paddle
    from paddle import inference

    network.eval()
    old: Any = contextlib.nullcontext
    if program == ".pdmodel":
        old = getattr(getattr(paddle, "pir_utils", None), "OldIrGuard", contextlib.nullcontext)
    with old():
        paddle.jit.save(network, str(stem), input_spec=[paddle.static.InputSpec(list(shape), "float32", name="x")])
    config = inference.Config(str(stem.with_suffix(program)), str(stem.with_suffix(".pdiparams")))
    config.disable_glog_info()
    config.set_cpu_math_library_num_threads(math_threads)
    return config


WORKLOADS = {
    "even": Workload(text="a millisecond of arithmetic, which shares nothing", work=SyntheticWork(spin_ns=_QUERY_NS)),
    "products": Workload(text="a real model of matrix products, batch 256", config=_products),
    "mobilenet": Workload(text="MobileNetV1 at half its width, batch 1", config=_mobilenet),
    "grows_95": _grows(0.95),
    "grows_90": _grows(0.90),
    "grows_80": _grows(0.80),
    "grows_65": _grows(0.65),
    "lock_20": _locked(0.2),
    "lock_50": _locked(0.5),
    "lock_80": _locked(0.8),
    "lock_100": _locked(1.0),
    "stream": Workload(text="reads 32 MB of its own memory", work=SyntheticWork(stream_bytes=32 << 20)),
    "wide": Workload(text="a real model that reads 200 MB of weights for each query", config=_wide),
    "oversubscribed": Workload(
        text="matrix products with two math threads for each predictor", config=_oversubscribed, math_threads=2
    ),
    "gil": Workload(text="MobileNetV1 from Python threads, on the python engine", config=_mobilenet, engine="python"),
}
