"""A noisy neighbour: computes and writes memory for a second or so, rests as long, until its time or its parent ends.

python benchmarks/verdict/neighbour.py SEED SECONDS [CPU]

With CPU it stays on that one.
"""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MEAN_BUSY_S = 1.0
MEAN_IDLE_S = 1.0
MEMORY_BYTES = 4 << 20


@contextlib.contextmanager
def beside(seed: int, seconds: float, processes: int, cpu: int | None = None) -> Iterator[None]:
    """So many neighbours, one a core to disturb them all, for at most so many seconds; all on ``cpu`` if given."""
    stuck = [] if cpu is None else [str(cpu)]
    with contextlib.ExitStack() as ending:
        for more in range(processes):
            process = subprocess.Popen([sys.executable, __file__, str(seed + more), str(seconds), *stuck])
            ending.callback(process.wait)
            ending.callback(process.kill)
        yield


def main() -> None:
    """Disturb."""
    rng = random.Random(int(sys.argv[1]))
    if len(sys.argv) > 3:
        os.sched_setaffinity(0, {int(sys.argv[3])})
    ends_s = time.monotonic() + float(sys.argv[2])
    parent = os.getppid()
    memory = bytearray(MEMORY_BYTES)
    while time.monotonic() < ends_s and os.getppid() == parent:
        rests_s = min(ends_s, time.monotonic() + rng.expovariate(1 / MEAN_BUSY_S))
        while time.monotonic() < rests_s:
            sum(range(20_000))
            memory[:] = bytes(MEMORY_BYTES)
        time.sleep(rng.expovariate(1 / MEAN_IDLE_S))


if __name__ == "__main__":
    main()
