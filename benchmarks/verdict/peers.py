"""The rules that people use today, on the windows of a build: does it fail? Each is written from its own documentation.

A build is what it measured with two threads, ``times``: seconds per query, one value per window, shape (k,). All but
the floor compare it with the build before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Times = npt.NDArray[np.float64]

#: Criterion.rs: resamples of the bootstrap, significance level and noise threshold, all its defaults.
_RESAMPLES = 10_000
_SIGNIFICANCE = 0.05
_NOISE = 0.01


def mean_10_percent(before: Times, now: Times, rng: np.random.Generator) -> bool:
    """``pytest --benchmark-compare-fail=mean:10%``: the mean rose by more than 10 %."""
    return bool(100 * now.mean() / before.mean() - 100 > 10)


def mann_whitney(before: Times, now: Times, rng: np.random.Generator) -> bool:
    """Mann-Whitney's U, two-sided, p < 0.05, and slower."""
    p = stats.mannwhitneyu(before, now, alternative="two-sided").pvalue
    return bool(p < _SIGNIFICANCE and np.median(now) > np.median(before))


def criterion(before: Times, now: Times, rng: np.random.Generator) -> bool:
    """Criterion.rs: a bootstrapped t test with p < 0.05, and the interval of the mean's change beyond +1 %."""

    def t(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        spread = np.sqrt(a.var(axis=-1, ddof=1) / a.shape[-1] + b.var(axis=-1, ddof=1) / b.shape[-1])
        return (b.mean(axis=-1) - a.mean(axis=-1)) / spread

    pooled = rng.choice(np.concatenate([before, now]), (_RESAMPLES, len(before) + len(now)))
    by_chance = t(pooled[:, : len(before)], pooled[:, len(before) :])
    observed = t(before, now)
    p = 2 * min(np.mean(by_chance >= observed), np.mean(by_chance <= observed))
    means_before = rng.choice(before, (_RESAMPLES, len(before))).mean(axis=1)
    means_now = rng.choice(now, (_RESAMPLES, len(now))).mean(axis=1)
    lowest_change = np.quantile(means_now / means_before - 1, 0.025)
    return bool(p < _SIGNIFICANCE and lowest_change > _NOISE)


#: Compare a build with the one before.
RULES: dict[str, Callable[[Times, Times, np.random.Generator], bool]] = {
    "mean:10%": mean_10_percent,
    "Mann-Whitney": mann_whitney,
    "Criterion": criterion,
}


def floor(efficiency: float) -> bool:
    """The assertion that people write: efficiency of the whole build below 0.8."""
    return efficiency < 0.8
