"""What having the plugin installed adds to the start of every pytest run, beside pytest-xdist and pytest-benchmark.

    python benchmarks/cost/startup.py [--quick]

Everything runs ``pytest --collect-only`` on a suite of one unrelated test, in fresh interpreters that take turns, with
``PYTEST_DISABLE_PLUGIN_AUTOLOAD=1`` and one plugin named by ``-p`` (for bare pytest an empty one). The package is
measured as installed: an editable install costs more, so its files are first laid out in a directory as by a wheel.
Target: at most 3 ms on top of bare pytest, by the CPU time of the whole process and, far less noisily, by what the
import and the hooks take inside it; no process started, neither numpy nor paddle imported.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from cost_figures import Figure, Target, load_average, median, number, parser, report

import pytest_paddle_mt
from pytest_paddle_mt import _native

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

BARE = "bare pytest"

#: What is started, by name: the plugin that ``-p`` names.
PLUGINS = {BARE: "startup_empty", "paddle-mt": "paddle_mt", "xdist": "xdist", "pytest-benchmark": "benchmark"}
RUNS = 80
QUICK_RUNS = 1

_LIMIT_MS = 3.0

_UNRELATED_TEST = "def test_unrelated():\n    assert True\n"

#: Wraps the hooks of the plugin before pytest registers it, and prints what each took.
_PARTS_PLUGIN = """
import functools, inspect, json, sys, time

spent = {}

def timed(name, function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        started = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            spent[name] = spent.get(name, 0.0) + time.perf_counter() - started
    return wrapper

before = set(sys.modules)
started = time.perf_counter()
import pytest_paddle_mt.plugin as plugin
spent["import"] = time.perf_counter() - started
modules = len(set(sys.modules) - before)
for name, function in list(vars(plugin).items()):
    if name.startswith("pytest_") and inspect.isfunction(function) and not inspect.isgeneratorfunction(function):
        setattr(plugin, name, timed(name, function))

def pytest_unconfigure(config):
    print("PARTS", json.dumps({"spent": spent, "modules": modules}), file=sys.__stdout__)
"""

#: Sees every process that is started, and what was imported at the end.
_WATCH_PLUGIN = """
import json, sys

STARTS = ("subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.exec", "os.system")
started = []
sys.addaudithook(lambda event, args: started.append(event) if event in STARTS else None)

def pytest_unconfigure(config):
    heavy = [name for name in ("numpy", "paddle") if name in sys.modules]
    print("WATCH", json.dumps({"started": started, "heavy": heavy}), file=sys.__stdout__)
"""


class Cost(NamedTuple):
    """What one run of pytest took."""

    cpu_ms: float
    wall_ms: float


class Bench:
    """A directory with an unrelated test and the package as a wheel would install it."""

    def __init__(self, directory: Path) -> None:
        self._suite = directory / "suite"
        self._installed = directory / "site-packages"
        self._plugins = directory / "plugins"
        for path in (self._suite, self._installed, self._plugins):
            path.mkdir()
        (self._suite / "test_unrelated.py").write_text(_UNRELATED_TEST)
        (self._suite / "pytest.ini").write_text("[pytest]\n")
        (self._plugins / "startup_empty.py").write_text("")
        (self._plugins / "startup_parts.py").write_text(_PARTS_PLUGIN)
        (self._plugins / "startup_watch.py").write_text(_WATCH_PLUGIN)
        self._lay_out_package()

    def run(self, *plugins: str, python: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        """Collect the unrelated test in a fresh interpreter, with these plugins."""
        # -S: no .pth files, so no finder of an editable install; what they would add is named in PYTHONPATH.
        command = [sys.executable, "-S", *python, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
        for plugin in plugins:
            command += ["-p", plugin]
        return subprocess.run(
            command, cwd=self._suite, env=self._environment(), check=True, capture_output=True, text=True
        )

    def cost(self, plugin: str) -> Cost:
        """CPU and wall time of one run."""
        cpu_s = _children_cpu_s()
        started_s = time.perf_counter()
        self.run(plugin)
        wall_s = time.perf_counter() - started_s
        return Cost(cpu_ms=1e3 * (_children_cpu_s() - cpu_s), wall_ms=1e3 * wall_s)

    def parts_ms(self) -> dict[str, float]:
        """What the import of the plugin and each of its hooks took in one run."""
        found = _printed("PARTS", self.run("startup_parts", "paddle_mt").stdout)
        return {name: 1e3 * seconds for name, seconds in found["spent"].items()}

    def watched(self) -> dict[str, list[str]]:
        """Processes started, and heavy modules imported, in one run."""
        found: dict[str, list[str]] = _printed("WATCH", self.run("startup_watch", "paddle_mt").stdout)
        return found

    def import_times_us(self) -> dict[str, int]:
        """Own time of each module that pytest does not import without the plugin, by ``-X importtime``."""
        # By its module's name: what an entry point loads itself is not in that table.
        bare, ours = (self._import_times_us(plugin) for plugin in (PLUGINS[BARE], "pytest_paddle_mt.plugin"))
        return {module: time_us for module, time_us in ours.items() if module not in bare}

    def _import_times_us(self, plugin: str) -> dict[str, int]:
        lines = self.run(plugin, python=["-X", "importtime"]).stderr.splitlines()
        rows = (line.partition(":")[2].split("|") for line in lines if line.startswith("import time:"))
        return {row[2].strip(): int(row[0]) for row in rows if row[0].strip().isdigit()}

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "PADDLE_MT_"))}
        paths = [str(self._installed), str(self._plugins), *_site_packages()]
        return {**kept, "PYTHONPATH": os.pathsep.join(paths), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}

    def _lay_out_package(self) -> None:
        package = Path(pytest_paddle_mt.__file__).parent
        target = self._installed / package.name
        shutil.copytree(package, target, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
        shutil.copy(str(_native.__file__), target)
        information = self._installed / f"pytest_paddle_mt-{pytest_paddle_mt.__version__}.dist-info"
        information.mkdir()
        (information / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: pytest-paddle-mt\nVersion: {pytest_paddle_mt.__version__}\n"
        )
        (information / "entry_points.txt").write_text("[pytest11]\npaddle_mt = pytest_paddle_mt.plugin\n")


def _site_packages() -> list[str]:
    """Where the packages of this environment are."""
    return list(dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib")))


def _children_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _printed(word: str, output: str) -> Any:
    line = next(line for line in output.splitlines() if line.startswith(word))
    return json.loads(line[len(word) :])


def measured_costs(bench: Bench, runs: int) -> dict[str, list[Cost]]:
    """Costs by what was started, taken in turns, every other turn backwards; one turn before it fills the caches."""
    costs: dict[str, list[Cost]] = {name: [] for name in PLUGINS}
    for turn in range(-1, runs):
        for name in PLUGINS if turn % 2 else reversed(PLUGINS):
            cost = bench.cost(PLUGINS[name])
            if turn >= 0:
                costs[name].append(cost)
    return costs


def difference_figures(costs: dict[str, list[Cost]]) -> list[Figure]:
    """What each plugin adds to bare pytest."""
    bare = np.array(costs[BARE])
    n = f"{len(bare)} runs each, taken in turns"
    value, interval = median(bare[:, 0])
    wall_ms = number(float(np.median(bare[:, 1])))
    note = f"wall time {wall_ms} ms"
    figures = [Figure(name=BARE, value=value, interval=interval, n=n, unit="ms CPU", target=None, note=note)]
    for name in PLUGINS:
        if name == BARE:
            continue
        added: npt.NDArray[np.float64] = np.array(costs[name]) - bare
        value, interval = median(added[:, 0])
        wall, wall_interval = median(added[:, 1])
        between = f", 95% interval {number(wall_interval.low)} to {number(wall_interval.high)}" if wall_interval else ""
        figures.append(
            Figure(
                name=f"{name} on top of it, median difference",
                value=value,
                interval=interval,
                n=n,
                unit="ms CPU",
                target=Target(limit=_LIMIT_MS, at_least=False) if name == "paddle-mt" else None,
                note=f"wall time {number(wall)} ms{between}",
            )
        )
    return figures


def parts_figure(bench: Bench, runs: int) -> Figure:
    """Where the plugin's time goes, seen from inside the process."""
    parts = [bench.parts_ms() for _ in range(runs)]
    medians = {name: float(np.median([run.get(name, 0.0) for run in parts])) for name in parts[0]}
    value, interval = median(np.array([sum(run.values()) for run in parts]))
    costliest = sorted(medians.items(), key=lambda item: -item[1])
    return Figure(
        name="paddle-mt, its import and its hooks as timed inside the process",
        value=value,
        interval=interval,
        n=f"{runs} runs",
        unit="ms",
        target=Target(limit=_LIMIT_MS, at_least=False),
        note=", ".join(f"{name.removeprefix('pytest_')} {milliseconds:.2f}" for name, milliseconds in costliest),
    )


def import_figure(bench: Bench, runs: int) -> Figure:
    """What the modules that only the plugin imports take, by -X importtime."""
    tables = [bench.import_times_us() for _ in range(runs)]
    medians_us = {name: float(np.median([table.get(name, 0) for table in tables])) for name in tables[0]}
    value, interval = median(np.array([sum(table.values()) for table in tables]) / 1e3)
    costliest = sorted(medians_us.items(), key=lambda item: -item[1])
    return Figure(
        name="paddle-mt, modules imported on top of bare pytest, by -X importtime",
        value=value,
        interval=interval,
        n=f"{runs} runs, {len(medians_us)} modules",
        unit="ms",
        target=None,
        note=", ".join(f"{name} {time_us / 1e3:.2f}" for name, time_us in costliest),
    )


def watch_figure(bench: Bench) -> Figure:
    """Processes started and heavy modules imported: none of either is the target."""
    found = bench.watched()
    seen = [*found["started"], *found["heavy"]]
    return Figure(
        name="processes started, numpy or paddle imported",
        value=len(seen),
        interval=None,
        n="1 run",
        unit="",
        target=Target(limit=0, at_least=False),
        note=", ".join(seen) or None,
    )


def main() -> int:
    """Measure and print; the exit status."""
    quick = parser(__doc__).parse_args().quick
    load = load_average()
    runs = QUICK_RUNS if quick else RUNS
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(Path(directory))
        figures = [
            *difference_figures(measured_costs(bench, runs)),
            parts_figure(bench, max(runs // 2, QUICK_RUNS)),
            import_figure(bench, max(runs // 4, QUICK_RUNS)),
            watch_figure(bench),
        ]
    return report("pytest --collect-only of one unrelated test", figures, quick=quick, load_before=load)


if __name__ == "__main__":
    sys.exit(main())
