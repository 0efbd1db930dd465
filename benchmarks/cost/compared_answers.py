"""Throughput with the answers compared over throughput without, at 1 and 2 threads: MobileNetV1, both engines.

    python benchmarks/cost/compared_answers.py [--quick]

Both sides serve the same predictors in the same process, in short windows that alternate. With the check, each thread
takes two input sets of its own in turn, and the answers of its warm-up and its last one are compared; without, all take
the same one, as with ``--paddle-answers=off``. Target: at least 0.99.
"""

from __future__ import annotations

import contextlib
import math
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
from pytest_paddle_mt.predictors.inputs import alike
from pytest_paddle_mt.records import WindowPlan
from pytest_paddle_mt.sweeps.right_answers import OWN_SETS, with_golden

if TYPE_CHECKING:
    from pytest_paddle_mt.engines import EngineSession
    from pytest_paddle_mt.records import Window

THREADS = (1, 2)
BLOCKS = 24
TARGET = Target(limit=0.99, at_least=True)


def figures_of(engine: NativeEngine | PythonEngine, directory: Path, quick: bool) -> list[Figure]:
    """A figure for each thread count."""
    plan = WindowPlan(window_s=0.02 if quick else 0.3, min_queries=2, warmup_s=0.02, warmup_queries=3)
    pool, inputs = (tiny_mlp if quick else mobilenet_v1)(directory)
    off = Workload(pool=pool, inputs=[inputs], query=None, synthetic=None, seed=0)
    on = with_golden(off, alike(inputs, OWN_SETS * max(THREADS), 0.0))
    with pool, contextlib.closing(engine.open(on)) as checked, contextlib.closing(engine.open(off)) as unchecked:
        sides = {"on": checked, "off": unchecked}
        for session in sides.values():
            session.measure(max(THREADS), plan)
        return [_figure(engine.name, threads, sides, plan, QUICK_BLOCKS if quick else BLOCKS) for threads in THREADS]


def _figure(name: str, threads: int, sides: dict[str, EngineSession], plan: WindowPlan, blocks: int) -> Figure:
    windows: dict[str, list[Window]] = {side: [] for side in sides}

    def qps(side: str) -> float:
        windows[side].append(sides[side].measure(threads, plan))
        return windows[side][-1].qps

    logarithms = interleaved({side: partial(qps, side) for side in sides}, blocks)
    value, interval = geometric_mean(logarithms["on"] - logarithms["off"])
    shown = {side: number(math.exp(float(series.mean()))) for side, series in logarithms.items()}
    compared, served = (sum(getattr(window, of) for window in windows["on"]) for of in ("compared", "served"))
    return Figure(
        name=f"{name} engine, {threads} thread{'s' if threads > 1 else ''}",
        value=value,
        interval=interval,
        n=f"{blocks} blocks of two {plan.window_s:g} s windows a side",
        unit="",
        target=TARGET,
        note=f"{shown['on']} QPS with the check, {shown['off']} without; {compared} of {served} answers compared",
    )


def main() -> int:
    """Measure and print; the exit status."""
    quick = parser(__doc__).parse_args().quick
    load = load_average()
    with tempfile.TemporaryDirectory() as temporary:
        figures = []
        for engine in (NativeEngine(), PythonEngine()):
            directory = Path(temporary) / engine.name
            directory.mkdir()
            figures += figures_of(engine, directory, quick)
    model = "a tiny MLP" if quick else "MobileNetV1"
    return report(f"QPS with the answers compared / without, {model}", figures, quick=quick, load_before=load)


if __name__ == "__main__":
    sys.exit(main())
