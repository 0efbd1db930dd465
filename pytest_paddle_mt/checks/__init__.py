"""What is concluded from a sweep: one check per file, behind one protocol.

A check is added with the hook ``pytest_paddle_mt_checks``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_paddle_mt.baselines import Stored
    from pytest_paddle_mt.records import Cpu, Limits, Point, Round, Verdict


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class OtherSide:
    """The other side of a comparison, measured in the same rounds."""

    names: tuple[str, str]  #: What this side and the other are called.
    both: tuple[Round, ...]  #: The rounds, with the visits of both sides.
    points: tuple[Point, ...]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Evidence:
    """What a check judges on."""

    rounds: tuple[Round, ...]  #: The rounds of the side that is judged.
    points: tuple[Point, ...]  #: What these rounds show, one per thread count.
    thread_counts: tuple[int, ...]  #: Ascending; the first is 1.
    limits: Limits
    linear_until: int  #: Largest thread count that the linear check judges.
    cpu: Cpu
    #: Confidence of the intervals of each thread count, looks and comparisons accounted for.
    confidences: Mapping[int, float]
    allowed_rounds: tuple[int, int] | None = None  #: How many rounds are measured at least and at most; None: unknown.
    #: Divide every throughput by that of the control workload, measured next to it.
    relative_to_control: bool = False
    stored: Stored | None = None  #: What is stored for this test; None where nothing was looked up.
    other: OtherSide | None = None  #: The other side of a comparison; None where there is one side.
    #: Versions of what the measurement depends on, by name.
    versions: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def linear_count(self) -> int:
        """The largest thread count that was measured up to ``linear_until``, whose throughput must hold beyond it."""
        return max(threads for threads in self.thread_counts if threads <= self.linear_until)


class Check(Protocol):
    """A question asked of every sweep, those of one side of a comparison included (``Evidence.other``)."""

    @property
    def name(self) -> str:
        """The word in tables, messages and the results file."""

    def judge(self, evidence: Evidence) -> Sequence[Verdict]:
        """Answer for each thread count that the question concerns. ``inconclusive``: more rounds may decide it."""


def built_in() -> list[Check]:
    """The checks that this package brings."""
    from pytest_paddle_mt.checks.against import AgainstCheck
    from pytest_paddle_mt.checks.collapse import CollapseCheck
    from pytest_paddle_mt.checks.drift import DriftCheck
    from pytest_paddle_mt.checks.linear import LinearCheck

    return [LinearCheck(), CollapseCheck(), DriftCheck(), AgainstCheck()]
