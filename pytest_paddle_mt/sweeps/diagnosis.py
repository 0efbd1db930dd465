"""Seeks the likely cause why a sweep does not scale; measures one thread again where the rounds do not show it."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from typing import TYPE_CHECKING

from pytest_paddle_mt.checks import causes
from pytest_paddle_mt.engines import SyntheticWork
from pytest_paddle_mt.errors import PaddleMtError, WrongAnswer
from pytest_paddle_mt.records import WindowPlan
from pytest_paddle_mt.sweeps.known_work import known_work

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_paddle_mt.cause import Cause
    from pytest_paddle_mt.checks import Evidence
    from pytest_paddle_mt.engines import Engine
    from pytest_paddle_mt.records import Round, Subject, Verdict, Window
    from pytest_paddle_mt.workers import Worker

#: What keeps the other cores busy while one thread is measured: one reads more memory than a cache has room for, the
#: other reads none. A thread that is slower beside the first one lives on memory that it shares with it.
STREAM_WORK = SyntheticWork(stream_bytes=64 << 20)
ARITHMETIC_WORK = SyntheticWork(spin_ns=1e6)
_BUSY_WINDOW = WindowPlan(window_s=0.1, min_queries=0, warmup_s=0.0, warmup_queries=1)
_TIMES = 5  #: One thread is measured so often beside each.
_MOST_BUSY = 16  #: More threads than this read no more memory per second.


def likely_cause(
    verdicts: Sequence[Verdict],
    evidence: Evidence,
    subject: Subject,
    worker: Worker,
    plan: WindowPlan,
    synthetic: Engine | None,
    seed: int,
    survey: Sequence[Round] = (),
) -> Cause | None:
    """The likely cause; None where the sweep scales.

    Args:
        verdicts: what the checks concluded.
        evidence: what they judged on.
        subject: what was measured.
        worker: measures one thread again.
        plan: of its windows.
        synthetic: the engine that keeps other cores busy meanwhile; None: nothing is measured again.
        seed: of whatever it draws at random.
        survey: shows how busy a GPU is; none where nobody looked.

    Raises:
        WrongAnswer: a thread was answered wrongly when it was measured again.
    """
    cpu = evidence.cpu
    most = cpu.usable_cores if subject.device == "cpu" else evidence.thread_counts[-1]
    asked = causes.concerned(verdicts, evidence.points, evidence.limits, most)
    if asked is None:
        return None
    threads, over_cores = asked
    seen = causes.observed(subject, evidence.rounds, threads, cpu, over_cores=over_cores)
    if seen is None:
        return None
    seen = dataclasses.replace(seen, survey=survey)
    if synthetic is not None and causes.needs_beside(seen):
        try:
            beside = _beside(worker, plan, synthetic, min(threads, cpu.at_once, _MOST_BUSY + 1) - 1, seed)
        except WrongAnswer:
            raise
        except PaddleMtError:  # the sweep is measured and judged: it is not lost for the sake of its cause
            return causes.likely(seen)
        seen = dataclasses.replace(seen, beside=beside)
    return causes.likely(seen)


def _beside(worker: Worker, plan: WindowPlan, synthetic: Engine, threads: int, seed: int) -> causes.Beside:
    """Measures one thread of ``worker`` beside so many threads of each kind, one at least, in turn."""
    stream: list[Window] = []
    arithmetic: list[Window] = []
    for _ in range(_TIMES):
        for work, windows in ((STREAM_WORK, stream), (ARITHMETIC_WORK, arithmetic)):
            with _kept_busy(work, synthetic, max(1, threads), seed):
                windows.append(worker.measure(1, plan))
    return causes.Beside(stream=stream, arithmetic=arithmetic)


@contextlib.contextmanager
def _kept_busy(work: SyntheticWork, synthetic: Engine, threads: int, seed: int) -> Iterator[None]:
    """So many threads are at this work inside, window after window."""
    with known_work(work, _BUSY_WINDOW, synthetic, threads, seed) as measure:
        measure(threads, ())  # touches its memory
        over = threading.Event()

        def keep_busy() -> None:
            while not over.is_set():
                measure(threads, ())

        busy = threading.Thread(target=keep_busy, name="paddle-mt-beside", daemon=True)
        busy.start()
        try:
            yield
        finally:
            over.set()
            busy.join()
