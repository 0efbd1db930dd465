"""How throughput grows with threads on this GPU: streams of their own against the shared default stream.

    python benchmarks/gpu/threads.py [--threads 16] [--json gpu.json]
    python benchmarks/gpu/threads.py --dry-run      # without a GPU: the same on a FAKE, to try the benchmark itself

Serves known work, a kernel of 2 ms that one thread of the GPU runs, and a small model, each by as many Python callables
as threads (torch, else CuPy), and prints a table with what NVML said meanwhile. Known work on streams of its own must
grow in proportion to the threads; on the shared stream it must stay at 500 queries per second, at most. Anything else
is a fault of this benchmark or of the plugin. Takes about two minutes. Exit status: 2 without a GPU.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import libraries

from pytest_paddle_mt import gpu

SUITE = Path(__file__).with_name("suite")


def measured(threads: int, quick: bool, path: Path) -> list[dict[str, Any]]:
    """The sweeps of the suite; what pytest prints goes to standard output."""
    import pytest

    rounds = "1" if quick else "6:12"
    options = ["-c", os.devnull, f"--rootdir={SUITE}", "-p", "no:cacheprovider", "--paddle-engine=python"]
    options += [f"--paddle-threads={threads}", f"--paddle-rounds={rounds}", "--paddle-budget=30"]
    options += ["--paddle-device=gpu:0", "--paddle-answers=off", f"--paddle-json={path}", str(SUITE)]
    if pytest.main(options) not in (0, 1):
        sys.exit("the suite did not run; its output above says why")
    return list(json.loads(path.read_text())["sweeps"])


def rows(sweep: dict[str, Any]) -> list[str]:
    """A line for each thread count."""
    name = sweep["nodeid"].partition("[")[2].rstrip("]")
    head = [f"{name}: linear up to {sweep['linear_until']}, {sweep['linear_until_reason']}"]
    if sweep["cause"] is not None:
        head.append(f"  {sweep['cause']['kind']}: {sweep['cause']['text']}")
    return head + [
        f"  {point['threads']:>3} threads {point['qps']:>9.1f} QPS  speedup "
        f"{'-' if point['speedup'] is None else format(point['speedup'], '.2f'):>6}  p50 "
        f"{'-' if point['latency_ms']['p50'] is None else format(point['latency_ms']['p50'], '.3f'):>8} ms  "
        f"{gpu.of_dict(point['gpu']).text if point['gpu'] else 'GPU not observed'}"
        for point in sweep["points"]
    ]


def main() -> int:
    """Measure and print; 2 where there is no GPU."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=16, help="the largest count (%(default)s)")
    parser.add_argument("--json", type=Path, help="keep the results file here")
    parser.add_argument("--dry-run", action="store_true", help="on a fake of a GPU, one round")
    options = parser.parse_args()
    library, why = (libraries.FakeGpu(), []) if options.dry_run else libraries.found()
    if library is None:
        print(f"NO GPU, nothing was measured: {'; '.join(why)}")
        return 2
    libraries.chosen.append(library)
    with tempfile.TemporaryDirectory() as directory:
        path = (options.json or Path(directory) / "gpu.json").absolute()
        sweeps = measured(options.threads, options.dry_run, path)
    print(f"\n{library.card}; known work of {libraries.WORK_MS:g} ms")
    for sweep in sweeps:
        print("\n".join(rows(sweep)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
