"""What a longer run would gain for the check on drift: how much blocks of so many rounds differ from each other.

    pytest examples/mobilenet_v1 --paddle-threads=2 --paddle-rounds=96:96 --paddle-budget=600 --paddle-json=1.json
    python benchmarks/verdict/longer_runs.py 1.json 2.json ...

Give results files of sweeps with many rounds, each of one sweep of the same test. Their rounds are cut into blocks of
so many, as if each were a run. Prints the standard deviation of ln QPS between the blocks, and what is left of it
around a straight line over the probe. Blocks are neighbours in time, so runs of different days differ by more. QPS is
as measured, all rounds count, and latencies are not looked at, so this is for a quiet machine.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import bench_report
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

BLOCKS = (6, 12, 24, 48, 96)  #: Rounds of a block.
FEWEST = 4  #: Blocks from which a spread around a line is worked out.


def series(path: Path) -> dict[int, npt.NDArray[np.float64]]:
    """By thread count: mean ln QPS of the windows and of the probes of each round, shape (rounds, 2).

    Raises:
        SystemExit: the file has more than one sweep, none, or one without probes.
    """
    sweeps = json.loads(path.read_text())["sweeps"]
    if len(sweeps) != 1:
        raise SystemExit(f"{path} has {len(sweeps)} sweeps: name one test")
    found: dict[int, dict[int, list[tuple[float, float]]]] = {}
    for window in sweeps[0]["windows"]:
        if window["stage"] != "sweep":
            continue
        if window["probe"] is None:
            raise SystemExit(f"{path} has a window without a probe: a GPU's and an old file's sweeps have none")
        rounds = found.setdefault(window["threads"], {})
        rounds.setdefault(window["round"], []).append((math.log(window["qps"]), math.log(window["probe"])))
    return {
        threads: np.array([np.mean(rounds[at], axis=0) for at in sorted(rounds)]) for threads, rounds in found.items()
    }


def blocks(rounds: npt.NDArray[np.float64], size: int) -> npt.NDArray[np.float64]:
    """Means of so many rounds each, shape (blocks, 2); the rest is left out."""
    whole = len(rounds) // size
    return rounds[: whole * size].reshape(whole, size, 2).mean(axis=1)


def around_line(values: npt.NDArray[np.float64]) -> float:
    """Standard deviation of the first column around the line of least squares over the second, m - 2 degrees."""
    line = np.polyfit(values[:, 1], values[:, 0], 1)
    residuals = values[:, 0] - np.polyval(line, values[:, 1])
    return math.sqrt(float(residuals @ residuals) / (len(values) - 2))


def rows(sweeps: Sequence[dict[int, npt.NDArray[np.float64]]]) -> Iterator[list[str]]:
    """A row for each thread count and size of a block, as far as there are enough of them."""
    for threads in sorted(set.intersection(*(set(one) for one in sweeps))):
        for size in BLOCKS:
            cut = np.concatenate([blocks(one[threads], size) for one in sweeps])
            if len(cut) >= FEWEST:
                spread = f"{np.std(cut[:, 0], ddof=1):.3f}"
                yield [str(threads), str(size), str(len(cut)), spread, f"{around_line(cut):.3f}"]


def main() -> int:
    """Read and print; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", nargs="+", type=Path, metavar="RESULTS", help="a results file of one sweep")
    given = parser.parse_args()
    print(f"ln QPS of {len(given.results)} runs, in blocks of so many rounds\n")
    head = ["threads", "rounds", "blocks", "sd between blocks", "around the line of the probe"]
    bench_report.print_table(head, rows([series(path) for path in given.results]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
