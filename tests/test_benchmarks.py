"""The benchmarks run and print figures. Their values are for a quiet machine to say."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BENCHMARKS = ROOT / "benchmarks"

#: One line per figure: its name, its value, N.
FIGURE = re.compile(r"^  (?P<name>.+?): (?P<value>-?[\d.e+-]+).*, N = \d", re.MULTILINE)


def run(name: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", str(BENCHMARKS / f"{name}.py"), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=BENCHMARKS.parent)


def figures(name: str) -> list[str]:
    """Names of the figures that a quick run prints."""
    done = run(name, "--quick")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing was judged" in done.stdout
    assert re.search(r"\d usable core", done.stdout)
    return [match["name"] for match in FIGURE.finditer(done.stdout)]


@pytest.fixture
def needs_paddle():
    pytest.importorskip("paddle")


@pytest.fixture
def needs_compiler():
    if shutil.which("g++") is None:
        pytest.skip("no g++")


def test_overhead_compares_two_models_at_two_thread_counts(needs_paddle, needs_compiler):
    assert figures("overhead") == [
        "MobileNetV1, 1 thread",
        "MobileNetV1, 2 threads",
        "tiny MLP, oneDNN off, 1 thread",
        "tiny MLP, oneDNN off, 2 threads",
    ]


def test_null_target_gives_the_cost_of_a_query_and_how_it_scales():
    ways = [(f"1 thread, {way}", f"2 threads, {way}", f"QPS(2) / QPS(1), {way}") for way in ("kept", "binned")]
    assert figures("null_target") == [name for way in ways for name in way]


def test_against_python_compares_the_engines_and_their_scaling(needs_paddle):
    printed = figures("against_python")
    assert printed[0] == "native QPS / python QPS, 2 threads"
    assert "python engine, QPS(2) / QPS(1)" in printed


def test_startup_compares_with_other_plugins_and_sees_nothing_started():
    pytest.importorskip("xdist")
    printed = figures("startup")
    assert [name.partition(" ")[0] for name in printed[:4]] == ["bare", "paddle-mt", "xdist", "pytest-benchmark"]
    assert printed[-1] == "processes started, numpy or paddle imported"


def test_memory_gives_peaks_and_the_error_of_thinned_percentiles():
    printed = figures("memory")
    assert printed[:2] == ["64 threads, one long window", "64 threads, many windows"]
    assert printed[2].startswith("percentiles of thinned against exact")


def test_baseline_store_compares_a_session_with_a_full_store_and_one_without():
    printed = figures("baseline_store")
    assert printed[0].startswith("a session that compares one test, on top of one without a baseline")
    assert printed[1] == "reading and checking one file"


def test_drift_simulates_the_rule_and_judges_recorded_runs(tmp_path):
    done = run("drift", "simulate", "--builds=20")
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if line.strip()[:1].isdigit()]
    assert [row[0] for row in rows] == ["1"] * 5 + ["8"] * 5
    assert rows[5][-1] == "100.0%"  # half as slow again, with a spread of 1 %, and eight accepted runs
    done = run("drift", "judge", str(tmp_path))
    assert "too few: a build needs 8 accepted runs" in done.stdout


@pytest.mark.parametrize(
    "path",
    sorted(path for path in BENCHMARKS.glob("*.py") if "[--quick]" in path.read_text()),
    ids=lambda path: path.stem,
)
def test_each_benchmark_says_what_it_measures(path):
    done = run(path.stem, "--help")
    assert done.returncode == 0, done.stderr
    assert "--quick" in done.stdout


class TestVerdicts:
    """What a figure is worth beside its target, and what the exit status says."""

    @pytest.fixture(autouse=True)
    def _path(self, monkeypatch):
        monkeypatch.syspath_prepend(str(BENCHMARKS))

    def report(self, capsys, value, interval, *, at_least=True, quick=False):
        import figures as module

        from pytest_paddle_mt.records import Interval

        figure = module.Figure(
            name="ratio",
            value=value,
            interval=None if interval is None else Interval(low=interval[0], high=interval[1]),
            n="4 blocks",
            unit="",
            target=module.Target(limit=0.97, at_least=at_least),
            note=None,
        )
        status = module.report("title", [figure], quick=quick, load_before=0.0)
        return status, capsys.readouterr().out

    def test_an_interval_above_the_target_reaches_it(self, capsys):
        status, out = self.report(capsys, 0.99, (0.98, 1.0))
        assert status == 0
        assert "reached; the whole interval lies on that side" in out

    def test_an_interval_around_the_target_is_said_to_contain_it(self, capsys):
        status, out = self.report(capsys, 0.98, (0.96, 1.0))
        assert status == 0
        assert "reached by the estimate; the interval contains the target" in out

    def test_an_estimate_beyond_the_target_misses_it(self, capsys):
        status, out = self.report(capsys, 0.95, (0.94, 0.96))
        assert status == 1
        assert "MISSED; the whole interval" in out

    def test_a_limit_from_above_is_judged_the_other_way_round(self, capsys):
        assert self.report(capsys, 0.95, None, at_least=False)[0] == 0
        assert self.report(capsys, 0.98, None, at_least=False)[0] == 1

    def test_a_quick_run_judges_nothing(self, capsys):
        status, out = self.report(capsys, 0.1, None, quick=True)
        assert status == 0
        assert "MISSED" not in out

    def test_a_block_goes_there_and_back_and_the_next_one_starts_at_the_other_end(self):
        import figures as module

        seen = []
        measures = {name: lambda name=name: seen.append(name) or 1.0 for name in "ab"}
        assert all(series.tolist() == [0.0, 0.0] for series in module.interleaved(measures, 2).values())
        assert "".join(seen) == "abba" + "baab"

    def test_the_interval_of_a_median_lies_between_the_order_statistics_of_the_sign_test(self):
        import figures as module
        import numpy as np

        value, interval = module.median(np.arange(1.0, 21.0))
        assert value == 10.5
        assert (interval.low, interval.high) == (6.0, 15.0)  # Conover, Practical Nonparametric Statistics, n = 20
        assert module.median(np.arange(5.0))[1] is None


def test_no_recording_is_judged_worse_than_it_was():
    done = run("operating_characteristics", "replay", "--check")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no worse than expected.json" in done.stdout


def test_what_was_tried_is_compared_on_every_recording():
    done = run("what_was_tried")
    assert done.returncode == 0, done.stderr
    recordings = [path.stem for path in (BENCHMARKS / "recordings").glob("*.npz")]
    assert recordings
    assert [name for name in recordings if f"\n{name}: " not in done.stdout] == []


def test_formats_compares_how_both_scale(needs_paddle):
    if not hasattr(__import__("paddle"), "pir_utils"):
        pytest.skip("Paddle 2 knows one format")
    assert figures("formats") == [".json, QPS(2) / QPS(1)", ".pdmodel, QPS(2) / QPS(1)"]
