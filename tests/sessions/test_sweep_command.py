"""``paddle-mt sweep`` as its users meet it: real models, and engines whose throughput is known."""

from __future__ import annotations

import os
import shutil

import pytest

from pytest_paddle_mt import command
from tests.suite import Suite, text

_ENGINES = """
from pytest_paddle_mt.testing import FakeEngine

def pytest_paddle_mt_engines():
    return [
        FakeEngine({1: 40.0, 2: 79.0}, name="scales"),
        FakeEngine({1: 40.0, 2: 68.0}, name="swings", swing=0.2),
    ]
"""

#: No measurement that decides anything: what is tested is what was served, and under which name.
_SHORT = ("--paddle-threads=2", "--paddle-window=2q", "--paddle-rounds=1", "--paddle-warmup=0")


@pytest.fixture
def swept(suite: Suite, models, monkeypatch):
    """``swept(*words)`` runs the command in an empty directory with two models; its exit code, and its output."""
    (suite.path / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    (suite.path / "conftest.py").write_text("raise AssertionError('read by paddle-mt sweep')\n")
    suite.write(_ENGINES, "known_engines")
    for name in ("mlp", "sequence"):
        for file in (models.get(name).program, models.get(name).params):
            (suite.path / "models").mkdir(exist_ok=True)
            shutil.copy(file, suite.path / "models" / f"{name}{file.suffix}")
    results = []

    def main(arguments):
        results.append(suite.run(*arguments))
        return results[-1].ret

    def run(*words):
        with monkeypatch.context() as patch:
            patch.setattr(pytest, "main", main)
            return command.main(["sweep", *words, "-p", "no:benchmark"]), text(results[-1])

    return run


def test_a_model_is_served_without_a_test_and_its_results_have_its_path(swept, suite):
    code, output = swept("models/mlp", *_SHORT, "--paddle-batch-size=3", "--paddle-json=results.json")
    [one] = suite.results()
    assert code == 0, output
    assert one["nodeid"] in ("models/mlp.json::test_scales", "models/mlp.pdmodel::test_scales")
    assert (one["engine"], one["batch_size"], [point["threads"] for point in one["points"]]) == ("native", 3, [1, 2])
    assert [served["made_up"] for served in one["inputs"]] == [True]


def test_a_shape_that_the_model_leaves_open_is_asked_for_and_taken(swept, suite):
    code, output = swept("models/sequence", *_SHORT)
    assert (code, "give it with --shape x=...,...,3 and numbers for the dots" in output) == (1, True)
    code, output = swept("models/sequence", *_SHORT, "--shape", "y=1,7,3")
    assert (code, "the model has no input 'y'; its inputs are x" in output) == (1, True)
    code, output = swept("models/sequence", *_SHORT, "--shape=x=1,7,3", "--paddle-json=results.json")
    [one] = suite.results()
    assert code == 0, output
    assert one["nodeid"].endswith("::test_scales[x=1,7,3]")
    assert one["inputs"][0]["shape"] == [1, 7, 3]


def test_baselines_stand_in_this_directory_and_are_found_again(swept, suite):
    engine = ("-p", "known_engines", "--paddle-engine=scales", "--paddle-threads=2", "--paddle-linear-until=2")
    code, output = swept("models/mlp", *engine, "--paddle-baseline-update")
    assert code == 0, output
    [stored] = (suite.path / "baselines").rglob("*.json")
    assert stored.name.startswith("models-mlp.")
    code, output = swept(str(suite.path / "models/mlp"), *engine, "--paddle-baseline-required")
    assert (code, "CALIBRATING drift" in output) == (0, True), output


def test_a_sweep_that_stays_undecided_fails_only_where_that_was_asked_for(swept):
    engine = ("-p", "known_engines", "--paddle-engine=swings", "--paddle-threads=2", "--paddle-rounds=6")
    linear = "--paddle-linear-until=2"
    code, output = swept("models/mlp", *engine, linear)
    assert (code, "1 of 1 sweep NOT gated" in output) == (0, True), output
    assert swept("models/mlp", *engine, linear, "--paddle-strict")[0] == 1


def test_a_fork_finds_the_test(swept, suite):
    code, output = swept("models/mlp", *_SHORT, "--paddle-forks=1", "--paddle-json=results.json")
    [one] = suite.results()
    assert code == 0, output
    assert {window["fork"] for window in one["windows"]} == {1}
    assert [name for name in os.listdir(suite.path) if name.startswith("paddle-mt-")] == []
