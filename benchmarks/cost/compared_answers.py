"""Throughput with the answers compared over throughput without, at 1 and 2 threads: MobileNetV1, both engines.

    python benchmarks/cost/compared_answers.py [--quick]

Both sides serve the same predictors in the same process, in short windows that alternate. With the check, each thread
takes two input sets of its own in turn, and the answers of its warm-up and its last one are compared; without, all take
the same one, as with ``--paddle-answers=off``. Where a session's threads and inputs come to lie makes more of a
difference than the check, so both are opened anew again and again, either first in turn. Target: at least 0.99.
"""

from __future__ import annotations

import contextlib
import math
import statistics
import sys
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
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
OPENINGS = 12
BLOCKS = 8  #: Of each opening and thread count.
TARGET = Target(limit=0.99, at_least=True)


def figures_of(engine: NativeEngine | PythonEngine, directory: Path, quick: bool) -> list[Figure]:
    """A figure for each thread count."""
    plan = WindowPlan(window_s=0.02 if quick else 0.3, min_queries=2, warmup_s=0.02, warmup_queries=3)
    pool, inputs = (tiny_mlp if quick else mobilenet_v1)(directory)
    off = Workload(pool=pool, inputs=[inputs], query=None, synthetic=None, seed=0)
    works = {"on": with_golden(off, alike(inputs, OWN_SETS * max(THREADS), 0.0)), "off": off}
    found: dict[int, list[_Opened]] = {threads: [] for threads in THREADS}
    with pool:
        for opening in range(QUICK_BLOCKS if quick else OPENINGS):
            with contextlib.ExitStack() as ends:
                sides: dict[str, EngineSession] = {}
                for side in sorted(works, reverse=opening % 2 == 0):
                    sides[side] = ends.enter_context(contextlib.closing(engine.open(works[side])))
                    sides[side].measure(max(THREADS), plan)
                for threads, opened in found.items():
                    opened.append(_opened(sides, threads, plan, 1 if quick else BLOCKS))
    return [_figure(engine.name, threads, opened, plan) for threads, opened in found.items()]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Opened:
    """What one opening of both sides showed with one thread count."""

    log_qps: dict[str, float]  #: The mean logarithm of QPS, by side.
    compared: int
    served: int


def _opened(sides: dict[str, EngineSession], threads: int, plan: WindowPlan, blocks: int) -> _Opened:
    windows: dict[str, list[Window]] = {side: [] for side in sides}

    def qps(side: str) -> float:
        windows[side].append(sides[side].measure(threads, plan))
        return windows[side][-1].qps

    logarithms = interleaved({side: partial(qps, side) for side in sides}, blocks)
    return _Opened(
        log_qps={side: float(series.mean()) for side, series in logarithms.items()},
        compared=sum(window.compared for window in windows["on"]),
        served=sum(window.served for window in windows["on"]),
    )


def _figure(name: str, threads: int, opened: list[_Opened], plan: WindowPlan) -> Figure:
    value, interval = geometric_mean(np.array([one.log_qps["on"] - one.log_qps["off"] for one in opened]))
    shown = {side: number(math.exp(statistics.fmean(one.log_qps[side] for one in opened))) for side in ("on", "off")}
    compared, served = sum(one.compared for one in opened), sum(one.served for one in opened)
    return Figure(
        name=f"{name} engine, {threads} thread{'s' if threads > 1 else ''}",
        value=value,
        interval=interval,
        n=f"{len(opened)} openings of both sides, windows of {plan.window_s:g} s",
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
