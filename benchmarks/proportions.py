"""Bounds of a proportion that was counted in a few trials (Clopper & Pearson, Biometrika 26, 1934)."""

from __future__ import annotations

from scipy.stats import binomtest


def bounds(count: int, trials: int) -> tuple[float, float]:
    """Two-sided 95 % interval."""
    interval = binomtest(count, trials).proportion_ci(0.95, method="exact")
    return float(interval.low), float(interval.high)


def upper_bound(count: int, trials: int) -> float:
    """One-sided 95 % upper bound."""
    return float(binomtest(count, trials, alternative="less").proportion_ci(0.95, method="exact").high)
