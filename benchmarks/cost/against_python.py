"""MobileNetV1 with 2 threads: throughput of the native engine over that of Python threads, on the installed Paddle.

    python benchmarks/cost/against_python.py [--quick]

Both engines serve the same predictors in the same process, in alternating windows. Target: at least 1.8 where
``Predictor.run()`` holds the GIL, as in Paddle 3.3.1; where it releases it there is none, and the figures only inform.
"""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cost_figures import QUICK_BLOCKS, Figure, Target, geometric_mean, interleaved, load_average, number, parser, report
from served_models import mobilenet_v1, tiny_mlp

from pytest_paddle_mt.engines import Workload
from pytest_paddle_mt.engines.native import NativeEngine
from pytest_paddle_mt.engines.python import PythonEngine
from pytest_paddle_mt.predictors import gil
from pytest_paddle_mt.records import WindowPlan

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from pytest_paddle_mt.engines import EngineSession
    from pytest_paddle_mt.records import GilState

#: Blocks of eight windows of a second, warm-ups aside.
BLOCKS = 16
WINDOW_S = 1.0

_LIMIT_WHERE_GIL_IS_HELD = 1.8


def measured(directory: Path, quick: bool) -> tuple[GilState, dict[str, npt.NDArray[np.float64]], str]:
    """The GIL's state, ln QPS by engine and thread count, and how many windows that was."""
    blocks, window_s = (QUICK_BLOCKS, 0.05) if quick else (BLOCKS, WINDOW_S)
    plan = WindowPlan(window_s=window_s, min_queries=2, warmup_s=0.05, warmup_queries=2)
    pool, inputs = (tiny_mlp if quick else mobilenet_v1)(directory)
    with pool:
        workload = Workload(pool=pool, inputs=[inputs], query=None, synthetic=None, seed=0)
        sessions: dict[str, EngineSession] = {
            engine.name: engine.open(workload) for engine in (NativeEngine(), PythonEngine())
        }
        try:
            for session in sessions.values():
                session.prepare(2)
            state = gil.probe(pool[0].run)
            measures = {
                f"{name} {threads}": partial(_qps, session, threads, plan)
                for threads in (1, 2)
                for name, session in sessions.items()
            }
            return state, interleaved(measures, blocks), f"{blocks} blocks of two {window_s:g} s windows each"
        finally:
            for session in sessions.values():
                session.close()


def _qps(session: EngineSession, threads: int, plan: WindowPlan) -> float:
    return session.measure(threads, plan).qps


def figures_of(state: GilState, logarithms: dict[str, npt.NDArray[np.float64]], n: str) -> list[Figure]:
    """The ratio that has a target, and what it is made of."""
    target = Target(limit=_LIMIT_WHERE_GIL_IS_HELD, at_least=True) if state == "held" else None
    qps = {name: number(geometric_mean(series)[0]) for name, series in logarithms.items()}
    wanted = (
        ("native QPS / python QPS, 2 threads", "native 2", "python 2", target),
        ("native QPS / python QPS, 1 thread", "native 1", "python 1", None),
        ("native engine, QPS(2) / QPS(1)", "native 2", "native 1", None),
        ("python engine, QPS(2) / QPS(1)", "python 2", "python 1", None),
    )
    figures = []
    for name, upper, lower, limit in wanted:
        value, interval = geometric_mean(logarithms[upper] - logarithms[lower])
        figures.append(
            Figure(
                name=name,
                value=value,
                interval=interval,
                n=n,
                unit="",
                target=limit,
                note=f"{qps[upper]} against {qps[lower]} QPS",
            )
        )
    return figures


def main() -> int:
    """Measure and print; the exit status."""
    quick = parser(__doc__).parse_args().quick
    load = load_average()
    with tempfile.TemporaryDirectory() as directory:
        state, logarithms, n = measured(Path(directory), quick)
    model = "A tiny MLP" if quick else "MobileNetV1"
    title = f"{model} through the native engine and on Python threads; Predictor.run() and the GIL: {state}"
    return report(title, figures_of(state, logarithms, n), quick=quick, load_before=load)


if __name__ == "__main__":
    sys.exit(main())
