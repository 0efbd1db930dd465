"""When the stop rule looks, and how certain each look must be so that all of them together seldom miss."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Chance that the intervals of one sweep, all looks and thread counts together, miss; half of it on each side.
ALPHA = 0.02

MOST_LOOKS = 8

#: A look adds little when this factor in rounds has not been gained, and costs confidence all the same.
_MIN_GROWTH = math.sqrt(2)


def looks(minimum: int, maximum: int) -> tuple[int, ...]:
    """Numbers of rounds after which the stop rule looks: at most eight, from ``minimum`` geometrically to ``maximum``.

    Looks grow by a factor of 1.4 at least; where ``maximum`` is nearer to ``minimum``, it is the only look.

    Raises:
        ValueError: not 1 <= minimum <= maximum.
    """
    if not 1 <= minimum <= maximum:
        raise ValueError(f"rounds need 1 <= minimum <= maximum, not {minimum}:{maximum}")
    growth = maximum / minimum
    steps = min(MOST_LOOKS - 1, int(math.log(growth) / math.log(_MIN_GROWTH) + 1e-9))
    between = (round(minimum * growth ** (step / steps)) for step in range(steps))
    return tuple(sorted({*between, maximum}))


class AlphaSpending:
    """Shares ``ALPHA`` among the looks: evenly, at each look, what is left among those that the budget still allows.

    Who looks again and again, and stops when content, errs more often than each look alone. By Bonferroni's inequality
    it is enough that the shares add up to 1, whatever the dependence between the looks, as long as the shares do not
    depend on the effect (Lan & DeMets, Biometrika 70, 1983). Here they depend on how many looks will be reached, which
    is foreseen from the time that rounds take. That has little to do with a ratio of throughputs, though not nothing.

    Args:
        planned: numbers of rounds after which there is a look, ascending.
    """

    def __init__(self, planned: Sequence[int]) -> None:
        self._planned = tuple(planned)
        self._left = 1.0
        self._latest = (0, 0.0)  #: The rounds of the latest look, and its share.

    def at_look(self, rounds: int, reachable: int) -> float:
        """The share of a look after so many rounds, of ``reachable`` that end within the budget by what is known now.

        A look at the end is always kept for, as measuring may go on for longer than is foreseen.
        """
        between = sum(rounds < look < min(reachable, self._planned[-1]) for look in self._planned)
        return self._spend(rounds, 1 / (between + 2))

    def at_end(self, rounds: int) -> float:
        """The share of the last look: all that is left."""
        return self._spend(rounds, 1.0)

    def _spend(self, rounds: int, part: float) -> float:
        looked_after, spent = self._latest
        if (
            rounds == looked_after
        ):  # the wider of two intervals from the same rounds contains the other: both miss as one
            self._left += spent
        share = part * self._left
        self._left -= share
        self._latest = (rounds, share)
        return share


def confidence(share: float, judged: int = 1) -> float:
    """Confidence of each interval of a look that has this share of ``ALPHA``, for so many counts that are judged.

    A verdict can be wrong on one side only, so each kind of wrong verdict has about half of ``ALPHA``.

    Raises:
        ValueError: not 0 < share <= 1, or nothing is judged.
    """
    if not 0 < share <= 1 or judged < 1:
        raise ValueError(f"a look needs 0 < share <= 1 and one thread count at least, not {share} and {judged}")
    return 1 - ALPHA * share / judged
