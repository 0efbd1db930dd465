"""A failed sweep is measured again before it is believed: in a fresh process, beside a control workload."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.suite import Suite, text

#: Engines that fail here; in a fresh process one fails again, one passes, one swings around the limit, one breaks.
CONFTEST = """
    import os

    from pytest_paddle_mt.testing import FakeEngine
    from pytest_paddle_mt.errors import QueryFailed, WrongAnswer

    FORK = "PYTEST_PADDLE_MT_FORK" in os.environ

    class FakeBrokenEngine(FakeEngine):
        def measure(self, threads, plan):
            if FORK and threads == 2:
                raise QueryFailed(thread=1, query=7, threads=2, message="out of memory")
            return super().measure(threads, plan)

    class FakeWrongEngine(FakeEngine):
        def measure(self, threads, plan):
            if FORK and threads == 2:
                raise WrongAnswer(thread=1, query=7, threads=2, message="a wrong one")
            return super().measure(threads, plan)

    def pytest_paddle_mt_engines():
        return [
            FakeEngine({1: 40.0, 2: 79.0}, name="scales"),
            FakeEngine({1: 40.0, 2: 41.0}, name="stays"),
            FakeEngine({1: 40.0, 2: 60.0}, name="suffers"),
            FakeEngine({1: 40.0, 2: 79.0 if FORK else 41.0}, name="heals"),
            FakeEngine({1: 40.0, 2: 68.0 if FORK else 41.0}, name="wavers", swing=0.2 if FORK else 0.005),
            FakeEngine({1: 40.0, 2: 79.0, 4: 40.0}, name="falls"),
            FakeBrokenEngine({1: 40.0, 2: 41.0}, name="breaks"),
            FakeWrongEngine({1: 40.0, 2: 41.0}, name="lies"),
        ]
"""
TEST = """
    def test_it(concurrent_runner):
        concurrent_runner(None)
"""
AGAIN = "paddle-mt: test_it.py::test_it: failed; measuring it again before that is believed"
FAILED = "scaling efficiency with 2 threads is 0.51 (0.51 to 0.52, 6 rounds), below the limit 0.85"


class Confirming:
    """A user's suite with these engines, and what it stored."""

    def __init__(self, suite: Suite):
        self.suite = suite
        suite.write(CONFTEST, "conftest")
        suite.write(TEST)

    def run(self, engine: str, *arguments: str) -> pytest.RunResult:
        """Run it on ``engine``."""
        return self.suite.run(f"--paddle-engine={engine}", "--paddle-json=out.json", "-rsf", *arguments)

    def sweep(self) -> dict[str, Any]:
        """The sweep of the results file."""
        [sweep] = json.loads((self.suite.path / "out.json").read_text())["sweeps"]
        return sweep

    def confirmation(self) -> list[dict[str, Any]]:
        """The windows of the confirmation."""
        return [window for window in self.sweep()["windows"] if window["stage"] == "confirmation"]


@pytest.fixture
def confirming(suite: Suite) -> Confirming:
    suite.confirm_in_fresh_processes()
    return Confirming(suite)


@pytest.fixture
def confirming_here(suite: Suite) -> Confirming:
    """For what does not depend on where a failure is confirmed."""
    return Confirming(suite)


def test_a_failure_that_a_fresh_process_shows_too_fails_and_says_how_it_was_confirmed(confirming: Confirming):
    result = confirming.run("stays")
    result.assert_outcomes(failed=1)
    assert AGAIN in text(result)
    assert (
        f"linear: {FAILED}. Confirmed in a fresh process: 0.51, and 0.51 relative to a control workload that shares "
        "nothing"
    ) in text(result)
    assert confirming.sweep()["status"] == "fail"
    assert confirming.sweep()["cause"]["kind"] == "unknown"  # a thread is as fast beside any other work
    assert (
        "likely cause: unknown: a query takes 95% more CPU time with 2 threads; that of one thread takes only"
        in text(result)
    )


def test_the_windows_of_the_confirmation_are_stored_with_their_control(confirming: Confirming):
    confirming.run("stays", "--paddle-seed=1")
    windows = confirming.sweep()["windows"]
    assert [one["stage"] for one in windows] == ["sweep"] * 24 + ["confirmation"] * 24
    assert [one["fork"] for one in windows] == [0] * 24 + [1] * 24
    assert [one["control"] for one in windows[:24]] == [None] * 24
    assert [one["control"] for one in windows[24:]] == pytest.approx([500, 1000, 1000, 500] * 6)
    assert [one["probe"] for one in windows] == pytest.approx([500, 1000, 1000, 500] * 12)


def test_a_failure_that_passes_in_a_fresh_process_skips_the_test_with_both_figures_and_the_points_of_the_sweep(
    confirming: Confirming,
):
    result = confirming.run("heals")
    result.assert_outcomes(skipped=1)
    assert (
        f"NOT gated: inconclusive: {FAILED}, but measured again in a fresh process it passed: scaling efficiency with "
        "2 threads is 0.99"
    ) in text(result)
    assert "Run it again; was something else at work?" in text(result)
    assert confirming.sweep()["status"] == "inconclusive"
    assert confirming.sweep()["points"][1]["qps"] == pytest.approx(41, rel=1e-3)
    assert confirming.sweep()["points"][1]["rounds"] == 6


def test_a_failure_that_passes_in_a_fresh_process_fails_under_strict(confirming: Confirming):
    result = confirming.run("heals", "--paddle-strict")
    result.assert_outcomes(failed=1)
    assert "but measured again in a fresh process it passed" in text(result)
    assert "--paddle-strict makes that a failure" in text(result)


def test_a_failure_that_a_fresh_process_cannot_decide_is_inconclusive(confirming: Confirming):
    result = confirming.run("wavers")
    result.assert_outcomes(skipped=1)
    assert f"{FAILED}, but it could not be confirmed in a fresh process: scaling efficiency" in text(result)
    assert "the interval contains the limit 0.85" in text(result)


def test_a_failure_on_a_machine_that_does_not_scale_itself_is_inconclusive(confirming_here: Confirming):
    confirming_here.suite.machine({1: 500.0, 2: 750.0})
    result = confirming_here.run("suffers")
    result.assert_outcomes(skipped=1)
    assert "scaling efficiency with 2 threads is 0.75" in text(result)
    assert (
        ", but the machine itself did not scale meanwhile: relative to a control workload that shares nothing "
        "it is 1.00. Run it where the cores are its own"
    ) in text(result)


def test_a_collapse_is_confirmed_as_well(confirming_here: Confirming):
    result = confirming_here.run("falls", "--paddle-threads=1,2,4")
    result.assert_outcomes(failed=1)
    assert "collapse: QPS with 4 threads over QPS with 2 threads is 0.51" in text(result)
    assert "Confirmed in a fresh process: 0.51, and 0.25 relative to a control workload" in text(result)
    assert "PASS linear: scaling efficiency with 2 threads is 0.99" in text(result)


def test_as_many_fresh_processes_confirm_a_failure_as_measure_a_sweep(confirming: Confirming):
    result = confirming.run("stays", "--paddle-forks=2")
    result.assert_outcomes(failed=1)
    assert "Confirmed in 2 fresh processes: 0.51" in text(result)
    assert [one["fork"] for one in confirming.confirmation()[::4]] == [1, 2] * 3


def test_a_sweep_that_passes_is_not_measured_again(confirming_here: Confirming):
    result = confirming_here.run("scales")
    result.assert_outcomes(passed=1)
    assert "measuring it again" not in text(result)
    assert {one["stage"] for one in confirming_here.sweep()["windows"]} == {"sweep"}


def test_a_smoke_run_confirms_nothing(confirming_here: Confirming):
    confirming_here.suite.write(
        CONFTEST
        + """
    from pytest_paddle_mt.records import Verdict

    class FakeCheck:
        name = "never content"

        def judge(self, evidence):
            return [Verdict(check=self.name, threads=2, status="fail", observed=0.0, limit=1.0, reason="not enough")]

    def pytest_paddle_mt_checks():
        return [FakeCheck()]
        """,
        "conftest",
    )
    result = confirming_here.run("stays", "--benchmark-disable")
    result.assert_outcomes(skipped=1)
    assert "measuring it again" not in text(result)
    assert {one["stage"] for one in confirming_here.sweep()["windows"]} == {"sweep"}


@pytest.mark.parametrize(("engine", "status"), [("stays", "fail"), ("heals", "inconclusive")])
def test_a_failure_without_a_gate_is_confirmed_too(confirming: Confirming, engine, status):
    confirming.suite.write(
        f"""
        def test_it(concurrent_runner):
            result = concurrent_runner(None, gate=False)
            assert result.status == "{status}"
            assert result.at(threads=2).qps < 42
            print("the body went on")
        """
    )
    result = confirming.run(engine, "-s")
    result.assert_outcomes(passed=1)
    assert text(result).count("the body went on") == 1
    assert AGAIN in text(result)
    assert len(confirming.confirmation()) == 24


def test_where_no_fresh_process_can_run_the_test_this_one_confirms_and_says_so(confirming: Confirming):
    confirming.suite.write(
        """
        import os
        import pytest

        @pytest.fixture
        def licence():
            if "PYTEST_PADDLE_MT_FORK" in os.environ:
                raise RuntimeError("the licence is taken")

        def test_it(licence, concurrent_runner):
            concurrent_runner(None)
        """
    )
    result = confirming.run("stays")
    result.assert_outcomes(failed=1)
    assert f"{FAILED}. Confirmed in this process: 0.51, and 0.51 relative to a control workload" in text(result)
    begins = "a fresh process could not confirm the failure, so what had measured it did: fork 1 ended"
    [warning] = [one for one in confirming.sweep()["warnings"] if one["text"].startswith(begins)]
    assert warning["kind"] == "fork_ended_badly"
    assert "the licence is taken" in warning["text"]
    assert {one["fork"] for one in confirming.confirmation()} == {0}
    assert [one["control"] for one in confirming.confirmation()] == pytest.approx([500, 1000, 1000, 500] * 6)


@pytest.mark.fault("processes", "the process that confirms a failure breaks", "this process confirms it, with a note")
def test_where_a_fresh_process_breaks_halfway_this_one_measures_all_of_it(confirming: Confirming):
    result = confirming.run("breaks")
    result.assert_outcomes(failed=1)
    assert "Confirmed in this process: 0.51" in text(result)
    [warning] = confirming.sweep()["warnings"]
    assert (
        "so what had measured it did: query 7 of thread 1 failed while 2 threads ran: out of memory" in warning["text"]
    )
    assert [one["fork"] for one in confirming.confirmation()] == [0] * 24


@pytest.mark.fault("answers", "the process that confirms a failure answers wrongly", "the test fails for that")
def test_a_wrong_answer_in_the_fresh_process_fails_the_test_itself(confirming: Confirming):
    result = confirming.run("lies")
    result.assert_outcomes(failed=1)
    assert "WrongAnswer: query 7 of thread 1 was answered wrongly while 2 threads ran: a wrong one" in text(result)
    assert "Confirmed" not in text(result)


def test_the_control_is_real_work_in_as_many_threads(confirming: Confirming):
    """In a fresh process of its own, with the control as it is; what becomes of the test is the machine's affair."""
    confirming.suite.run_apart("--paddle-engine=stays", "--paddle-json=out.json", "--paddle-rounds=4")
    windows = confirming.confirmation()
    assert len(windows) == 16
    assert len({one["control"] for one in windows}) == 16
    assert min(one["control"] for one in windows) > 0


def test_a_session_does_not_keep_the_rounds_of_a_confirmation(confirming_here: Confirming):
    confirming_here.suite.write(
        TEST
        + """
    def test_next(request):
        from pytest_paddle_mt.plugin.session import session_of

        [sweep] = session_of(request.config).sweeps
        assert sweep.status == "fail"
        assert not hasattr(sweep, "rounds")
        """
    )
    confirming_here.run("stays").assert_outcomes(failed=1, passed=1)
