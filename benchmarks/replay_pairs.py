"""Recorded windows of one unchanged workload as if they were two sides: is the interval of a comparison right?

    python benchmarks/replay_pairs.py

Reads ``recordings``. Four windows in a row with one thread count make a round: the first and the fourth are one side's,
the others the other's, or the reverse, drawn at random, as a comparison draws it. Both sides are the same workload, so
an interval that leaves out a ratio of 1 is wrong.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import recordings

from pytest_paddle_mt.records import Cpu
from pytest_paddle_mt.statistics import intervals, validity

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

CPU = Cpu(usable_cores=2, math_threads=1)
FLOORS = (0.0, 0.3, 0.5)
LENGTHS = (12, 24)
CONFIDENCES = (0.95, 0.99)
#: Assignments of the windows to the sides that are drawn.
DRAWS = 40


def log_ratios(log_qps: npt.NDArray[np.float64], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """ln of the ratio in each round, shape (k,), from ln QPS of all windows in a row; the sides are drawn at random."""
    fours = log_qps[: len(log_qps) // 4 * 4].reshape(-1, 4)
    ratios: npt.NDArray[np.float64] = fours @ np.array([0.5, -0.5, -0.5, 0.5]) * rng.choice([-1, 1], len(fours))
    return ratios


def misses(series: Sequence[npt.NDArray[np.float64]], k: int, confidence: float, floor: float) -> tuple[float, float]:
    """Share of intervals over ``k`` rounds that leave out 0, of overlapping replays, and their median half width."""
    found = [
        intervals.mean_interval(one[start : start + k], confidence, floor)
        for one in series
        for start in range(0, len(one) - k + 1, k // 4)
    ]
    made = [interval for interval in found if interval is not None]
    missed = sum(interval.low > 0 or interval.high < 0 for interval in made)
    return missed / len(made), float(np.median([(interval.high - interval.low) / 2 for interval in made]))


def main() -> None:
    """Replay each recording and print what came of it."""
    rng = np.random.default_rng(0)
    for path in sorted((Path(__file__).resolve().parent / "recordings").glob("*.npz")):
        rounds = recordings.load(path)
        for threads in (1, 2):
            log_qps = np.array([math.log(validity.qps(window, CPU)) for one in rounds for window in one.at(threads)])
            series = [log_ratios(log_qps, rng) for _ in range(DRAWS)]
            rho = np.mean([intervals.autocorrelation(one) for one in series])
            print(
                f"{path.name}, {threads} thread{'s' if threads > 1 else ''}: {len(series[0])} rounds, sd of ln ratio "
                f"{np.std(series[0]):.3f}, lag-1 autocorrelation {rho:.2f}"
            )
            for k in LENGTHS:
                for confidence in CONFIDENCES:
                    cells = (misses(series, k, confidence, floor) for floor in FLOORS)
                    text = "; ".join(
                        f"floor {floor:g}: {share:.1%}, {width:.3f}"
                        for floor, (share, width) in zip(FLOORS, cells, strict=True)
                    )
                    print(f"  {k} rounds, {confidence:.0%}: missed, half width: {text}")


if __name__ == "__main__":
    main()
