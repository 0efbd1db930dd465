"""Known work beside a predictor shows what the machine can do: whether each thread has a core, and how it scales."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from pytest_paddle_mt.engines import SyntheticWork, Workload
from pytest_paddle_mt.records import WindowPlan
from pytest_paddle_mt.workers.in_process import InProcessWorker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_paddle_mt.engines import Engine

#: After each window of a sweep.
PROBE_WINDOW = WindowPlan(window_s=0.02, min_queries=20, warmup_s=0.0, warmup_queries=1)

#: Beside which a failure must show, too: a chain of operations in every thread alike. It scales where threads have
#: cores, and what it reaches hardly varies, so that throughput can be divided by it. (Memory of its own would make it
#: vary with whatever else uses the caches.)
CONTROL_WORK = SyntheticWork(spin_ns=2e5)
CONTROL_WINDOW = WindowPlan(window_s=0.1, min_queries=20, warmup_s=0.01, warmup_queries=1)


@contextlib.contextmanager
def known_work_worker(synthetic: Engine, work: SyntheticWork, threads: int, seed: int) -> Iterator[InProcessWorker]:
    """``work`` in this process, ready for ``threads`` threads; ``synthetic`` is the engine that serves it."""
    served = Workload(pool=None, inputs=(), query=None, synthetic=work, seed=seed)
    worker = InProcessWorker(synthetic.open(served))
    try:
        worker.prepare(threads)
        yield worker
    finally:
        worker.close()
