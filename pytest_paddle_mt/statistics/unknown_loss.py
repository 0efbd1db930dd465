"""How high a ratio can be at most where threads wait for each other, so that nobody knows what their loss cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_paddle_mt.statistics.intervals import MIN_VALUES, mean_interval

if TYPE_CHECKING:
    import numpy.typing as npt

_SMALL = 0.05  #: A credit of less, or a difference between two estimates, in ln, that hides no fault that matters.
_NEAR = 0.25  #: A line needs two rounds that lost less than this part of the mean.
_MAX_LEVERAGE = 0.999  #: 1: of one round that alone says how steep the line is, as the others all lost the same.


def highest(
    uncredited: npt.NDArray[np.float64], credited: npt.NDArray[np.float64], confidence: float
) -> tuple[npt.NDArray[np.float64], float]:
    """The values whose mean is the highest that is possible, float64, shape (k,), and the confidence of its interval.

    ``uncredited`` are ln of the ratio of each round as measured, and ``credited`` with the whole loss given back, both
    of shape (k,). They are equal where nothing was lost. Full credit supposes that a thread without a core would have
    worked for all of that time; ``without_loss`` sees what that time cost.

    - Where it cost less, full credit is too high: the values with the lower upper bound. As either bound can be wrong,
      each has half of the error probability.
    - Where it cost more, full credit is too low: threads may have waited for one that had no core. Then the line.
    - Where the credit is small, or there is no line: full credit.
    """
    credits_given = credited - uncredited
    line = without_loss(uncredited, credits_given) if len(uncredited) and credits_given.mean() > _SMALL else None
    if line is None:
        return credited, confidence
    if line.mean() > credited.mean() + _SMALL:
        return line, confidence
    each = (1 + confidence) / 2
    of_line, full = mean_interval(line, each), mean_interval(credited, each)
    return (line if of_line is not None and full is not None and of_line.high < full.high else credited), each


def without_loss(
    uncredited: npt.NDArray[np.float64], credits_given: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64] | None:
    """What ``uncredited`` is without a loss, by a line through rounds that lost more and less, float64, shape (k,).

    ``credits_given`` are -ln(1 - lost share), or a mean of them, shape (k,). With a the height of the least-squares
    line where they are 0, and a[i] that of the line without round i, the values are the jackknife's k a - (k - 1) a[i].
    Their mean estimates the height, and their spread shows how well it is known, also where rounds scatter more the
    more they lost (Tukey 1958; Miller, Annals of Statistics 2, 1974, for lines). Other work adds nothing to throughput,
    so their mean is raised to that of ``uncredited`` where it is lower.

    None where fewer than two rounds lost less than a quarter of the mean, so that the line would reach far beyond its
    rounds, or where all rounds but one lost the same, so that nothing is known of how steep it is.
    """
    k = len(uncredited)
    centre = float(np.mean(credits_given)) if k else 0.0
    if k < MIN_VALUES or np.count_nonzero(credits_given < _NEAR * centre) < 2:
        return None
    apart = credits_given - centre
    squares = float(apart @ apart)
    leverage = 1 / k + apart**2 / squares
    if np.max(leverage) > _MAX_LEVERAGE:
        return None
    slope = float(apart @ uncredited) / squares
    mean = float(np.mean(uncredited))
    residuals = uncredited - mean - slope * apart
    pull = 1 / k - centre * apart / squares  # how far one unit more in a round moves the height
    values: npt.NDArray[np.float64] = mean - slope * centre + (k - 1) * pull * residuals / (1 - leverage)
    return values + max(0.0, mean - float(np.mean(values)))
