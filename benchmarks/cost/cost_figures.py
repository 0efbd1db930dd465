"""What the benchmarks share: interleaved measuring, ratios with an interval, and how a figure is printed and judged."""

from __future__ import annotations

import argparse
import math
import os
import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

import pytest_paddle_mt
from pytest_paddle_mt.machine.cores import available_cores
from pytest_paddle_mt.machine.facts import cpu_model
from pytest_paddle_mt.machine.versions import installed_version, paddle_version
from pytest_paddle_mt.records import Interval
from pytest_paddle_mt.statistics.intervals import mean_interval

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

CONFIDENCE = 0.95

#: Blocks of a ``--quick`` run: the fewest that have an interval.
QUICK_BLOCKS = 4


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Target:
    """What a figure must reach."""

    limit: float
    #: Whether the figure must be at least the limit; False: at most.
    at_least: bool

    def reached(self, value: float) -> bool:
        """Whether ``value`` is on the right side of the limit, or on it."""
        return value >= self.limit if self.at_least else value <= self.limit


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Figure:
    """One result of a benchmark."""

    name: str
    value: float
    #: Confidence interval of ``value``; None where it is a single observation.
    interval: Interval | None
    #: How many of what were measured, for people: ``24 blocks of four 0.3 s windows``.
    n: str
    #: Printed behind the value; empty for a ratio.
    unit: str
    #: None: printed for information only.
    target: Target | None
    #: More for people, printed on a line of its own.
    note: str | None

    @property
    def missed(self) -> bool:
        """Whether the value, taken by itself, is beyond its target."""
        return self.target is not None and not self.target.reached(self.value)


def parser(description: str | None) -> argparse.ArgumentParser:
    """The command line that every benchmark has."""
    made = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    made.add_argument(
        "--quick", action="store_true", help="a few short measurements, to see that it runs; judges nothing, exits 0"
    )
    return made


def interleaved(measures: Mapping[str, Callable[[], float]], blocks: int) -> dict[str, npt.NDArray[np.float64]]:
    """Mean logarithm per block of what each of ``measures`` returns, a positive number: shape (blocks,) by name.

    A block takes them in their order and back (a, b, b, a), every other block the other way round, so that a machine
    that becomes steadily faster or slower favours none.
    """
    logarithms: dict[str, list[float]] = {name: [] for name in measures}
    for block in range(blocks):
        order = list(measures)[:: 1 if block % 2 == 0 else -1]
        seen: dict[str, list[float]] = {name: [] for name in measures}
        for name in (*order, *reversed(order)):
            seen[name].append(math.log(measures[name]()))
        for name, values in seen.items():
            logarithms[name].append(math.fsum(values) / len(values))
    return {name: np.array(values, dtype=np.float64) for name, values in logarithms.items()}


def geometric_mean(logarithms: npt.NDArray[np.float64]) -> tuple[float, Interval | None]:
    """exp(mean) of a series of logarithms, shape (k,), and its interval; for a paired ratio, give the differences.

    The interval is Student's t for an autocorrelated series, without the floor under the autocorrelation that the
    plugin's gates have: blocks take the drift of the machine out, and there are enough of them to see what is left.
    """
    interval = mean_interval(logarithms, CONFIDENCE, min_autocorrelation=0.0)
    return math.exp(float(logarithms.mean())), (
        None if interval is None else Interval(low=math.exp(interval.low), high=math.exp(interval.high))
    )


def median(values: npt.NDArray[np.float64]) -> tuple[float, Interval | None]:
    """Median of values in any order, shape (k,), and its 95 % interval between two order statistics.

    The number of values below the median is binomial (David & Nagaraja, Order Statistics, 3rd ed. 2003, section 7.1):
    ranks l and k + 1 - l with the largest l for which P(at most l - 1 of k below) <= 2.5 %. None below six values.
    """
    ordered = np.sort(values)
    k = len(ordered)
    rank, below = 0, 0.5**k
    while below <= (1 - CONFIDENCE) / 2:
        rank += 1
        below += math.comb(k, rank) * 0.5**k
    interval = Interval(low=float(ordered[rank - 1]), high=float(ordered[k - rank])) if rank else None
    return float(np.median(ordered)), interval


def report(title: str, figures: Sequence[Figure], *, quick: bool, load_before: float) -> int:
    """Print the figures; the exit status: 1 when one of them misses its target, 0 otherwise and after ``--quick``."""
    print(title)
    print(_machine(load_before))
    for figure in figures:
        for line in _lines(figure, quick):
            print(line)
    if quick:
        print("--quick: far too short to judge anything by, so nothing was judged")
        return 0
    return 1 if any(figure.missed for figure in figures) else 0


def load_average() -> float:
    """How many processes wanted a core during the last minute: above 0.5 or so, others disturb the measurement."""
    return os.getloadavg()[0]


def _machine(load_before: float) -> str:
    versions = {
        "Python": platform.python_version(),
        "pytest-paddle-mt": pytest_paddle_mt.__version__,
        "paddlepaddle": paddle_version(),
        "pytest": installed_version("pytest"),
        "numpy": installed_version("numpy"),
    }
    software = ", ".join(f"{name} {version}" for name, version in versions.items() if version is not None)
    return (
        f"  {cpu_model()}, {available_cores().text}, {platform.system()} {platform.release()}, "
        f"load average before the start {load_before:.1f}\n  {software}"
    )


def _lines(figure: Figure, quick: bool) -> list[str]:
    unit = f" {figure.unit}" if figure.unit else ""
    text = f"  {figure.name}: {number(figure.value)}{unit}"
    if figure.interval is not None:
        text += f", {CONFIDENCE:.0%} interval {number(figure.interval.low)} to {number(figure.interval.high)}{unit}"
    lines = [f"{text}, N = {figure.n}"]
    if figure.note is not None:
        lines.append(f"    {figure.note}")
    if figure.target is not None and not quick:
        lines.append(f"    target {_bound(figure.target)}{unit}: {_verdict(figure, figure.target)}")
    return lines


def _bound(target: Target) -> str:
    return f"{'>=' if target.at_least else '<='} {target.limit:g}"


def _verdict(figure: Figure, target: Target) -> str:
    word = "reached" if target.reached(figure.value) else "MISSED"
    if figure.interval is None:
        return word
    ends = {target.reached(figure.interval.low), target.reached(figure.interval.high)}
    if len(ends) == 2:
        return f"{word} by the estimate; the interval contains the target, so chance alone could turn it"
    return f"{word}; the whole interval lies on that side of the target"


def number(value: float) -> str:
    """``value`` with four digits that count."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"
