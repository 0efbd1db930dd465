"""Is Paddle or ONNX Runtime faster with N threads here? MobileNetV1 and PP-OCR recognition, with intervals.

    python benchmarks/runtimes/paddle_against_onnx.py [--quick] [options of pytest]

Prints what the Python loop, on which ONNX Runtime is served, takes for a query, and then runs the comparisons of
``examples/onnx_runtime`` in a fresh process: each model once with both runtimes on Python threads, and once with Paddle
on C++ threads. ``--quick`` is the shortest measurement there is, of which nothing is judged.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path

from pytest_paddle_mt.engines import Workload, callables
from pytest_paddle_mt.machine.cores import available_cores
from pytest_paddle_mt.machine.facts import cpu_model
from pytest_paddle_mt.predictors.callable_pool import CallablePool
from pytest_paddle_mt.records import WindowPlan

ROOT = Path(__file__).resolve().parents[2]
QUICK = ("--paddle-threads=1", "--paddle-window=2q", "--paddle-rounds=1:1", "-k", "python and mobilenet")
_PLAN = WindowPlan(window_s=0.1, min_queries=100, warmup_s=0.01, warmup_queries=3)
_MEASURED = (0, 1)  # pytest: everything passed or was skipped, something failed


def loop_us(windows: int) -> float:
    """What the Python loop takes for a query that does nothing, in microseconds: the median of windows."""
    pool = CallablePool([int])
    workload = Workload(pool=pool, inputs=[{}], query=callables.call, synthetic=None, seed=0)
    session = callables.CallableEngine().open(workload)
    try:
        return statistics.median(1e6 / session.measure(1, _PLAN).qps for _ in range(windows))
    finally:
        session.close()


def main() -> int:
    """Measure and print; the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="the shortest measurement there is")
    asked, options = parser.parse_known_args()
    print(f"{cpu_model()}, {available_cores().text}")
    print(f"the Python loop takes {loop_us(3 if asked.quick else 30):.1f} us for a query that does nothing", flush=True)
    command = [sys.executable, "-m", "pytest", "examples/onnx_runtime", "-v", "-k", "slower"]
    command += [*(QUICK if asked.quick else ("--paddle-threads=1,2",)), *options]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    status = subprocess.run(command, cwd=ROOT, env=environ, check=False).returncode
    if status not in _MEASURED:
        sys.exit(f"pytest ended with status {status} and measured nothing; see what it printed above")
    return 0


if __name__ == "__main__":
    sys.exit(main())
