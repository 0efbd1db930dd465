"""Tells a GPU that is saturated from one that is throttled, shared, or kept waiting. Pure functions over records.

A utilisation near 1 alone shows little: it is the share of the time in which any kernel ran, on however few cores of
the GPU. So a GPU counts as saturated only where more threads serve no more queries, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pytest_paddle_mt.gpu import together
from pytest_paddle_mt.units import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_paddle_mt.cause import CauseKind
    from pytest_paddle_mt.gpu import GpuLoad
    from pytest_paddle_mt.records import Round, Window

#: A GPU that is busy for this share of the time has none left.
_BUSY = 0.95
#: A GPU that is busy for less than this share of the time waits for the threads.
_WAITS = 0.8
#: More threads that serve at most this share more queries serve no more.
_NO_MORE = 0.10
#: A clock below this share of the largest one is low.
_LOW_CLOCK = 0.95


class Named(NamedTuple):
    """A cause and its evidence."""

    kind: CauseKind
    text: str
    figures: dict[str, float]


def saturated_at(survey: Sequence[Round]) -> tuple[int, str] | None:
    """The smallest thread count at which the GPU is saturated, and the evidence; None where it is at none.

    With the largest count that cannot be seen: nobody knows what more threads would serve.
    """
    windows = sorted((visit.window for one in survey for visit in one.visits), key=lambda window: window.threads)
    for index, window in enumerate(windows[:-1]):
        load, most = window.gpu, max(windows[index + 1 :], key=lambda one: one.qps)
        if load is None or load.utilisation is None or load.throttled or load.shared:
            continue
        if load.utilisation >= _BUSY and most.qps <= (1 + _NO_MORE) * window.qps:
            return window.threads, (
                f"busy {load.utilisation:.0%} of the time with {counted(window.threads, 'thread')}, and "
                f"{most.threads} serve {most.qps / window.qps:.2f} times as much"
            )
    return None


def loads(rounds: Sequence[Round], survey: Sequence[Round], threads: int) -> list[GpuLoad]:
    """What the GPU did with so many threads, in each window; the utilisation is that of the survey."""
    found = [load for window in _windows(rounds, threads) if (load := window.gpu) is not None]
    return found + [load for window in _windows(survey, threads) if (load := window.gpu) is not None]


def named(seen: Sequence[GpuLoad], threads: int, growth: Mapping[int, float]) -> Named | None:
    """What keeps a GPU from serving more; None where it was not observed, or nothing of this shows.

    Args:
        seen: what it did with ``threads`` threads, window by window.
        threads: the thread count that does not scale.
        growth: throughput with each count over that with one thread.
    """
    load = together(seen)
    if load is None:
        return None
    hot = sum(one.throttled for one in seen)
    figures = _figures(load)
    running = counted(threads, "thread")
    if 2 * hot >= len(seen):
        return Named(
            "gpu_throttled", f"in {hot} of {counted(len(seen), 'window')} with {running}: {load.text}", figures
        )
    if load.shared:
        return Named("gpu_shared", f"others compute on it, too: {load.text}", figures)
    if load.utilisation is None:
        return None
    less = max((qps for count, qps in growth.items() if count < threads), default=1.0)
    gained = f"{running} serve {growth.get(threads, 1.0) / less:.2f} times as much as fewer"
    if load.utilisation >= _BUSY:
        low = load.clock_share is not None and load.clock_share < _LOW_CLOCK
        if low and "power_cap" in load.clock_events:
            return Named("gpu_throttled", f"at its power limit with {running}: {load.text}", figures)
        return Named("gpu_saturated", f"{gained}: {load.text}", figures)
    if load.utilisation < _WAITS:
        text = f"{gained}, and the GPU is busy only {load.utilisation:.0%} of the time: it waits for the threads"
        return Named("gpu_waits", text, figures)
    return None


def _windows(rounds: Sequence[Round], threads: int) -> list[Window]:
    return [visit.window for one in rounds for visit in one.at(threads)]


def _figures(load: GpuLoad) -> dict[str, float]:
    names = ("utilisation", "clock_share", "power_w", "temperature_c", "other_processes", "other_utilisation")
    return {f"gpu_{name}": float(value) for name in names if (value := getattr(load, name)) is not None}
