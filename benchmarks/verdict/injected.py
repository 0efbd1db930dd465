"""Faults that are put into recorded rounds of one thread and two."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from internals import Round, ThreadWindow, Window

THREADS = 2
#: Two threads on one core: what a model of matrix products reached, and the probe; see docs/evidence.md.
MODEL_ON_ONE_CORE, PROBE_ON_ONE_CORE = 0.62, 0.55


def slowed(one: Round, efficiency: float) -> Round:
    """The round with every two-thread query taking 1 / ``efficiency`` times as long."""
    visits = (dataclasses.replace(visit, window=_slowed(visit.window, efficiency)) for visit in one.visits)
    return dataclasses.replace(one, visits=tuple(visits))


def on_one_core(one: Round) -> Round:
    """The round as if a hypervisor had run both threads on the hardware threads of one core."""
    visits = []
    for visit in one.visits:
        assert visit.probe is not None, "a recording with probes"
        window, probe = _slowed(visit.window, MODEL_ON_ONE_CORE), _slowed(visit.probe, PROBE_ON_ONE_CORE)
        visits.append(dataclasses.replace(visit, window=window, probe=probe))
    return dataclasses.replace(one, visits=tuple(visits))


def some_on_one_core(rounds: Sequence[Round], every: int) -> list[Round]:
    """The rounds, one of ``every`` of which is ``on_one_core``; 0: none."""
    return [on_one_core(one) if every and at % every == 0 else one for at, one in enumerate(rounds)]


def mixtures(rounds: Sequence[Round]) -> Iterator[tuple[str, list[Round]]]:
    """The rounds, of which none, some or all are ``on_one_core``, and how many that are, human-readable."""
    for text, every in (("none", 0), ("a third", 3), ("half", 2), ("all", 1)):
        yield text, some_on_one_core(rounds, every)


def _slowed(kept: Window, efficiency: float) -> Window:
    if kept.threads != THREADS:
        return kept
    per_thread = tuple(_thread(one, efficiency) for one in kept.per_thread)
    return dataclasses.replace(kept, per_thread=per_thread, open_ns=round(kept.open_ns / efficiency))


def _thread(kept: ThreadWindow, efficiency: float) -> ThreadWindow:
    names = ("open_ns", "first_completion_ns", "last_completion_ns", "busy_ns", "inside_ns")
    return dataclasses.replace(kept, **{name: round(getattr(kept, name) / efficiency) for name in names})
