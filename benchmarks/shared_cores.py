"""Do two threads always have two cores here? A real model, the probe, and a chain of operations, round by round.

    python benchmarks/shared_cores.py [--quick]

Each round measures the proof bench's ``products`` with one thread and with two, each window followed by the probe,
which fills a core, and by as short a window of a single chain of operations. The probe tells rounds apart, by the
plugin's own rule. Printed: how many had two threads on one core, and what model and chain reach in both kinds.
"""

from __future__ import annotations

import dataclasses
import math
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import figures
import numpy as np
from workloads import WORKLOADS

from pytest_paddle_mt import PredictorPool
from pytest_paddle_mt.engines import PROBE_WORK, SyntheticWork, Workload
from pytest_paddle_mt.engines.native import NativeEngine
from pytest_paddle_mt.engines.synthetic import SyntheticEngine
from pytest_paddle_mt.machine.cores import available_cores
from pytest_paddle_mt.machine.facts import cpu_model
from pytest_paddle_mt.machine.math_threads import park_idle_math_threads
from pytest_paddle_mt.predictors.inputs import default_inputs
from pytest_paddle_mt.records import Cpu, Round, WindowPlan
from pytest_paddle_mt.statistics import scaling, validity
from pytest_paddle_mt.sweeps import known_work
from pytest_paddle_mt.sweeps.rounds import visiting_order
from pytest_paddle_mt.workers.in_process import InProcessWorker

if TYPE_CHECKING:
    from pytest_paddle_mt.records import Window

ROUNDS = 150
#: The chain takes about as long as a query of the probe.
CHAIN_NS = 1e5
THREADS = 2
WINDOW = WindowPlan(window_s=0.25, min_queries=20, warmup_s=0.05, warmup_queries=3)
_CPU = Cpu(usable_cores=THREADS, math_threads=1)


class Rounds:
    """Measures rounds; those of the chain are kept apart."""

    def __init__(self, directory: Path) -> None:
        config = WORKLOADS["products"].config
        assert config is not None
        park_idle_math_threads()
        self._pool = PredictorPool(config(directory))
        inputs = default_inputs(self._pool, 1, batch_size_asked=False)
        served = Workload(pool=self._pool, inputs=[inputs], query=None, synthetic=None, seed=1)
        self._model = InProcessWorker(NativeEngine().open(served))
        self._fills, self._chain = (
            InProcessWorker(SyntheticEngine().open(Workload(pool=None, inputs=(), query=None, synthetic=work, seed=1)))
            for work in (PROBE_WORK, SyntheticWork(spin_ns=CHAIN_NS))
        )
        for worker in (self._model, self._fills, self._chain):
            worker.prepare(THREADS)

    def measure(self, index: int) -> tuple[Round, Round]:
        """The model's round with its probes, and the chain's."""
        model, chain = [], []
        for threads in visiting_order((1, THREADS), np.random.default_rng(index)):
            window = self._model.measure(threads, WINDOW)
            model.append(dataclasses.replace(window, probe=self._fills.measure(threads, known_work.PROBE_WINDOW)))
            chain.append(self._chain.measure(threads, known_work.PROBE_WINDOW))
        return _round(index, model), _round(index, chain)

    def close(self) -> None:
        """Join the threads, drop the predictors."""
        for worker in (self._model, self._fills, self._chain):
            worker.close()
        self._pool.close()


def _round(index: int, windows: list[Window]) -> Round:
    return Round(index=index, fork=0, windows=tuple(windows))


def _told(rounds: list[Round]) -> str:
    """Efficiency with two threads, for people."""
    logarithms = scaling.efficiency_series(rounds, THREADS, qps=lambda window: validity.qps(window, _CPU))
    return f"{math.exp(float(logarithms.mean())):.2f} (sd {float(logarithms.std(ddof=1)):.2f})" if rounds[1:] else "-"


def main() -> int:
    """Measure and print."""
    options = figures.parser(__doc__).parse_args()
    load = figures.load_average()
    with tempfile.TemporaryDirectory() as directory:
        rounds = Rounds(Path(directory))
        try:
            measured = [rounds.measure(index) for index in range(figures.QUICK_BLOCKS if options.quick else ROUNDS)]
        finally:
            rounds.close()
    print(f"{cpu_model()}, {available_cores().text}, load before {load:.1f}; {len(measured)} rounds")
    print(f"  {'rounds':<28} {'N':>4}  {'model':<16} chain   efficiency with {THREADS} threads")
    for name, wanted in (("two threads, two cores", False), ("two threads on one core", True)):
        mine = [one for one in measured if validity.cores_shared(one[0], THREADS, _CPU) is wanted]
        print(f"  {name:<28} {len(mine):>4}  {_told([one for one, _ in mine]):<16} {_told([one for _, one in mine])}")
    print(f"  {'all':<28} {len(measured):>4}  {_told([one for one, _ in measured])}")
    if options.quick:
        print("--quick: far too short to judge anything by, so nothing was judged")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
