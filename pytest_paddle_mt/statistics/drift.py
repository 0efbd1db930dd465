"""Computes how far a new run may be from the runs accepted before: a prediction limit from their spread."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_paddle_mt.statistics.intervals import student_t_quantile

if TYPE_CHECKING:
    import numpy.typing as npt

FULL_RUNS = 8  #: From this many accepted runs on, their own spread alone decides.

#: Assumed spread between runs of one test on one machine, as a standard deviation of logarithms, until there are enough
#: runs to estimate it; wide on purpose, for the reasons in ``docs/statistics.md``.
PRIOR_SPREAD = 0.10
PRIOR_DF = 8.0  #: Degrees of freedom that this assumption counts for.

#: Chance that a drift of exactly the margin fails a test, shared by everything that is judged in it. A test that has
#: not drifted fails far less often: ``docs/statistics.md`` has the figures, and why this is not smaller.
FALSE_ALARM = 0.20

#: Accepted runs show that a figure goes with the probe when their slope is above zero at this level, one-sided.
EVIDENCE = 0.05

#: A probe tells what to expect of a machine up to this leverage: as far from the mean of the accepted runs as three
#: times the square root of their sum of squares, where a prediction is three times as uncertain as at the mean. Chosen.
MOST_LEVERAGE = 9.0

#: Runs of one test on one machine differ by less than this, as a standard deviation of logarithms: the widest spread
#: between jobs that was recorded, on a busy machine, is 0.26 (``docs/evidence.md``).
WIDEST_SPREAD = 0.5

#: Cached, as a test asks for the same few degrees of freedom many times.
_quantile = functools.lru_cache(maxsize=256)(student_t_quantile)

POWER = 0.95  #: The smallest drift that is reported as found is found with this probability.


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Spread:
    """How much runs of the same test differ."""

    sd: float  #: Standard deviation of the logarithm between runs.
    df: float  #: Degrees of freedom of that estimate.


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Regression:
    """How a figure goes with the probe from run to run: a straight line through logarithms."""

    slope: float
    squares: float  #: Sum of squares of the probes around their mean, and of the steps from one to the next.
    steps: float
    residuals: npt.NDArray[np.float64]  #: Each figure less the line, in the order of the runs.

    @property
    def spread(self) -> Spread:
        """The spread of the runs around the line."""
        df = len(self.residuals) - 2
        return Spread(sd=math.sqrt(float(self.residuals @ self.residuals) / df), df=df)

    @property
    def spread_of_neighbours(self) -> Spread:
        """``between_neighbours`` of the residuals.

        The slope is fitted to the same runs. It takes one degree of freedom, and steps / squares of the 2 (m - 1)
        variances that the squared differences add up to.
        """
        m = len(self.residuals)
        differences = float(np.sum(np.diff(self.residuals) ** 2))
        sd = math.sqrt(differences / (2 * (m - 1) - self.steps / self.squares))
        return Spread(sd=sd, df=between_neighbours(self.residuals).df - 1)

    def leverage(self, moved: float) -> float:
        """The extra variance of a prediction, relative to the spread's, for a probe that moved by ``moved``."""
        return moved**2 / self.squares


def regression(figures: npt.NDArray[np.float64], probes: npt.NDArray[np.float64]) -> Regression | None:
    """Fits a line to a figure of each run and its probe, both logarithms, shape (m,), that grow as machines slow.

    By least squares. None where the runs do not show that the figure goes with the probe: below ``FULL_RUNS`` runs,
    where either never varied, or where chance would give so steep a slope more often than ``EVIDENCE`` (Student's t
    with m - 2 degrees of freedom). See Draper & Smith, Applied Regression Analysis, 3rd ed. 1998.
    """
    m = len(figures)
    if m < FULL_RUNS or np.ptp(probes) == 0 or np.ptp(figures) == 0:
        return None
    around = probes - probes.mean()
    squares = float(around @ around)
    slope = float(around @ figures) / squares
    residuals = figures - figures.mean() - slope * around
    steps = float(np.sum(np.diff(probes) ** 2))
    found = Regression(slope=slope, squares=squares, steps=steps, residuals=residuals)
    error = found.spread.sd / math.sqrt(squares)
    return found if slope > _quantile(1 - EVIDENCE, m - 2) * error else None


def between_runs(logarithms: npt.NDArray[np.float64]) -> Spread:
    """The spread of runs, one logarithm each, shape (m,), m >= 1.

    From ``FULL_RUNS`` runs on, their standard deviation with m - 1 degrees of freedom. With fewer, it is pooled with
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
    """The spread of runs in the order in which they were made, shape (m,), m >= 2, without any slow drift of theirs.

    s^2 = sum of (x[i+1] - x[i])^2 / (2 (m - 1)), which for independent normal values is worth 2 (m - 1)^2 / (3 m - 4)
    degrees of freedom (von Neumann, Kent, Bellinson & Hart, Annals of Mathematical Statistics 12, 1941). A trend hardly
    changes it, while it widens the standard deviation until the trend itself is hidden.

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
    freedom. So a drift of exactly the margin is beyond the limit with probability ``alpha``.

    Args:
        spread: between runs.
        runs: m, the number of runs in the mean.
        margin: accepted drift, above 0; 0.1 is 10 %.
        alpha: the probability of being beyond the limit after a drift of exactly the margin, in (0, 1).
        leverage: h, of a mean that a regression predicts; 0 without one.
    """
    return math.log1p(margin) + _quantile(1 - alpha, spread.df) * _deviation(spread, runs, leverage)


def detectable(spread: Spread, runs: int, beyond: float, leverage: float = 0.0) -> float:
    """The logarithm of the drift that is beyond the limit ``beyond`` in the share ``POWER`` of all runs."""
    return beyond + _quantile(POWER, spread.df) * _deviation(spread, runs, leverage)


def _deviation(spread: Spread, runs: int, leverage: float) -> float:
    """Standard deviation of the difference between a new run and what ``runs`` others predict for it."""
    return spread.sd * math.sqrt(1 + 1 / runs + leverage)
