"""Does throughput hold beyond the thread count up to which it can grow linearly?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_paddle_mt import validity
from pytest_paddle_mt.checks.margin import Question, judge
from pytest_paddle_mt.statistics import scaling

if TYPE_CHECKING:
    from pytest_paddle_mt.checks import Evidence
    from pytest_paddle_mt.records import Verdict


class CollapseCheck:
    """QPS(n) against (1 - ``max_collapse``) QPS(``linear_until``), for every n above ``linear_until``."""

    name = "collapse"

    def judge(self, evidence: Evidence) -> list[Verdict]:
        """One verdict per thread count above ``linear_until``."""
        base = max(threads for threads in evidence.thread_counts if threads <= evidence.linear_until)
        return [
            self._at(evidence, threads, base) for threads in evidence.thread_counts if threads > evidence.linear_until
        ]

    def _at(self, evidence: Evidence, threads: int, base: int) -> Verdict:
        plural = "s" if base > 1 else ""
        question = Question(
            check=self.name,
            threads=threads,
            what=f"QPS with {threads} threads over QPS with {base} thread{plural}",
            limit=1 - evidence.limits.max_collapse,
            rounds=len(evidence.rounds),
            objection=validity.objection(evidence.rounds, threads) or validity.objection(evidence.rounds, base),
        )
        ratios = []
        for one in evidence.rounds:
            many, few = scaling.log_throughput(one, threads), scaling.log_throughput(one, base)
            disturbed = any(validity.preempted(window, evidence.cpu) for window in one.at(base))
            if many is not None and few is not None and not disturbed:
                ratios.append(many - few)
        return judge(question, np.array(ratios, dtype=np.float64), evidence.confidence)
