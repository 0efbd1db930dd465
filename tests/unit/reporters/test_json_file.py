"""The results file for programs: schema 1, whole or not at all."""

from __future__ import annotations

import dataclasses
import datetime
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_paddle_mt import __version__
from pytest_paddle_mt.cause import Cause
from pytest_paddle_mt.files import write_atomically
from pytest_paddle_mt.records import Interval, ServedInput, Sweep, UniversalScalability
from pytest_paddle_mt.reporters import Finished
from pytest_paddle_mt.reporters.json_file import JsonReporter
from pytest_paddle_mt.statistics import latency
from pytest_paddle_mt.testing import window
from tests.builders import (
    beside_control,
    latency_summary,
    measured,
    point,
    round_with,
    rounds_of,
    run_figures,
    run_of,
    subject,
    sweep,
    verdict,
    warning,
)

NUMBER = (int, float)
MAYBE_NUMBER = (int, float, type(None))
INTERVAL = (list, type(None))


def finished(one: Sweep, **changes: Any) -> Finished:
    return Finished(sweep=one, measured=measured(**changes), item=None, benchmark=None)


def reported(path: Path, *sweeps: Sweep, **changes: Any) -> dict[str, Any]:
    reporter = JsonReporter(path)
    for one in sweeps:
        reporter.sweep_finished(finished(one, **changes))
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture
def written(tmp_path: Path) -> dict[str, Any]:
    everything = sweep(
        usl=UniversalScalability(contention=0.1, coherency=0.01),
        warnings=(warning("something shook"),),
    )
    return reported(tmp_path / "results.json", everything, rounds=rounds_of({1: 40, 2: 78}, count=2))


def types_of(data: dict[str, Any], **expected: Any) -> None:
    """``data`` has these keys at least, each of this type."""
    assert {key: data[key] for key in expected if not isinstance(data.get(key, ...), expected[key])} == {}


def test_the_file_says_which_schema_it_has_who_wrote_it_and_where(written):
    assert (written["schema"], written["plugin_version"]) == (1, __version__)
    assert isinstance(written["environment"]["machine_key"], str)
    created = datetime.datetime.strptime(written["created_utc"], "%Y-%m-%dT%H:%M:%SZ")
    assert created.year >= 2024


def test_a_sweep_has_the_keys_of_the_schema(written):
    [one] = written["sweeps"]
    types_of(
        one,
        nodeid=str,
        engine=str,
        device=str,
        batch_size=(int, type(None)),
        usable_cores=int,
        linear_until=int,
        points=list,
        windows=list,
        usl=(dict, type(None)),
        verdicts=list,
        warnings=list,
        seed=int,
    )
    assert one["usl"] == {"contention": 0.1, "coherency": 0.01}


def test_a_point_has_the_keys_of_the_schema(written):
    one, two = written["sweeps"][0]["points"]
    types_of(
        two,
        threads=int,
        qps=NUMBER,
        qps_ci=INTERVAL,
        speedup=MAYBE_NUMBER,
        efficiency=MAYBE_NUMBER,
        efficiency_ci=INTERVAL,
        latency_ms=dict,
        queries=int,
        fairness=NUMBER,
        rounds=int,
        set_aside_rounds=int,
        shared_core_rounds=int,
        lost_share=NUMBER,
    )
    assert set(two["latency_ms"]) == {"mean", "p50", "p90", "p99", "max"}
    assert one["threads"] == 1
    assert (two["threads"], two["qps"], two["speedup"], two["efficiency"]) == (2, 78, pytest.approx(1.96), 0.98)
    assert two["qps_ci"] == [pytest.approx(0.97 * 78), pytest.approx(1.03 * 78)]
    assert two["efficiency_ci"] == [0.95, 1.01]


def test_latencies_are_in_milliseconds(written):
    one = written["sweeps"][0]["points"][0]
    assert one["latency_ms"] == {"mean": 25.0, "p50": 25.0, "p90": 30.0, "p99": 40.0, "max": 50.0}


def test_a_window_has_the_keys_of_the_schema(written):
    windows = written["sweeps"][0]["windows"]
    assert [(one["round"], one["threads"]) for one in windows] == [
        (round_index, threads) for round_index in (0, 1) for threads in (1, 2, 2, 1)
    ]
    two = windows[1]
    types_of(
        two,
        stage=str,
        fork=int,
        qps=NUMBER,
        queries=int,
        window_s=NUMBER,
        latency_ms=dict,
        cpu_share=NUMBER,
        involuntary_switches=int,
        delay_share=NUMBER,
        lost_share=NUMBER,
        preempted=bool,
    )
    assert (two["stage"], two["control"]) == ("sweep", None)
    assert two["steal_share"] is None or 0 <= two["steal_share"] <= 1
    assert set(two["latency_ms"]) == {"min", "p50", "p99"}
    assert two["qps"] == pytest.approx(78, rel=1e-6)
    assert (two["fork"], two["queries"], two["cpu_share"]) == (0, 200, 1.0)
    assert two["window_s"] == pytest.approx(100 * 2 / 78)


def test_a_sweep_has_what_was_served(tmp_path):
    inputs = (ServedInput(name="x", dtype="float32", shape=(1, None), low=0.0, high=2.5, made_up=True),)
    [one] = reported(tmp_path / "results.json", sweep(subject=subject(inputs=inputs)))["sweeps"]
    assert one["inputs"] == [
        {"name": "x", "dtype": "float32", "shape": [1, None], "min": 0.0, "max": 2.5, "made_up": True}
    ]


def test_a_sweep_has_the_peak_memory_of_its_process(tmp_path):
    [one] = reported(tmp_path / "results.json", sweep(peak_rss_bytes=914_400_000))["sweeps"]
    assert one["peak_rss_bytes"] == 914_400_000


def test_a_window_says_what_other_work_took_and_has_the_throughput_that_was_measured(tmp_path):
    rounds = rounds_of({1: 40, 2: 60}, count=1, at=2, delay_share=0.25)
    [one] = reported(tmp_path / "results.json", sweep(points=(point(2, 80, lost_share=0.25),)), rounds=rounds)["sweeps"]
    window = one["windows"][1]
    assert (window["delay_share"], window["lost_share"]) == (pytest.approx(0.25), pytest.approx(0.25))
    assert (window["qps"], window["preempted"]) == (pytest.approx(60), True)
    assert one["windows"][0]["lost_share"] == 0.0
    assert one["points"][0]["lost_share"] == 0.25


def test_what_helpers_of_the_predictors_took_is_a_delay_and_not_lost(tmp_path):
    rounds = rounds_of({1: 40, 2: 60}, count=1, at=2, cpu_share=0.75, delay_share=0.25, other_cores=0.5)
    [one] = reported(tmp_path / "results.json", sweep(), rounds=rounds)["sweeps"]
    window = one["windows"][1]
    assert (window["delay_share"], window["lost_share"]) == (pytest.approx(0.25), pytest.approx(0, abs=1e-6))
    assert window["preempted"] is False


def test_the_windows_of_a_confirmation_stand_behind_those_of_the_sweep_with_the_throughput_of_their_control(tmp_path):
    again = beside_control(rounds_of({1: 40, 2: 42}, count=1), {1: 500, 2: 990})
    first = rounds_of({1: 40, 2: 41}, count=2)
    [one] = reported(tmp_path / "results.json", sweep(), rounds=first, confirmation=again)["sweeps"]
    stages = [(window["stage"], window["round"]) for window in one["windows"]]
    assert stages == [("sweep", 0)] * 4 + [("sweep", 1)] * 4 + [("confirmation", 0)] * 4
    assert [window["control"] for window in one["windows"][:8]] == [None] * 8
    assert [window["control"] for window in one["windows"][8:]] == pytest.approx([500, 990, 990, 500])
    assert [window["qps"] for window in one["windows"][8:]] == pytest.approx([40, 42, 42, 40])


def test_a_verdict_and_a_doubt_have_the_keys_of_the_schema(written):
    [one] = written["sweeps"][0]["verdicts"]
    assert one == {
        "check": "linear",
        "threads": 2,
        "status": "pass",
        "observed": 0.98,
        "limit": 0.85,
        "reason": verdict().reason,
    }
    assert written["sweeps"][0]["warnings"] == [{"kind": "preempted", "text": "something shook"}]


def test_percentiles_that_the_sample_cannot_support_are_null(tmp_path):
    few = point(2, 78, latency=latency_summary(25e6, p90_ns=None, p99_ns=None))
    [one] = reported(tmp_path / "results.json", sweep(points=(few,)))["sweeps"]
    assert one["points"][0]["latency_ms"]["p90"] is None
    assert one["points"][0]["latency_ms"]["p99"] is None
    assert one["windows"][0]["latency_ms"]["p99"] is None


def test_what_is_undefined_is_null_and_never_zero(tmp_path):
    undefined = point(2, 78, efficiency=None, efficiency_interval=None, qps_interval=None)
    [one] = reported(tmp_path / "results.json", sweep(points=(undefined,)))["sweeps"]
    [two] = one["points"]
    assert {key: two[key] for key in ("qps_ci", "speedup", "efficiency", "efficiency_ci")} == {
        "qps_ci": None,
        "speedup": None,
        "efficiency": None,
        "efficiency_ci": None,
    }
    assert one["usl"] is None
    assert {window["control"] for window in one["windows"]} == {None}


def test_the_file_is_strict_json_whatever_the_numbers(tmp_path):
    odd = point(2, 1e-9, qps_interval=Interval(low=0.0, high=1e300))
    reported(tmp_path / "results.json", sweep(points=(odd,)))

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    json.loads((tmp_path / "results.json").read_text(encoding="utf-8"), parse_constant=refuse)


def test_the_file_is_written_after_each_sweep(tmp_path):
    path = tmp_path / "results.json"
    reporter = JsonReporter(path)
    for count in (1, 2):
        reporter.sweep_finished(finished(sweep(nodeid=f"test_x.py::test_{count}")))
        assert len(json.loads(path.read_text(encoding="utf-8"))["sweeps"]) == count


def test_an_earlier_attempt_of_a_test_is_replaced(tmp_path):
    path = tmp_path / "results.json"
    reporter = JsonReporter(path)
    for seed in (1, 2):
        reporter.sweep_finished(finished(sweep(seed=seed)))
    assert [one["seed"] for one in json.loads(path.read_text(encoding="utf-8"))["sweeps"]] == [2]


def test_the_directory_of_the_file_is_made(tmp_path):
    assert reported(tmp_path / "new" / "deep" / "results.json", sweep())["schema"] == 1


def test_a_write_replaces_what_was_there(tmp_path):
    path = tmp_path / "results.json"
    path.write_text("old, and much longer than the new one", encoding="utf-8")
    write_atomically(path, "new")
    assert path.read_text(encoding="utf-8") == "new"
    assert list(tmp_path.iterdir()) == [path]


class FullDisk:
    """A file system that takes so many operations and then refuses."""

    def __init__(self, what: str) -> None:
        self.what = what

    def __call__(self, *_: object) -> None:
        raise OSError(28, f"No space left on device ({self.what})")


@pytest.mark.parametrize("operation", ["fsync", "replace"])
@pytest.mark.fault(
    "results", "the disk fails while a file is replaced", "the file stays as it was; no temporary file is left"
)
def test_a_write_error_leaves_the_old_file_untouched_and_no_temporary_file(tmp_path, monkeypatch, operation):
    path = tmp_path / "results.json"
    path.write_text("old", encoding="utf-8")
    monkeypatch.setattr(f"os.{operation}", FullDisk(operation))
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, "new")
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


class FakeTerminal:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.write_line = self.lines.append


def test_a_file_that_cannot_be_written_is_an_error_with_its_name_and_claims_nothing(tmp_path, monkeypatch):
    reporter, terminal = JsonReporter(tmp_path / "results.json"), FakeTerminal()
    reporter.sweep_finished(finished(sweep(nodeid="test_x.py::test_1")))
    monkeypatch.setattr("os.fsync", FullDisk("fsync"))
    with pytest.raises(OSError, match="could not be written: No space left") as caught:
        reporter.sweep_finished(finished(sweep(nodeid="test_x.py::test_2")))
    assert "it contains 1 of 2 sweeps of this session. Check free space and permissions there" in str(caught.value)
    assert str(caught.value).endswith("give another file with --paddle-json")
    reporter.session_finished([], terminal)
    assert terminal.lines == []


def test_what_could_not_be_written_is_written_with_the_next_sweep(tmp_path, monkeypatch):
    path = tmp_path / "results.json"
    reporter = JsonReporter(path)
    monkeypatch.setattr("os.fsync", FullDisk("fsync"))
    with pytest.raises(OSError, match="No space left"):
        reporter.sweep_finished(finished(sweep(nodeid="test_x.py::test_1")))
    monkeypatch.undo()
    reporter.sweep_finished(finished(sweep(nodeid="test_x.py::test_2")))
    assert len(json.loads(path.read_text(encoding="utf-8"))["sweeps"]) == 2


@pytest.mark.fault("results", "a text cannot be encoded", "the file stays as it was")
def test_text_that_cannot_be_encoded_leaves_the_old_file_untouched_and_no_temporary_file(tmp_path):
    path = tmp_path / "results.json"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "half of it \ud800")
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_may_be_read_by_others_as_any_file_that_a_program_writes(tmp_path):
    plain = tmp_path / "plain"
    plain.write_text("x", encoding="utf-8")
    write_atomically(tmp_path / "results.json", "x")
    assert (tmp_path / "results.json").stat().st_mode == plain.stat().st_mode


def test_the_summary_says_where_the_file_is(tmp_path):
    reporter, terminal = JsonReporter(tmp_path / "results.json"), FakeTerminal()
    reporter.sweep_finished(finished(sweep()))
    reporter.session_finished([sweep()], terminal)
    assert terminal.lines == [f"paddle-mt: results of 1 sweep in {tmp_path / 'results.json'}"]


def test_a_window_has_its_time_and_the_slowest_query_of_each_thread(written):
    one, two = written["sweeps"][0]["windows"][:2]
    assert (one["opened_s"], one["slowest_ms"]) == (0.0, [25.0])
    assert two["slowest_ms"] == [pytest.approx(2 / 78 * 1000, abs=1e-3)] * 2


def test_a_thread_that_completed_no_query_has_no_slowest_one(tmp_path):
    idle = dataclasses.replace(window(2, 78).per_thread[1], latencies=latency.exact(np.zeros(0)))
    with_idle = dataclasses.replace(window(2, 78), per_thread=(window(2, 78).per_thread[0], idle))
    data = reported(tmp_path / "results.json", sweep(), rounds=(round_with(window(1, 40), with_idle),))
    assert data["sweeps"][0]["windows"][1]["slowest_ms"][1] is None


def test_a_window_in_which_no_query_began_and_ended_is_kept_without_latencies(tmp_path):
    none = dataclasses.replace(window(1, 40).per_thread[0], latencies=latency.exact(np.zeros(0)))
    empty = dataclasses.replace(window(1, 40), per_thread=(none,))
    data = reported(tmp_path / "results.json", sweep(), rounds=(round_with(empty),))
    [kept] = data["sweeps"][0]["windows"]
    assert kept["latency_ms"] == {"min": None, "p50": None, "p99": None}
    assert kept["qps"] == pytest.approx(40)


def test_a_sweep_of_very_many_threads_has_the_slowest_queries_of_some_rounds(tmp_path):
    many = rounds_of({1: 40, 512: 4000}, count=24, queries=2)
    data = reported(tmp_path / "results.json", sweep(), rounds=many)
    windows = data["sweeps"][0]["windows"]
    with_them = {one["round"] for one in windows if one["slowest_ms"] is not None}
    assert with_them == set(range(0, 24, 2))


def test_the_accepted_runs_that_a_sweep_was_compared_with_are_in_the_file(tmp_path):
    compared = sweep(accepted_runs=(run_of(run_figures(1, 40.0), run_figures(2, 77.0)),))
    [one] = reported(tmp_path / "results.json", compared)["sweeps"]
    points = [{"threads": 1, "qps": 40.0}, {"threads": 2, "qps": 77.0}]
    commit = "0123456789abcdef0123456789abcdef01234567"
    assert one["baseline"] == {"runs": [{"date": "2026-01-31T12:00:00Z", "commit": commit, "points": points}]}


def test_a_sweep_has_its_likely_cause_with_the_figures(tmp_path):
    lock = Cause(kind="lock", threads=2, text="waited", figures={"waiting_share": 0.62})
    [with_it] = reported(tmp_path / "results.json", sweep(cause=lock))["sweeps"]
    assert with_it["cause"] == {
        "kind": "lock",
        "threads": 2,
        "text": "waited",
        "figures": {"waiting_share": 0.62},
    }
    [without] = reported(tmp_path / "others.json", sweep())["sweeps"]
    assert without["cause"] is None
