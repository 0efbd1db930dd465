"""Holds what a sweep is carried out by: one record for one side and for two."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_paddle_mt.machine.cores import available_cores
from pytest_paddle_mt.records import Cpu
from pytest_paddle_mt.statistics import looks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pytest

    from pytest_paddle_mt.checks import Check
    from pytest_paddle_mt.engines import Engine
    from pytest_paddle_mt.machine.cores import Cores
    from pytest_paddle_mt.records import Limits, Side, Subject
    from pytest_paddle_mt.settings import Settings
    from pytest_paddle_mt.sweeps.rounds import Progress, Schedule


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Sides:
    """What the two sides of a comparison are."""

    names: tuple[str, str]  #: What this side and the other are called.
    described: tuple[str, str]  #: What they are, in a human-readable line each.
    notes: tuple[str, ...]  #: What else a reader has to know of them, human-readable.
    stated: Subject  #: What this side serves where neither side comes to report it.


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Terms:
    """What a sweep is carried out by."""

    item: pytest.Item  #: The test; a fresh process that confirms a failure runs it, too.
    forks: int  #: How many fresh processes measure each side; 0: this process does.
    schedule: Schedule
    limits: Limits
    cores: Cores
    seed: int
    gate: bool  #: Whether the verdicts gate the test.
    smoke_reason: str | None  #: Why nothing is judged, in a smoke run; None otherwise.
    threads_note: str | None  #: Reports that 1 was added to the thread counts; None when it was not.
    answers: int  #: How many answers of each side are compared at least; 0: as many as come.
    checks: Sequence[Check]  #: They are asked for verdicts.
    synthetic: Engine  #: The engine that serves the probe and the control workload.
    started_s: float  #: When the sweep began, on ``time.monotonic``, in seconds.
    announce: Callable[[str], None]  #: Prints a line.
    progress: Callable[[Progress | None], None]  #: Shows progress before each window; None ends it.
    sides: Sides | None = None  #: The sides of a comparison; None: there is one side.
    pin: tuple[int, ...] = ()  #: CPUs that the threads are placed on; none: the scheduler places them.
    facts: Mapping[str, str] = field(default_factory=dict)  #: What reporters print of the process that measures.

    @property
    def nodeid(self) -> str:
        """The test's node id."""
        return self.item.nodeid

    def confidence(self, share: float) -> float:
        """Confidence of each interval of a look that has this share of ``looks.ALPHA``.

        In a comparison the thread counts share it.

        Of one side every count must pass by itself, and a failure is measured again before it is believed, so their
        number needs no correction.
        """
        judged = 1 if self.sides is None else len(self.schedule.thread_counts)
        return looks.confidence(share, judged)

    def cpu_of(self, subjects: Mapping[Side, Subject]) -> Cpu:
        """How many threads can run at once with these predictors, of the side whose predictors need more cores."""
        each = max(subject.math_threads or 1 for subject in subjects.values())
        return Cpu(usable_cores=self.cores.usable, math_threads=each)


def thread_counts(settings: Settings) -> tuple[int, ...]:
    """The thread counts of a sweep, ascending: those that were asked for, or powers of two up to the usable cores."""
    if settings.thread_counts is not None:
        return settings.thread_counts
    usable_cores = available_cores(settings.pin).usable
    powers = {2**exponent for exponent in range(usable_cores.bit_length())}
    return tuple(sorted(powers | {usable_cores}))
