"""pytest-benchmark: one entry per thread count, and everything that it does with entries."""

from __future__ import annotations

import csv
import json
import statistics
from importlib.util import find_spec
from typing import Any

import pytest

from pytest_paddle_mt.reporters.pytest_benchmark import with_threads
from tests.suite import Suite, text

SCALES = """
    import pytest

    @pytest.mark.paddle_scaling(engine="scales")
    def test_it(concurrent_runner):
        concurrent_runner(None)
"""
SLOWER = """
    from pytest_paddle_mt.testing import FakeEngine

    def pytest_paddle_mt_engines():
        return [FakeEngine({1: 20.0, 2: 39.0}, name="scales")]
"""
STOCK = """
    def test_stock(benchmark):
        benchmark.pedantic(int, rounds=1)

    def test_plain():
        pass
"""


def entries(suite: Suite, *arguments: str) -> list[dict[str, Any]]:
    suite.run("--benchmark-json=bench.json", *arguments)
    return json.loads((suite.path / "bench.json").read_text())["benchmarks"]


def test_a_plain_name_gets_brackets_and_a_parametrised_one_a_further_parameter():
    assert with_threads("test_x", 4) == "test_x[threads=4]"
    assert with_threads("test_x[mobilenet]", 4) == "test_x[mobilenet-threads=4]"
    assert with_threads("test_a.py::test_x[a-b]", 4) == "test_a.py::test_x[a-b-threads=4]"


def test_each_thread_count_is_an_entry(suite: Suite):
    suite.write(SCALES)
    one, two = entries(suite)
    assert [one["name"], two["name"]] == ["test_it[threads=1]", "test_it[threads=2]"]
    assert [one["fullname"], two["fullname"]] == ["test_it.py::test_it[threads=1]", "test_it.py::test_it[threads=2]"]
    assert [one["param"], two["param"]] == ["threads=1", "threads=2"]
    assert [one["params"], two["params"]] == [{"threads": 1}, {"threads": 2}]


def test_the_thread_count_joins_the_test_s_own_parameters(suite: Suite):
    suite.write(SCALES.replace("def", '@pytest.mark.parametrize("model", ["a"])\n    def').replace("(c", "(model, c"))
    one, _ = entries(suite)
    assert (one["name"], one["param"]) == ("test_it[a-threads=1]", "a-threads=1")
    assert one["params"] == {"model": "a", "threads": 1}


def test_operations_per_second_are_queries_per_second(suite: Suite):
    suite.write(SCALES)
    one, two = entries(suite)
    assert one["stats"]["ops"] == pytest.approx(40.0, rel=1e-6)
    assert two["stats"]["ops"] == pytest.approx(79.0, rel=1e-4)
    assert two["stats"]["mean"] == pytest.approx(1 / 79.0, rel=1e-4)


def test_a_data_point_is_the_seconds_per_query_of_a_round(suite: Suite):
    suite.write(SCALES)
    two = entries(suite)[1]
    assert (two["stats"]["rounds"], two["stats"]["iterations"]) == (6, 1)
    assert two["stats"]["data"] == pytest.approx([1 / (79 * swing) for swing in (1.005, 0.995) * 3], rel=1e-5)
    assert statistics.mean(two["stats"]["data"]) == pytest.approx(two["stats"]["mean"])


def test_the_group_is_the_one_that_the_test_asks_for(suite: Suite):
    suite.write(SCALES.replace("@pytest", '@pytest.mark.benchmark(group="serving")\n    @pytest'))
    assert {one["group"] for one in entries(suite)} == {"serving"}


def test_extra_info_holds_what_a_mean_cannot_say(suite: Suite):
    suite.write(
        SCALES.replace("concurrent_runner):", "concurrent_runner, benchmark):\n        benchmark.extra_info['own'] = 7")
    )
    two = entries(suite)[1]["extra_info"]
    assert two["own"] == 7
    assert (two["engine"], two["threads"], two["status"]) == ("scales", 2, "pass")
    assert two["qps"] == pytest.approx(79, rel=1e-3)
    assert two["efficiency"] == pytest.approx(0.9875, rel=1e-3)
    assert two["p50_ms"] == pytest.approx(25.3, rel=0.02)
    assert {"p90_ms", "p99_ms", "speedup"} <= set(two)


def test_several_tests_and_stock_benchmarks_stand_side_by_side(suite: Suite):
    suite.write(SCALES)
    suite.write(STOCK, "test_stock")
    assert [one["name"] for one in entries(suite)] == ["test_it[threads=1]", "test_it[threads=2]", "test_stock"]


def test_a_test_that_fails_its_gate_is_recorded_all_the_same(suite: Suite):
    suite.write(SCALES.replace("scales", "stays"))
    assert [one["extra_info"]["status"] for one in entries(suite)] == ["fail", "fail"]


def test_a_test_without_its_sweep_is_recorded_nowhere(suite: Suite):
    suite.write("def test_it(concurrent_runner):\n    pass\n")
    result = suite.run()
    result.assert_outcomes(passed=1)
    assert "was not used" not in text(result)
    assert "benchmark: 1 test" not in text(result)


def test_a_sweep_without_a_gate_is_recorded_as_well(suite: Suite):
    suite.write(SCALES.replace("(None)", "(None, gate=False)"))
    assert len(entries(suite)) == 2


def test_results_can_be_saved_and_compared(suite: Suite):
    suite.write(SCALES)
    suite.run("--benchmark-save=first")
    [saved] = (suite.path / ".benchmarks").glob("*/0001_first.json")
    assert [one["name"] for one in json.loads(saved.read_text())["benchmarks"]] == [
        "test_it[threads=1]",
        "test_it[threads=2]",
    ]
    printed = text(suite.run("--benchmark-compare=0001"))
    assert "test_it[threads=2] (NOW)" in printed
    assert "test_it[threads=2] (0001_first)" in printed


def test_results_can_be_saved_automatically(suite: Suite):
    suite.write(SCALES)
    suite.run("--benchmark-autosave")
    assert len(list((suite.path / ".benchmarks").glob("*/0001_*.json"))) == 1


def test_compare_fail_lets_throughput_that_stays_pass(suite: Suite):
    suite.write(SCALES)
    suite.run("--benchmark-save=first")
    result = suite.run_apart("--benchmark-compare=0001", "--benchmark-compare-fail=mean:5%")
    assert result.ret == 0
    result.assert_outcomes(passed=1)


def test_compare_fail_fails_when_throughput_falls_and_our_summary_stands_all_the_same(suite: Suite):
    suite.write(SCALES)
    suite.run("--benchmark-save=first")
    suite.write(SLOWER, "conftest")
    result = suite.run_apart("--benchmark-compare=0001", "--benchmark-compare-fail=mean:5%")
    assert result.ret != 0
    assert "Performance has regressed" in text(result)
    assert "test_it[threads=2] (0001_first) - Field 'mean' has failed PercentageRegressionCheck" in text(result)
    assert "1 of 1 sweep gated" in text(result)


# pygal is imported in a process of its own: it changes how a process finds its plugins.
@pytest.mark.skipif(find_spec("pygal") is None, reason="pytest-benchmark[histogram] is not installed")
def test_a_histogram_can_be_drawn(suite: Suite):
    suite.write(SCALES)
    suite.run_apart("--benchmark-histogram=drawn")
    drawn = (suite.path / "drawn.svg").read_text(encoding="utf-8")
    assert "test_it[threads=1]" in drawn
    assert "test_it[threads=2]" in drawn


def test_the_compare_command_writes_csv(suite: Suite):
    suite.write(SCALES)
    suite.run("--benchmark-save=first")
    suite.command("pytest-benchmark", "compare", "0001", "--csv=compared.csv")
    with (suite.path / "compared.csv").open(newline="") as file:
        qps = {row["name"].rpartition("::")[2]: float(row["ops"]) for row in csv.DictReader(file)}
    assert qps == pytest.approx({"test_it[threads=1]": 40.0, "test_it[threads=2]": 79.0}, rel=1e-3)


def test_what_the_test_writes_before_and_after_its_sweep_is_kept(suite: Suite):
    suite.write(
        """
        import pytest

        @pytest.fixture
        def noted(benchmark):
            benchmark.group = "replaced later"
            benchmark.extra_info["before"] = 1
            yield
            benchmark.extra_info["at the end"] = 3

        @pytest.mark.paddle_scaling(engine="scales")
        def test_it(concurrent_runner, benchmark, noted):
            result = concurrent_runner(None)
            benchmark.group = "servers"
            benchmark.extra_info["speedup"] = "replaced by the plugin's"
            benchmark.extra_info["after"] = result.sweep.status
        """
    )
    one, two = entries(suite)
    assert [one["group"], two["group"]] == ["servers", "servers"]
    for entry in (one, two):
        info = entry["extra_info"]
        assert (info["before"], info["after"], info["at the end"]) == (1, "pass", 3)
    assert (one["extra_info"]["threads"], two["extra_info"]["threads"]) == (1, 2)
    assert one["extra_info"]["speedup"] == 1


def test_what_is_written_after_the_sweep_is_kept_where_the_test_fails(suite: Suite):
    suite.write(
        """
        import pytest

        @pytest.mark.paddle_scaling(engine="scales")
        def test_it(concurrent_runner, benchmark):
            concurrent_runner(None)
            benchmark.extra_info["after"] = 1
            assert False
        """
    )
    assert [entry["extra_info"]["after"] for entry in entries(suite)] == [1, 1]


def test_entries_can_be_grouped_by_their_threads(suite: Suite):
    suite.write(SCALES)
    printed = text(suite.run("--benchmark-group-by=param:threads"))
    assert "benchmark 'threads=1': 1 tests" in printed
    assert "benchmark 'threads=2': 1 tests" in printed


def test_benchmark_only_selects_tests_that_measure(suite: Suite):
    suite.write(SCALES)
    suite.write(STOCK, "test_stock")
    suite.run("--benchmark-only").assert_outcomes(passed=2, skipped=1)


def test_benchmark_skip_leaves_them_out(suite: Suite):
    suite.write(SCALES)
    suite.write(STOCK, "test_stock")
    result = suite.run("--benchmark-skip")
    result.assert_outcomes(passed=1, skipped=2)
    assert "paddle thread scaling" not in text(result)


def test_ctrl_c_leaves_the_entries_of_finished_sweeps_and_no_half_one(suite: Suite):
    suite.write(
        """
        import pytest
        from pytest_paddle_mt.testing import FakeEngine

        @pytest.mark.paddle_scaling(engine="scales")
        def test_finished(concurrent_runner):
            concurrent_runner(None)

        @pytest.mark.paddle_scaling(engine="scales")
        def test_interrupted(concurrent_runner, monkeypatch):
            def interrupt(engine, threads, plan):
                if len(engine.asked) == 10:
                    raise KeyboardInterrupt
                return measure(engine, threads, plan)

            measure = FakeEngine.measure
            monkeypatch.setattr(FakeEngine, "measure", interrupt)
            concurrent_runner(None)
        """
    )
    result = suite.run_apart("--benchmark-json=bench.json", "--paddle-json=out.json")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    names = [one["name"] for one in json.loads((suite.path / "bench.json").read_text())["benchmarks"]]
    assert names == ["test_finished[threads=1]", "test_finished[threads=2]"]
    sweeps = json.loads((suite.path / "out.json").read_text())["sweeps"]
    assert [one["nodeid"] for one in sweeps] == ["test_it.py::test_finished"]


FLAKY = """
    import pytest

    attempts = []

    @pytest.mark.paddle_scaling(engine="scales")
    def test_it(concurrent_runner):
        attempts.append(concurrent_runner(None))
        assert len(attempts) == 2
"""


def test_a_rerun_retires_the_entries_of_the_earlier_attempt(suite: Suite):
    pytest.importorskip("pytest_rerunfailures", reason="pytest-rerunfailures is not installed")
    suite.write(FLAKY)
    result = suite.run("--reruns=1", "--benchmark-json=bench.json")
    result.stdout.re_match_lines([".*1 passed, .*1 rerun .*"])
    recorded = json.loads((suite.path / "bench.json").read_text())["benchmarks"]
    assert [one["name"] for one in recorded] == ["test_it[threads=1]", "test_it[threads=2]"]
    assert [one["stats"]["rounds"] for one in recorded] == [6, 6]
    assert "benchmark: 2 tests" in text(result)


def test_a_rerun_counts_as_one_sweep(suite: Suite):
    pytest.importorskip("pytest_rerunfailures", reason="pytest-rerunfailures is not installed")
    suite.write(FLAKY)
    assert "1 of 1 sweep gated" in text(suite.run("--reruns=1"))


def test_an_earlier_attempt_that_was_not_gated_does_not_decide_about_a_later_one(suite: Suite):
    pytest.importorskip("pytest_rerunfailures", reason="pytest-rerunfailures is not installed")
    suite.write(
        """
        import pytest
        from conftest import ENGINES

        attempts = []

        @pytest.mark.paddle_scaling(engine="swings")
        def test_it(concurrent_runner):
            attempts.append(1)
            ENGINES[2]._swing = 0.2 if len(attempts) == 1 else 0.0
            concurrent_runner(None)
        """
    )
    result = suite.run("--reruns=1", "--paddle-strict", "--paddle-min-efficiency=0.8")
    result.stdout.re_match_lines([".*1 passed, .*1 rerun .*"])
