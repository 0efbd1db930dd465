"""Writes figures and facts of baselines in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_paddle_mt.units import ms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_paddle_mt.baselines import Fact

#: Facts of ``Series.setting`` and ``Baseline.machine`` that are not printed by their names.
_FACT_NAMES: Mapping[str, str] = {
    "pool": "pool method",
    "onednn": "oneDNN",
    "xdist": "pytest-xdist",
    "cpu_model": "CPU",
    "quota_cores": "CPU quota",
    "smt": "SMT",
    "gpu_model": "GPU",
    "gpu_driver": "GPU driver",
    "cuda": "CUDA",
    "cudnn": "cuDNN",
}
#: What a fact that is not there means, where that is known.
_LEFT_OPEN = {
    "math_libraries": "as they choose",
    "pinned_to": "no CPU",
    "streams": "shared",
    "xdist": "one test at a time",
}


def percent(ratio: float) -> str:
    """``+10.1%`` for 1.101."""
    if ratio >= 1000:
        return f"{100 * (ratio - 1):+.2g}%"
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


def differences(stored: Mapping[str, Fact], now: Mapping[str, Fact]) -> list[str]:
    """``batch size 1 there and 8 here`` for every fact that differs."""
    return [
        f"{_FACT_NAMES.get(name, name.replace('_', ' '))} {_fact(name, stored)} there and {_fact(name, now)} here"
        for name in dict.fromkeys((*stored, *now))
        if stored.get(name) != now.get(name)
    ]


def _fact(name: str, facts: Mapping[str, Fact]) -> str:
    fact = facts.get(name)
    if fact is None:
        return _LEFT_OPEN.get(name, "unknown")
    return str(fact)
