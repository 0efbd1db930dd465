"""What is concluded from a sweep: one check per file, behind one protocol.

A check is added with the hook ``pytest_paddle_mt_checks``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_paddle_mt.baselines import Stored
    from pytest_paddle_mt.records import Cpu, Limits, Round, Verdict


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Evidence:
    """What a check judges on."""

    rounds: tuple[Round, ...]
    #: Ascending; the first is 1.
    thread_counts: tuple[int, ...]
    limits: Limits
    #: Largest thread count that the linear check judges.
    linear_until: int
    cpu: Cpu
    #: Confidence of each interval, looks and comparisons accounted for.
    confidence: float
    #: Divide every throughput by that of the control workload, measured beside it.
    relative_to_control: bool = False
    #: What is stored for this test; None where nothing was looked up.
    stored: Stored | None = None

    @property
    def linear_count(self) -> int:
        """The largest thread count that was measured up to ``linear_until``, whose throughput must hold beyond it."""
        return max(threads for threads in self.thread_counts if threads <= self.linear_until)


class Check(Protocol):
    """A question asked of a sweep."""

    @property
    def name(self) -> str:
        """The word in tables, messages and the results file."""

    def judge(self, evidence: Evidence) -> Sequence[Verdict]:
        """Answer for each thread count that the question concerns. ``inconclusive``: more rounds may decide it."""


def built_in() -> list[Check]:
    """The checks that this package brings."""
    from pytest_paddle_mt.checks.collapse import CollapseCheck
    from pytest_paddle_mt.checks.drift import DriftCheck
    from pytest_paddle_mt.checks.linear import LinearCheck

    return [LinearCheck(), CollapseCheck(), DriftCheck()]


def comparisons(evidence_counts: Sequence[int]) -> int:
    """How many intervals one look judges: one for each thread count above one."""
    return max(1, sum(1 for threads in evidence_counts if threads > 1))
