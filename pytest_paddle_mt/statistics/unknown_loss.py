"""How high a ratio can be at most where threads wait for each other, so that nobody knows what their loss cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_paddle_mt.statistics.intervals import MIN_VALUES, mean_interval

if TYPE_CHECKING:
    import numpy.typing as npt

_SMALL_CREDIT = 0.05  #: A credit of less, in ln, hides no fault that matters.
_REACH = 4  #: A line needs a round with at most this part (1 / 4) of the largest loss.
_MAX_LEVERAGE = 0.999  #: 1: of one round that alone says how steep the line is, as the others all lost the same.


def highest(
    uncredited: npt.NDArray[np.float64], credited: npt.NDArray[np.float64], confidence: float
) -> tuple[npt.NDArray[np.float64], float]:
    """The values whose mean has the lower upper bound, float64, shape (k,), and the confidence of its interval.

    ``uncredited`` are ln of the ratio of each round as measured, and ``credited`` with the whole loss given back, both
    of shape (k,). They are equal where nothing was lost. Full credit supposes that a thread without a core would have
    worked for all of that time; ``without_loss`` sees what it cost. Either bound may miss, so each has half of the
    chance to. Where the credit is small, or no line can be drawn, it is the full one.
    """
    credits_given = credited - uncredited
    line = without_loss(uncredited, credits_given) if len(uncredited) and credits_given.mean() > _SMALL_CREDIT else None
    if line is None:
        return credited, confidence
    each = (1 + confidence) / 2
    bounds = [mean_interval(values, each) for values in (credited, line)]
    lower = bounds[0] is not None and bounds[1] is not None and bounds[1].high < bounds[0].high
    return line if lower else credited, each


def without_loss(
    uncredited: npt.NDArray[np.float64], credits_given: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64] | None:
    """What ``uncredited`` is without a loss, by a line through rounds that lost more and less, float64, shape (k,).

    ``credits_given`` are -ln(1 - lost share), or a mean of them, shape (k,). With a the height of the least-squares
    line where they are 0, and a[i] that of the line without round i, the values are the jackknife's k a - (k - 1) a[i]:
    their mean estimates the height, and their spread shows how well it is known, also where rounds scatter more the
    more they lost (Tukey 1958; Hinkley, Technometrics 19, 1977, for lines). Other work adds nothing to throughput, so
    the height is not taken to be below the mean of ``uncredited``.

    None where no round lost as little as a quarter of the largest loss, or where all rounds but one lost the same: then
    the line would reach far beyond its rounds, or little is known of how steep it is.
    """
    k = len(uncredited)
    if k < MIN_VALUES or _REACH * np.min(credits_given) >= np.max(credits_given):
        return None
    centre = float(np.mean(credits_given))
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
