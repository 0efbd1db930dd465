"""Nothing is lost when something breaks."""

from __future__ import annotations

import json

import pytest

from tests.sessions.bodies import SCALES, SYNTHETIC
from tests.suite import Suite, text


@pytest.mark.fault("results", "the test fails after its sweep", "the sweep is in the results file")
def test_the_results_file_holds_a_sweep_whose_test_failed_afterwards(suite: Suite):
    suite.write(SCALES.replace("> 70", "> 7000"))
    suite.run("--paddle-json=out.json")
    [sweep] = json.loads((suite.path / "out.json").read_text())["sweeps"]
    assert (sweep["nodeid"], sweep["engine"], sweep["status"]) == ("test_it.py::test_it", "scales", "pass")


@pytest.mark.fault(
    "results", "a results file cannot be written", "one error line and exit status 1; verdicts and other reports stay"
)
def test_a_results_file_that_cannot_be_written_costs_the_other_reports_nothing(suite: Suite):
    suite.write(SCALES)
    (suite.path / "file").write_text("not a directory")
    result = suite.run("--paddle-json=file/out.json", "--benchmark-json=bench.json")
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "scales engine, cpu" in text(result)
    [error] = [line for line in result.outlines if "out.json" in line]
    assert error.startswith(
        f"paddle-mt: ERROR: {suite.path}/file/out.json could not be written: {suite.path}/file is not"
    )
    assert len(json.loads((suite.path / "bench.json").read_text())["benchmarks"]) == 2


@pytest.mark.fault("results", "the disk fills up", "the file keeps the sweeps that it had")
def test_a_disk_that_fills_up_costs_no_sweep_that_was_stored(suite: Suite):
    suite.write(
        """
        import pytest

        @pytest.mark.parametrize("one", range(3))
        @pytest.mark.paddle_scaling(engine="scales")
        def test_it(concurrent_runner, one):
            concurrent_runner(None)
        """
    )
    suite.write(
        """
        import os
        import resource

        from pytest_paddle_mt.testing import FakeEngine

        def pytest_paddle_mt_engines():
            return [FakeEngine({1: 40.0, 2: 79.0}, name="scales")]

        def pytest_paddle_mt_sweep_finished(sweep, config):
            room = os.path.getsize("out.json") + 1000  # for this sweep, and not for another
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
        """,
        "conftest",
    )
    result = suite.run_apart("--paddle-json=out.json")
    result.assert_outcomes(passed=3)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "out.json could not be written: File too large; it contains 1 of 3 sweeps of this session" in text(result)
    assert "paddle-mt: results of" not in text(result)
    stored = json.loads((suite.path / "out.json").read_text())
    assert [sweep["nodeid"] for sweep in stored["sweeps"]] == ["test_it.py::test_it[0]"]
    assert [path.name for path in suite.path.iterdir() if "out.json" in path.name] == ["out.json"]


def test_a_failed_query_names_thread_query_and_count_at_the_test_s_own_line(suite: Suite):
    suite.write(
        """
        from pytest_paddle_mt import SyntheticWork

        def test_it(concurrent_runner):
            concurrent_runner(SyntheticWork(spin_ns=50_000, fail_at=5))
        """
    )
    result = suite.run()
    result.assert_outcomes(failed=1)
    assert "QueryFailed: query 5 of thread 0 failed while 1 thread ran" in text(result)
    assert "test_it.py:5: QueryFailed" in text(result)
    assert "closed_loop.py" not in text(result)
    assert "paddle thread scaling" not in text(result)


def test_synthetic_work_is_measured_on_the_synthetic_engine_whatever_the_engine(suite: Suite):
    suite.write(SYNTHETIC)
    result = suite.run("--paddle-engine=python")
    result.assert_outcomes(passed=1)
    assert "synthetic engine, cpu" in text(result)


@pytest.mark.fault("processes", "Ctrl-C in a sweep without forks", "no half result is reported")
def test_ctrl_c_in_a_sweep_stops_the_session_and_reports_no_part_of_it(suite: Suite):
    suite.write(
        """
        import _thread
        import threading
        from pytest_paddle_mt import SyntheticWork

        def test_it(concurrent_runner):
            threading.Timer(0.3, _thread.interrupt_main).start()
            concurrent_runner(SyntheticWork(spin_ns=1_000_000))
        """
    )
    result = suite.run_apart("--paddle-window=30", "--paddle-json=out.json", "--benchmark-json=bench.json")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert "KeyboardInterrupt" in text(result)
    assert "paddle thread scaling" not in text(result)
    assert not (suite.path / "out.json").exists()
    assert not (suite.path / "bench.json").exists() or (suite.path / "bench.json").read_text() == ""
