"""Replay recorded windows of an unchanged workload through the interval and the stop rule that the plugin ships.

    python benchmarks/replay_rule.py RECORDING.npz [RECORDING.npz ...]

A recording holds windows of one workload, alternating one thread, two threads, one, two ... Arrays, one row per window:
``is_control`` (left out here), ``threads``, ``window_s``, ``latency_offset`` (row i's latencies are
``latency_ms[latency_offset[i]:latency_offset[i+1]]``, one thread's after the other's).

Four windows in a row make a round. A replay takes rounds in their order, looks after the numbers of rounds that
``scaling.looks`` declares, and says pass, fail or (at the last look) inconclusive. Needs numpy only.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING, Callable, NamedTuple, Optional

import numpy as np

from pytest_paddle_mt.gate import ALPHA
from pytest_paddle_mt.options import DEFAULT_ROUNDS
from pytest_paddle_mt.records import Interval, Round, ThreadWindow, Window
from pytest_paddle_mt.statistics import intervals, latency, scaling

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

THREADS = 2
WINDOWS_PER_ROUND = 4

READ_ME = """\
How to read this
  own efficiency x: every two-thread latency divided by x, so the workload itself loses 1 - x; whatever the neighbours
    took while the recording was made comes on top. At 1.00 every fail is a false one.
  long run x: the two-thread latencies scaled so that the mean over the whole recording is x. It takes the neighbours'
    mean share away and leaves their ups and downs: a test of the interval alone. At the limit itself a pass is as wrong
    as a fail, and each should stay below alpha / 2.
  disjoint: no round is used twice. Its 95 % upper bound, Clopper-Pearson's, supposes that replays are independent.
  overlapping: a replay from every round that leaves enough rounds. They share rounds, so N is not a number of
    independent trials and no bound is given.
  The recordings were made on a machine whose host gives cores to others at times. The plugin also sets aside the rounds
    in which the kernel says that the measuring threads were preempted. The recordings cannot show that, so no round was
    set aside.
"""


class Rule(NamedTuple):
    """What a replay is judged by."""

    looks: tuple[int, ...]
    confidence: float
    log_limit: float


class Outcomes(NamedTuple):
    """How each replay ended, and after how many rounds."""

    verdicts: list[str]
    rounds: list[int]


Method = Callable[["npt.NDArray[np.float64]", float], Optional[Interval]]


def thread_window(latencies_ms: npt.NDArray[np.float64]) -> ThreadWindow:
    """One thread's closed loop, rebuilt from its latencies. CPU time and switches, not recorded, are not read."""
    latencies_ns = np.rint(latencies_ms * 1e6).astype(np.int64)
    completions_ns = np.cumsum(latencies_ns)
    return ThreadWindow(
        queries=len(latencies_ns),
        first_completion_ns=int(completions_ns[0]),
        last_completion_ns=int(completions_ns[-1]),
        busy_ns=int(completions_ns[-1]),
        latencies=latency.exact(latencies_ns),
        wall_ns=int(completions_ns[-1]),
        cpu_ns=0,
        voluntary_switches=0,
        involuntary_switches=0,
        run_delay_ns=None,
    )


def load(path: Path, two_threads_slower: float = 1.0) -> list[Round]:
    """Rounds of a recording, with the latencies of the two-thread windows multiplied by ``two_threads_slower``.

    The boundary between the two threads was not recorded: it is where their sums of latencies are nearest.
    """
    with np.load(path) as recording:
        rows = np.flatnonzero(~recording["is_control"])
        threads, window_s, offset = recording["threads"], recording["window_s"], recording["latency_offset"]
        latency_ms = recording["latency_ms"].astype(np.float64)
    windows = []
    for row in rows:
        of_row = latency_ms[offset[row] : offset[row + 1]]
        parts = [of_row]
        if threads[row] == THREADS:
            sums = np.cumsum(of_row)
            half = int(np.argmin(np.abs(sums - sums[-1] / 2))) + 1
            parts = [of_row[:half] * two_threads_slower, of_row[half:] * two_threads_slower]
        windows.append(
            Window(
                threads=int(threads[row]),
                opened_ns=0,
                open_ns=int(window_s[row] * 1e9),
                per_thread=tuple(thread_window(part) for part in parts),
                noise=None,
            )
        )
    return [
        Round(index=i, fork=0, windows=tuple(windows[i * WINDOWS_PER_ROUND : (i + 1) * WINDOWS_PER_ROUND]))
        for i in range(len(windows) // WINDOWS_PER_ROUND)
    ]


def judge(series: npt.NDArray[np.float64], rule: Rule) -> tuple[str, int]:
    """Verdict on ln E of the rounds from the first one on, and the number of rounds that it took."""
    for rounds in rule.looks:
        interval = intervals.mean_interval(series[:rounds], rule.confidence)
        if interval is not None and interval.low >= rule.log_limit:
            return "pass", rounds
        if interval is not None and interval.high < rule.log_limit:
            return "fail", rounds
    return "inconclusive", rule.looks[-1]


def replay(series: npt.NDArray[np.float64], rule: Rule, step: int) -> Outcomes:
    """Judge from every ``step``-th round on that leaves enough rounds."""
    starts = range(0, len(series) - rule.looks[-1] + 1, step)
    ended = [judge(series[start:], rule) for start in starts]
    return Outcomes([verdict for verdict, _ in ended], [rounds for _, rounds in ended])


def upper_bound(count: int, trials: int, confidence: float = 0.95) -> float:
    """One-sided upper bound of a proportion (Clopper & Pearson, Biometrika 26, 1934)."""
    if count == trials:
        return 1.0
    low, high = count / trials, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        at_most = 1 - intervals.regularized_incomplete_beta(count + 1, trials - count, middle)
        low, high = (middle, high) if at_most > 1 - confidence else (low, middle)
    return high


def describe(outcomes: Outcomes, bounded: bool) -> str:
    """N, the rate of each verdict (with its bound), and the median number of rounds."""
    total = len(outcomes.verdicts)
    if total == 0:
        return "too few rounds"
    cells = [f"N {total:4d}"]
    for verdict in ("fail", "pass", "inconclusive"):
        count = outcomes.verdicts.count(verdict)
        bound = f" (<= {upper_bound(count, total):4.0%})" if bounded else ""
        cells.append(f"{verdict} {count / total:6.1%}{bound}")
    return "  ".join([*cells, f"median rounds {np.median(outcomes.rounds):.0f}"])


def print_rule(path: Path, rule: Rule, long_run: float) -> None:
    """Verdicts on the unchanged workload and on injected faults."""
    limit = math.exp(rule.log_limit)
    scenarios = [(f"own efficiency {own:.2f}", 1 / own) for own in (1.00, 0.80, 0.65)]
    scenarios += [(f"long run {target:.2f}", long_run / target) for target in (1.00, limit, 0.80, 0.65)]
    for name, slower in scenarios:
        series = scaling.efficiency_series(load(path, slower), THREADS)
        print(f"  {name} (mean over the recording {math.exp(series.mean()):.2f})")
        print(f"    disjoint     {describe(replay(series, rule, rule.looks[-1]), bounded=True)}")
        print(f"    overlapping  {describe(replay(series, rule, 1), bounded=False)}")


def independent(values: npt.NDArray[np.float64], confidence: float) -> Interval | None:
    """Student's t as if rounds were independent."""
    return t_interval(
        float(values.mean()), float(values.std(ddof=1)) / math.sqrt(len(values)), len(values) - 1, confidence
    )


def batch_means(batches: int) -> Method:
    """Student's t on the means of so many batches of neighbouring rounds."""

    def method(values: npt.NDArray[np.float64], confidence: float) -> Interval | None:
        means = np.array([batch.mean() for batch in np.array_split(values, batches)])
        return t_interval(float(values.mean()), float(means.std(ddof=1)) / math.sqrt(batches), batches - 1, confidence)

    return method


def cosines(terms: int) -> Method:
    """Equal-weighted cosines (Lazarus, Lewis, Stock & Watson, Journal of Business & Economic Statistics 36, 2018)."""

    def method(values: npt.NDArray[np.float64], confidence: float) -> Interval | None:
        k = len(values)
        angles = np.pi * np.outer(np.arange(1, terms + 1), np.arange(k) + 0.5) / k
        long_run_variance = float(np.mean((math.sqrt(2 / k) * np.cos(angles) @ values) ** 2))
        return t_interval(float(values.mean()), math.sqrt(long_run_variance / k), terms, confidence)

    return method


def shipped(min_autocorrelation: float) -> Method:
    """The shipped interval, with another floor under the autocorrelation."""
    return lambda values, confidence: intervals.mean_interval(values, confidence, min_autocorrelation)


def t_interval(mean: float, standard_error: float, df: int, confidence: float) -> Interval:
    """Mean -+ t times its standard error."""
    half_width = intervals.student_t_quantile((1 + confidence) / 2, df) * standard_error
    return Interval(low=mean - half_width, high=mean + half_width)


METHODS: dict[str, Method] = {
    "independent rounds": independent,
    "4 batch means": batch_means(4),
    "6 batch means": batch_means(6),
    "3 cosines": cosines(3),
    "AR(1), floor 0.0": shipped(0.0),
    "AR(1), floor 0.5 *": shipped(intervals.MIN_AUTOCORRELATION),
    "AR(1), floor 0.6": shipped(0.6),
}


def print_methods(series: npt.NDArray[np.float64], confidence: float) -> None:
    """How often each method's interval misses the mean over the whole recording."""
    print(f"  {confidence:.1%} interval of ln E against its mean over the recording, overlapping replays (*: shipped)")
    print("    whole interval below / above that mean, and median half width")
    lengths = (8, 16, 24, 48)
    print(" " * 26 + "".join(f"{f'{length} rounds':>26}" for length in lengths))
    for name, method in METHODS.items():
        cells = ""
        for length in lengths:
            found = [method(series[i : i + length], confidence) for i in range(len(series) - length + 1)]
            made = [interval for interval in found if interval is not None]
            below = sum(interval.high < series.mean() for interval in made) / len(made)
            above = sum(interval.low > series.mean() for interval in made) / len(made)
            half_width = float(np.median([(interval.high - interval.low) / 2 for interval in made]))
            cells += f"{f'{below:.1%} / {above:.1%}  {half_width:.2f}':>26}"
        print(f"    {name:22s}{cells}")


def print_widths(confidence: float) -> None:
    """Half width of the shipped interval when the autocorrelation is at its floor."""
    cells = []
    for rounds in (4, 8, 12, 16, 24, 36, 60):
        series = np.resize([1.0, -1.0], rounds)  # alternating, so its own autocorrelation is below the floor
        interval = intervals.mean_interval(series, confidence)
        assert interval is not None
        cells.append(f"{rounds} rounds {(interval.high - interval.low) / 2 / series.std(ddof=1):.1f}")
    print("Half width of the interval at the floor of the autocorrelation, in standard deviations of a round:")
    print("  " + ", ".join(cells))


def main(arguments: Sequence[str] | None = None) -> None:
    """Replay each recording and print what came of it."""
    parser = argparse.ArgumentParser(description="Replay recorded windows through the shipped statistics.")
    parser.add_argument("recordings", nargs="+", type=Path, metavar="RECORDING.npz")
    parser.add_argument(
        "--rounds", default=DEFAULT_ROUNDS, metavar="MIN:MAX", help="rounds of the stop rule (default %(default)s)"
    )
    parser.add_argument(
        "--alpha", default=ALPHA, type=float, help="error over all looks, both sides (default %(default)s)"
    )
    parser.add_argument("--limit", default=0.85, type=float, help="smallest accepted efficiency (default %(default)s)")
    options = parser.parse_args(arguments)
    minimum, maximum = (int(part) for part in options.rounds.split(":"))
    looks = scaling.looks(minimum, maximum)
    rule = Rule(looks, scaling.confidence_after_looks(options.alpha, len(looks)), math.log(options.limit))
    print(READ_ME)
    print(
        f"Rule: limit {options.limit}, looks after {', '.join(map(str, looks))} rounds, alpha {options.alpha},", end=" "
    )
    print(f"confidence {rule.confidence:.4f} at each look")
    print_widths(rule.confidence)
    for path in options.recordings:
        series = scaling.efficiency_series(load(path), THREADS)
        sd = float(series.std(ddof=1))
        means = np.array([series[i : i + 16].mean() for i in range(len(series) - 15)])
        rho = intervals.autocorrelation(series)
        print(
            f"\n{path.name}: {len(series)} rounds, efficiency {math.exp(series.mean()):.3f}, sd of ln E {sd:.3f},",
            end="",
        )
        print(
            f" lag-1 autocorrelation {rho:.2f},\n  means of 16 rounds spread {means.std() / (sd / 4):.1f}x the ", end=""
        )
        print("spread of means of 16 independent ones")
        print_rule(path, rule, math.exp(series.mean()))
        for confidence in sorted({0.95, rule.confidence}):
            print_methods(series, confidence)


if __name__ == "__main__":
    main()
