"""What is imported, measured and printed when."""

from __future__ import annotations

import os
import pty
import re
import sys
import threading

import pytest

from tests.sessions.bodies import SCALES
from tests.suite import Suite, text


def test_collect_only_measures_and_imports_nothing(suite: Suite):
    suite.write(SCALES)
    suite.write(
        """
        import sys

        def pytest_sessionfinish():
            print("imported:", sorted({"numpy", "paddle"} & set(sys.modules)))
        """,
        "conftest",
    )
    suite.write("def test_it(predictor_pool, concurrent_runner):\n    concurrent_runner(predictor_pool)\n")
    suite.ini("paddle-threads = 4")
    result = suite.run_apart("--collect-only", "-q", "-s")
    assert "test_it.py::test_it" in text(result)
    assert "imported: []" in text(result)
    assert "paddle-mt:" not in text(result)
    assert "thread scaling" not in text(result)


def test_a_run_of_an_unrelated_suite_imports_neither_numpy_nor_paddle_nor_the_native_part(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        import sys

        def test_unrelated(request):
            assert request.config.pluginmanager.hasplugin("paddle_mt")
            heavy = {"numpy", "paddle", "pytest_paddle_mt._native", "pytest_paddle_mt.records"}
            assert heavy & set(sys.modules) == set()
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:hypothesispytest")
    result.assert_outcomes(passed=1)
    assert "thread scaling" not in text(result)


def test_importing_the_plugin_imports_neither_numpy_nor_paddle(pytester: pytest.Pytester):
    program = "import sys, pytest_paddle_mt.plugin; print(sorted({'numpy', 'paddle'} & set(sys.modules)))"
    assert pytester.run(sys.executable, "-c", program).outlines == ["[]"]


def test_the_plugin_can_be_named_explicitly(suite: Suite, monkeypatch):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    suite.write(SCALES)
    suite.run_apart("-p", "paddle_mt").assert_outcomes(passed=1)


def test_the_plugin_can_be_switched_off(suite: Suite):
    suite.write("def test_it(request):\n    assert not request.config.pluginmanager.hasplugin('paddle_mt')\n")
    suite.write("", "conftest")
    (suite.path / "pytest.ini").unlink()
    suite.run_apart("-p", "no:paddle_mt").assert_outcomes(passed=1)


def test_the_expected_cost_is_printed_before_the_start(suite: Suite):
    suite.write(
        """
        import pytest

        @pytest.mark.paddle_scaling(engine="scales")
        def test_it(concurrent_runner):
            concurrent_runner(None)
            raise RuntimeError("the test's own")
        """
    )
    result = suite.run("--paddle-window=0.25", "--paddle-warmup=0.05", "--paddle-rounds=4:10", "--paddle-budget=9")
    printed = text(result)
    # four windows and warm-ups of 0.3 s a round; ten rounds would take 12 s, and the budget is 9 s
    announced = (
        "paddle-mt: test_it.py::test_it: scales engine, threads 1, 2: 4 to 10 rounds of 1.2 s or more, about 5 to 9 s"
    )
    assert announced in printed
    assert printed.index(announced) < printed.index("the test's own")


def test_a_window_given_in_queries_is_announced_in_queries(suite: Suite):
    suite.write(SCALES)
    assert "4 to 10 rounds, 20 queries a thread and window, at most about 9 s" in text(
        suite.run("--paddle-rounds=4:10", "--paddle-budget=9")
    )


def test_one_thread_is_added_to_a_list_without_it_and_said(suite: Suite):
    suite.write(SCALES.replace("threads=2).qps > 70", "threads=3).qps > 100"))
    result = suite.run("--paddle-threads=2,3")
    result.assert_outcomes(passed=1)
    said = "1 was added to --paddle-threads=2,3: efficiency is measured against one thread"
    assert f"threads 1, 2, 3 ({said})" in text(result)
    assert f"note: {said}" in text(result)


def test_the_seed_is_printed_and_repeats_the_order(suite: Suite):
    suite.write(
        """
        import pytest
        from conftest import ENGINES

        @pytest.mark.paddle_scaling(engine="scales", threads=[1, 2, 3, 4])
        def test_it(concurrent_runner):
            concurrent_runner(None)
            print("order", "".join(map(str, ENGINES[0].asked)))
        """
    )

    def order(*arguments: str) -> tuple[str, str]:
        printed = text(suite.run("-s", *arguments))
        return re.search(r"order (\d+)", printed)[1], re.search(r", seed (\d+)", printed)[1]

    drawn, seed = order()
    assert order(f"--paddle-seed={seed}") == (drawn, seed)
    assert order("--paddle-seed=1")[0] != order("--paddle-seed=2")[0]


def test_progress_is_shown_on_a_terminal_only(suite: Suite):
    """A terminal of our own, since a pipe is none."""
    suite.write(
        """
        from pytest_paddle_mt import SyntheticWork

        def test_it(concurrent_runner):
            concurrent_runner(SyntheticWork(spin_ns=50_000), gate=False)
        """
    )
    arguments = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--color=yes"]
    progress = b"paddle-mt: 0 s, at most 60 s left; round 1/6, window 1/4, 1 thread"
    piped = suite.run_apart("--color=yes")
    assert progress.decode() not in text(piped)

    controller, terminal = pty.openpty()
    shown = bytearray()

    def read():
        while True:
            try:
                part = os.read(controller, 65536)
            except OSError:  # Linux: nobody holds the other end any more
                return
            if not part:
                return
            shown.extend(part)

    reader = threading.Thread(target=read)
    reader.start()
    process = suite.popen(arguments, stdin=terminal, stdout=terminal, stderr=terminal)
    os.close(terminal)
    assert process.wait() == 0
    reader.join()
    os.close(controller)
    assert progress in bytes(shown)
    after_the_last = bytes(shown).rpartition(b" left; round ")[2]
    assert b"\r" + b" " * 40 in after_the_last, "the line that changes is wiped at the end"
