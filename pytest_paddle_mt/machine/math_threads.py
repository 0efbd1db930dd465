"""Sets and reports how the threads of math libraries behave."""

from __future__ import annotations

import os

#: The variables by which a user says what idle OpenMP workers do, and what is set where none is.
_IDLE_WORKERS = ("KMP_BLOCKTIME", "OMP_WAIT_POLICY")


_PARKED = {"KMP_BLOCKTIME": "0"}


#: The variables by which a user says which instructions oneDNN and MKL use, which Paddle's wheels compute with.
_MATH_LIBRARIES = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS", "MKL_CBWR")


def park_idle_math_threads() -> None:
    """Make OpenMP workers sleep as soon as they are idle, unless the user said otherwise.

    With more than one math thread they would spin for up to 0.2 s after each query, on cores that another window needs.
    """
    if not any(name in os.environ for name in _IDLE_WORKERS):
        os.environ.update(_PARKED)


def idle_math_threads() -> str:
    """What holds for idle OpenMP workers, for people."""
    for name in _IDLE_WORKERS:
        if name in os.environ:
            return f"{name}={os.environ[name]}"
    return "spinning"


def math_libraries() -> str | None:
    """What was said of the instructions that math libraries use, for people; None where nothing was."""
    given = [f"{name}={os.environ[name]}" for name in _MATH_LIBRARIES if name in os.environ]
    return ", ".join(given) or None
