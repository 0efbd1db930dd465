"""Sets and reports how the threads of math libraries behave."""

from __future__ import annotations

import os

#: Variables that decide what idle OpenMP workers do, and what is set if none of them is.
_IDLE_WORKERS = ("KMP_BLOCKTIME", "OMP_WAIT_POLICY")
_PARKED = {"KMP_BLOCKTIME": "0"}

#: Variables that restrict the instructions of oneDNN and MKL, with which Paddle's wheels compute.
_MATH_LIBRARIES = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS", "MKL_CBWR")


def park_idle_math_threads() -> None:
    """Make OpenMP workers sleep as soon as they are idle, unless the user has chosen what they do.

    With more than one math thread they would spin for up to 0.2 s after each query, on cores that another window needs.
    """
    if not any(name in os.environ for name in _IDLE_WORKERS):
        os.environ.update(_PARKED)


def idle_math_threads() -> str:
    """What idle OpenMP workers do, human-readable."""
    for name in _IDLE_WORKERS:
        if name in os.environ:
            return f"{name}={os.environ[name]}"
    return "spinning"


def math_libraries() -> str | None:
    """The variables that restrict the instructions of math libraries, human-readable; None if none is set."""
    given = [f"{name}={os.environ[name]}" for name in _MATH_LIBRARIES if name in os.environ]
    return ", ".join(given) or None
