"""Names what authors of other plugins import: the protocols of engines, checks and reporters, and the records.

Importing it imports numpy, so a plugin should import it where it is first used or in modules that pytest loads late.
"""

from __future__ import annotations

from pytest_paddle_mt.checks import Check, Evidence, OtherSide
from pytest_paddle_mt.engines import Engine, EngineSession, Workload
from pytest_paddle_mt.engines.synthetic import SyntheticSession
from pytest_paddle_mt.machine.noise import NoiseSensor
from pytest_paddle_mt.records import (
    Against,
    Cpu,
    Interval,
    Latencies,
    LatencySummary,
    Limits,
    Measured,
    Noise,
    Point,
    Ratio,
    Round,
    Subject,
    Sweep,
    ThreadWindow,
    UniversalScalability,
    Verdict,
    Visit,
    Warning,
    Window,
    WindowPlan,
)
from pytest_paddle_mt.reporters import Finished, Reporter

__all__ = [
    "Against",
    "Check",
    "Cpu",
    "Engine",
    "EngineSession",
    "Evidence",
    "Finished",
    "Interval",
    "Latencies",
    "LatencySummary",
    "Limits",
    "Measured",
    "Noise",
    "NoiseSensor",
    "OtherSide",
    "Point",
    "Ratio",
    "Reporter",
    "Round",
    "Subject",
    "Sweep",
    "SyntheticSession",
    "ThreadWindow",
    "UniversalScalability",
    "Verdict",
    "Visit",
    "Warning",
    "Window",
    "WindowPlan",
    "Workload",
]
