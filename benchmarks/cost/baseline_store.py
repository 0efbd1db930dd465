"""What comparing with a stored baseline costs a session, in a store of 1,000 baselines with 30 runs each.

    python benchmarks/cost/baseline_store.py [--quick]

Two stores take turns: an empty one, and one with 1,000 baselines of this machine, one of which is the test's. A session
is a fresh pytest with one test on an engine that builds its windows instead of measuring, so that nothing else varies;
the test stands alone in its suite, so the session also looks for baselines of no test. Target: at most 0.2 s more.
"""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from cost_figures import Figure, Target, load_average, median, number, parser, report

from pytest_paddle_mt.baselines import WINDOW_RUNS, Baseline, digests, schema, store

if TYPE_CHECKING:
    import numpy.typing as npt

BASELINES = 1_000
SESSIONS = 30

_LIMIT_MS = 200.0

_CONFTEST = """
import pytest

from pytest_paddle_mt.testing import FakeEngine, known_machine


def pytest_paddle_mt_engines():
    return [FakeEngine({threads: 40.0 * threads for threads in (1, 2, 4, 8)}, name="built", swing=0.0)]


@pytest.fixture(autouse=True)
def machine():
    with known_machine():
        yield
"""

_TEST = """
def test_it(concurrent_runner):
    concurrent_runner(None)
"""

_INI = """
[pytest]
paddle-engine = built
paddle-threads = 8
paddle-linear-until = 8
paddle-rounds = 12
"""


def _full(one: Baseline, test: str) -> str:
    """The file of a baseline of ``test`` with as many runs as are kept, each that of ``one``."""
    named = dataclasses.replace(one, test=test)
    (run,) = one.series.runs
    run = dataclasses.replace(run, digest=digests.of_run(named, run))
    series = dataclasses.replace(
        one.series, runs=(run,) * WINDOW_RUNS, anchor=dataclasses.replace(one.series.anchor, runs=8)
    )
    return schema.to_text(digests.sealed(dataclasses.replace(named, series=series)))


class Bench:
    """A suite with one test, an empty store, and a full one."""

    def __init__(self, directory: Path, baselines: int) -> None:
        self._suite = directory / "suite"
        self._suite.mkdir()
        for name, text in (("conftest.py", _CONFTEST), ("test_it.py", _TEST), ("pytest.ini", _INI)):
            (self._suite / name).write_text(text)
        self.empty, self.full = directory / "empty", directory / "full"
        self.empty.mkdir()
        self.session_ms(self.full, "--paddle-baseline-update")
        (own,) = self.full.glob("*/*.json")
        self.path = own
        one = schema.from_text(own.read_text())
        own.write_text(_full(one, one.test))
        for index in range(1, baselines):
            test = f"test_other_{index // 10}.py::test_{index}"
            own.with_name(store.file_name(test, one.engine)).write_text(_full(one, test))

    def session_ms(self, baselines: Path, *options: str) -> float:
        """Wall time of one session, in ms."""
        command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", f"--paddle-baselines={baselines}"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        started_s = time.perf_counter()
        done = subprocess.run(
            [*command, *options], cwd=self._suite, env=environment, capture_output=True, text=True, check=False
        )
        took_s = time.perf_counter() - started_s
        if done.returncode != 0:
            raise SystemExit(f"the session failed:\n{done.stdout}{done.stderr}")
        compared = "PASS drift" in done.stdout
        if compared != (baselines == self.full and not options):
            raise SystemExit(f"the session {'compared' if compared else 'did not compare'}:\n{done.stdout}")
        return 1e3 * took_s

    def load_ms(self) -> float:
        """Time to read and check one file with all its runs, in ms."""
        started_s = time.perf_counter()
        baseline = schema.from_text(self.path.read_text())
        took_s = time.perf_counter() - started_s
        assert len(baseline.series.runs) == WINDOW_RUNS, "the file has as many runs as a file can have"
        return 1e3 * took_s


def session_figures(bench: Bench, sessions: int, baselines: int) -> list[Figure]:
    """Sessions with either store, in turns, every other turn backwards; one turn before it fills the caches."""
    costs: dict[Path, list[float]] = {bench.empty: [], bench.full: []}
    for turn in range(-1, sessions):
        for directory in list(costs) if turn % 2 else list(reversed(costs)):
            cost_ms = bench.session_ms(directory)
            if turn >= 0:
                costs[directory].append(cost_ms)
    empty: npt.NDArray[np.float64] = np.array(costs[bench.empty])
    full: npt.NDArray[np.float64] = np.array(costs[bench.full])
    value, interval = median(full - empty)
    return [
        Figure(
            name="a session that compares one test, on top of one without a baseline, median difference",
            value=value,
            interval=interval,
            n=f"{sessions} sessions each, taken in turns",
            unit="ms wall",
            target=Target(limit=_LIMIT_MS, at_least=False),
            note=f"the session without takes {number(float(np.median(empty)))} ms; "
            f"{baselines} baselines with {WINDOW_RUNS} runs of 4 thread counts each",
        )
    ]


def load_figure(bench: Bench, loads: int) -> Figure:
    """Reading one baseline."""
    value, interval = median(np.array([bench.load_ms() for _ in range(loads)]))
    return Figure(
        name="reading and checking one file",
        value=value,
        interval=interval,
        n=f"{loads} times",
        unit="ms wall",
        target=None,
        note=f"{bench.path.stat().st_size / 1e3:.0f} kB",
    )


def main() -> int:
    """Measure and print; the exit status."""
    quick = parser(__doc__).parse_args().quick
    load = load_average()
    baselines, sessions = (2, 1) if quick else (BASELINES, SESSIONS)
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(Path(directory), baselines)
        figures = [*session_figures(bench, sessions, baselines), load_figure(bench, 10 * sessions)]
    return report(f"a store of {baselines} baselines", figures, quick=quick, load_before=load)


if __name__ == "__main__":
    sys.exit(main())
