"""Starts and stops at 1 to 64 threads for as long as asked, in this process and in forks: what grows meanwhile?

    python benchmarks/reliability/soak.py [--minutes M] [--quick]

Each turn opens a session of the ``synthetic`` engine, measures windows with random thread counts, ends some of them by
an error, and closes it; every fiftieth turn runs a pytest with two forks. It looks at the resident memory, threads,
open descriptors and children of this process, and at temporary files. What counts is the growth from the end of the
first tenth to the end, without memory that the allocator keeps to use again. Targets: no thread, descriptor, child or
file more, and less than 5 MB.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gc
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from pytest_paddle_mt.engines import SyntheticWork
from pytest_paddle_mt.engines.synthetic import SyntheticSession
from pytest_paddle_mt.errors import QueryFailed
from pytest_paddle_mt.records import WindowPlan

MOST_THREADS = 64
FORKS_EVERY = 50  #: Turns.
_MB_LIMIT = 5.0

_TEST = """
from pytest_paddle_mt import SyntheticWork

def test_it(concurrent_runner):
    concurrent_runner(SyntheticWork(spin_ns=1e5), gate=False)
"""
_OPTIONS = ("--paddle-forks=2", "--paddle-threads=4", "--paddle-rounds=2:2", "--paddle-window=10q", "--paddle-warmup=0")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Held:
    """What is held at one moment."""

    memory_mb: float  #: Resident memory of this process.
    threads: int
    descriptors: int
    files: int  #: Temporary files and folders.
    processes: int  #: Children of this process.


def held(temporary: Path) -> Held:
    """What this process holds now; a thread that was joined is listed for a moment more, so it is asked again."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    deadline_s = time.monotonic() + 5
    while len(os.listdir("/proc/self/task")) > 1 and time.monotonic() < deadline_s:
        time.sleep(0.005)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return Held(
        memory_mb=pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
        threads=len(os.listdir("/proc/self/task")),
        descriptors=len(os.listdir("/proc/self/fd")),
        files=sum(1 for _ in temporary.rglob("*")),
        processes=len(Path("/proc/self/task", str(os.getpid()), "children").read_text().split()),
    )


def turn(draw: random.Random) -> int:
    """One session: some windows, some of which fail; returns how many threads it started."""
    started = 0
    fails = draw.random() < 0.3
    work = SyntheticWork(spin_ns=2e4, fail_at=draw.randrange(1, 200)) if fails else SyntheticWork(spin_ns=2e4)
    session = SyntheticSession(work, seed=draw.randrange(2**31))
    try:
        for _ in range(draw.randrange(1, 4)):
            threads = draw.choice([1, 2, 4, 8, 16, 32, MOST_THREADS])
            started = max(started, threads)
            session.prepare(threads)
            with contextlib.suppress(QueryFailed):
                session.measure(threads, WindowPlan(window_s=0.005, min_queries=1, warmup_s=0.0, warmup_queries=0))
    finally:
        session.close()
    return started


def forked(folder: Path, temporary: Path) -> None:
    """A pytest with two forks, in its own temporary folder."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *_OPTIONS, str(folder / "test_it.py")]
    environ = {**os.environ, "TMPDIR": str(temporary)}
    done = subprocess.run(command, env=environ, cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"the forked run failed:\n{(done.stdout + done.stderr)[-2000:]}")


def soak(seconds: float) -> int:
    """Turn for so long, and print what grew; returns the exit status."""
    draw, started_s, turns, threads, runs = random.Random(1), time.monotonic(), 0, 0, 0
    first: Held | None = None
    with tempfile.TemporaryDirectory() as made:
        folder, temporary = Path(made), Path(made, "temporary")
        temporary.mkdir()
        (folder / "test_it.py").write_text(_TEST, encoding="utf-8")
        while True:
            if turns % FORKS_EVERY == 0:
                forked(folder, temporary)
                runs += 1
            threads += turn(draw)
            turns += 1
            elapsed_s = time.monotonic() - started_s
            if first is None and elapsed_s > seconds / 10:
                first = held(temporary)
            if first is not None and elapsed_s > seconds:
                break
        last = held(temporary)
    print(f"{elapsed_s / 60:.1f} minutes: {turns} sessions, {threads} threads started, {runs} runs with two forks")
    print(f"{'':<24}{'after a tenth':>14}{'at the end':>12}{'growth':>9}")
    grown = []
    for name, limit in (("memory_mb", _MB_LIMIT), ("threads", 0), ("descriptors", 0), ("files", 0), ("processes", 0)):
        before, after = getattr(first, name), getattr(last, name)
        print(f"{name.replace('_mb', ', MB'):<24}{before:>14.4g}{after:>12.4g}{after - before:>+9.3g}")
        grown += [name] if after - before > limit else []
    print("nothing grows" if not grown else f"GROWS: {', '.join(grown)}")
    return 1 if grown else 0


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--minutes", type=float, default=30.0)
    options.add_argument("--quick", action="store_true", help="ten seconds, to see that it runs")
    given = options.parse_args()
    sys.exit(soak(10.0 if given.quick else given.minutes * 60))
