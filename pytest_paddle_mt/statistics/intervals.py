"""Computes confidence intervals for the mean of a short series whose values resemble their neighbours.

Rounds of a benchmark on a shared machine are not independent: a disturbance lasts for several of them. An interval that
ignores this is far too narrow. What was tried, on which data, and why this was chosen: ``docs/statistics.md``.
"""

from __future__ import annotations

import bisect
import functools
import math
from typing import TYPE_CHECKING

import numpy as np

from pytest_paddle_mt.records import Interval

if TYPE_CHECKING:
    import numpy.typing as npt

MIN_VALUES = 4  #: Fewest values from which an interval is made.
MOST_VALUES = 10_000  #: ``values_needed`` looks no further.

#: A series this short cannot show that its values are independent, so they are taken to be at least this correlated.
MIN_AUTOCORRELATION = 0.2

#: A series is taken to be worth so many independent values at least: an estimate that says less shows only that there
#: are too few values for one.
_FEWEST_INDEPENDENT = 3


def regularized_incomplete_beta(a: float, b: float, x: float) -> float:
    """I_x(a, b) for a, b > 0 and x in [0, 1], by its continued fraction (DLMF 8.17.22) with Lentz's algorithm."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):  # below that the fraction converges quickly
        return 1 - regularized_incomplete_beta(b, a, 1 - x)
    front = math.exp(
        a * math.log(x) + b * math.log1p(-x) + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) - math.log(a)
    )
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1))
    fraction = d
    for m in range(1, 10_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for numerator in (even, odd):
            d = 1 / (1 + numerator * d)
            c = 1 + numerator / c
            fraction *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return front * fraction


@functools.lru_cache(maxsize=256)
def student_t_quantile(p: float, df: float) -> float:
    """Quantile of Student's t with ``df`` >= 1 degrees of freedom, not necessarily whole, at ``p`` in (0, 1).

    With t = sqrt(df) tan(theta), the two tails beyond -t and t have the probability I_x(df / 2, 1 / 2) at
    x = cos(theta)^2 (Abramowitz & Stegun 26.5.27 and 26.7.1); theta is found by Newton's method in a bracket. scipy has
    this function, but is no dependency of this plugin, as it takes 40 MB on every machine; the tests compare with it.

    Raises:
        ValueError: ``p`` or ``df`` is out of range.
    """
    if not 0 < p < 1 or not df >= 1:
        raise ValueError(f"a t quantile needs 0 < p < 1 and df >= 1, not p={p} and df={df}")
    if p < 0.5:
        return -student_t_quantile(1 - p, df)
    both_tails = 2 * (1 - p)
    low, high = 0.0, math.pi / 2
    theta = math.pi / 4
    scale = 2 * math.exp(math.lgamma((df + 1) / 2) - math.lgamma(df / 2) - math.lgamma(0.5))
    while True:
        excess = regularized_incomplete_beta(df / 2, 0.5, math.cos(theta) ** 2) - both_tails
        if excess > 0:
            low = theta
        else:
            high = theta
        slope = scale * math.cos(theta) ** (df - 1)  # by which both tails shrink
        better = theta + excess / slope if slope else low
        if not low < better < high:
            better = (low + high) / 2
        if abs(better - theta) <= 1e-15 or better in (low, high):
            return math.sqrt(df) * math.tan(better)
        theta = better


def autocorrelation(values: npt.NDArray[np.float64]) -> float | None:
    """Lag-1 autocorrelation of a series, shape (k,), with its small-sample bias removed; None without variation.

    The estimate r = sum(d[i] d[i+1]) / sum(d[i]^2) is too small by about (1 + 4 rho) / k, which is added back: by
    (1 + 3 rho) / k as for every serial correlation around an estimated mean (Marriott & Pope, and Kendall, both
    Biometrika 41, 1954), and by rho / k because its upper sum has one term less than its lower one.
    """
    deviations = values - values.mean()
    squares = float(deviations @ deviations)
    if squares <= 0:
        return None
    estimate = float(deviations[1:] @ deviations[:-1]) / squares
    return estimate + (1 + 4 * estimate) / len(values)


def variance_inflation(rho: float, k: int) -> float:
    """How many times larger the variance of the mean of ``k`` values is than for independent values.

    For a first-order autoregression: 1 + 2 sum over lags j of (1 - j / k) rho^j (Bayley & Hammersley, Supplement to the
    Journal of the Royal Statistical Society 8, 1946).
    """
    lags = np.arange(1, k)
    return 1 + 2 * float(np.sum((1 - lags / k) * rho**lags))


def mean_interval(
    values: npt.NDArray[np.float64], confidence: float, min_autocorrelation: float = MIN_AUTOCORRELATION
) -> Interval | None:
    """Confidence interval for the mean of an autocorrelated series, shape (k,), in the order of measurement.

    For their mean, the k values are worth k / f independent ones, with f the ``variance_inflation`` at their
    autocorrelation rho, taken to be at least ``min_autocorrelation``, and at most (k - 3) / (k + 3), where (1 + rho) /
    (1 - rho) is k / 3; for their variance, k (1 - rho^2) / (1 + rho^2).
    Then: mean -+ t(df) * s / sqrt(k / f), where df = (k - 1) (1 - rho^2) / (1 + rho^2), and s^2 = sum(d^2) / (k - f)
    makes up for the sum around the mean being too small by that factor (Bayley & Hammersley 1946, for both; Zwiers &
    von Storch, Journal of Climate 8, 1995, show why so few values need t and not the normal distribution).

    None below ``MIN_VALUES`` values.

    Raises:
        ValueError: ``confidence`` is not in (0, 1), or a value is not finite.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence is between 0 and 1, not {confidence}")
    if not np.all(np.isfinite(values)):
        raise ValueError(f"an interval needs finite values; {np.count_nonzero(~np.isfinite(values))} are not")
    k = len(values)
    if k < MIN_VALUES:
        return None
    mean = float(np.mean(values))
    rho, variance = _spread(values, min_autocorrelation)
    half_width = _half_width(rho, variance, k, confidence) if variance else 0.0
    return Interval(low=mean - half_width, high=mean + half_width)


def values_needed(
    values: npt.NDArray[np.float64],
    confidence: float,
    half_width: float,
    min_autocorrelation: float = MIN_AUTOCORRELATION,
) -> int | None:
    """How many values with the spread of these, shape (k,), make an interval of this half width; k at least.

    None where ten thousand are too few.
    """
    rho, variance = _spread(values, min_autocorrelation)
    candidates = range(len(values), MOST_VALUES)
    if variance == 0:
        return len(values)
    found = bisect.bisect_left(candidates, True, key=lambda k: _half_width(rho, variance, k, confidence) <= half_width)
    return candidates[found] if found < len(candidates) else None


def _spread(values: npt.NDArray[np.float64], min_autocorrelation: float) -> tuple[float, float]:
    """The autocorrelation that an interval supposes, and the variance of a value; 0 for both without variation."""
    rho = autocorrelation(values)
    if rho is None:
        return 0.0, 0.0
    k = len(values)
    rho = max(min(rho, (k - _FEWEST_INDEPENDENT) / (k + _FEWEST_INDEPENDENT)), min_autocorrelation)
    return rho, float(np.sum((values - np.mean(values)) ** 2)) / (k - variance_inflation(rho, k))


def _half_width(rho: float, variance: float, k: int, confidence: float) -> float:
    degrees_of_freedom = (k - 1) * (1 - rho**2) / (1 + rho**2)
    quantile = student_t_quantile((1 + confidence) / 2, max(degrees_of_freedom, 1.0))
    return quantile * math.sqrt(variance * variance_inflation(rho, k) / k)
