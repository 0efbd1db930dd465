"""How far a new run may lie from runs that were accepted before: a prediction limit over their spread."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING

import numpy as np

from pytest_paddle_mt.records import record
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

#: Few degrees of freedom occur, and a test asks for each of them many times.
_quantile = functools.lru_cache(maxsize=256)(student_t_quantile)

#: The power at which the smallest drift that is found is given.
POWER = 0.95


@record
class Spread:
    """How far runs of the same thing lie apart."""

    #: Standard deviation of the logarithm between runs.
    sd: float
    #: Degrees of freedom of that estimate.
    df: float


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


def limit(spread: Spread, runs: int, margin: float, alpha: float) -> float:
    """How much larger a new logarithm may be than the mean of ``runs`` others: ln(1 + margin) + t s sqrt(1 + 1/m).

    The second part is the one-sided prediction limit for one more value of a normal distribution (Hahn & Meeker,
    Statistical Intervals, 1991, section 4.7), t the 1 - alpha quantile of Student's t with the spread's degrees of
    freedom. So what has drifted by the margin exactly is beyond the limit with probability ``alpha``.

    Args:
        spread: between runs.
        runs: m, how many runs the mean is of.
        margin: accepted drift, above 0; 0.1 is 10 %.
        alpha: as above, in (0, 1).
    """
    return math.log1p(margin) + _quantile(1 - alpha, spread.df) * _deviation(spread, runs)


def detectable(spread: Spread, runs: int, beyond: float) -> float:
    """The logarithm of the drift that is found in ``POWER`` of all runs, given the limit ``beyond`` and this spread."""
    return beyond + _quantile(POWER, spread.df) * _deviation(spread, runs)


def _deviation(spread: Spread, runs: int) -> float:
    """Standard deviation of the difference between a new run and the mean of ``runs`` others."""
    return spread.sd * math.sqrt(1 + 1 / runs)
