"""Throughput through the native engine over that of a C++ loop written by hand, at 1 and 2 threads.

    python benchmarks/cost/overhead.py [--quick]

Both sides serve the same predictors in the same process, in short windows that alternate, thread i on core i. Several
fresh processes do that, one after another: where its memory landed favours one side or the other by some percent for as
long as a process lives, so that the process is what counts as one measurement.
``handwritten_loop.cpp`` is built with g++ (or $CXX) first: copy in, run, copy out on preallocated buffers through the
same exported functions, no timestamps. Targets: at least 0.99 for MobileNetV1, at least 0.97 for a tiny MLP of about
30 us a query. The CPU time a query takes is shown beside it: it says more where others use the machine.
"""

from __future__ import annotations

import concurrent.futures
import ctypes
import dataclasses
import math
import multiprocessing
import os
import subprocess
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
from pytest_paddle_mt.predictors import libpaddle
from pytest_paddle_mt.records import WindowPlan

if TYPE_CHECKING:
    from collections.abc import Callable

    from served_models import Inputs, Served

    from pytest_paddle_mt import PredictorPool
    from pytest_paddle_mt.engines import EngineSession

_SOURCE = Path(__file__).with_name("handwritten_loop.cpp")

#: The build type that the plugin's own loop is compiled with is Release; its flags name -O2.
_FLAGS = ("-std=c++17", "-O2", "-shared", "-fPIC", "-pthread")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Case:
    """One model and how it is measured."""

    name: str
    make: Callable[[Path], Served]
    target: float
    processes: int
    blocks: int
    window_s: float
    warm_up_s: float

    @property
    def plan(self) -> WindowPlan:
        """The windows of both sides."""
        return WindowPlan(window_s=self.window_s, min_queries=2, warmup_s=self.warm_up_s, warmup_queries=2)


#: Short windows and many of them: what disturbs one seldom disturbs its neighbours too.
CASES = (
    Case(name="MobileNetV1", make=mobilenet_v1, target=0.99, processes=12, blocks=8, window_s=0.3, warm_up_s=0.05),
    Case(name="tiny MLP, oneDNN off", make=tiny_mlp, target=0.97, processes=6, blocks=16, window_s=0.1, warm_up_s=0.02),
)
#: What ``--quick`` measures.
QUICK_CASES = CASES[-1:]
THREADS = (1, 2)


class Part(ctypes.Structure):
    """``Part`` of handwritten_loop.cpp."""

    _fields_ = (
        ("predictor", ctypes.c_void_p),
        ("input_tensor", ctypes.c_void_p),
        ("output_tensor", ctypes.c_void_p),
        ("input", ctypes.c_void_p),
        ("input_size", ctypes.c_size_t),
        ("output_size", ctypes.c_size_t),
    )


class Result(ctypes.Structure):
    """``Result`` of handwritten_loop.cpp, and what ``through_plugin`` returns likewise."""

    _fields_ = (("qps", ctypes.c_double), ("cpu_ns_per_query", ctypes.c_double))


class HandwrittenLoop:
    """The loop of handwritten_loop.cpp over the first predictors of a pool. Close it before the pool."""

    def __init__(self, library: ctypes.CDLL, pool: PredictorPool, inputs: Inputs, threads: int) -> None:
        library.loop_open.restype = ctypes.c_void_p
        library.loop_measure.restype = None
        self._library = library
        parts = (Part * threads)(*(_part(pool, index, inputs) for index in range(threads)))
        self._loop = ctypes.c_void_p(
            library.loop_open(os.fsencode(libpaddle.library_path()), parts, ctypes.c_size_t(threads))
        )
        if self._loop.value is None:
            raise RuntimeError(f"{_SOURCE.name} found no loaded libpaddle with the functions it needs")

    def measure(self, threads: int, plan: WindowPlan) -> Result:
        """One window. The GIL is released meanwhile, as by every call through ``ctypes.CDLL``."""
        result = Result()
        self._library.loop_measure(
            self._loop,
            ctypes.c_size_t(threads),
            ctypes.c_int64(round(plan.window_s * 1e9)),
            ctypes.c_int64(round(plan.warmup_s * 1e9)),
            ctypes.c_int64(plan.warmup_queries),
            ctypes.byref(result),
        )
        return result

    def close(self) -> None:
        """Join every thread."""
        self._library.loop_close(self._loop)


def _part(pool: PredictorPool, index: int, inputs: Inputs) -> Part:
    outputs = pool.answer(index, inputs)  # shapes the tensors
    handles = pool.handles(index)
    (source,), (result,) = inputs.values(), outputs.values()
    (input_tensor,), (output_tensor,) = handles.inputs.values(), handles.outputs.values()
    return Part(
        libpaddle.predictor_pointer(pool[index]),
        libpaddle.tensor_pointer(input_tensor),
        libpaddle.tensor_pointer(output_tensor),
        source.ctypes.data,  # copied when the loop's threads start
        source.size,
        result.size,
    )


def through_plugin(session: EngineSession, threads: int, plan: WindowPlan) -> Result:
    """One window of the native engine."""
    window = session.measure(threads, plan)
    # A thread's CPU time includes the query that was under way when the window closed, which is not counted.
    cpu_ns = [thread.cpu_ns / (thread.queries + 1) for thread in window.per_thread]
    return Result(window.qps, sum(cpu_ns) / threads)


def pin(prefix: str) -> None:
    """Keep the thread named ``prefix`` + i on core i, so that nothing hangs on where the scheduler puts it."""
    cores = sorted(os.sched_getaffinity(0))
    for task in Path("/proc/self/task").iterdir():
        name = (task / "comm").read_text().strip()
        if name.startswith(prefix):
            os.sched_setaffinity(int(task.name), {cores[int(name[len(prefix) :]) % len(cores)]})


def built(directory: Path) -> ctypes.CDLL:
    """``handwritten_loop.cpp``, compiled and loaded."""
    path = directory / "handwritten_loop.so"
    subprocess.run([os.environ.get("CXX", "g++"), *_FLAGS, str(_SOURCE), "-o", str(path), "-ldl"], check=True)
    return ctypes.CDLL(str(path))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Measured:
    """One thread count in one process; means of logarithms, medians over windows."""

    log_ratio: float
    log_qps: dict[str, float]
    cpu_us: dict[str, float]


def sized(case: Case, quick: bool) -> Case:
    """How ``case`` is measured."""
    return dataclasses.replace(case, blocks=QUICK_BLOCKS, window_s=0.02) if quick else case


def measured(case_index: int, quick: bool) -> list[Measured]:
    """One process's share: a measurement for each thread count."""
    case = sized(CASES[case_index], quick)
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        library = built(directory)
        pool, inputs = case.make(directory)
        with pool:
            handwritten = HandwrittenLoop(library, pool, inputs, max(THREADS))
            session = NativeEngine().open(Workload(pool=pool, inputs=[inputs], query=None, synthetic=None, seed=0))
            session.prepare(max(THREADS))
            try:
                # First a window each: OpenMP undoes what was set before a thread's first query.
                session.measure(max(THREADS), case.plan)
                handwritten.measure(max(THREADS), case.plan)
                pin("paddle-mt-")
                pin("by-hand-")
                return [_at(case, threads, session, handwritten) for threads in THREADS]
            finally:
                session.close()
                handwritten.close()


def in_fresh_processes(case_index: int, processes: int, quick: bool) -> list[list[Measured]]:
    """For each thread count, what each of the processes measured."""
    context = multiprocessing.get_context("spawn")
    shares = []
    for _ in range(processes):
        with concurrent.futures.ProcessPoolExecutor(max_workers=1, mp_context=context) as fresh:
            shares.append(fresh.submit(measured, case_index, quick).result())
    return [list(of_one_count) for of_one_count in zip(*shares, strict=True)]


def _at(case: Case, threads: int, session: EngineSession, handwritten: HandwrittenLoop) -> Measured:
    windows: dict[str, list[Result]] = {"plugin": [], "by hand": []}

    def qps(side: str) -> float:
        by_hand = side == "by hand"
        result = handwritten.measure(threads, case.plan) if by_hand else through_plugin(session, threads, case.plan)
        windows[side].append(result)
        return float(result.qps)

    logarithms = interleaved({side: partial(qps, side) for side in windows}, case.blocks)
    return Measured(
        log_ratio=float((logarithms["plugin"] - logarithms["by hand"]).mean()),
        log_qps={side: float(series.mean()) for side, series in logarithms.items()},
        cpu_us={
            side: float(np.median([window.cpu_ns_per_query for window in windows[side]])) / 1e3 for side in windows
        },
    )


def figure_of(case: Case, threads: int, shares: list[Measured]) -> Figure:
    """The ratio over all processes."""
    ratios = np.array([share.log_ratio for share in shares])
    value, interval = geometric_mean(ratios)
    qps = {side: number(math.exp(np.mean([share.log_qps[side] for share in shares]))) for side in shares[0].log_qps}
    cpu_us = {side: number(float(np.mean([share.cpu_us[side] for share in shares]))) for side in shares[0].cpu_us}
    counted = f"{len(shares)} process{'es' if len(shares) > 1 else ''}"
    spread = ", ".join(f"{math.exp(ratio):.3f}" for ratio in ratios)
    return Figure(
        name=f"{case.name}, {threads} thread{'s' if threads > 1 else ''}",
        value=value,
        interval=interval,
        n=f"{counted} of {case.blocks} blocks of two {case.window_s:g} s windows a side",
        unit="",
        target=Target(limit=case.target, at_least=True),
        note=(
            f"{qps['plugin']} QPS through the plugin, {qps['by hand']} by hand; process by process {spread}; CPU time "
            f"a query {cpu_us['plugin']} against {cpu_us['by hand']} us"
        ),
    )


def main() -> int:
    """Measure and print; the exit status."""
    quick = parser(__doc__).parse_args().quick
    load = load_average()
    figures = [
        figure_of(sized(case, quick), threads, shares)
        for index, case in enumerate(CASES)
        if not quick or case in QUICK_CASES
        for threads, shares in zip(
            THREADS, in_fresh_processes(index, 1 if quick else case.processes, quick), strict=True
        )
    ]
    return report(
        "QPS through the native engine / QPS of a hand-written C++ loop", figures, quick=quick, load_before=load
    )


if __name__ == "__main__":
    sys.exit(main())
