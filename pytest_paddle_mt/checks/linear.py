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
                    f"grow linearly here ({cores}, {each} a predictor); {' or '.join(_steps(evidence))}"
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


def _steps(evidence: Evidence) -> list[str]:
    """What would let a thread count above one be judged; each step is enough by itself."""
    cpu, until = evidence.cpu, evidence.linear_until
    asked = evidence.limits.linear_until is not None
    above_one = [threads for threads in evidence.thread_counts if threads > 1]
    steps = []
    if not asked and cpu.math_threads > 1 and above_one and above_one[0] <= cpu.usable_cores:
        steps.append("give each predictor fewer math threads with config.set_cpu_math_library_num_threads(1)")
    if until > 1 or (not above_one and cpu.at_once > 1):
        steps.append(f"measure up to {max(2, until)} threads with --paddle-threads={max(2, until)}")
    if above_one or not steps:
        larger = f"raise --paddle-linear-until to {min(above_one, default=2)}"
        steps.append(larger if asked else "run it on more cores")
    return steps
