"""What the kernel counts of one thread; ``native/thread_usage.h`` in Python."""

from __future__ import annotations

import os
import resource
import time
from dataclasses import dataclass

from pytest_paddle_mt.units import NS_PER_S


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ThreadUsage:
    """Readings of the counters of a thread, or what was added to them between two readings."""

    wall_ns: int
    cpu_ns: int
    system_ns: int  #: The part of ``cpu_ns`` that was the kernel's.
    minor_faults: int
    voluntary_switches: int
    involuntary_switches: int
    #: Time in which it was ready to run without a core; None where this kernel does not count it.
    run_delay_ns: int | None
    cpus: tuple[int, ...]  #: Those that it may run on, at the last reading.


def usage_of_this_thread() -> ThreadUsage:
    """Read the counters of the calling thread."""
    usage = resource.getrusage(resource.RUSAGE_THREAD)
    return ThreadUsage(
        wall_ns=time.monotonic_ns(),
        cpu_ns=time.thread_time_ns(),
        system_ns=round(usage.ru_stime * NS_PER_S),
        minor_faults=usage.ru_minflt,
        voluntary_switches=usage.ru_nvcsw,
        involuntary_switches=usage.ru_nivcsw,
        run_delay_ns=_run_delay_ns(),
        cpus=tuple(sorted(os.sched_getaffinity(0))),
    )


def used_between(before: ThreadUsage, after: ThreadUsage) -> ThreadUsage:
    """What a thread used from the first reading to the second."""
    delays = (before.run_delay_ns, after.run_delay_ns)
    return ThreadUsage(
        wall_ns=after.wall_ns - before.wall_ns,
        cpu_ns=after.cpu_ns - before.cpu_ns,
        system_ns=after.system_ns - before.system_ns,
        minor_faults=after.minor_faults - before.minor_faults,
        voluntary_switches=after.voluntary_switches - before.voluntary_switches,
        involuntary_switches=after.involuntary_switches - before.involuntary_switches,
        run_delay_ns=None if delays[0] is None or delays[1] is None else delays[1] - delays[0],
        cpus=after.cpus,
    )


def _run_delay_ns() -> int | None:
    """The scheduler's own count, in the second field of schedstat."""
    try:
        with open("/proc/thread-self/schedstat", "rb") as file:
            return int(file.read().split()[1])
    except (OSError, IndexError, ValueError):
        return None
