"""Measures known work next to a predictor: it shows whether each thread has a core, and how the machine scales."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from typing import TYPE_CHECKING

from pytest_paddle_mt.engines import PROBE_WORK, SyntheticWork, Workload
from pytest_paddle_mt.errors import PaddleMtError
from pytest_paddle_mt.records import Visit, WindowPlan
from pytest_paddle_mt.workers.in_process import InProcessWorker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_paddle_mt.engines import Engine
    from pytest_paddle_mt.records import Window
    from pytest_paddle_mt.sweeps.rounds import Stop
    from pytest_paddle_mt.workers import Worker

    #: Measures a window of known work: with so many threads, on these CPUs as in ``WindowPlan``.
    KnownWork = Callable[[int, tuple[int, ...]], Window]

_TRIES = 10  #: So many windows in a row without a query are more than bad luck.

#: Follows each window of a sweep.
PROBE_WINDOW = WindowPlan(window_s=0.02, min_queries=20, warmup_s=0.0, warmup_queries=1)

#: A failure must show relative to this, too: a chain of operations in every thread alike. It scales where threads have
#: cores, and what it reaches hardly varies, so that throughput can be divided by it. (Memory of its own would make it
#: vary with whatever else uses the caches.)
CONTROL_WORK = SyntheticWork(spin_ns=2e5)
CONTROL_WINDOW = WindowPlan(window_s=0.1, min_queries=20, warmup_s=0.01, warmup_queries=1)


@contextlib.contextmanager
def known_work(
    work: SyntheticWork, plan: WindowPlan, synthetic: Engine, threads: int, seed: int
) -> Iterator[KnownWork]:
    """Measures windows of known work, with up to ``threads`` threads, in this process."""
    served = Workload(pool=None, inputs=(), query=None, synthetic=work, seed=seed)
    with contextlib.closing(InProcessWorker(synthetic.open(served))) as worker:
        worker.prepare(threads)
        yield lambda n, cpus: worker.measure(n, dataclasses.replace(plan, cpus=cpus))


#: Measures short windows of work that fills a core.
probing = functools.partial(known_work, PROBE_WORK, PROBE_WINDOW)
#: Measures windows of the control workload.
controlling = functools.partial(known_work, CONTROL_WORK, CONTROL_WINDOW)


def visit(
    worker: Worker,
    stop: Stop,
    plan: WindowPlan,
    probe: KnownWork | None = None,
    control: KnownWork | None = None,
) -> Visit:
    """Measure one stop of a round: the window, then the probe and the control workload, where there are these.

    All of them run on the same CPUs.
    """
    return Visit(
        side=stop.side,
        fork=worker.fork,
        window=_served(worker, stop.threads, plan),
        probe=None if probe is None else probe(stop.threads, plan.cpus),
        control=None if control is None else control(stop.threads, plan.cpus),
        cpus=plan.cpus,
    )


def _served(worker: Worker, threads: int, plan: WindowPlan) -> Window:
    """A window in which something was served: one whose threads were off their cores throughout tells nothing.

    Raises:
        PaddleMtError: there is none.
    """
    for _ in range(_TRIES):
        window = worker.measure(threads, plan)
        if window.qps > 0:
            return window
    raise PaddleMtError(
        f"in {_TRIES} windows of {plan.window_s:g} s no query was under way: other work had the cores throughout; run "
        "it on a quieter machine, or give a longer --paddle-window"
    )
