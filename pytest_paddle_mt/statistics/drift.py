"""How far a new run may lie from runs that were accepted before: a prediction limit over their spread."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_paddle_mt.statistics.intervals import student_t_quantile

if TYPE_CHECKING:
    import numpy.typing as npt

#: From this many accepted runs on, their own spread alone decides.
FULL_RUNS = 8

#: Spread between runs of one thing on one machine, as a standard deviation of logarithms, that holds until there are
#: enough of them to see it; wide on purpose. ``docs/statistics.md`` says why.
PRIOR_SPREAD = 0.10
#: How many degrees of freedom that guess counts for.
PRIOR_DF = 8.0

#: Chance that a drift of exactly the margin fails a test, all that is judged in it together. What has not drifted fails
#: far less often; ``docs/statistics.md`` says how often, and why it is not smaller.
ALPHA = 0.20

#: Accepted runs show that a figure goes with its control when their slope is above zero at this level, one-sided.
EVIDENCE = 0.05

#: Few degrees of freedom occur, and a test asks for each of them many times.
_quantile = functools.lru_cache(maxsize=256)(student_t_quantile)

#: The power at which the smallest drift that is found is given.
POWER = 0.95


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Spread:
    """How far runs of the same thing lie apart."""

    #: Standard deviation of the logarithm between runs.
    sd: float
    #: Degrees of freedom of that estimate.
    df: float


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Regression:
    """How a figure goes with its control from run to run: a straight line through logarithms."""

    slope: float
    #: Sum of squares of the controls around their mean, and of the steps from one to the next.
    squares: float
    steps: float
    #: What the line leaves of each figure, in the order of the runs.
    residuals: npt.NDArray[np.float64]

    @property
    def spread(self) -> Spread:
        """Of the runs around the line."""
        df = len(self.residuals) - 2
        return Spread(sd=math.sqrt(float(self.residuals @ self.residuals) / df), df=df)

    @property
    def spread_of_neighbours(self) -> Spread:
        """``between_neighbours`` of what the line leaves.

        The slope, fitted to the same runs, takes a degree of freedom, and steps / squares of the 2 (m - 1) variances
        that the squared differences add up to.
        """
        m = len(self.residuals)
        differences = float(np.sum(np.diff(self.residuals) ** 2))
        sd = math.sqrt(differences / (2 * (m - 1) - self.steps / self.squares))
        return Spread(sd=sd, df=between_neighbours(self.residuals).df - 1)

    def leverage(self, moved: float) -> float:
        """What it adds to the variance of a prediction, in units of the spread's, that the control moved by so much."""
        return moved**2 / self.squares


def regression(logarithms: npt.NDArray[np.float64], controls: npt.NDArray[np.float64]) -> Regression | None:
    """The figures of runs beside those of their control, both logarithms, shape (m,), both growing as machines slow.

    By least squares. None where the runs do not show that one goes with the other: below ``FULL_RUNS`` runs, where
    either never varied, or where a slope as steep would come of chance more often than ``EVIDENCE`` (Student's t with
    m - 2 degrees of freedom). See Draper & Smith, Applied Regression Analysis, 3rd ed. 1998.
    """
    m = len(logarithms)
    if m < FULL_RUNS or np.ptp(controls) == 0 or np.ptp(logarithms) == 0:
        return None
    around = controls - controls.mean()
    squares = float(around @ around)
    slope = float(around @ logarithms) / squares
    residuals = logarithms - logarithms.mean() - slope * around
    steps = float(np.sum(np.diff(controls) ** 2))
    found = Regression(slope=slope, squares=squares, steps=steps, residuals=residuals)
    error = found.spread.sd / math.sqrt(squares)
    return found if slope > _quantile(1 - EVIDENCE, m - 2) * error else None


def between_runs(logarithms: npt.NDArray[np.float64]) -> Spread:
    """The spread of runs, one logarithm each, shape (m,), m >= 1.

    From ``FULL_RUNS`` runs on their standard deviation with m - 1 degrees of freedom. Below that, pooled with
    ``PRIOR_SPREAD``, which counts as ``PRIOR_DF`` degrees of freedom: s^2 = (d0 s0^2 + (m - 1) s^2) / (d0 + m - 1), as
    in Smyth's moderated t (Statistical Applications in Genetics and Molecular Biology 3(1), 2004).

    Raises:
        ValueError: there is no run.
    """
    m = len(logarithms)
    if m == 0:
        raise ValueError("a spread needs one run at least")
    squares = float(np.sum((logarithms - logarithms.mean()) ** 2))
    if m >= FULL_RUNS:
        return Spread(sd=math.sqrt(squares / (m - 1)), df=m - 1)
    df = PRIOR_DF + m - 1
    return Spread(sd=math.sqrt((PRIOR_DF * PRIOR_SPREAD**2 + squares) / df), df=df)


def between_neighbours(logarithms: npt.NDArray[np.float64]) -> Spread:
    """The spread of runs in the order in which they were made, shape (m,), m >= 2, whatever they slowly drifted by.

    s^2 = sum of (x[i+1] - x[i])^2 / (2 (m - 1)), which for independent normal values is worth 2 (m - 1)^2 / (3 m - 4)
    degrees of freedom (von Neumann, Kent, Bellinson & Hart, Annals of Mathematical Statistics 12, 1941). A trend, which
    widens the standard deviation until it hides itself, leaves this alone.

    Raises:
        ValueError: there are fewer than two runs.
    """
    m = len(logarithms)
    if m < 2:
        raise ValueError(f"neighbours need two runs at least, not {m}")
    squares = float(np.sum(np.diff(logarithms) ** 2))
    return Spread(sd=math.sqrt(squares / (2 * (m - 1))), df=2 * (m - 1) ** 2 / (3 * m - 4))


def limit(spread: Spread, runs: int, margin: float, alpha: float, leverage: float = 0.0) -> float:
    """How much larger a new logarithm may be than the mean of ``runs`` others: ln(1 + margin) + t s sqrt(1 + 1/m + h).

    The second part is the one-sided prediction limit for one more value of a normal distribution (Hahn & Meeker,
    Statistical Intervals, 1991, section 4.7), t the 1 - alpha quantile of Student's t with the spread's degrees of
    freedom. So what has drifted by the margin exactly is beyond the limit with probability ``alpha``.

    Args:
        spread: between runs.
        runs: m, how many runs the mean is of.
        margin: accepted drift, above 0; 0.1 is 10 %.
        alpha: as above, in (0, 1).
        leverage: h, of a mean that a regression predicts; 0 without one.
    """
    return math.log1p(margin) + _quantile(1 - alpha, spread.df) * _deviation(spread, runs, leverage)


def detectable(spread: Spread, runs: int, beyond: float, leverage: float = 0.0) -> float:
    """The logarithm of the drift that is found in ``POWER`` of all runs, given the limit ``beyond`` and this spread."""
    return beyond + _quantile(POWER, spread.df) * _deviation(spread, runs, leverage)


def _deviation(spread: Spread, runs: int, leverage: float) -> float:
    """Standard deviation of the difference between a new run and what ``runs`` others predict of it."""
    return spread.sd * math.sqrt(1 + 1 / runs + leverage)
