"""Runs pytest under a condition, keeps what each run gave, and goes on where it was stopped.

*quiet*: nothing else runs on purpose. *neighbour*: a process for each core computes and writes memory for a second or
so, and then rests for as long, at random. *one*: one such process, whatever the cores. *quota*: a cgroup with a CPU
quota, which needs the right to make one.
"""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import internals
import neighbour

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator

CONDITIONS = ("quiet", "neighbour", "one", "quota")
#: Cores of the quota: enough for one thread, too few for two.
QUOTA = 1.5
#: A run that takes longer, with its confirmation, has something wrong with it. In seconds.
LONGEST_S = 600.0


def add_options(parser: argparse.ArgumentParser, conditions: tuple[str, ...] = CONDITIONS[:2]) -> None:
    """The options of every command that measures."""
    parser.add_argument("--condition", choices=conditions, default="quiet")
    parser.add_argument("--seconds-at-most", type=float, default=3600.0, help="no run begins after so many seconds")


def missing(paths: Iterable[Path], seconds_at_most: float) -> Iterator[Path]:
    """Those of ``paths`` that do not exist yet, in order, until the time is up."""
    ends_s = time.monotonic() + seconds_at_most
    for path in paths:
        if path.exists():
            continue
        if time.monotonic() > ends_s:
            print(f"stopped after {seconds_at_most:.0f} s; the same command goes on")
            return
        yield path


def keep(path: Path, text: str) -> None:
    """Write the whole file or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def run_pytest(directory: Path, *arguments: str, condition: str = "quiet") -> subprocess.CompletedProcess[str]:
    """One pytest of its own in ``directory``, under the condition."""
    with under(condition) as enter:
        return subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
            cwd=directory,
            env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
            capture_output=True,
            text=True,
            timeout=LONGEST_S,
            preexec_fn=enter,
            check=False,
        )


@contextlib.contextmanager
def under(condition: str) -> Iterator[Any]:
    """The condition; gives what the measured process does before it starts."""
    if condition == "quota":
        with _quota() as enter:
            yield enter
    elif condition in ("neighbour", "one"):
        seed = random.SystemRandom().randrange(1000)
        with neighbour.beside(seed, LONGEST_S, 1 if condition == "one" else internals.available_cores().usable):
            yield None
    else:
        yield None


@contextlib.contextmanager
def _quota() -> Iterator[Any]:
    """A cgroup (version 2 or 1) of its own with a CPU quota."""
    v2 = Path("/sys/fs/cgroup/cgroup.controllers").exists()
    group = Path("/sys/fs/cgroup" if v2 else "/sys/fs/cgroup/cpu") / f"paddle-mt-{os.getpid()}"
    try:
        group.mkdir()
        if v2:
            (group / "cpu.max").write_text(f"{QUOTA * 100_000:.0f} 100000")
        else:
            (group / "cpu.cfs_quota_us").write_text(f"{QUOTA * 100_000:.0f}")
    except OSError as error:
        raise SystemExit(f"no cgroup with a CPU quota can be made here: {error}") from error
    try:
        yield lambda: (group / "cgroup.procs").write_text(str(os.getpid()))
    finally:
        group.rmdir()
