"""What becomes of the time that other work on the machine took."""

from __future__ import annotations

import json

import pytest

from pytest_paddle_mt.machine.cores import available_cores
from tests.sessions.bodies import SCALES
from tests.suite import Suite, text

DISTURBED = """
    from pytest_paddle_mt.testing import FakeEngine

    def pytest_paddle_mt_engines():
        return [FakeEngine({1: 40.0, 2: %s}, name="scales", at=2, %s)]
"""


@pytest.mark.fault("machine", "other work takes the cores", "its time is taken out, with a note")
def test_time_that_other_work_took_is_taken_out_and_said(suite: Suite):
    suite.write(SCALES)
    suite.write(DISTURBED % (60.0, "delay_share=0.25"), "conftest")
    result = suite.run("--paddle-json=out.json")
    result.assert_outcomes(passed=1)
    assert "PASS linear: scaling efficiency with 2 threads is 1.00" in text(result)
    [sweep] = json.loads((suite.path / "out.json").read_text())["sweeps"]
    assert sweep["points"][1]["qps"] == pytest.approx(80, rel=1e-3)
    [warning] = sweep["warnings"]
    assert warning["kind"] == "lost_time"
    assert warning["text"].startswith(
        "2 threads: other work took 25% of their time; throughput and efficiency are corrected"
    )
    assert f"note: {warning['text']}"[:60] in text(result)


def test_a_little_time_that_other_work_took_is_taken_out_without_a_word(suite: Suite):
    suite.write(SCALES)
    suite.write(DISTURBED % (76.8, "delay_share=0.04"), "conftest")
    suite.run("--paddle-json=out.json").assert_outcomes(passed=1)
    [sweep] = json.loads((suite.path / "out.json").read_text())["sweeps"]
    assert sweep["points"][1]["qps"] == pytest.approx(80, rel=1e-3)
    assert sweep["warnings"] == []


@pytest.mark.parametrize(
    "disturbed",
    [
        "delay_share=0.8",
        pytest.param(
            f"stolen_cores={available_cores().usable}",  # all that there are
            id="stolen_cores",
            marks=pytest.mark.fault("machine", "the hypervisor steals time", "those rounds are set aside, with a note"),
        ),
    ],
)
def test_rounds_that_cannot_be_corrected_are_set_aside_and_said(suite: Suite, disturbed: str):
    suite.write(SCALES.replace("> 70", "> 10"))
    suite.write(DISTURBED % (16.0, disturbed), "conftest")
    result = suite.run("--paddle-json=out.json", "-rs")
    result.assert_outcomes(skipped=1)
    assert "other work on this machine took the cores away in 6 of 6 rounds" in text(result)
    [sweep] = json.loads((suite.path / "out.json").read_text())["sweeps"]
    [warning] = [one for one in sweep["warnings"] if one["kind"] == "preempted"]
    assert warning["text"].startswith("2 threads: 6 of 6 rounds were set aside because other work took the cores away")


@pytest.mark.fault("machine", "two threads share a core", "those rounds are set aside, with a note")
def test_rounds_on_shared_cores_are_set_aside_and_said(suite: Suite):
    suite.machine({1: 500.0, 2: 510.0})
    suite.write(SCALES)
    result = suite.run("--paddle-json=out.json", "-rs")
    result.assert_outcomes(skipped=1)
    assert "two threads had one core between them in 6 of 6 rounds, as a probe that fills cores shows" in text(result)
    [sweep] = json.loads((suite.path / "out.json").read_text())["sweeps"]
    assert sweep["points"][1]["shared_core_rounds"] == 6
    assert [one["kind"] for one in sweep["warnings"]] == ["cores_shared"]
    assert [window["probe"] for window in sweep["windows"] if window["threads"] == 1] == [pytest.approx(500)] * 12
    [warning] = sweep["warnings"]
    assert warning["text"].startswith(
        "2 threads: 6 of 6 rounds were set aside because two threads shared one physical core"
    )
