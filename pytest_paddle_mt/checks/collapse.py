"""Judges whether throughput holds beyond the thread count up to which it can grow linearly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_paddle_mt.checks.margin import Question, judge
from pytest_paddle_mt.units import counted

if TYPE_CHECKING:
    from pytest_paddle_mt.checks import Evidence
    from pytest_paddle_mt.records import Verdict


class CollapseCheck:
    """QPS(n) against (1 - ``max_collapse``) QPS(``linear_until``), for every n above ``linear_until``."""

    name = "collapse"

    def judge(self, evidence: Evidence) -> list[Verdict]:
        """One verdict per thread count above ``linear_until``; none in a comparison."""
        if evidence.other is not None:
            return []
        base = evidence.linear_count
        return [
            self._at(evidence, threads, base) for threads in evidence.thread_counts if threads > evidence.linear_until
        ]

    def _at(self, evidence: Evidence, threads: int, base: int) -> Verdict:
        question = Question(
            check=self.name,
            threads=threads,
            what=f"QPS with {threads} threads over QPS with {counted(base, 'thread')}",
            limit=1 - evidence.limits.max_collapse,
            base=base,
            ideal=1.0,
        )
        return judge(question, evidence)
