"""How the verdict benches print what they counted: tables, and proportions with their bounds.

Bounds are those of Clopper & Pearson, Biometrika 26, 1934.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import internals
import numpy as np
from scipy.stats import binomtest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def bounds(count: int, trials: int) -> tuple[float, float]:
    """Two-sided 95 % interval."""
    interval = binomtest(count, trials).proportion_ci(0.95, method="exact")
    return float(interval.low), float(interval.high)


def upper_bound(count: int, trials: int) -> float:
    """One-sided 95 % upper bound."""
    return float(binomtest(count, trials, alternative="less").proportion_ci(0.95, method="exact").high)


def share(count: int, trials: int) -> str:
    """``2 % (0.2-7.0)``."""
    low, high = bounds(count, trials)
    return f"{count / trials:.0%} ({low:.1%}-{high:.1%})".replace("%", "").replace("(", "% (")


def counted(count: int, trials: int) -> str:
    """``1 (0%-9%)``."""
    low, high = bounds(count, trials)
    return f"{count} ({low:.0%}-{high:.0%})"


def at_most(count: int, trials: int) -> str:
    """``0 of 82 (at most 3.6%)``; ``-`` without a trial."""
    return f"{count} of {trials} (at most {upper_bound(count, trials):.1%})" if trials else "-"


def seconds(values: Sequence[float]) -> str:
    """``16, at most 39``: the median and the largest; ``-`` without a value."""
    return f"{np.median(values):.0f}, at most {max(values):.0f}" if values else "-"


def print_table(head: Sequence[str], rows: Iterable[Iterable[str]]) -> None:
    """A table in Markdown, as docs/statistics.md has it."""
    print(f"| {' | '.join(head)} |")
    print("|" + "---|" * len(head))
    for row in rows:
        print(f"| {' | '.join(row)} |")


def machine() -> str:
    """The processor and the versions, on one line."""
    return f"{internals.cpu_model()}, {internals.available_cores().text}; {internals.versions()}"
