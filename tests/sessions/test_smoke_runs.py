"""Smoke runs: one short round, nothing judged or recorded, and said loudly."""

from __future__ import annotations

import json
import re

import pytest

from tests.sessions.bodies import SCALES, STAYS, SYNTHETIC
from tests.suite import Suite, in_actions, text


def smoke(result: pytest.RunResult, reason: str):
    assert re.search(rf"smoke run only \({reason}", text(result))
    assert re.search(r"1 of 1 sweep NOT gated|1 test NOT gated", text(result))


def test_benchmark_disable_makes_a_smoke_run(suite: Suite):
    suite.write(SYNTHETIC.replace(", gate=False", ""))
    result = suite.run("--benchmark-disable", "-rs", "--paddle-json=out.json")
    result.assert_outcomes(skipped=1)
    smoke(result, "--benchmark-disable")
    assert "SMOKE RUN, one short round, nothing judged or recorded (--benchmark-disable)" in text(result)
    [sweep] = json.loads((suite.path / "out.json").read_text())["sweeps"]
    assert [window["round"] for window in sweep["windows"]] == [0] * 4
    assert (sweep["verdicts"], sweep["smoke_reason"]) == ([], "--benchmark-disable")


def test_benchmark_disable_that_is_taken_back_measures(suite: Suite):
    suite.write(SCALES)
    suite.run("--benchmark-disable", "--benchmark-enable").assert_outcomes(passed=1)


def test_a_smoke_run_fails_under_strict(suite: Suite):
    suite.write(SCALES)
    result = suite.run("--benchmark-disable", "--paddle-strict")
    result.assert_outcomes(failed=1)
    smoke(result, "--benchmark-disable")


def test_a_smoke_run_of_what_does_not_scale_does_not_fail(suite: Suite):
    suite.write(STAYS)
    suite.run("--benchmark-disable").assert_outcomes(skipped=1)


@pytest.mark.fault("machine", "pytest-xdist takes the cores away", "nothing is judged, and the summary says so")
def test_xdist_makes_a_smoke_run_that_the_summary_shows_and_only_the_controller_writes(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
):
    pytest.importorskip("xdist", reason="pytest-xdist is not installed")
    in_actions(suite, monkeypatch)
    suite.write(SYNTHETIC.replace(", gate=False", ""))
    result = suite.run_apart("-n", "2", "-rs", "--benchmark-json=bench.json", "--paddle-markdown=scaling.md")
    result.assert_outcomes(skipped=1)
    smoke(result, "pytest-xdist runs tests side by side")
    assert not (suite.path / "bench.json").exists()
    [command] = [line for line in result.outlines if line.startswith("::")]
    assert command.startswith("::warning title=1 test NOT gated::smoke run only (pytest-xdist")
    for name in ("summary.md", "scaling.md"):
        assert (suite.path / name).read_text().count("### Thread scaling: 1 test NOT gated") == 1


def test_xdist_without_workers_measures(suite: Suite):
    pytest.importorskip("xdist", reason="pytest-xdist is not installed")
    suite.write(SCALES)
    suite.run_apart("-n", "0").assert_outcomes(passed=1)


def test_codspeed_makes_a_smoke_run(suite: Suite):
    pytest.importorskip("pytest_codspeed", reason="pytest-codspeed is not installed")
    suite.write(SYNTHETIC.replace(", gate=False", ""))
    result = suite.run_apart("-p", "codspeed", "--codspeed", "-rs")
    result.assert_outcomes(skipped=1)
    smoke(result, "pytest-codspeed measures instead")


def test_a_benchmark_fixture_that_cannot_record_is_left_alone(suite: Suite):
    suite.write(SCALES)
    suite.write(
        """
        from pytest_paddle_mt.testing import FakeEngine
        import pytest
        from pytest_benchmark.fixture import BenchmarkFixture

        class FakeCodspeedBenchmark:
            "What pytest-codspeed puts in the fixture's place: it pretends its class, and can record nothing."

            @property
            def __class__(self):
                return BenchmarkFixture

        @pytest.fixture
        def benchmark():
            return FakeCodspeedBenchmark()

        def pytest_paddle_mt_engines():
            return [FakeEngine({1: 40.0, 2: 79.0}, name="scales")]
        """,
        "conftest",
    )
    suite.run().assert_outcomes(passed=1)


def test_without_pytest_benchmark_gates_are_on_and_recording_is_off(suite: Suite):
    suite.write(STAYS)
    result = suite.run("-p", "no:benchmark")
    result.assert_outcomes(failed=1)
    assert "benchmark: " not in text(result)


def test_without_pytest_benchmark_a_sweep_that_scales_passes(suite: Suite):
    suite.write(SCALES)
    suite.run("-p", "no:benchmark").assert_outcomes(passed=1)
