"""Judges whether throughput grows in proportion to the threads, up to ``linear_until``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_paddle_mt.checks.margin import Question, judge
from pytest_paddle_mt.records import Verdict
from pytest_paddle_mt.units import counted

if TYPE_CHECKING:
    from pytest_paddle_mt.checks import Evidence


class LinearCheck:
    """Scaling efficiency QPS(n) / (n QPS(1)) against ``min_efficiency``, for every n up to ``linear_until``."""

    name = "linear"

    def judge(self, evidence: Evidence) -> list[Verdict]:
        """One verdict per thread count above one; one for the sweep when there is none; none in a comparison."""
        if evidence.other is not None:
            return []
        judged = [threads for threads in evidence.thread_counts if 1 < threads <= evidence.linear_until]
        if judged:
            return [self._at(evidence, threads) for threads in judged]
        cores = counted(evidence.cpu.usable_cores, "usable core")
        each = counted(evidence.cpu.math_threads, "math thread")
        return [
            Verdict(
                check=self.name,
                threads=None,
                status="not_comparable",
                observed=None,
                limit=evidence.limits.min_efficiency,
                reason=(
                    f"no thread count above one is at or below {evidence.linear_until}, up to which throughput can "
                    f"grow linearly here ({cores}, {each} a predictor); run it on more cores"
                ),
            )
        ]

    def _at(self, evidence: Evidence, threads: int) -> Verdict:
        question = Question(
            check=self.name,
            threads=threads,
            what=f"scaling efficiency with {threads} threads",
            limit=evidence.limits.min_efficiency,
            base=1,
            ideal=threads,
        )
        return judge(question, evidence)
