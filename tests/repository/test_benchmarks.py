"""The benchmarks run and print figures. Their values are for a quiet machine to say."""

from __future__ import annotations

import json
import math
import re
import runpy
import shutil
import statistics
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = ROOT / "benchmarks"

#: One line per figure: its name, its value, N.
FIGURE = re.compile(r"^  (?P<name>.+?): (?P<value>-?[\d.e+-]+).*, N = \d", re.MULTILINE)


def run(name: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", str(BENCHMARKS / f"{name}.py"), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=ROOT)


@pytest.fixture
def run_here(monkeypatch, capfd):
    """``run``, in this process, which has imported Paddle."""

    def run(name: str, *options: str) -> subprocess.CompletedProcess[str]:
        path = BENCHMARKS / f"{name}.py"
        with monkeypatch.context() as patched, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            patched.syspath_prepend(str(path.parent))
            patched.setattr(sys, "argv", [str(path), *options])
            status = 0
            try:
                runpy.run_path(str(path), run_name="__main__")
            except SystemExit as ended:
                status = ended.code or 0
        return subprocess.CompletedProcess(path, status, *capfd.readouterr())

    return run


def figures(name: str, run=run) -> list[str]:
    """Names of the figures that a quick run prints."""
    done = run(f"cost/{name}", "--quick")
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


def test_overhead_compares_two_thread_counts(needs_paddle, needs_compiler):
    assert figures("overhead") == ["tiny MLP, oneDNN off, 1 thread", "tiny MLP, oneDNN off, 2 threads"]


def test_null_target_gives_the_cost_of_a_query_and_how_it_scales(run_here):
    ways = [(f"1 thread, {way}", f"2 threads, {way}", f"QPS(2) / QPS(1), {way}") for way in ("kept", "binned")]
    assert figures("null_target", run_here) == [name for way in ways for name in way]


def test_answers_compares_two_engines_at_two_thread_counts(needs_paddle, run_here):
    assert figures("compared_answers", run_here) == [
        f"{engine} engine, {threads}" for engine in ("native", "python") for threads in ("1 thread", "2 threads")
    ]


def test_against_python_compares_the_engines_and_their_scaling(needs_paddle, run_here):
    printed = figures("against_python", run_here)
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


def test_paddle_is_compared_with_onnx_runtime_on_the_model_that_was_converted(needs_paddle):
    pytest.importorskip("paddle2onnx", exc_type=Exception)  # it refuses a Paddle that is too old
    done = run("runtimes/paddle_against_onnx", "--quick")
    assert done.returncode == 0, done.stdout + done.stderr
    printed = " ".join(done.stdout.split())
    assert re.search(r"the Python loop takes [\d.]+ us for a query that does nothing", printed)
    assert "test_onnx_runtime_is_not_slower[mobilenet_v1-python]: onnxruntime against python engine" in printed
    assert "both sides answer alike, within" in printed
    assert "they differ in: engine onnxruntime against python" in printed


def test_drift_is_simulated_for_every_setting(run_here):
    done = run_here("verdict/drift_simulated", "--builds=1")
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if line.strip()[:1].isdigit()]
    alone = [("1", "1"), ("8", "1"), ("9", "1"), ("30", "1")]
    beside = [(*runs, probe) for probe in ("unrelated", "tells") for runs in alone[1:] for _ in range(2)]
    of_two = [("8", "2", "none"), ("9", "2", "none"), ("30", "2", "none")]
    settings = (
        [(*runs, "none") for runs in alone for _ in range(5)] + beside + [one for one in of_two for _ in range(5)]
    )
    assert [(*row[:2], row[3]) for row in rows] == settings
    assert rows[5][-1] == "100.0%"  # half as slow again, with a spread of 1 %, and eight accepted runs


def test_drift_is_not_judged_by_too_few_recorded_runs(tmp_path):
    done = run("verdict/drift_verdicts", "judge", str(tmp_path))
    assert "too few: a build needs 8 accepted runs" in done.stdout


@pytest.mark.parametrize(
    ("statuses", "came_of_it"),
    [
        (["pass", "pass"], "pass"),
        (["pass", "fail", "inconclusive"], "fail"),
        (["pass", "inconclusive"], "inconclusive"),
        (["not_comparable"], "not_comparable"),
        (["calibrating", "pass"], "calibrating"),
        ([], "no_data"),
    ],
)
def test_a_build_passes_only_where_every_verdict_on_drift_does(monkeypatch, statuses, came_of_it):
    monkeypatch.syspath_prepend(str(BENCHMARKS / "verdict"))
    import drift_verdicts

    verdicts = [{"check": "drift", "status": status} for status in statuses]
    assert drift_verdicts.outcome({"verdicts": [*verdicts, {"check": "linear", "status": "fail"}]}) == came_of_it


def test_against_prints_every_scenario_and_rule(run_here):
    done = run_here("verdict/against_verdicts", "--quick")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing was judged" in done.stdout
    for scenario in ("A/A, 5 %", "A/A, 2 %", "+10 %, 5 %", "+5 %, 2 %"):
        assert f"quiet, {scenario} (" in done.stdout
    for rule in ("as shipped, live", "floor 0.5, replayed", "pytest-benchmark mean:10%, same windows"):
        assert rule in done.stdout


class TestTrials:
    """What the proof bench concludes from trials made by hand."""

    @pytest.fixture(autouse=True)
    def _path(self, monkeypatch):
        monkeypatch.syspath_prepend(str(BENCHMARKS / "verdict"))

    @pytest.fixture
    def bench(self):
        import against_verdicts

        return against_verdicts

    @staticmethod
    def made(ratio, *, rounds=24, noise=0.001, seed=0):
        import numpy as np

        rng = np.random.default_rng(seed)
        log_ratios = {n: (np.log(ratio) + noise * rng.standard_normal(rounds)).tolist() for n in ("1", "2")}
        return {
            "scenario": "A/A, 5 %",
            "condition": "quiet",
            "seed": seed,
            "status": "pass",
            "elapsed_s": 10.0,
            "looks": (12, 24),
            "confidence": 0.99,
            "max_drift": 0.05,
            "round_s": 0.5,
            "log_ratios": log_ratios,
            "as_measured": log_ratios,
            "seconds_per_query": {
                "this": {n: [[1 / ratio, 1 / ratio]] * rounds for n in ("1", "2")},
                "other": {n: [[1.0, 1.0]] * rounds for n in ("1", "2")},
            },
        }

    @pytest.mark.parametrize(("ratio", "status"), [(1.0, "pass"), (0.9, "fail"), (1 / 1.05, "inconclusive")])
    def test_a_trial_is_judged_again_from_its_rounds(self, bench, ratio, status):
        found, seconds = bench.replayed(self.made(ratio, noise=0.002), 0.0)
        assert found == status
        assert seconds == (12.0 if status == "inconclusive" else 6.0)  # 24 rounds of 0.5 s, or the first look

    def test_the_mean_rule_fails_where_queries_take_more_than_ten_percent_longer(self, bench):
        assert bench.mean_rule(self.made(1 / 1.11), apart=False) == "fail"
        assert bench.mean_rule(self.made(1 / 1.09), apart=False) == "pass"

    def test_one_run_after_the_other_compares_other_halves(self, bench):
        made = self.made(1.0)
        for n in ("1", "2"):
            made["seconds_per_query"]["this"][n] = [[1.0, 1.0]] * 12 + [[1.15, 1.15]] * 12
        assert bench.mean_rule(made, apart=False) == "pass"  # its whole mean grew by 7.5 %
        assert bench.mean_rule(made, apart=True) == "fail"

    def test_trials_that_were_recorded_are_read_again(self, bench, tmp_path):
        made = self.made(1.0, seed=5)
        bench.builds.keep(tmp_path / "quiet-0-0000.json", json.dumps(made))
        (tmp_path / "quiet-0-0001.part").write_text("{")
        assert [one["seed"] for one in bench.load(tmp_path)] == [5]


@pytest.mark.parametrize(
    "path",
    sorted(path for path in BENCHMARKS.glob("*/*.py") if "python benchmarks/" in path.read_text()),
    ids=lambda path: path.stem,
)
def test_each_benchmark_runs_by_the_command_in_its_docstring(path):
    written = re.findall(r"python (benchmarks/\S+)", path.read_text())
    assert set(written) == {str(path.relative_to(ROOT))}


def test_a_module_of_the_benchmarks_has_a_name_of_its_own():
    """They import each other by bare names, which must not hide one another."""
    names = [path.stem for path in BENCHMARKS.glob("*/*.py")]
    assert sorted(set(names)) == sorted(names)
    assert {path.stem for path in (ROOT / "pytest_paddle_mt").rglob("*.py")} & set(names) == set()


def test_a_recording_goes_on_with_what_is_missing_until_the_time_is_up(monkeypatch, tmp_path, capsys):
    monkeypatch.syspath_prepend(str(BENCHMARKS / "verdict"))
    import builds

    paths = [tmp_path / name for name in "abc"]
    paths[1].touch()
    assert list(builds.missing(paths, 3600)) == [paths[0], paths[2]]
    assert list(builds.missing(paths, -1)) == []
    assert "the same command goes on" in capsys.readouterr().out


class TestVerdicts:
    """What a figure is worth beside its target, and what the exit status says."""

    @pytest.fixture(autouse=True)
    def _path(self, monkeypatch):
        monkeypatch.syspath_prepend(str(BENCHMARKS / "cost"))

    def report(self, capsys, value, interval, *, at_least=True, quick=False):
        import cost_figures as module

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
        import cost_figures as module

        seen = []
        measures = {name: lambda name=name: seen.append(name) or 1.0 for name in "ab"}
        assert all(series.tolist() == [0.0, 0.0] for series in module.interleaved(measures, 2).values())
        assert "".join(seen) == "abba" + "baab"

    def test_the_interval_of_a_median_lies_between_the_order_statistics_of_the_sign_test(self):
        import cost_figures as module
        import numpy as np

        value, interval = module.median(np.arange(1.0, 21.0))
        assert value == 10.5
        assert (interval.low, interval.high) == (6.0, 15.0)  # Conover, Practical Nonparametric Statistics, n = 20
        assert module.median(np.arange(5.0))[1] is None


def test_the_coverage_of_intervals_is_counted_for_each_noise_and_each_recording(run_here):
    done = run_here("verdict/interval_coverage", "--quick")
    assert done.returncode == 0, done.stderr
    rows = [line.split(" | ")[0].strip("| ") for line in done.stdout.splitlines() if line.startswith("| ")]
    kinds = ("normal", "t with 4 degrees of freedom", "rare drops")
    recordings = sorted(path.stem for path in (BENCHMARKS / "verdict" / "recordings").glob("*.npz"))
    twice = (name for name in recordings for _ in range(2))
    assert rows == ["noise", *(kind for kind in kinds for _ in range(8)), "recording", *twice]


def test_the_bound_of_waiting_threads_is_counted_for_each_disturbance_and_each_recorded_lock(run_here):
    done = run_here("verdict/waiting_threads", "--quick")
    assert done.returncode == 0, done.stderr
    rows = [line.strip("| ").split(" | ") for line in done.stdout.splitlines() if line.startswith("| ")]
    assert len(rows) == (1 + 4 * 5) + (1 + 4) + (1 + 4)
    assert all(exact[3:] != counted_wrongly[3:] for exact, counted_wrongly in zip(rows[1:6], rows[6:11], strict=True))
    rounds = {row[0]: row[5:] for row in rows[22:26]}
    lost = {row[0]: [re.fullmatch(r"(0\.\d\d|1\.\d\d) \((\d+)\)", cell) for cell in row[1:]] for row in rows[27:]}
    assert rounds["neighbour-lock_80"] == rounds["neighbour-lock_100"] == ["29, 3", "29, 3"]
    assert rounds["neighbour-lock_20"] == ["-, 0", "-, 0"]
    assert {name: sum(int(cell[2]) for cell in cells) for name, cells in lost.items()} == {
        "neighbour-lock_100": 96,
        "neighbour-lock_20": 96,
        "neighbour-lock_50": 64,
        "neighbour-lock_80": 96,
    }


def test_designs_of_windows_are_compared_with_the_first(run_here, needs_paddle):
    done = run_here("verdict/windows", "--rounds=4", "--designs=2:1,3:2")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.strip("| ").split(" | ") for line in done.stdout.splitlines() if line.startswith("| ")]
    assert [(row[0], row[3], row[4]) for row in rows[:2]] == [
        ("design", "efficiency over the first", "relative cost"),
        ("2:1", "-", "1.00"),
    ]
    assert rows[2][0] == "3:2"
    assert re.fullmatch(r"[\d.]+ to [\d.]+", rows[2][3])


def test_builds_are_counted_for_each_aim_beside_what_the_first_rule_says_of_their_windows(run_here, tmp_path):
    """Two threads reach 0.9 in every window: clear to both rules. Beside it 0.6 and 1.2: clear to neither."""

    def windows(efficiencies):
        for index, efficiency in enumerate(efficiencies):
            for threads, qps in ((1, 10.0), (2, 20.0 * efficiency)):
                at = {"stage": "sweep", "round": index, "threads": threads, "lost_share": 0.0}
                yield {**at, "qps": qps, "opened_s": float(index), "window_s": 0.5}

    builds = {
        "main_job-001": (["pass", "pass"], [0.9] * 6),
        "main_job-002": (["pass", "inconclusive"], [0.6, 1.2] * 3),
        "even-001": (["pass"], [0.9] * 6),
        "grows_65-001": (["fail"], [0.65] * 6),
        "lock_80-001": (["pass"], [0.9] * 6),
    }
    for name, (statuses, efficiencies) in builds.items():
        kept = tmp_path / "quiet" / f"{name}.json"
        kept.parent.mkdir(exist_ok=True)
        made = {"verdicts": [{"status": status} for status in statuses], "status": statuses[-1], "elapsed_s": 9.0}
        points = [{"threads": 1}, {"threads": 2}]
        made |= {"points": points, "windows": list(windows(efficiencies))}
        kept.write_text(json.dumps({"sweeps": [made]}))
    done = run_here("verdict/gate", "--results", str(tmp_path), "report")
    rows = [line.split(" | ")[1:3] for line in done.stdout.splitlines() if line.startswith("| ")]
    assert rows[1:] == [
        ["1 of 2 (at least 2.5%), 9, at most 9 s", "1 of 2 (at least 2.5%)"],
        ["-", "-"],
        ["median 6, 95 % within 6, N = 1", "passes 1 of 1 (at least 5.0%)"],
        ["1 of 2 (at least 2.5%)", "1 of 2 (at least 2.5%)"],
        ["0 of 3 (at most 63.2%)", "first stage alone: 0 of 3 (at most 63.2%)"],
        ["-", "-"],
        ["1 of 2 (at most 97.5%)", "1 of 2 (at most 97.5%)"],
    ], done.stdout + done.stderr


#: ln QPS of the four blocks of six rounds beyond what the probe's explain: no line through them explains any of it.
BEYOND_PROBE = (0.02, -0.02, -0.02, 0.02)


def _results(path: Path, *, sweeps: int = 1, probed: bool = True) -> str:
    """A results file of 24 rounds. With each six the probe gets slower by 0.2 in ln QPS, and the work by half of it."""

    def window(at: int, threads: int, stage: str = "sweep") -> dict[str, object]:
        block, within = divmod(at, 6)
        slower, own = -0.2 * block, 0.01 * (within - 2.5) + BEYOND_PROBE[block]
        qps, probe = threads * math.exp(slower / 2 + own), math.exp(slower)
        return {"stage": stage, "round": at, "threads": threads, "qps": qps, "probe": probe if probed else None}

    windows = [window(at, threads) for at in range(24) for threads in (1, 2, 2, 1)]
    windows += [{**window(at, 1, "confirmation"), "qps": 1e-6} for at in range(24)]
    path.write_text(json.dumps({"sweeps": [{"windows": windows}] * sweeps}))
    return str(path)


def test_longer_runs_are_compared_by_blocks_of_rounds_and_beside_the_probe(run_here, tmp_path):
    done = run_here("verdict/longer_runs", _results(tmp_path / "a.json"), _results(tmp_path / "b.json"))
    assert done.returncode == 0, done.stderr
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines() if "|" in line][2:]
    means = [-0.1 * block + own for block, own in enumerate(BEYOND_PROBE)]
    of_six = [f"{statistics.stdev(means * 2):.3f}", f"{math.sqrt(8 * 0.02**2 / 6):.3f}"]
    of_twelve = [f"{statistics.stdev([sum(means[:2]) / 2, sum(means[2:]) / 2] * 2):.3f}", "0.000"]
    assert rows == [[threads, *row] for threads in "12" for row in (["6", "8", *of_six], ["12", "4", *of_twelve])]


@pytest.mark.parametrize(
    ("sweeps", "probed", "says"), [(2, True, "has 2 sweeps: name one test"), (1, False, "has a window without a probe")]
)
def test_longer_runs_refuse_a_file_that_is_none_of_one_probed_sweep(run_here, tmp_path, sweeps, probed, says):
    done = run_here("verdict/longer_runs", _results(tmp_path / "a.json", sweeps=sweeps, probed=probed))
    assert says in str(done.returncode)


def test_first_stages_are_counted_and_none_is_made_twice(run_here, tmp_path):
    for number, status in enumerate(("pass", "inconclusive")):
        kept = tmp_path / "quiet" / f"grows_65-{number:04}.json"
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(json.dumps({"status": status, "rounds": 6, "elapsed_s": 4.0 + number, "as_measured": 0.65}))
    done = run_here("verdict/first_stages", str(tmp_path), "--sweeps=2", "grows_65")
    [row] = [line.strip("| ").split(" | ") for line in done.stdout.splitlines() if line.startswith("| quiet")]
    half = "50 % (1.3-98.7)"
    assert row == ["quiet", "grows_65", "0.65", "2", half, "0 % (0.0-84.2)", half, "4, at most 5"], done.stderr


def test_a_first_stage_is_measured_and_kept(run_here, tmp_path):
    done = run_here("verdict/first_stages", str(tmp_path), "--sweeps=1", "grows_65")
    [kept] = [json.loads(path.read_text()) for path in (tmp_path / "quiet").glob("grows_65-0000.json")]
    assert kept["status"] in ("pass", "fail", "inconclusive"), done.stderr
    assert 1 <= kept["rounds"] <= 96


def test_no_recording_is_judged_worse_than_it_was(run_here):
    done = run_here("verdict/operating_characteristics", "replay", "--check")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no worse than expected.json" in done.stdout


class TestSharedCores:
    """Recordings with probes, and what the rules make of rounds on one core."""

    @pytest.fixture(autouse=True)
    def _path(self, monkeypatch):
        monkeypatch.syspath_prepend(str(BENCHMARKS / "verdict"))

    def test_two_threads_on_one_core_are_recognised_in_recordings_and_cores_of_other_machines_are_not(self, run_here):
        done = run_here("verdict/shared_cores")
        assert done.returncode == 0, done.stderr
        rows = [line.strip("| ").split(" | ") for line in done.stdout.splitlines() if line.startswith("| ")]
        found = {row[0]: (row[2], row[3], row[5], row[7]) for row in rows[1:4]}
        assert found == {
            "neighbour-mobilenet_json": ("1%", "13", "0", "10 of 10"),
            "quiet-even": ("55%", "50", "0", "0 of 10"),
            "quiet-mobilenet_json": ("11%", "23", "0", "10 of 10"),
        }
        without, first, today = ([row[column].split("; ") for row in rows[5:]] for column in (2, 3, 4))
        assert [came for came, _ in without] == ["0, 16, 0", *["0, 0, 16"] * 2, "16, 0, 0"] * 3
        assert [came for came, _ in first] == [came for came, _ in today] == [*["0, 16, 0"] * 3, "0, 0, 16"] * 3
        assert sum(int(rounds) for _, rounds in today) < sum(int(rounds) for _, rounds in first)

    def test_rounds_are_recorded_with_control_and_probe(self, run_here, tmp_path):
        arguments = ("record", "made", "--work=even", "--rounds=2")
        done = run_here("verdict/shared_cores", f"--recordings={tmp_path}", *arguments)
        assert done.returncode == 0, done.stderr
        import recordings

        rounds = recordings.load(tmp_path / "made.npz")
        assert [[visit.window.threads for visit in one.visits].count(2) for one in rounds] == [2, 2]
        for visit in (visit for one in rounds for visit in one.visits):
            assert visit.probe.threads == visit.control.threads == visit.window.threads
            assert visit.window.opened_ns < visit.probe.opened_ns < visit.control.opened_ns

    def test_what_was_recorded_is_read_again(self, tmp_path):
        import recordings

        from tests.builders import beside_control, probed, rounds_of

        made = probed(beside_control(rounds_of({1: 40, 2: 78}, count=2), {1: 500, 2: 990}), {1: 9000, 2: 17000})
        recordings.save(tmp_path / "made.npz", made)
        read = recordings.load(tmp_path / "made.npz")
        for name in ("window", "control", "probe"):
            qps = [[getattr(visit, name).qps for one in rounds for visit in one.visits] for rounds in (made, read)]
            assert qps[0] == pytest.approx(qps[1], rel=1e-5)

    def test_a_recording_without_probes_is_read_all_the_same(self):
        import recordings

        rounds = recordings.load(BENCHMARKS / "verdict" / "recordings" / "quiet-even.npz")
        assert {visit.probe for one in rounds for visit in one.visits} == {None}
        assert all(visit.control is not None for one in rounds for visit in one.visits)

    def test_a_round_on_one_core_is_as_slow_as_was_measured(self):
        import injected

        from tests.builders import beside_control, probed, rounds_of

        rounds = probed(beside_control(rounds_of({1: 40, 2: 80}, count=4), {1: 500, 2: 990}), {1: 9000, 2: 18000})
        mixed = injected.some_on_one_core(rounds, 2)
        windows = [one.at(2)[0].window.qps for one in mixed]
        probes = [one.at(2)[0].probe.qps for one in mixed]
        assert windows == pytest.approx([80 * 0.62, 80, 80 * 0.62, 80], rel=1e-3)
        assert probes == pytest.approx([18000 * 0.55, 18000, 18000 * 0.55, 18000], rel=1e-3)
        assert [one.at(1)[0].window.qps for one in mixed] == pytest.approx([40] * 4, rel=1e-3)


@pytest.mark.parametrize("name", ["quiet-even", "neighbour-lock_50", "quiet-grows_80", "quiet-mlp_json"])
def test_the_cause_of_every_recorded_sweep_is_right(monkeypatch, name):
    """Measured once, judged by the code that ships: no other cause is ever named."""
    monkeypatch.syspath_prepend(str(BENCHMARKS / "verdict"))
    import planted_causes

    assert planted_causes.recorded_answers(name) == {"right": 8}


def test_without_a_gpu_the_curve_of_a_gpu_is_not_measured_and_that_is_said():
    done = run("gpu/threads", "--threads=2")
    if done.returncode != 2:
        pytest.skip("there is a GPU")
    assert done.stdout.startswith("NO GPU, nothing was measured: ")


def test_the_benchmark_of_a_gpu_runs_on_a_fake_and_names_it_so():
    done = run("gpu/threads", "--dry-run", "--threads=2")
    assert done.returncode == 0, done.stdout + done.stderr
    printed = done.stdout.partition("a FAKE of a GPU: queries sleep; known work of 2 ms\n")[2]
    names = [f"{work}-{stream}" for work in ("known_work", "model") for stream in ("own", "shared")]
    assert re.findall(r"^(\S+): linear up to 2", printed, re.MULTILINE) == names
    assert len(re.findall(r" threads .* QPS  speedup", printed)) == 8
