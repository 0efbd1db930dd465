"""How long the README's main job takes: MobileNetV1 swept over 1, 2 and 4 threads, from command to verdict.

    python benchmarks/cost/main_job.py [--quick]

Runs pytest in a fresh process of this interpreter's environment, as a user does after the installation, and shows what
it prints. A model that the example exports is exported anew. Target: 90 s at most on two cores, with a verdict.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from cost_figures import Figure, Target, load_average, parser, report

from pytest_paddle_mt.machine.cores import available_cores

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = Path("examples", "mobilenet_v1")
COMMAND = (str(EXAMPLE), "--paddle-threads=1,2,4")

#: The shortest sweep: one round.
QUICK_OPTIONS = ("--paddle-window=0.1", "--paddle-rounds=1:1", "--paddle-warmup=0.05")

_LIMIT_S = 90.0
_MEASURED = (0, 1)  # pytest: everything passed, something failed; anything else is no verdict


def main() -> int:
    """Run and print; the exit status."""
    quick = parser(__doc__).parse_args().quick
    load = load_average()
    if not (ROOT / EXAMPLE).is_dir():
        sys.exit(f"{EXAMPLE} is not in {ROOT}; run this from a checkout of the repository")
    command = [sys.executable, "-m", "pytest", *COMMAND, *(QUICK_OPTIONS if quick else ())]
    started_s = time.monotonic()
    status = subprocess.run(command, cwd=ROOT, check=False).returncode
    elapsed_s = time.monotonic() - started_s
    if status not in _MEASURED:
        sys.exit(f"pytest ended with status {status} and measured nothing; see what it printed above")
    figure = Figure(
        name=f"pytest {' '.join(command[3:])}",
        value=elapsed_s,
        interval=None,
        n="1 run",
        unit="s",
        target=Target(limit=_LIMIT_S, at_least=False),
        note=f"pytest's exit status was {status}; {available_cores().text}",
    )
    return report("The main job", [figure], quick=quick, load_before=load)


if __name__ == "__main__":
    sys.exit(main())
