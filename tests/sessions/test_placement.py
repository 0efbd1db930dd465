"""``--paddle-pin`` as users meet it: shown, written to the results file, and known to baselines."""

from __future__ import annotations

import json
import os

from tests.suite import Suite, text

CPUS = sorted(os.sched_getaffinity(0))[:2]
PIN = f"--paddle-pin={','.join(map(str, CPUS))}"
SHORT = ("--paddle-rounds=1", "--paddle-window=2q")


def test_where_the_threads_ran_is_shown_and_written_down(suite: Suite):
    suite.write("""
        from pytest_paddle_mt import SyntheticWork

        def test_it(concurrent_runner):
            concurrent_runner(SyntheticWork(spin_ns=1e4), gate=False)
    """)
    result = suite.run(PIN, "--paddle-threads=1,2,3", *SHORT, "--paddle-json=results.json")
    result.assert_outcomes(passed=1)
    assert "pinned to CPU" in text(result)
    assert "not on its CPU" not in text(result)
    (sweep,) = json.loads((suite.path / "results.json").read_text())["sweeps"]
    assert sweep["pinned_to"] == CPUS
    of_one = [window["cpus"] for window in sweep["windows"] if window["threads"] == 1]
    assert of_one == [[CPUS[0]], [CPUS[-1]]]
    assert [window["cpus"] for window in sweep["windows"] if window["threads"] == 3] == [CPUS]


def test_without_the_option_nothing_is_placed(suite: Suite):
    suite.write("def test_it(concurrent_runner): concurrent_runner(None, gate=False)")
    result = suite.run(*SHORT, "--paddle-engine=scales", "--paddle-json=results.json")
    assert "pinned to" not in text(result)
    (sweep,) = json.loads((suite.path / "results.json").read_text())["sweeps"]
    assert sweep["pinned_to"] == []
    assert {window["cpus"] for window in sweep["windows"]} == {None}


def test_an_engine_that_does_not_place_threads_is_noted(suite: Suite):
    suite.write("def test_it(concurrent_runner): concurrent_runner(None, gate=False)")
    result = suite.run(PIN, *SHORT, "--paddle-engine=scales")
    assert "a thread was not on its CPU at the end" in text(result)


def test_a_cpu_that_this_process_may_not_use_fails_the_test_with_those_that_it_may(suite: Suite):
    suite.write("def test_it(concurrent_runner): concurrent_runner(None)")
    result = suite.run("--paddle-pin=1023", *SHORT, "--paddle-engine=scales")
    result.assert_outcomes(failed=1)
    assert "--paddle-pin=1023: this process may not use CPU 1023; give some of" in text(result)


def test_a_pinned_run_is_not_compared_with_one_that_was_not(suite: Suite):
    suite.write("def test_it(concurrent_runner): concurrent_runner(None)")
    arguments = ("--paddle-engine=scales", "--paddle-threads=1,2", "--paddle-linear-until=2")
    suite.run(*arguments, "--paddle-baseline-update").assert_outcomes(passed=1)
    result = suite.run(*arguments, PIN)
    result.assert_outcomes(skipped=1)
    assert "recorded with another setting: pinned to no CPU there and CPU " in text(result)
