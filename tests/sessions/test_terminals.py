"""What closes, repeats or ends a session from outside: a terminal, ``--lf``, a worker of pytest-xdist."""

from __future__ import annotations

import os
import pty
import signal
import sys

import pytest

from tests.suite import until


def status_of(process):
    """With which status a process ended; a minute without is a failure."""
    ended = []

    def has_ended():
        number, status = os.waitpid(process, os.WNOHANG)
        ended.append(status)
        return number

    until(has_ended)
    return ended[-1]


def on_a_terminal(suite, *arguments, ignored=()):
    """Start pytest on a terminal of its own; the process, and the end that a window of a desktop would have."""
    process, controller = pty.fork()
    if process == 0:
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)
        os.chdir(suite.path)
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", *arguments]
        os.execv(sys.executable, command)
    return process, controller


@pytest.mark.fault("machine", "the terminal closes (SIGHUP)", "no fork and no temporary folder is left")
def test_a_terminal_that_closes_leaves_neither_forks_nor_their_files(forked):
    forked.conftest('def while_measuring(threads):\n    wait_for_ever("window")')
    process, controller = on_a_terminal(forked, "--paddle-forks=1")
    until((forked.path / "window").exists)
    os.close(controller)
    assert os.WTERMSIG(status_of(process)) == signal.SIGHUP
    assert [path.name for path in forked.temporary.iterdir() if "paddle" in path.name] == []
    until(lambda: not forked.processes())


@pytest.mark.fault("machine", "the terminal closes under `nohup`", "the sweep goes on, and is in the results file")
def test_a_sweep_whose_terminal_closed_is_stored_where_that_is_ignored(forked):
    forked.conftest(
        """
        def while_measuring(threads):
            (HERE / "window").touch()
            while not (HERE / "closed").exists():
                time.sleep(0.01)
        """
    )
    # With a fork: only then does the plugin handle SIGHUP, to leave nothing of the fork behind.
    arguments = ("--paddle-forks=1", "--paddle-json=results.json")
    process, controller = on_a_terminal(forked, *arguments, ignored=[signal.SIGHUP])
    until((forked.path / "window").exists)
    os.close(controller)
    (forked.path / "closed").touch()
    status_of(process)
    assert [sweep["nodeid"] for sweep in forked.results()] == ["test_it.py::test_serves"]


@pytest.mark.fault("results", "`--lf` after a failure", "what failed is measured again, and what was undecided is not")
def test_the_last_failure_is_measured_again(suite):
    suite.write(
        """
        import pytest

        @pytest.mark.paddle_scaling(engine="swings")
        def test_undecided(concurrent_runner):
            concurrent_runner(None)

        def test_wrong(concurrent_runner):
            assert concurrent_runner(None).at(threads=2).qps < 0
        """
    )
    arguments = ("-p", "no:hypothesispytest", "-p", "no:anyio", "-p", "no:codspeed", "--paddle-json=results.json")
    run = suite.pytester.runpytest_inprocess
    run(*arguments, "--paddle-engine=scales").assert_outcomes(failed=1, skipped=1)
    run(*arguments, "--paddle-engine=scales", "--lf").assert_outcomes(failed=1)
    assert [sweep["nodeid"] for sweep in suite.results()] == ["test_it.py::test_wrong"]
    run(*arguments, "--paddle-engine=scales", "--paddle-strict").assert_outcomes(failed=2)
    run(*arguments, "--paddle-engine=scales", "--lf").assert_outcomes(failed=1, skipped=1)


@pytest.mark.fault("processes", "a worker of pytest-xdist crashes", "its test fails, the others run, nothing is gated")
def test_a_worker_that_crashes_fails_its_test_and_no_other(suite):
    pytest.importorskip("xdist", reason="pytest-xdist is not installed")
    suite.write(
        """
        import os

        def test_crashes(concurrent_runner):
            os._exit(3)

        def test_next(concurrent_runner):
            concurrent_runner(None)
        """
    )
    result = suite.run_apart("-n1", "--paddle-engine=scales")
    result.assert_outcomes(failed=1, skipped=1)
    result.stdout.fnmatch_lines(["*worker 'gw0' crashed*", "*NOT gated*"])
