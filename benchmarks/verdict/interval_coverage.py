"""How often intervals miss: those of the stop rule's looks, on simulated rounds and on recorded ones.

    python benchmarks/verdict/interval_coverage.py [--quick]

Simulated: ln E of rounds as a first-order autoregression with the correlation and the noise of the row. *low* counts
the series in which at least one of the looks has its interval above the true mean (a pass that is wrong), *high* those
with one below it. Both may be half of alpha: 1 %. *rounds*: how many the budget allows, from which the looks and their
shares of alpha follow.

Recorded: the rounds of each recording from every possible start, its ends joined, against the mean of all of them. The
starts overlap, so there are no bounds. *half width* is the median at the first and at the third look, in units of the
standard deviation of a round.
"""

from __future__ import annotations

import argparse
import math
import sys
from typing import TYPE_CHECKING

import bench_report
import numpy as np
import recordings
from operating_characteristics import RECORDINGS, THREADS, corrected

from pytest_paddle_mt.statistics import intervals, scaling
from pytest_paddle_mt.statistics.looks import AlphaSpending, confidence, looks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PLANNED = looks(6, 96)
REACHABLE = (96, 12)  #: Fast queries, and a round of 5 s in the default budget.
CORRELATIONS = (-0.2, 0.0, 0.2, 0.4)
SERIES = 2000


def noise(kind: str, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Independent values around 0: normal, heavy-tailed, or with rare drops of ten times the spread."""
    if kind == "normal":
        return rng.standard_normal(shape)
    if kind == "t with 4 degrees of freedom":
        return rng.standard_t(4, shape)
    dropped: np.ndarray = rng.standard_normal(shape) - 10 * (rng.random(shape) < 0.02)
    return dropped + 10 * 0.02


def autoregression(kind: str, rho: float, series: int, k: int, rng: np.random.Generator) -> np.ndarray:
    """So many series of k values with mean 0, shape (series, k), begun long before."""
    before = 50
    values = noise(kind, (series, before + k), rng)
    for i in range(1, before + k):
        values[:, i] += rho * values[:, i - 1]
    return values[:, before:]


def levels(reachable: int) -> dict[int, float]:
    """The confidence of each look, where the budget allows so many rounds, by the rounds of the look."""
    spending = AlphaSpending(PLANNED)
    before = (look for look in PLANNED if look < reachable)
    shares = {look: spending.at_look(look, reachable) for look in before} | {reachable: spending.at_end(reachable)}
    return {look: confidence(share) for look, share in shares.items()}


def missed(values: np.ndarray, mean: float, at: dict[int, float]) -> tuple[bool, bool]:
    """Whether an interval of the looks lies above the mean, and whether one lies below; shape (k,)."""
    found = [intervals.mean_interval(values[:look], level) for look, level in at.items() if look <= len(values)]
    return any(one.low > mean for one in found if one), any(one.high < mean for one in found if one)


def half_widths(series: Iterable[np.ndarray], spread: float, at: dict[int, float]) -> str:
    """The median half width at the first and at the third look, in units of the spread."""
    looked = list(at.items())[0:3:2]
    made = [[intervals.mean_interval(one[:look], level) for look, level in looked] for one in series]
    medians = [np.median([(one.high - one.low) / 2 / spread for one in of if one]) for of in zip(*made, strict=True)]
    return ", ".join(f"{median:.1f}" for median in medians)


def simulated(series: int) -> Iterator[tuple[str, ...]]:
    """A row for each kind of noise and each correlation."""
    for kind in ("normal", "t with 4 degrees of freedom", "rare drops"):
        for rho in CORRELATIONS:
            rng = np.random.default_rng([len(kind), round(10 * rho) + 10])
            values = autoregression(kind, rho, series, PLANNED[-1], rng)
            for reachable in REACHABLE:
                at = levels(reachable)
                misses = [missed(one, 0.0, at) for one in values]
                sides = (bench_report.share(sum(one[side] for one in misses), series) for side in (0, 1))
                widths = half_widths(values, float(values.std()), at)
                yield kind, f"{rho:g}", f"{reachable}", str(series), *sides, widths


def recorded(step: int) -> Iterator[tuple[str, ...]]:
    """A row for each recording, from every ``step``-th start."""
    for path in sorted(RECORDINGS.glob("*.npz")):
        values = scaling.efficiency_series(recordings.load(path), THREADS, qps=corrected)
        rho = intervals.autocorrelation(values)
        starts = [np.roll(values, -start) for start in range(0, len(values), step)]
        shown = "" if rho is None else f"{rho:.2f}"
        for reachable in REACHABLE:
            at = levels(reachable)
            misses = [missed(one, float(values.mean()), at) for one in starts]
            sides = (f"{sum(one[side] for one in misses)}" for side in (0, 1))
            yield path.stem, shown, f"{reachable}", str(len(starts)), *sides, half_widths(starts, values.std(), at)


def main() -> int:
    """Print both tables; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few series, to see that it runs")
    series, step = (4, 32) if parser.parse_args().quick else (SERIES, 1)
    for reachable in REACHABLE:
        looked = ", ".join(f"{look} ({level:.2%})" for look, level in levels(reachable).items())
        print(f"where the budget allows {reachable} rounds, looks after {looked}")
    print(f"independent rounds: {math.sqrt(1 / PLANNED[0]):.2f} is the standard error at the first look\n")
    head = ["autocorrelation", "rounds", "N", "low", "high", "half width"]
    bench_report.print_table(["noise", *head], simulated(series))
    print()
    bench_report.print_table(["recording", *head], recorded(step))
    return 0


if __name__ == "__main__":
    sys.exit(main())
