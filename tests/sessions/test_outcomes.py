"""The plugin as its users meet it: a small test suite of theirs, run by another pytest."""

from __future__ import annotations

import json
import os
import pty
import re
import sys
import threading
from xml.etree import ElementTree

import pytest

from pytest_paddle_mt.machine.cores import available_cores
from tests.suite import Suite, text

SCALES = """
    import pytest

    @pytest.mark.paddle_scaling(engine="scales")
    def test_it(concurrent_runner):
        result = concurrent_runner(None)
        assert result.at(threads=2).qps > 70
"""
STAYS = SCALES.replace("scales", "stays").replace("> 70", "> 30")
SWINGS = """
    import pytest

    @pytest.mark.paddle_scaling(engine="swings")
    def test_it(concurrent_runner):
        concurrent_runner(None)
        print("the body went on to its end")
"""
#: Real threads and real time, without Paddle; nothing is judged, as the machine may be busy.
SYNTHETIC = """
    from pytest_paddle_mt import SyntheticWork

    def test_it(concurrent_runner):
        result = concurrent_runner(SyntheticWork(spin_ns=50_000), gate=False)
        assert result.thread_counts == (1, 2)
"""


# What becomes of a test.


def test_a_sweep_that_scales_passes_its_test(suite: Suite):
    suite.write(SCALES)
    result = suite.run()
    result.assert_outcomes(passed=1)
    assert "PASS linear: scaling efficiency with 2 threads is 0.99" in text(result)
    assert "1 of 1 sweep gated" in text(result)


def test_a_sweep_that_does_not_scale_fails_its_test_with_one_table_and_no_traceback(suite: Suite):
    suite.write(STAYS)
    result = suite.run("--junitxml=junit.xml")
    result.assert_outcomes(failed=1)
    failure, _, summary = "\n".join(result.outlines).partition("= FAILURES =")[2].partition("paddle thread scaling")
    assert "linear: scaling efficiency with 2 threads is 0.51" in failure
    assert "below the limit 0.85" in failure
    row = re.compile(r"^ +2 +41\.0 .* fail$", re.MULTILINE)
    assert not row.search(failure)
    assert "threads     QPS  speedup  efficiency" in summary
    assert row.search(summary)
    junit = ElementTree.parse(suite.path / "junit.xml").getroot().findtext(".//failure")
    assert row.search(junit), "who reads the file alone has the table, too"
    assert "repeats the order of the windows" in failure
    for of_a_traceback in ("def test_it", "concurrent_runner(None)", "pytest_paddle_mt/", "Error", "Failed:"):
        assert of_a_traceback not in failure


def test_the_short_summary_says_why_a_test_failed(suite: Suite):
    suite.write(STAYS)
    suite.run("-rf").stdout.fnmatch_lines(["FAILED test_it.py::test_it - GateFailure: linear: scaling efficiency*"])


def test_a_failure_can_be_repeated_with_the_seed_that_it_shows(suite: Suite):
    suite.write(STAYS)
    suite.run("--paddle-seed=42").stdout.fnmatch_lines(["seed 42 (--paddle-seed=42 repeats the order of the windows)"])


def test_a_failure_can_be_expected_with_pytest_raises(suite: Suite):
    suite.write(
        """
        import pytest
        from pytest_paddle_mt import GateFailure

        @pytest.mark.paddle_scaling(engine="stays")
        def test_it(concurrent_runner):
            with pytest.raises(GateFailure, match="efficiency"):
                concurrent_runner(None)
        """
    )
    suite.run().assert_outcomes(passed=1)


def test_except_exception_does_not_swallow_a_failure(suite: Suite):
    suite.write(
        """
        import pytest

        @pytest.mark.paddle_scaling(engine="stays")
        def test_it(concurrent_runner):
            try:
                concurrent_runner(None)
            except Exception:
                pass
        """
    )
    suite.run().assert_outcomes(failed=1)


def test_a_failure_satisfies_a_strict_xfail(suite: Suite):
    suite.write(STAYS.replace("@pytest", "@pytest.mark.xfail(strict=True)\n    @pytest"))
    suite.run().assert_outcomes(xfailed=1)


def test_a_pass_breaks_a_strict_xfail(suite: Suite):
    suite.write(SCALES.replace("@pytest", "@pytest.mark.xfail(strict=True)\n    @pytest"))
    suite.run().assert_outcomes(failed=1)


def test_a_failure_lands_in_the_junit_file_with_the_figures(suite: Suite):
    suite.write(STAYS)
    suite.run("--junitxml=junit.xml")
    case = ElementTree.parse(suite.path / "junit.xml").getroot().find(".//testcase")
    assert "scaling efficiency with 2 threads is 0.51" in case.find("failure").get("message")
    properties = {one.get("name"): one.get("value") for one in case.iter("property")}
    assert properties["paddle_mt_status"] == "fail"
    assert float(properties["paddle_mt_qps_2"]) == pytest.approx(41, rel=0.01)
    assert float(properties["paddle_mt_efficiency_2"]) == pytest.approx(0.5125, abs=0.01)


def test_a_user_s_own_assertion_fails_as_everywhere_in_pytest(suite: Suite):
    suite.write(SCALES.replace("> 70", "> 7000"))
    result = suite.run()
    result.assert_outcomes(failed=1)
    assert "assert result.at(threads=2).qps > 7000" in text(result)


def test_an_inconclusive_sweep_skips_its_test_after_the_body(suite: Suite):
    suite.write(SWINGS)
    result = suite.run("-rsP", "-s")
    result.assert_outcomes(skipped=1)
    assert "the body went on to its end" in text(result)
    assert "NOT gated: inconclusive: scaling efficiency with 2 threads" in text(result)
    assert "the interval contains the limit 0.85" in text(result)
    assert "1 of 1 sweep NOT gated" in text(result)


def test_an_assertion_after_an_inconclusive_sweep_still_fails_the_test(suite: Suite):
    suite.write(SWINGS + "        assert False, 'of the user'\n")
    result = suite.run()
    result.assert_outcomes(failed=1)
    assert "of the user" in text(result)


def test_too_few_rounds_to_judge_skip_the_test(suite: Suite):
    suite.write(SCALES)
    result = suite.run("--paddle-rounds=1:1", "-rs")
    result.assert_outcomes(skipped=1)
    assert "1 round is too few for an interval" in text(result)


def test_an_inconclusive_sweep_fails_its_test_under_strict(suite: Suite):
    suite.write(SWINGS)
    result = suite.run("--paddle-strict", "-s")
    result.assert_outcomes(failed=1)
    assert "the body went on to its end" in text(result)
    assert "NOT gated: inconclusive" in text(result)
    assert "--paddle-strict makes that a failure" in text(result)


def test_a_sweep_that_is_not_comparable_here_skips_its_test(suite: Suite):
    suite.write(SCALES)
    result = suite.run("--paddle-linear-until=1", "-rs")
    result.assert_outcomes(skipped=1)
    assert "not_comparable: no thread count above one is at or below 1" in text(result)


@pytest.mark.parametrize("engine", ["scales", "stays", "swings"])
@pytest.mark.parametrize("arguments", [(), ("--paddle-strict",)])
def test_without_a_gate_the_outcome_is_the_test_s_own(suite: Suite, engine, arguments):
    suite.write(
        f"""
        import pytest

        @pytest.mark.paddle_scaling(engine="{engine}")
        def test_it(concurrent_runner):
            assert concurrent_runner(None, gate=False).status in ("pass", "fail", "inconclusive")
        """
    )
    result = suite.run(*arguments)
    result.assert_outcomes(passed=1)
    assert "NOT gated" not in text(result)


def test_the_summary_counts_what_was_not_gated(suite: Suite):
    suite.write(
        """
        import pytest

        @pytest.mark.parametrize("one", [
            pytest.param(0, marks=pytest.mark.paddle_scaling(engine="scales")),
            pytest.param(1, marks=pytest.mark.paddle_scaling(engine="swings")),
            pytest.param(2, marks=pytest.mark.paddle_scaling(engine="stays")),
        ])
        def test_it(concurrent_runner, one):
            concurrent_runner(None)
        """
    )
    result = suite.run()
    result.assert_outcomes(passed=1, skipped=1, failed=1)
    assert "1 of 3 sweeps NOT gated" in text(result)


def test_throughput_that_collapses_beyond_linear_until_fails(suite: Suite):
    suite.write(STAYS)
    result = suite.run("--paddle-linear-until=1", "--paddle-max-collapse=0.5")
    result.assert_outcomes(skipped=1)  # collapse passes, and linear has nothing to judge
    assert "PASS collapse: QPS with 2 threads over QPS with 1 thread is 1.02" in text(result)


# Smoke runs: one short round, nothing judged or recorded, and said loudly.


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


def in_actions(suite: Suite, monkeypatch: pytest.MonkeyPatch):
    """Let runs of the suite believe that they run in GitHub Actions."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(suite.path))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(suite.path / "summary.md"))


def test_in_github_actions_a_failed_sweep_is_an_error_at_its_line_and_in_the_summary(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
):
    in_actions(suite, monkeypatch)
    suite.write(STAYS)
    result = suite.run("--paddle-markdown=scaling.md")
    [command] = [line for line in result.outlines if line.startswith("::")]
    lines = (suite.path / "test_it.py").read_text().splitlines()
    assert "paddle_scaling" in lines[int(re.search(r",line=(\d+),", command)[1]) - 1]
    assert command.startswith("::error file=test_it.py,line=")
    assert ",title=Thread scaling%3A fail::test_it.py::test_it%0Adoes not scale with 2 threads" in command
    page = (suite.path / "scaling.md").read_text()
    assert "### Thread scaling: 1 failed" in page
    assert (suite.path / "summary.md").read_text() == page + "\n"


def test_github_is_told_nothing_with_the_option_off(suite: Suite, monkeypatch: pytest.MonkeyPatch):
    in_actions(suite, monkeypatch)
    suite.write(STAYS)
    assert [line for line in suite.run("--paddle-github=off").outlines if line.startswith("::")] == []
    assert not (suite.path / "summary.md").exists()


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


# What other work on the machine took.

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


# What is imported, measured and printed when.


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


# Options, from wherever they come.


def test_engines_parametrise_the_test_at_collection(suite: Suite):
    suite.write("def test_it(concurrent_runner):\n    concurrent_runner(None)\n\ndef test_other():\n    pass\n")
    result = suite.run("--collect-only", "-q", "--paddle-engine=native,python")
    assert [line for line in result.outlines if "::" in line] == [
        "test_it.py::test_it[native]",
        "test_it.py::test_it[python]",
        "test_it.py::test_other",
    ]


def test_one_engine_leaves_the_name_of_the_test_alone(suite: Suite):
    suite.write("def test_it(concurrent_runner):\n    concurrent_runner(None)\n")
    result = suite.run("--collect-only", "-q", "--paddle-engine=python")
    assert "test_it.py::test_it" in result.outlines


def test_each_engine_measures_its_own_sweep(suite: Suite):
    suite.write("def test_it(concurrent_runner):\n    concurrent_runner(None)\n")
    result = suite.run("--paddle-engine=scales,stays", "-rA")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["PASSED test_it.py::test_it?scales?", "FAILED test_it.py::test_it?stays?*"])


def test_engines_of_a_marker_parametrise_as_well_and_meet_other_parameters(suite: Suite):
    suite.write(
        """
        import pytest

        @pytest.mark.paddle_scaling(engine="scales,stays")
        @pytest.mark.parametrize("model", ["a", "b"])
        def test_it(concurrent_runner, model):
            concurrent_runner(None)
        """
    )
    suite.run().assert_outcomes(passed=2, failed=2)


def test_a_marker_wins_over_the_command_line_the_environment_and_the_ini_file(suite, monkeypatch):
    suite.write(
        """
        import pytest

        @pytest.mark.paddle_scaling(engine="scales", min_efficiency=0.11)
        def test_marked(concurrent_runner):
            assert {one.limit for one in concurrent_runner(None).verdicts} == {0.11}

        @pytest.mark.paddle_scaling(engine="scales")
        def test_plain(concurrent_runner):
            print("limit", {one.limit for one in concurrent_runner(None).verdicts})
        """
    )
    suite.ini("paddle-min-efficiency = 0.44")
    assert "limit {0.44}" in text(suite.run("-s"))
    monkeypatch.setenv("PYTEST_PADDLE_MIN_EFFICIENCY", "0.33")
    assert "limit {0.33}" in text(suite.run("-s"))
    result = suite.run("-s", "--paddle-min-efficiency=0.22")
    assert "limit {0.22}" in text(result)
    result.assert_outcomes(passed=2)


def test_our_options_stand_in_the_help(suite: Suite):
    printed = text(suite.run("--help"))
    for option in ("--paddle-threads", "--paddle-engine", "--paddle-min-efficiency", "--paddle-json", "paddle-rounds"):
        assert option in printed


def test_the_marker_is_known(suite: Suite):
    suite.write(SCALES)
    suite.run("--strict-markers").assert_outcomes(passed=1)
    assert "paddle_scaling" in text(suite.run("--markers"))


# Nothing is lost when something breaks.


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
