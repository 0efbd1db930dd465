"""How often intervals miss: those of the stop rule's looks, on simulated rounds and on recorded ones.

    python benchmarks/verdict/interval_coverage.py [--quick]

Simulated: ln E of rounds as a first-order autoregression with the correlation and the noise of the row. *low* counts
the series in which at least one of the looks has its interval above the true mean (a pass that is wrong), *high* those
with one below it. Both may be half of alpha: 1 %.

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

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LOOKS = scaling.looks(6, 96)
CONFIDENCE = scaling.confidence_after_looks(scaling.ALPHA, len(LOOKS))
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


def missed(values: np.ndarray, mean: float) -> tuple[bool, bool]:
    """Whether an interval of the looks lies above the mean, and whether one lies below; shape (k,)."""
    found = [intervals.mean_interval(values[:look], CONFIDENCE) for look in LOOKS if look <= len(values)]
    return any(one.low > mean for one in found if one), any(one.high < mean for one in found if one)


def half_widths(series: Iterable[np.ndarray], spread: float) -> str:
    """The median half width at the first and at the third look, in units of the spread."""
    made = [[intervals.mean_interval(one[:look], CONFIDENCE) for look in LOOKS[0:3:2]] for one in series]
    medians = [np.median([(one.high - one.low) / 2 / spread for one in at if one]) for at in zip(*made, strict=True)]
    return ", ".join(f"{median:.1f}" for median in medians)


def simulated(series: int) -> Iterator[tuple[str, ...]]:
    """A row for each kind of noise and each correlation."""
    for kind in ("normal", "t with 4 degrees of freedom", "rare drops"):
        for rho in CORRELATIONS:
            rng = np.random.default_rng([len(kind), round(10 * rho) + 10])
            values = autoregression(kind, rho, series, LOOKS[-1], rng)
            misses = [missed(one, 0.0) for one in values]
            sides = (bench_report.share(sum(one[side] for one in misses), series) for side in (0, 1))
            yield kind, f"{rho:g}", str(series), *sides, half_widths(values, float(values.std()))


def recorded(step: int) -> Iterator[tuple[str, ...]]:
    """A row for each recording, from every ``step``-th start."""
    for path in sorted(RECORDINGS.glob("*.npz")):
        values = scaling.efficiency_series(recordings.load(path), THREADS, qps=corrected)
        rho = intervals.autocorrelation(values)
        starts = [np.roll(values, -start) for start in range(0, len(values), step)]
        misses = [missed(one, float(values.mean())) for one in starts]
        sides = (f"{sum(one[side] for one in misses)}" for side in (0, 1))
        yield (
            path.stem,
            "" if rho is None else f"{rho:.2f}",
            str(len(starts)),
            *sides,
            half_widths(starts, values.std()),
        )


def main() -> int:
    """Print both tables; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few series, to see that it runs")
    series, step = (4, 32) if parser.parse_args().quick else (SERIES, 1)
    print(f"looks after {', '.join(map(str, LOOKS))} rounds, each interval with {CONFIDENCE:.3%}")
    print(f"independent rounds: {math.sqrt(1 / LOOKS[0]):.2f} is the standard error at the first look\n")
    head = ["autocorrelation", "N", "low", "high", "half width"]
    bench_report.print_table(["noise", *head], simulated(series))
    print()
    bench_report.print_table(["recording", *head], recorded(step))
    return 0


if __name__ == "__main__":
    sys.exit(main())
