"""What the executor's own threads cost: one small model in Paddle's old format and in its new one.

    python benchmarks/formats.py

QPS with one thread and two, and the cores that other threads of the process used meanwhile. Needs Paddle 3.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import figures
import numpy as np

from pytest_paddle_mt import PredictorPool
from pytest_paddle_mt.engines import Workload
from pytest_paddle_mt.engines.native import NativeEngine
from pytest_paddle_mt.machine.math_threads import park_idle_math_threads
from pytest_paddle_mt.records import WindowPlan
from pytest_paddle_mt.statistics import validity
from pytest_paddle_mt.workers.in_process import InProcessWorker

BLOCKS = 12
WINDOW = WindowPlan(window_s=0.25, min_queries=20, warmup_s=0.05, warmup_queries=3)
SHAPE = (1, 64)


class Format:
    """The model in one format, measured."""

    def __init__(self, directory: Path, form: str) -> None:
        self.name = form
        #: Cores used by other threads, by number of threads, one value per window.
        self.extra: dict[int, list[float]] = {1: [], 2: []}
        inputs = {"x": (np.arange(np.prod(SHAPE)) % 255 * 0.1).astype(np.float32).reshape(SHAPE)}
        self._pool = PredictorPool(_config(directory, form))
        self._worker = InProcessWorker(
            NativeEngine().open(Workload(pool=self._pool, inputs=[inputs], query=None, synthetic=None, seed=1))
        )
        self._worker.prepare(2)

    def measure(self, threads: int) -> float:
        """QPS of one window."""
        window = self._worker.measure(threads, WINDOW)
        self.extra[threads].append(validity.own_extra_cores(window))
        return window.qps

    def close(self) -> None:
        """Join the threads, drop the predictors."""
        self._worker.close()
        self._pool.close()


def _config(directory: Path, form: str) -> Any:
    import paddle
    from paddle import inference, nn

    network = nn.Sequential(*[layer for _ in range(4) for layer in (nn.Linear(64, 64), nn.ReLU())])
    network.eval()
    stem = directory / form
    spec = [paddle.static.InputSpec(list(SHAPE), "float32", name="x")]
    if form == "pdmodel":
        with paddle.pir_utils.OldIrGuard():
            paddle.jit.save(network, str(stem), input_spec=spec)
    else:
        paddle.jit.save(network, str(stem), input_spec=spec)
    config = inference.Config(f"{stem}.{form}", f"{stem}.pdiparams")
    config.disable_glog_info()
    config.disable_mkldnn()
    return config


def main() -> int:
    """Measure both formats in turns."""
    options = figures.parser(__doc__).parse_args()
    load = figures.load_average()
    park_idle_math_threads()
    with tempfile.TemporaryDirectory() as directory:
        formats = [Format(Path(directory), form) for form in ("json", "pdmodel")]
        measures = {
            f"{one.name} {threads}": (lambda one=one, threads=threads: one.measure(threads))
            for one in formats
            for threads in (1, 2)
        }
        blocks = figures.QUICK_BLOCKS if options.quick else BLOCKS
        logarithms = figures.interleaved(measures, blocks)
        found = []
        for one in formats:
            ratio, interval = figures.geometric_mean(logarithms[f"{one.name} 2"] - logarithms[f"{one.name} 1"])
            qps = [float(np.exp(logarithms[f"{one.name} {threads}"].mean())) for threads in (1, 2)]
            extra = [float(np.mean(one.extra[threads])) for threads in (1, 2)]
            found.append(
                figures.Figure(
                    name=f".{one.name}, QPS(2) / QPS(1)",
                    value=ratio,
                    interval=interval,
                    n=f"{blocks} blocks of eight {WINDOW.window_s} s windows",
                    unit="",
                    target=None,
                    note=f"QPS {qps[0]:.0f} and {qps[1]:.0f}; other threads of the process used {extra[0]:.2f} and "
                    f"{extra[1]:.2f} cores",
                )
            )
            one.close()
    return figures.report(
        "Executor threads by model format, four layers of 64", found, quick=options.quick, load_before=load
    )


if __name__ == "__main__":
    raise SystemExit(main())
