"""The likely cause why a sweep does not scale: a frozen record, passed from the checks up to the reporters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

#: Every kind of cause why a sweep does not scale: stable words for programs.
CauseKind = Literal[
    "clocks",
    "contended_machine",
    "cores",
    "gil",
    "gpu_saturated",
    "gpu_shared",
    "gpu_throttled",
    "gpu_waits",
    "helper_threads",
    "lock",
    "math_threads",
    "memory_bandwidth",
    "page_faults",
    "shared_core",
    "slow_thread",
    "unknown",
]

#: What a cause is called.
CAUSE_NAMES: dict[CauseKind, str] = {
    "clocks": "clocks",
    "contended_machine": "contended machine",
    "cores": "more threads than cores",
    "gil": "the GIL",
    "gpu_saturated": "a saturated GPU",
    "gpu_shared": "a shared GPU",
    "gpu_throttled": "a throttled GPU",
    "gpu_waits": "a GPU that waits for software",
    "helper_threads": "helper threads",
    "lock": "a lock",
    "math_threads": "math threads",
    "memory_bandwidth": "memory bandwidth",
    "page_faults": "allocation and page faults",
    "shared_core": "a shared core",
    "slow_thread": "one slow thread",
    "unknown": "unknown",
}

#: What to do about a cause, as docs/why.md has it.
CAUSE_ADVICE: dict[CauseKind, str] = {
    "gil": "Use a Paddle that releases it (3.2.2 does), or serve from C++.",
    "math_threads": "Call config.set_cpu_math_library_num_threads(1).",
    "helper_threads": "Export the model as .pdmodel, or use fewer threads than cores.",
    "lock": "Look for what the predictors share: a queue, a cache, a lock of your own query.",
    "memory_bandwidth": "Larger batches reuse what was read. Smaller weights (int8, float16) read less.",
    "page_faults": (
        "Keep memory: config.enable_memory_optim(), or another allocator (LD_PRELOAD of jemalloc or tcmalloc)."
    ),
    "shared_core": "Take away what binds them; use a machine with a core for each thread.",
    "clocks": "Lower min_efficiency to what the machine can do, or fix the clock.",
    "slow_thread": "Compare what that thread serves, and with which predictor.",
    "gpu_saturated": "Larger batches serve more with the same launches; else the GPU can do no more.",
    "gpu_throttled": "Better cooling, or locked clocks.",
    "gpu_shared": "A GPU of its own.",
    "gpu_waits": "Streams of their own (--paddle-streams=own), or an engine without the GIL.",
    "cores": "Say up to where it must scale, with --paddle-linear-until.",
    "contended_machine": "Use a quieter machine.",
    "unknown": "Profile the process, for instance with perf.",
}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Cause:
    """The likely cause why a sweep does not scale."""

    kind: CauseKind
    threads: int  #: The thread count that it was sought for.
    text: str  #: Its evidence, human-readable.
    figures: dict[str, float] = field(default_factory=dict)  #: Its evidence, for programs.

    @property
    def line(self) -> str:
        """The cause with its evidence, human-readable."""
        return f"likely cause: {CAUSE_NAMES[self.kind]}: {self.text}"
