"""Measures what the rest of the machine does while a window is measured."""

from __future__ import annotations

import os
import time
from pathlib import Path

from pytest_paddle_mt.machine.kernel import lines_of
from pytest_paddle_mt.records import Noise
from pytest_paddle_mt.units import NS_PER_S


class NoiseSensor:
    """Measures what the rest of the machine does from now on."""

    def __init__(self) -> None:
        self._wall_ns = time.monotonic_ns()
        self._process_cpu_ns = time.process_time_ns()
        self._steal_ns, self._idle_ns = _steal_ns(), _idle_ns()

    def read(self) -> Noise:
        """What happened since this sensor was made."""
        steal_ns, idle_ns = _steal_ns(), _idle_ns()
        memory = _memory_bytes()
        return Noise(
            steal_ns=None if steal_ns is None or self._steal_ns is None else steal_ns - self._steal_ns,
            idle_ns=None if idle_ns is None or self._idle_ns is None else max(0, idle_ns - self._idle_ns),
            process_cpu_ns=time.process_time_ns() - self._process_cpu_ns,
            wall_ns=time.monotonic_ns() - self._wall_ns,
            peak_rss_bytes=memory.get("VmHWM"),
            rss_bytes=memory.get("VmRSS"),
        )


def _steal_ns() -> int | None:
    """CPU time that the hypervisor gave to other guests since boot, all cores together; None if it is not reported."""
    lines = lines_of(Path("/proc/stat"))
    fields = lines[0].split() if lines else []
    if len(fields) < 9:
        return None
    return int(fields[8]) * NS_PER_S // os.sysconf("SC_CLK_TCK")


def _idle_ns() -> int | None:
    """Time since boot in which the CPUs that this process may use were idle, all together; None if unknown."""
    names = {f"cpu{cpu}" for cpu in os.sched_getaffinity(0)}
    ticks = [fields[4:6] for fields in map(str.split, lines_of(Path("/proc/stat"))) if fields and fields[0] in names]
    if len(ticks) < len(names):
        return None
    return sum(int(tick) for idle in ticks for tick in idle) * NS_PER_S // os.sysconf("SC_CLK_TCK")


def _memory_bytes() -> dict[str, int]:
    """Memory of this process by the kernel's names, in bytes: VmRSS, what is resident now; VmHWM, its peak.

    In getrusage the peak would begin with that of its parent.
    """
    found = {}
    for line in lines_of(Path("/proc/self/status")):
        name, _, value = line.partition(":")
        if name in ("VmHWM", "VmRSS"):
            found[name] = int(value.split()[0]) * 1024
    return found
