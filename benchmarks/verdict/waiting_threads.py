"""How high threads that wait for each other can be: how often the bound is wrong, and how soon it shows a fault.

    python benchmarks/verdict/waiting_threads.py [--quick]

Where threads wait for each other, nobody knows what the time that other work took from them would have brought
(``statistics/unknown_loss.py``). A failure needs the highest efficiency that is possible: *full* is with all of it
given back, *ships* is what the plugin takes, which also looks at a line through rounds that lost more and less.

Simulated: rounds that reach an efficiency of 1 where nothing is lost. *wrong* counts the series in which the upper
bound of some look lies below that; *bound* is its median after so many rounds. The noise is an autoregression of 0.2,
and grows with the loss.

Recorded: the recordings of work with a lock beside a neighbour, from every possible start, their ends joined. *rounds*:
the median number until the bound is below the limit of 0.85, and in how many starts it ever was. The last table has the
efficiency without credit of the rounds that lost so much, which a straight line should describe.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import math
import statistics
import sys
from typing import TYPE_CHECKING

import bench_report
import interval_coverage
import numpy as np
import recordings
from internals import intervals, scaling, unknown_loss
from operating_characteristics import LIMIT, RECORDINGS, THREADS, corrected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Bound = Callable[[np.ndarray, np.ndarray, float], float]

SERIES = 1000
SHOWN = (6, 13)  #: Looks whose bounds are shown.
LOST = (-math.inf, 0.05, 0.15, 0.25, 0.35, 1.0)  #: Edges between lost shares.


# How much is lost, in each round: shape (series, rounds)


def comes_and_goes(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Other work is there in six rounds of ten, and in the next one as well in three of ten."""
    there = rng.random(shape) < 0.6
    for i in range(1, shape[1]):
        there[:, i] = np.where(rng.random(shape[0]) < 0.3, there[:, i - 1], there[:, i])
    return np.where(there, rng.uniform(0.2, 0.6, shape), rng.uniform(0, 0.02, shape))


def always(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Other work is always there, and takes more or less."""
    return rng.uniform(0.1, 0.6, shape)


def rarely(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Other work is there in two rounds of ten."""
    return np.where(rng.random(shape) < 0.2, rng.uniform(0.2, 0.6, shape), rng.uniform(0, 0.02, shape))


#: How it comes, and by how much what is counted of it is wrong in each round, up or down.
LOSSES = {
    "comes and goes": (comes_and_goes, 0.0),
    "the same, not counted exactly": (comes_and_goes, 0.2),
    "always there": (always, 0.0),
    "rarely there": (rarely, 0.0),
}

#: What a lost share costs, in ln E.
COSTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "nothing": lambda lost: 0 * lost,
    "a third of it": lambda lost: np.log(1 - lost) / 3,
    "all of it": lambda lost: np.log(1 - lost),
    "one and a half of it": lambda lost: 1.5 * np.log(1 - lost),
    "0.3 as soon as there is any": lambda lost: -0.3 * (1 - np.exp(-lost / 0.1)),
}


def full(uncredited: np.ndarray, credited: np.ndarray, confidence: float) -> float:
    """ln of the upper bound with full credit."""
    interval = intervals.mean_interval(credited, confidence)
    return math.inf if interval is None else interval.high


def ships(uncredited: np.ndarray, credited: np.ndarray, confidence: float) -> float:
    """ln of the upper bound that ships."""
    return full(uncredited, *unknown_loss.highest(uncredited, credited, confidence))


BOUNDS: dict[str, Bound] = {"full": full, "ships": ships}


def simulated(series: int) -> Iterator[tuple[str, ...]]:
    """A row for each way in which other work comes, and for each of what it costs."""
    at = interval_coverage.levels(96)
    for coming, (losses, wrong_by) in LOSSES.items():
        for cost, of in COSTS.items():
            rng = np.random.default_rng([len(losses.__name__), len(cost)])
            lost = losses((series, max(at)), rng)
            noise = interval_coverage.autoregression("normal", 0.2, series, max(at), rng)
            uncredited = of(lost) + (0.05 + 0.3 * lost) * noise
            counted = np.exp(wrong_by * rng.standard_normal(lost.shape))
            credited = uncredited - counted * np.log(1 - lost)
            wrong, shown = [], []
            for bound in BOUNDS.values():
                found = [_bounds(bound, *one, at) for one in zip(uncredited, credited, strict=True)]
                wrong.append(bench_report.share(sum(min(one.values()) < 0 for one in found), series))
                shown.append(", ".join(f"{math.exp(np.median([one[look] for one in found])):.2f}" for look in SHOWN))
            yield coming, cost, str(series), wrong[0], shown[0], wrong[1], shown[1]


def _bounds(bound: Bound, uncredited: np.ndarray, credited: np.ndarray, at: dict[int, float]) -> dict[int, float]:
    return {look: bound(uncredited[:look], credited[:look], level) for look, level in at.items()}


def recorded(step: int) -> Iterator[tuple[str, ...]]:
    """A row for each recording of a lock beside a neighbour, from every ``step``-th start."""
    at = interval_coverage.levels(96)
    for name, uncredited, credited in _recordings():
        starts = range(0, len(credited), step)
        line = unknown_loss.without_loss(uncredited, credited - uncredited)
        figures = (math.exp(one.mean()) for one in (uncredited, credited, line) if one is not None)
        sooner = []
        for bound in BOUNDS.values():
            ended = [
                _first_below(bound, np.roll(uncredited, -start), np.roll(credited, -start), at) for start in starts
            ]
            below = [rounds for rounds in ended if rounds is not None]
            sooner.append(f"{statistics.median(below):.0f}, {len(below)}" if below else "-, 0")
        yield name, *(f"{one:.2f}" for one in figures), str(len(starts)), *sooner


def by_loss() -> Iterator[tuple[str, ...]]:
    """A row for each recording: the efficiency without credit, and the number of rounds, by how much was lost."""
    for name, uncredited, credited in _recordings():
        lost = 1 - np.exp(uncredited - credited)
        of = (uncredited[(low <= lost) & (lost < high)] for low, high in itertools.pairwise(LOST))
        yield name, *(f"{math.exp(values.mean()):.2f} ({len(values)})" if len(values) else "-" for values in of)


def _recordings() -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Name of a recording, and ln E of its rounds without credit for two threads and with it, shape (k,)."""
    for path in sorted(RECORDINGS.glob("neighbour-lock_*.npz")):
        rounds = recordings.load(path)
        credited = scaling.efficiency_series(rounds, THREADS, qps=corrected)
        ones = functools.partial(scaling.throughput_series, rounds, 1)
        yield (
            path.stem,
            scaling.efficiency_series(rounds, THREADS) + np.log(ones()) - np.log(ones(qps=corrected)),
            credited,
        )


def _first_below(bound: Bound, uncredited: np.ndarray, credited: np.ndarray, at: dict[int, float]) -> int | None:
    found = _bounds(bound, uncredited, credited, at)
    return next((look for look, high in found.items() if high < math.log(LIMIT)), None)


def main() -> int:
    """Print the tables; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few series, to see that it runs")
    series, step = (4, 32) if parser.parse_args().quick else (SERIES, 1)
    bounds = ", ".join(map(str, SHOWN))
    head = ["other work", "what a loss costs", "N", "full: wrong", f"bound after {bounds}", "ships: wrong", "bound"]
    bench_report.print_table(head, simulated(series))
    print()
    head = ["recording", "E, no credit", "full credit", "by the line", "N", "full: rounds", "ships: rounds"]
    bench_report.print_table(head, recorded(step))
    print()
    shares = (f"lost {max(low, 0.0):.0%} to {high:.0%}" for low, high in itertools.pairwise(LOST))
    bench_report.print_table(["recording", *shares], by_loss())
    return 0


if __name__ == "__main__":
    sys.exit(main())
