"""Figures of baselines, for people."""

from __future__ import annotations

from pytest_paddle_mt.units import ms


def percent(ratio: float) -> str:
    """``+10.1%`` for 1.101."""
    return f"{round(ratio - 1, 3) + 0.0:+.1%}"  # never -0.0%


def change(key: str, old: float, new: float) -> str:
    """``22.8 -> 25.1 ms (+10.1%)`` for the quantity that ``Figures`` has under this name."""
    return f"{_shown(key, old)} -> {figure(key, new)} ({percent(new / old)})"


def figure(key: str, value: float) -> str:
    """A figure with its unit: latencies in ms."""
    return f"{_shown(key, value)}{' ms' if key.endswith('_ns') else ''}"


def _shown(key: str, value: float) -> str:
    value = ms(value) if key.endswith("_ns") else value
    return f"{value:.0f}" if value >= 1000 else f"{value:.4g}"
