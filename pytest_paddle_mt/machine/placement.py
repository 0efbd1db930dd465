"""Decides on which CPUs the threads of a window run, where they are not left to the scheduler."""

from __future__ import annotations

import collections
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_paddle_mt.machine.kernel import lines_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_CPU_ROOT = Path("/sys/devices/system/cpu")


def in_order_of_use(cpus: Iterable[int], root: Path = _CPU_ROOT) -> tuple[tuple[int, ...], int]:
    """These CPUs in the order in which threads are given them, and how many of them are cores of their own.

    One hardware thread of each core comes first, then the others. Among them, a NUMA node is filled before the next
    one begins, and nodes with more of the CPUs come first. A core whose hardware threads the kernel does not report
    has one.
    """
    cores: dict[object, list[int]] = {}
    for cpu in sorted(cpus):
        cores.setdefault(_core(cpu, root), []).append(cpu)
    nodes = {cpu: _node(cpu, root) for core in cores.values() for cpu in core}
    members = collections.Counter(nodes.values())

    def place(ranked: tuple[int, int]) -> tuple[int, int, int, int]:
        rank, cpu = ranked
        return rank, -members[nodes[cpu]], nodes[cpu], cpu

    ranked = sorted(((rank, cpu) for core in cores.values() for rank, cpu in enumerate(core)), key=place)
    return tuple(cpu for _, cpu in ranked), len(cores)


def shares(cpus: Iterable[int], count: int, usable: int, root: Path = _CPU_ROOT) -> list[tuple[int, ...]]:
    """Disjoint shares of these CPUs, all with as many whole cores, so that it does not matter which one measures.

    Args:
        cpus: to share out.
        count: how many shares there are.
        usable: how many cores may be busy at once, all shares together.
        root: where the kernel reports CPUs.

    Returns:
        The CPUs of each share, ascending; all of them empty where there are fewer cores than shares.
    """
    order, _ = in_order_of_use(cpus, root)
    core_of = {cpu: _core(cpu, root) for cpu in order}
    each = usable // count
    firsts = [order[index * each : (index + 1) * each] for index in range(count)] if each else [()] * count
    owned = [{core_of[cpu] for cpu in first} for first in firsts]
    return [tuple(sorted(cpu for cpu in order if core_of[cpu] in own)) for own in owned]


def _core(cpu: int, root: Path) -> object:
    """What the hardware threads of one core have in common."""
    return tuple(lines_of(root / f"cpu{cpu}" / "topology" / "thread_siblings_list")) or cpu


def _node(cpu: int, root: Path) -> int:
    """The NUMA node of a CPU, or the package where the kernel reports no node; 0 where it reports neither."""
    links = [path.name[len("node") :] for path in (root / f"cpu{cpu}").glob("node[0-9]*")]
    package = lines_of(root / f"cpu{cpu}" / "topology" / "physical_package_id")
    numbers = [text for text in (*links, *package) if text.lstrip("-").isdecimal()]
    return int(numbers[0]) if numbers else 0


class Turns:
    """Deals CPUs out to the windows of a sweep.

    Thread counts that have a core for each thread go round the cores that the largest of them uses: each window begins
    where the last one with as many threads, of the same side, ended. So one thread is measured on every core that many
    threads are measured on, and efficiency compares each core with itself. Further threads get the other hardware
    threads, and where there are too few of those, every thread may run on every CPU.
    """

    def __init__(self, cpus: Sequence[int], cores: int, thread_counts: Iterable[int]) -> None:
        """Nothing is dealt out yet.

        Args:
            cpus: in the order of use; none: nothing is ever dealt out.
            cores: how many of them, from the first on, are cores of their own.
            thread_counts: of the sweep; the smallest has a core for each thread.
        """
        self._cpus = tuple(cpus)
        self._cores = cores
        self._ring = self._cpus[: max((count for count in thread_counts if count <= cores), default=0)]
        self._dealt: collections.Counter[tuple[int, str]] = collections.Counter()

    def next(self, threads: int, side: str = "this") -> tuple[int, ...]:
        """The CPUs of the next window with so many threads: one for each thread, or all for all; none: any."""
        if not self._cpus or threads > len(self._cpus):
            return self._cpus
        if threads > self._cores:
            return self._cpus[:threads]
        first = self._dealt[threads, side]
        self._dealt[threads, side] += threads
        return tuple(self._ring[(first + index) % len(self._ring)] for index in range(threads))
