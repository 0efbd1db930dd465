"""Other estimates of efficiency, and other intervals, on the recorded rounds: what docs/statistics.md chooses among.

    python benchmarks/what_was_tried.py

An estimate is good where it gives the same efficiency beside a neighbour as on the quiet machine, and spreads little.
An interval is good where it misses the mean of the whole recording as often as it says.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import recordings

from pytest_paddle_mt.records import Cpu, Interval
from pytest_paddle_mt.statistics import intervals, scaling, validity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from pytest_paddle_mt.records import Round, Window

    Series = npt.NDArray[np.float64]
    Method = Callable[[Series, float], Interval]

RECORDINGS = Path(__file__).resolve().parent / "recordings"
CPU = Cpu(usable_cores=2, math_threads=1)
THREADS = 2

#: Version 0.1 set a round aside when its threads had waited for a core for more than this share of the time.
OLD_DELAY_SHARE = 0.05

CONFIDENCE = 0.95
LENGTHS = (12, 19, 30)


def as_measured(window: Window) -> float:
    """Throughput as measured."""
    return window.qps


def without_delay(window: Window) -> float:
    """Throughput of the time in which the threads were not waiting for a core, whoever had it."""
    return window.qps / (1 - (validity.delay_share(window) or 0.0))


def shipped(window: Window) -> float:
    """Throughput of the time that other work left."""
    return validity.qps(window, CPU)


def per_cpu_time(window: Window) -> float:
    """Queries per second of CPU time, of every thread."""
    return window.qps / window.cpu_share


def low_quantile(window: Window) -> float:
    """What the throughput would be if every query took as long as the fastest tenth."""
    return sum(1e9 / float(thread.latencies.values_ns[0]) for thread in window.per_thread)


def over_control(qps: Callable[[Window], float]) -> Callable[[Window], float]:
    """The same over that of the control; its own efficiency of one is put back, so that they can be compared."""

    def ratio(window: Window) -> float:
        assert window.control is not None
        return window.threads * qps(window) / qps(window.control)

    return ratio


def little_delayed(one: Round) -> bool:
    """Whether version 0.1 had used this round."""
    return all((validity.delay_share(window) or 0.0) <= OLD_DELAY_SHARE for window in one.windows)


ESTIMATES: dict[str, tuple[Callable[[Window], float], Callable[[Round], bool]]] = {
    "as measured": (as_measured, scaling.every_round),
    "as measured, delayed rounds set aside": (as_measured, little_delayed),
    "less all delay": (without_delay, scaling.every_round),
    "less the time that other work took *": (shipped, scaling.every_round),
    "per CPU time": (per_cpu_time, scaling.every_round),
    "10 % quantile of latency": (low_quantile, scaling.every_round),
    "as measured, over the control": (over_control(as_measured), scaling.every_round),
    "*, over the control": (over_control(shipped), scaling.every_round),
}


def print_estimates(name: str, rounds: Sequence[Round]) -> None:
    """Mean efficiency, spread of a round and lag-1 autocorrelation of each estimate."""
    print(f"{name}: {len(rounds)} rounds")
    for text, (qps, usable) in ESTIMATES.items():
        series = scaling.efficiency_series(rounds, THREADS, usable, qps)
        if len(series) < intervals.MIN_VALUES:
            print(f"  {text:40} {len(series)} rounds left")
            continue
        rho = intervals.autocorrelation(series)
        print(
            f"  {text:40} {math.exp(series.mean()):.3f}, sd {series.std(ddof=1):.3f}, "
            f"autocorrelation {0.0 if rho is None else rho:+.2f}, {len(series)} rounds"
        )


def independent(values: Series, confidence: float) -> Interval:
    """Student's t as if rounds were independent."""
    return t_interval(
        float(values.mean()), float(values.std(ddof=1)) / math.sqrt(len(values)), len(values) - 1, confidence
    )


def batch_means(batches: int) -> Method:
    """Student's t on the means of so many batches of neighbouring rounds."""

    def method(values: Series, confidence: float) -> Interval:
        means = np.array([batch.mean() for batch in np.array_split(values, batches)])
        return t_interval(float(values.mean()), float(means.std(ddof=1)) / math.sqrt(batches), batches - 1, confidence)

    return method


def cosines(terms: int) -> Method:
    """Equal-weighted cosines (Lazarus, Lewis, Stock & Watson, Journal of Business & Economic Statistics 36, 2018)."""

    def method(values: Series, confidence: float) -> Interval:
        k = len(values)
        angles = np.pi * np.outer(np.arange(1, terms + 1), np.arange(k) + 0.5) / k
        long_run_variance = float(np.mean((math.sqrt(2 / k) * np.cos(angles) @ values) ** 2))
        return t_interval(float(values.mean()), math.sqrt(long_run_variance / k), terms, confidence)

    return method


def sign_flips(block: int) -> Method:
    """A permutation test turned into an interval: signs of deviations are flipped at random, ``block`` rounds together.

    The half width is the quantile of the mean's absolute value over 2,000 such series.
    """

    def method(values: Series, confidence: float) -> Interval:
        k, mean = len(values), float(values.mean())
        rng = np.random.default_rng(0)
        signs = np.repeat(rng.choice((-1.0, 1.0), size=(2_000, math.ceil(k / block))), block, axis=1)[:, :k]
        half_width = float(np.quantile(np.abs(signs @ (values - mean)) / k, confidence))
        return Interval(low=mean - half_width, high=mean + half_width)

    return method


def autoregression(min_autocorrelation: float) -> Method:
    """The shipped interval, with any floor under the autocorrelation."""

    def method(values: Series, confidence: float) -> Interval:
        interval = intervals.mean_interval(values, confidence, min_autocorrelation)
        assert interval is not None, "there are enough rounds"
        return interval

    return method


def t_interval(mean: float, standard_error: float, df: int, confidence: float) -> Interval:
    """Mean -+ t times its standard error."""
    half_width = intervals.student_t_quantile((1 + confidence) / 2, df) * standard_error
    return Interval(low=mean - half_width, high=mean + half_width)


METHODS: dict[str, Method] = {
    "independent rounds": independent,
    "4 batch means": batch_means(4),
    "6 batch means": batch_means(6),
    "3 cosines": cosines(3),
    "sign flips": sign_flips(1),
    "sign flips, 3 rounds together": sign_flips(3),
    **{
        f"autoregression, floor {floor}{' *' if floor == intervals.MIN_AUTOCORRELATION else ''}": autoregression(floor)
        for floor in (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
    },
}


def print_methods(series: Sequence[Series]) -> None:
    """How often each interval misses the mean of its recording: share below it / above it, and median half width."""
    print(f"{CONFIDENCE:.0%} intervals of {len(series)} recordings, overlapping: below / above the mean, half width")
    print(" " * 30 + "".join(f"{f'{length} rounds':>26}" for length in LENGTHS))
    for name, method in METHODS.items():
        cells = ""
        for length in LENGTHS:
            below, above, widths = 0, 0, []
            for values in series:
                for start in range(len(values) - length + 1):
                    interval = method(values[start : start + length], CONFIDENCE)
                    below += interval.high < values.mean()
                    above += interval.low > values.mean()
                    widths.append((interval.high - interval.low) / 2)
            cells += f"{below / len(widths):8.1%} /{above / len(widths):6.1%}, {np.median(widths):.3f}  "
        print(f"{name:30}{cells}")


def main() -> None:
    """Print both tables."""
    print("*: shipped")
    loaded = {path.stem: recordings.load(path) for path in sorted(RECORDINGS.glob("*.npz"))}
    for name, rounds in loaded.items():
        print_estimates(name, rounds)
    print_methods([scaling.efficiency_series(rounds, THREADS, qps=shipped) for rounds in loaded.values()])


if __name__ == "__main__":
    main()
