"""Counts the cores that this process may use: its CPU affinity, hardware threads, and the quotas of its cgroups."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_paddle_mt.machine.kernel import lines_of
from pytest_paddle_mt.units import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_CGROUP_ROOT = Path("/sys/fs/cgroup")
_CPU_ROOT = Path("/sys/devices/system/cpu")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Cores:
    """The cores that this process may use."""

    affinity: int  #: CPUs in its affinity: cores, or hardware threads of cores.
    quota: float | None  #: The CPU quota of its cgroup, in cores; None without a quota.
    #: Physical cores that those CPUs are hardware threads of; None if the kernel does not report them.
    physical: int | None = None

    @property
    def usable(self) -> int:
        """Whole cores that it can keep busy at once, at least 1. Two hardware threads of one core are one core."""
        here = self.affinity if self.physical is None else min(self.affinity, self.physical)
        return here if self.quota is None else max(1, min(here, math.floor(self.quota)))

    @property
    def text(self) -> str:
        """Human-readable: ``2 usable cores``, and what limits them."""
        limits = []
        if self.physical is not None and self.physical < self.affinity:
            limits.append(f"{self.affinity} hardware threads of {self.physical}")
        if self.quota is not None:
            limits.append(f"CPU quota {self.quota:g} of {self.affinity}")
        limit = f" ({'; '.join(limits)})" if limits else ""
        return counted(self.usable, "usable core") + limit


def available_cores(pin: Iterable[int] = ()) -> Cores:
    """The cores that this process may use, by its CPU affinity, hardware threads and the quotas of its cgroups.

    Where threads are placed on the CPUs of ``pin``, these count in place of its affinity.
    """
    cpus = set(pin) or os.sched_getaffinity(0)
    return Cores(
        affinity=len(cpus),
        quota=_cgroup_quota(_CGROUP_ROOT, Path("/proc/self/cgroup")),
        physical=_physical_cores(cpus, _CPU_ROOT),
    )


def _physical_cores(cpus: Iterable[int], root: Path) -> int | None:
    """How many cores these CPUs are hardware threads of; None if the kernel does not report it for one of them."""
    siblings = [tuple(lines_of(root / f"cpu{cpu}" / "topology" / "thread_siblings_list")) for cpu in cpus]
    return len(set(siblings)) if all(siblings) else None


def _cgroup_quota(root: Path, membership: Path) -> float | None:
    """The smallest CPU quota, in cores, of the cgroups (version 2 or 1) that a process is in; None without one."""
    quotas: list[float] = []
    for line in lines_of(membership):
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            quotas += _quotas_above(root, path, _quota_v2)
        elif "cpu" in controllers.split(","):
            for mount in ("cpu", "cpu,cpuacct"):
                quotas += _quotas_above(root / mount, path, _quota_v1)
    return min(quotas, default=None)


def _quotas_above(mount: Path, path: str, read: Callable[[Path], float | None]) -> list[float]:
    relative = Path(path.lstrip("/"))
    found = [read(mount / ancestor) for ancestor in (relative, *relative.parents)]  # the last one is the mount itself
    return [quota for quota in found if quota is not None]


def _quota_v2(group: Path) -> float | None:
    lines = lines_of(group / "cpu.max")
    if not lines:
        return None
    quota, _, period = lines[0].partition(" ")
    return None if quota == "max" else int(quota) / int(period or 100_000)


def _quota_v1(group: Path) -> float | None:
    quota, period = lines_of(group / "cpu.cfs_quota_us"), lines_of(group / "cpu.cfs_period_us")
    if not quota or not period or int(quota[0]) <= 0:
        return None
    return int(quota[0]) / int(period[0])
