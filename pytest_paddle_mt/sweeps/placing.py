"""Places the threads of a sweep on CPUs, where they are not left to the scheduler, and reports what came of it."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING

from pytest_paddle_mt.errors import UsageError
from pytest_paddle_mt.machine.placement import Turns, in_order_of_use
from pytest_paddle_mt.records import Warning
from pytest_paddle_mt.units import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_paddle_mt.records import Round
    from pytest_paddle_mt.sweeps.terms import Terms
    from pytest_paddle_mt.workers.opened import Opened


def refuse_other_cpus(pin: Sequence[int], source: str) -> None:
    """Refuse CPUs that this process may not use.

    Raises:
        UsageError: one of them is outside its affinity.
    """
    allowed = os.sched_getaffinity(0)
    others = [cpu for cpu in pin if cpu not in allowed]
    if others:
        raise UsageError(
            f"{source}: this process may not use CPU {_listed(others)}; give some of {_listed(sorted(allowed))}, or "
            "give it more CPUs (taskset, cpuset)"
        )


def placed(opened: Opened, terms: Terms) -> Opened:
    """The same workers, with the facts about where their threads run.

    Raises:
        UsageError: their predictors have several math threads, which no list places.
    """
    if not terms.pin:
        return _stating(opened, terms.facts) if terms.facts else opened
    math_threads = terms.cpu_of(opened.subjects).math_threads
    if math_threads > 1:
        raise UsageError(
            f"--paddle-pin={_listed(terms.pin)}: each predictor has {math_threads} math threads, and only the thread "
            "that issues queries is placed; call config.set_cpu_math_library_num_threads(1), or give --paddle-pin=none "
            f"and start pytest with taskset -c {_listed(terms.pin)}"
        )
    return _stating(opened, {**terms.facts, "pinned to": f"CPU {_listed(terms.pin)}"})


def _stating(opened: Opened, facts: Mapping[str, str]) -> Opened:
    subjects = {
        side: dataclasses.replace(subject, facts={**subject.facts, **facts})
        for side, subject in opened.subjects.items()
    }
    return dataclasses.replace(opened, subjects=subjects)


def turns(pin: Sequence[int], thread_counts: Sequence[int]) -> Turns:
    """Deals these CPUs out to windows with so many threads."""
    return Turns(*in_order_of_use(pin), thread_counts)


def doubts(rounds: Sequence[Round]) -> Iterator[Warning]:
    """Whether threads left the CPUs that they were placed on."""
    placed = [visit for one in rounds for visit in one.visits if visit.cpus]
    left = [visit for visit in placed if not visit.pinned]
    if left:
        text = (
            f"in {len(left)} of {counted(len(placed), 'window')} a thread was not on its CPU at the end: the queries "
            "change its affinity, the engine does not place threads, or the cpuset has changed"
        )
        yield Warning(kind="not_pinned", text=text)


def _listed(cpus: Sequence[int]) -> str:
    """``0,2-5``."""
    runs: list[list[int]] = []
    for cpu in cpus:
        if runs and cpu == runs[-1][-1] + 1:
            runs[-1].append(cpu)
        else:
            runs.append([cpu])
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
