"""Forks: what runs where, and what becomes of the test when something goes wrong in one."""

from __future__ import annotations

import itertools
import re
import signal

import pytest

from pytest_paddle_mt.workers.protocol import PROTOCOL
from tests.suite import interrupt, until


def shown(result):
    """What it printed, on one line with single spaces."""
    return " ".join([*result.outlines, *result.errlines]).replace("E   ", " ")


def told(result, *parts):
    """Assert that one test failed and said all this, and that the next one ran."""
    text = " ".join(shown(result).split())
    result.assert_outcomes(failed=1, passed=1)
    for part in parts:
        assert part in text, text


# What runs where


def test_rounds_go_in_turn_to_forks_that_are_ready_before_and_measure_one_at_a_time(forked):
    result = forked.run_forked("--paddle-rounds=5", "--paddle-json=results.json", forks=3)
    result.assert_outcomes(passed=2)
    assert forked.notes("after") == [["0", "1", "2", "3", "1", "2"]]
    assert [window["fork"] for window in forked.results()[0]["windows"][::4]] == [1, 2, 3, 1, 2]
    assert "forks 3" in shown(result)
    assert_ready_before_the_first_window_and_measuring_one_at_a_time(forked, forks=3, windows=20)


def assert_ready_before_the_first_window_and_measuring_one_at_a_time(forked, forks, windows):
    prepared = [int(at) for _, at in forked.notes("prepared")]
    measured = [(int(began), int(ended)) for _, began, ended in forked.notes("measured")]
    assert (len(prepared), len(measured)) == (forks, windows)
    assert max(prepared) < measured[0][0]
    assert all(ended <= began for (_, ended), (began, _) in itertools.pairwise(measured))


def test_what_precedes_the_runner_runs_in_every_process_and_what_follows_it_in_the_parent(forked):
    forked.write(
        """
        import pytest
        from conftest import *

        @pytest.fixture(scope="session", autouse=True)
        def whole_session():
            note("session up")
            yield
            note("session down")

        @pytest.fixture
        def own():
            note("own up")
            yield
            note("own down")

        def test_serves(own, concurrent_runner):
            note("before")
            try:
                concurrent_runner([], gate=False)
                note("behind")
            except Exception:
                note("caught")
        """
    )
    forked.run_forked(forks=2).assert_outcomes(passed=1)
    for word in ("session", "own", "before"):
        assert sorted(fork for fork, *_ in forked.notes(word)) == sorted("012" * (1 if word == "before" else 2))
    assert forked.notes("behind") == [["0"]]
    assert forked.notes("caught") == []


def test_without_forks_everything_is_measured_in_this_process(forked):
    forked.run_forked("--paddle-json=results.json", forks=0).assert_outcomes(passed=2)
    assert {window["fork"] for window in forked.results()[0]["windows"]} == {0}
    assert {fork for fork, *_ in forked.notes("measured")} == {"0"}


@pytest.mark.parametrize("how", ["marker", "environment", "ini"])
def test_forks_can_be_asked_for_wherever_options_are(forked, monkeypatch, how):
    if how == "environment":
        monkeypatch.setenv("PYTEST_PADDLE_FORKS", "1")
    elif how == "ini":
        with (forked.path / "pytest.ini").open("a") as ini:
            ini.write("paddle-forks = 1\n")
    else:
        forked.write(
            "import pytest\nfrom conftest import *\n@pytest.mark.paddle_scaling(forks=1)\n"
            "def test_serves(concurrent_runner):\n    concurrent_runner([], gate=False)\n"
        )
    forked.run_forked(forks=None)
    assert {fork for fork, *_ in forked.notes("measured")} == {"1"}


@pytest.mark.parametrize(
    ("argument", "reason"), [("--benchmark-disable", "--benchmark-disable"), ("-n1", "pytest-xdist")]
)
def test_a_smoke_run_stays_in_this_process_and_says_so(forked, argument, reason):
    if argument == "-n1":
        pytest.importorskip("xdist")
    result = forked.run_forked(argument, forks=2)
    assert {fork for fork, *_ in forked.notes("measured")} == {"0"}
    if argument != "-n1":  # a worker of xdist prints nothing
        assert "one short round, in this process instead of 2 forks" in shown(result)


def test_the_order_of_the_windows_is_that_of_the_seed_with_and_without_forks(forked):
    orders = []
    for forks in (0, 1):
        forked.run_forked("--paddle-json=results.json", "--paddle-threads=1-4", "--paddle-seed=5", forks=forks)
        orders.append([window["threads"] for window in forked.results()[0]["windows"]])
    assert set(orders[0]) == {1, 2, 3, 4}
    assert orders[0] == orders[1]


def test_a_call_from_a_fixture_is_served_too(forked):
    forked.write(
        """
        import pytest
        from conftest import *

        @pytest.fixture
        def measured(concurrent_runner):
            return concurrent_runner([], gate=False)

        def test_serves(measured):
            assert [one.fork for one in measured.measured.rounds] == [1, 1]
        """
    )
    forked.run_forked().assert_outcomes(passed=1)


# What a fork prints


def test_what_a_fork_prints_is_shown_when_its_test_fails(forked):
    forked.write(
        """
        from conftest import *

        def test_serves(concurrent_runner):
            print("printed by", "fork" if FORK else "parent")
            concurrent_runner([], gate=False)
            assert FORK

        def test_next():
            pass
        """
    )
    result = forked.run_forked(forks=2)
    told(result, "Captured output of fork 1 call", "Captured output of fork 2 call", "printed by fork")


def test_printing_to_the_standard_streams_disturbs_nothing(forked):
    forked.in_fork(
        """
        os.write(1, b"\\xff binary \\n" * 10000)
        os.system("echo from a shell; echo on the other stream >&2")
        print("printed at import")
        """
    )
    result = forked.run_forked()
    result.assert_outcomes(passed=2)
    assert "binary" not in shown(result)
    assert "from a shell" not in shown(result)


# What goes wrong


@pytest.mark.fault("processes", "a fork exits by itself", "its test fails and quotes what was printed last")
def test_a_fork_that_exits_early_is_a_failure_that_quotes_what_it_printed(forked):
    forked.fixture('print("last words"); os._exit(3)')
    result = forked.run_forked()
    ended = "fork 1 exited with status 3 while it ran the test up to concurrent_runner"
    told(result, ended, "Its output:", "last words")
    assert "output of fork 1" not in shown(result)  # all of it is in the message


@pytest.mark.fault(
    "processes",
    "a fork is killed (SIGKILL, out of memory)",
    "its test fails with signal, thread count and last output; the session goes on",
)
def test_a_fork_that_is_killed_while_it_measures_is_a_failure_with_signal_and_thread_count(forked):
    forked.in_fork(
        """
        def while_measuring(threads):
            if threads == 2:
                print("about to die")
                os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    result = forked.run_forked("--paddle-json=results.json", forks=2)
    advice = "happens with one thread (--paddle-threads=1) or without forks (--paddle-forks=0)."
    told(result, "fork 1 died of SIGKILL while it measured 2 threads", "memory runs out", advice, "about to die")
    assert forked.results() == []


def test_a_segmentation_fault_is_a_failure_with_the_stacks(forked):
    forked.in_fork(
        """
        def while_measuring(threads):
            SEGFAULT()
        """
    )
    told(
        forked.run_forked(),
        "fork 1 died of SIGSEGV while it measured 1 thread",
        "Find out whether it also happens without forks (--paddle-forks=0).",
        "Fatal Python error: Segmentation fault",
        "in while_measuring",
    )


@pytest.mark.fault("processes", "SIGSEGV in a measuring thread of a fork", "its test fails with the stacks")
def test_a_segmentation_fault_in_a_measuring_thread_is_a_failure_with_the_stacks(forked):
    forked.write(
        """
        from conftest import *

        def test_serves(concurrent_runner):
            concurrent_runner(SyntheticWork(spin_ns=1e4, crash_at=5), gate=False)

        def test_next():
            pass
        """
    )
    result = forked.run_forked("--paddle-engine=synthetic")
    told(
        result,
        "fork 1 died of SIGSEGV while it measured 1 thread",
        "Fatal Python error: Segmentation fault",
        "in measure",
        "in test_serves",
    )
    printed = result.stdout.str()
    assert printed.count("Fatal Python error") == 1
    assert "pluggy/" not in printed


@pytest.mark.fault(
    "processes", "SIGSEGV without forks", "pytest ends; test, signal and the user's part of the stacks are printed"
)
def test_a_segmentation_fault_in_a_measuring_thread_prints_the_stacks_without_forks_too(forked):
    forked.write(
        """
        from conftest import *

        def test_serves(concurrent_runner):
            concurrent_runner(SyntheticWork(spin_ns=1e4, crash_at=5), gate=False)
        """
    )
    result = forked.run_apart("--paddle-engine=synthetic")
    assert result.ret == -signal.SIGSEGV
    lines = [line for line in result.errlines if line.strip()]
    assert lines[:3] == [
        "paddle-mt: test_it.py::test_serves crashed while it measured 1 thread",
        "--paddle-forks=1 measures in another process, whose crash ends this test alone.",
        "Fatal Python error: Segmentation fault",
    ]
    assert any(re.search(r"test_it.py., line \d+ in test_serves$", line) for line in lines)
    assert not [line for line in lines if re.search(r"/(_pytest|pluggy)/|Extension modules", line)]
    assert len(lines) < 12, "a screen is enough"


def test_a_crash_is_reported_whole_where_nothing_can_shorten_it(forked):
    forked.conftest(
        """
        import sys
        sys.executable = "/nowhere/python"

        def while_measuring(threads):
            SEGFAULT()
        """
    )
    result = forked.run_apart()
    assert result.ret == -signal.SIGSEGV
    result.stderr.fnmatch_lines(["*Fatal Python error: Segmentation fault*", "*_pytest*", "*pluggy*"])


@pytest.mark.parametrize("arguments", [(), ("-q",)])
@pytest.mark.fault(
    "processes", "a process without forks ends without a word", "the test's name is the last line of the output"
)
def test_without_forks_the_test_of_a_crash_stands_in_the_output_on_one_line(forked, arguments):
    forked.conftest(
        """
        def while_measuring(threads):
            print("captured, and lost")
            os._exit(3)
        """
    )
    result = forked.run_apart(*arguments)
    assert result.ret == 3
    [line] = [line for line in result.outlines if "test_serves" in line]
    assert line == [line for line in result.outlines if line.strip()][-1]
    assert line.startswith("paddle-mt: test_it.py::test_serves: watched engine, threads 1, 2: ")


def test_the_test_of_a_crash_stands_in_the_output_before_compare_makes_anything(forked):
    forked.write(
        """
        from conftest import *

        class Ends(Watched):
            def open(self, workload):
                os._exit(3)

        def test_serves(concurrent_runner):
            concurrent_runner._serving._engine = Ends()
            concurrent_runner.compare([], [])
        """
    )
    result = forked.run_apart()
    assert result.ret == 3
    result.stdout.fnmatch_lines(["paddle-mt: test_it.py::test_serves: watched engine, threads 1, 2, b against a*"])


@pytest.mark.fault(
    "processes", "native code hangs with the GIL in a fork", "its test fails after a deadline, with all stacks"
)
def test_a_hang_in_native_code_is_a_failure_with_the_stacks_of_every_thread(forked):
    forked.conftest(
        """
        fork.SLACK_S = 1.0
        fork.UNKNOWN_QUERY_S = 0.0

        def beside():
            threading.Event().wait()

        def while_measuring(threads):
            threading.Thread(target=beside, daemon=True).start()
            hang_in_native_code()
        """
    )
    told(
        forked.run_forked(),
        "fork 1 hung: it did not answer within 1 s while it measured 1 thread, and was killed",
        "in hang_in_native_code",
        "in beside",
    )


@pytest.mark.fault("processes", "a fixture hangs in a fork", "its test fails after a deadline")
def test_a_hang_in_a_fixture_is_a_failure_too(forked):
    forked.fixture('wait_for_ever("fixture")')
    forked.conftest_too("fork.READY_S = 3.0")
    told(forked.run_forked(), "fork 1 hung: it did not answer within 3 s while it ran the test", "in wait_for_ever")


@pytest.mark.fault(
    "processes", "a fork is stopped (SIGSTOP)", "its test fails after a deadline and says why there are no stacks"
)
def test_a_stopped_fork_is_a_failure_that_says_why_there_are_no_stacks(forked):
    forked.conftest(
        """
        fork.SLACK_S, fork.UNKNOWN_QUERY_S, fork.STACKS_S = 1.0, 0.0, 0.5

        def while_measuring(threads):
            os.kill(os.getpid(), signal.SIGSTOP)
        """
    )
    told(forked.run_forked(), "fork 1 hung", "it did not even take a signal")


@pytest.mark.fault("processes", "a fixture fails in a fork only", "its test fails with the traceback")
def test_an_error_in_a_fixture_of_a_fork_is_a_failure_with_its_traceback(forked):
    forked.fixture('raise RuntimeError("no room for two")')
    told(
        forked.run_forked(),
        "fork 1 ended while it ran the test up to concurrent_runner: setup failed:",
        "RuntimeError: no room for two",
    )


@pytest.mark.fault("processes", "a test is skipped in a fork only", "it fails with that reason")
def test_a_test_that_is_skipped_only_in_a_fork_is_a_failure_with_the_reason(forked):
    forked.fixture('pytest.skip("the port is taken")')
    told(forked.run_forked(), "the test was skipped in setup: Skipped: the port is taken")


@pytest.mark.fault("processes", "a test does not reach the runner in a fork", "it fails and says so")
def test_a_test_that_does_not_reach_the_runner_in_a_fork_is_a_failure(forked):
    forked.write(
        """
        from conftest import *

        def test_serves(concurrent_runner):
            if not FORK:
                concurrent_runner([], gate=False)

        def test_next():
            pass
        """
    )
    told(forked.run_forked(), "the test did not wait in concurrent_runner as it did here")


@pytest.mark.fault("processes", "a test's id has a random part", "it fails and says why")
def test_a_test_whose_id_changes_from_process_to_process_is_a_failure_that_says_why(forked):
    forked.write(
        """
        import os
        import pytest
        from conftest import *

        @pytest.mark.parametrize("process", [os.getpid()])
        def test_serves(process, concurrent_runner):
            concurrent_runner([], gate=False)

        def test_next():
            pass
        """
    )
    told(forked.run_forked(), "there is no test 'test_it.py::test_serves[", "an id must be the same in every process")


@pytest.mark.fault("processes", "a module cannot be imported in a fork", "its test fails with the traceback")
def test_a_module_that_cannot_be_imported_in_a_fork_is_a_failure(forked):
    forked.write("import os\nassert 'PYTEST_PADDLE_MT_FORK' not in os.environ, 'not here'\n" + forked_test())
    told(forked.run_forked(), "the test was not collected", "not here")


def forked_test():
    return """
from conftest import *

def test_serves(concurrent_runner):
    concurrent_runner([], gate=False)

def test_next():
    pass
"""


@pytest.mark.fault("processes", "a fork finds another version of the plugin", "its test fails and names both")
def test_another_version_of_the_plugin_is_a_failure_that_names_both(forked, monkeypatch):
    # Python imports this before anything else, so also before the fork says who it is.
    (forked.path / "sitecustomize.py").write_text(
        "import os\n"
        "if 'PYTEST_PADDLE_MT_FORK' in os.environ:\n"
        "    import pytest_paddle_mt\n"
        "    pytest_paddle_mt.__version__ = '0.0.1'\n"
    )
    forked.pytester.syspathinsert(forked.path)
    monkeypatch.setenv("PYTHONPATH", str(forked.path))
    told(
        forked.run_forked(),
        f"fork 1 has pytest-paddle-mt 0.0.1 (protocol {PROTOCOL})",
        "this process has",
        "keep one of them",
    )


@pytest.mark.fault("processes", "a fork speaks another protocol", "its test fails and names both")
def test_another_protocol_is_a_failure(forked):
    forked.conftest("fork.PROTOCOL = 99")
    told(forked.run_forked(), f"(protocol {PROTOCOL}) from", "(protocol 99) from")


@pytest.mark.fault("processes", "the connection to a fork breaks inside a message", "its test fails")
def test_a_connection_cut_in_the_middle_of_a_message_is_a_failure(forked):
    forked.in_fork(
        """
        def while_measuring(threads):
            def cut(self, message):
                self._connection.sendall(b"PMT\\n\\0\\0")
                os._exit(0)
            protocol.Channel.send = cut
        """
    )
    told(
        forked.run_forked(),
        "fork 1 exited with status 0 while it measured 2 threads (the other end went in the middle of a message",
    )


@pytest.mark.fault(
    "processes", "a test writes into the connection of its fork", "its test fails and asks what wrote there"
)
def test_bytes_on_the_connection_that_are_no_message_are_a_failure(forked):
    forked.in_fork(
        """
        def while_measuring(threads):
            protocol.Channel.send = lambda self, message: self._connection.sendall(b"debug output" * 10)
        """
    )
    told(forked.run_forked(), "fork 1 sent something else than a message while it measured 2 threads", "debug output")


@pytest.mark.fault("processes", "an engine of another plugin raises in a fork", "the test fails with the traceback")
def test_an_error_in_a_window_is_a_failure_with_its_traceback(forked):
    forked.in_fork("def while_measuring(threads):\n    raise LookupError('no such row')")
    told(
        forked.run_forked(),
        "fork 1 failed while it measured 1 thread",
        "LookupError: no such row",
        "in while_measuring",
    )


def test_a_failed_query_is_told_as_it_is_without_forks(forked):
    forked.write(
        """
        from conftest import *

        def test_serves(concurrent_runner):
            concurrent_runner(SyntheticWork(spin_ns=1e4, fail_at=5), gate=False)

        def test_next():
            pass
        """
    )
    for forks in (0, 1):
        told(forked.run_forked(forks=forks), "QueryFailed: query 5 of thread 0 failed while 1 thread ran")


def test_an_error_of_the_user_is_told_as_it_is_without_forks(forked):
    forked.write(
        """
        from conftest import *

        def test_serves(concurrent_runner):
            concurrent_runner(SyntheticWork(spin_ns=-1), gate=False)

        def test_next():
            pass
        """
    )
    for forks in (0, 1):
        told(forked.run_forked(forks=forks), "UsageError: SyntheticWork(spin_ns=-1) is out of range")


def test_calling_the_runner_twice_is_a_failure(forked):
    forked.write(
        """
        from conftest import *

        def test_serves(concurrent_runner):
            concurrent_runner([], gate=False)
            concurrent_runner([], gate=False)

        def test_next():
            pass
        """
    )
    told(forked.run_forked(), "concurrent_runner was called twice in one test")
    assert {fork for fork, *_ in forked.notes("measured")} == {"1"}


def test_a_teardown_that_fails_in_a_fork_only_is_noted_and_the_sweep_is_kept(forked):
    forked.fixture("pass", 'raise RuntimeError("cannot let go")')
    result = forked.run_forked("--paddle-json=results.json")
    result.assert_outcomes(passed=2)
    (warning,) = [one for one in forked.results()[0]["warnings"] if one["kind"] == "fork_ended_badly"]
    assert warning["text"].startswith("fork 1: teardown failed:")
    assert "cannot let go" in warning["text"]


@pytest.mark.parametrize(
    ("teardown", "told"),
    [
        ("SEGFAULT()", "fork 1 died of SIGSEGV while it tore its fixtures down"),
        ("hang_in_native_code()", "fork 1 hung: it did not answer within 1 s while it tore its fixtures down"),
        ("__import__('atexit').register(os._exit, 5)", "fork 1 exited with status 5 as it exited"),
    ],
)
@pytest.mark.fault("processes", "a fork crashes after its last window", "the sweep counts, with a note")
def test_a_fork_that_ends_badly_after_the_last_window_is_noted_and_the_sweep_is_kept(forked, teardown, told):
    forked.fixture("pass", teardown)
    forked.conftest_too("fork.STOP_S = 1.0")
    forked.run_forked("--paddle-json=results.json").assert_outcomes(passed=2)
    (warning,) = [one for one in forked.results()[0]["warnings"] if one["kind"] == "fork_ended_badly"]
    assert told in warning["text"]


@pytest.mark.fault("processes", "a fork leaves a process behind", "it is killed with the fork")
def test_a_process_that_a_fork_started_and_left_is_killed_with_it(forked):
    forked.fixture('note("left", subprocess.Popen(["sleep", "1000"]).pid)')
    forked.run_forked().assert_outcomes(passed=2)  # looks for processes
    assert len(forked.notes("left")) == 1


@pytest.mark.fault("processes", "a fork dies and leaves a process that holds its connection", "its test fails at once")
def test_a_dead_fork_is_noticed_although_a_process_that_it_forked_holds_the_connection(forked):
    forked.in_fork(
        """
        def while_measuring(threads):
            if os.fork() == 0:
                threading.Event().wait()
            os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    forked.conftest_too(
        """
        failure = fork.ForkWorker._failure

        def noted(self, error, timeout_s):
            note("noticed", type(error).__name__)
            return failure(self, error, timeout_s)

        fork.ForkWorker._failure = noted
        """
    )
    told(forked.run_forked(), "fork 1 died of SIGKILL while it measured 1 thread")
    assert {error for _, error in forked.notes("noticed")} == {"Closed"}  # at the deadline it would be Missed


# Ctrl-C

MOMENTS = {
    "start": 'wait_for_ever("start")',
    "fixture": '@pytest.fixture(autouse=True)\ndef waits():\n    if FORK:\n        wait_for_ever("fixture")',
    "window": 'def while_measuring(threads):\n    wait_for_ever("window")',
    "native": 'def while_measuring(threads):\n    (HERE / "native").touch()\n    hang_in_native_code()',
    "teardown": (
        '@pytest.fixture(autouse=True)\ndef waits():\n    yield\n    if FORK:\n        wait_for_ever("teardown")'
    ),
}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.fault("processes", "Ctrl-C at any moment", "no process, no file and no half result is left")
def test_ctrl_c_leaves_no_process_and_no_half_result(forked, moment):
    code = MOMENTS[moment] if moment != "start" else f"if FORK:\n    {MOMENTS[moment]}"
    forked.conftest("crew.INTERRUPT_S = 1.0\nsubprocess.Popen(['sleep', '1000']) if FORK else None\n" + code)
    process = forked.start("--paddle-json=results.json", forks=2 if moment == "native" else 1)
    until((forked.path / moment).exists)
    output = interrupt(process)
    assert "KeyboardInterrupt" in output
    assert forked.processes() == []
    assert forked.results() == []
    assert forked.notes("after") == []
    assert [path.name for path in forked.temporary.iterdir() if "paddle" in path.name] == []


def test_ctrl_c_tears_the_fixtures_of_the_forks_down(forked):
    forked.conftest(
        "@pytest.fixture(autouse=True)\ndef everywhere():\n    yield\n    note('down')\n" + MOMENTS["window"]
    )
    process = forked.start()
    until((forked.path / "window").exists)
    interrupt(process)
    assert sorted(fork for fork, *_ in forked.notes("down")) == ["0", "1"]


@pytest.mark.fault("processes", "Ctrl-C while a failure is measured again", "no process and no half result is left")
def test_ctrl_c_while_a_failure_is_measured_again_leaves_no_process_and_no_half_result(forked):
    forked.conftest(
        """
        from pytest_paddle_mt.testing import FakeEngine, known_machine

        crew.INTERRUPT_S = 1.0
        if FORK:
            subprocess.Popen(["sleep", "1000"])  # would outlive a fork that only dies with pytest

        @pytest.fixture(autouse=True)
        def quiet():
            with known_machine():
                yield

        class FakeStays(FakeEngine):
            def measure(self, threads, plan):
                return wait_for_ever("again") if FORK else super().measure(threads, plan)

        def pytest_paddle_mt_engines():
            return [FakeStays({1: 40.0, 2: 41.0}, name="stays")]
        """
    )
    forked.write("def test_it(concurrent_runner):\n    concurrent_runner([])\n")
    process = forked.start("--paddle-json=results.json", "--paddle-engine=stays", "--paddle-rounds=6", forks=0)
    until((forked.path / "again").exists)
    assert "KeyboardInterrupt" in interrupt(process)
    until(lambda: not forked.processes())
    assert forked.results() == []
    assert [path.name for path in forked.temporary.iterdir() if "paddle" in path.name] == []


@pytest.mark.fault("processes", "Ctrl-C in a later test", "finished sweeps stay in the results file")
def test_ctrl_c_in_a_later_test_keeps_the_sweeps_before_it(forked):
    forked.write(
        """
        from conftest import *

        def test_first(concurrent_runner):
            concurrent_runner([], gate=False)

        def test_second(concurrent_runner):
            wait_for_ever("second")
            concurrent_runner([], gate=False)
        """
    )
    process = forked.start("--paddle-json=results.json")
    until((forked.path / "second").exists)
    before = forked.results()
    assert [sweep["nodeid"] for sweep in before] == ["test_it.py::test_first"]
    interrupt(process)
    assert forked.results() == before
    assert forked.processes() == []


@pytest.mark.fault("processes", "the job is cancelled (SIGTERM)", "no process and no temporary folder is left")
def test_a_cancelled_job_leaves_neither_forks_nor_their_files(forked):
    forked.conftest("subprocess.Popen(['sleep', '1000']) if FORK else None\n" + MOMENTS["native"])
    process = forked.start()
    until((forked.path / "native").exists)
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGTERM
    assert [path.name for path in forked.temporary.iterdir() if "paddle" in path.name] == []
    until(lambda: not forked.processes())


@pytest.mark.fault("processes", "pytest gets SIGKILL", "its forks die with it")
def test_forks_die_with_a_parent_that_is_killed(forked):
    forked.conftest(MOMENTS["native"])
    process = forked.start()
    until((forked.path / "native").exists)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    until(lambda: not forked.processes())
