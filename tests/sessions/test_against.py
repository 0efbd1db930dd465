"""Two interpreters: what runs where, what is concluded, and what becomes of the test when a side cannot measure."""

from __future__ import annotations

import itertools
import json
import shutil
import sys
from pathlib import Path
from textwrap import dedent
from xml.etree import ElementTree

import pytest

from pytest_paddle_mt import __version__
from pytest_paddle_mt.workers.protocol import PROTOCOL
from tests.sessions.test_fork import shown
from tests.suite import interrupt, until

#: An engine whose throughput is known on each side, and which writes down who measured when.
_CONFTEST = """
import os, time
from pathlib import Path

import pytest

from pytest_paddle_mt import SyntheticWork
from pytest_paddle_mt.testing import FakeEngine

HERE = Path(__file__).parent
FORK = int(os.environ.get("PYTEST_PADDLE_MT_FORK", 0))
OTHER = "OTHER_SIDE" in os.environ
THIS = {1: 40.0, 2: 78.0}
THAT = {1: 40.0, 2: 78.0}

def note(*words):
    with open(HERE / "notes", "a") as file:
        file.write(" ".join(map(str, (FORK, *words))) + "\\n")

class Known(FakeEngine):
    def __init__(self):
        super().__init__(THAT if OTHER else THIS, name="known", swing=0.002)

    def measure(self, threads, plan):
        began = time.monotonic_ns()
        window = super().measure(threads, plan)
        note("measured", began, time.monotonic_ns())
        return window

def pytest_paddle_mt_engines():
    return [Known()]
"""

_TEST = """
from conftest import *

def test_serves(concurrent_runner):
    result = concurrent_runner([])
    note("after", result.status, *[round(result.ratio(threads=n), 2) for n in (1, 2)])

def test_next():
    note("next")
"""


class Sides:
    """A user's suite, another interpreter (this one under another name, with a variable set), and pytest on them."""

    def __init__(self, forked):
        self._forked = forked
        self.path = forked.path
        self.python = self.interpreter("python", "")
        forked.ini("paddle-engine = known")
        self.conftest("")
        self.test(_TEST)

    def interpreter(self, name: str, before: str) -> Path:
        """A program that runs this interpreter as another one, after some lines of shell."""
        directory = self.path.parent / f"{self.path.name}-bin"
        directory.mkdir(exist_ok=True)
        program = directory / name
        program.write_text(f'#!/bin/sh\nexport OTHER_SIDE=1\n{before}\nexec {sys.executable} "$@"\n')
        program.chmod(0o755)
        return program

    def conftest(self, more: str, path: Path | None = None):
        ((path or self.path) / "conftest.py").write_text(_CONFTEST + dedent(more))

    def test(self, text: str, path: Path | None = None):
        ((path or self.path) / "test_it.py").write_text(dedent(text))

    def checkout(self, name: str = "before") -> Path:
        """Another checkout: a copy of this one, beside it."""
        path = self.path.parent / f"{self.path.name}-{name}"
        shutil.copytree(self.path, path)
        return path

    def run(self, *arguments: object, python: object = None, apart: bool = False) -> pytest.RunResult:
        return self._forked.run_forked(f"--paddle-against={python or self.python}", *arguments, forks=0, apart=apart)

    def __getattr__(self, name: str):
        return getattr(self._forked, name)


@pytest.fixture
def sides(forked):
    return Sides(forked)


def said(result):
    return " ".join(shown(result).split())


def told(result, *parts):
    """Assert that one test failed and said all this, and that the next one ran."""
    result.assert_outcomes(failed=1, passed=1)
    for part in parts:
        assert part in said(result), said(result)


# What is concluded


def test_two_sides_that_are_equally_fast_pass_however_badly_they_scale_and_measure_one_at_a_time(sides):
    sides.conftest("THIS[2] = THAT[2] = 41.0")
    result = sides.run()
    result.assert_outcomes(passed=2)
    assert sides.notes("after") == [["0", "pass", "1.0", "1.0"]]
    assert "PASS against: QPS of this side over the other with 2 threads is 1.000" in said(result)
    assert "efficiency is shown, and not judged" in said(result)
    assert "1 of 1 sweep gated" in said(result)
    assert "A/A" not in said(result)
    windows = [(int(began), int(ended)) for _, began, ended in sides.notes("measured")]
    assert {fork for fork, *_ in sides.notes("measured")} == {"1", "2"}
    assert len(windows) == 48
    assert all(ended <= began for (_, ended), (began, _) in itertools.pairwise(windows))


def test_a_side_that_is_slower_fails_its_test_with_both_sides_in_the_table_and_in_the_files(sides):
    sides.conftest("THIS[2] = 41.0")
    result = sides.run("--paddle-json=results.json", "--junitxml=junit.xml")
    told(result, "against: QPS of this side over the other with 2 threads is 0.526", "below the limit 0.952")
    assert "PASS against: QPS of this side over the other with 1 thread is 1.000" in said(result)
    rows = [line.split() for line in result.outlines if line.startswith("      2 ") and line.endswith("  fail")]
    assert len(rows) == 1  # in the summary
    assert [float(word) for word in rows[0][1:4]] == pytest.approx([41, 78, 0.526], rel=0.01)
    assert [float(word) for word in rows[0][5:8]] == pytest.approx([0.51, 0.98, 1.9], abs=0.02)  # eff. of both, p50
    both_sides_are_in_the_files(sides)


def both_sides_are_in_the_files(sides):
    [sweep] = sides.results()
    against = sweep["against"]
    assert [ratio["threads"] for ratio in against["ratios"]] == [1, 2]
    assert against["ratios"][1]["qps"] == pytest.approx(0.526, rel=0.01)
    low, high = against["ratios"][1]["qps_ci"]
    assert low <= against["ratios"][1]["qps"] <= high
    assert against["points"][1]["qps"] == pytest.approx(78, rel=0.01)
    assert sweep["points"][1]["qps"] == pytest.approx(41, rel=0.01)
    assert against["identity"]["this"]["Python"] == against["identity"]["other"]["Python"]
    assert against["max_drift"] == 0.05
    windows = sweep["windows"]
    assert len(windows) == 6 * 8
    assert {(window["side"], window["fork"]) for window in windows} == {("this", 1), ("other", 2)}
    for four in (windows[i : i + 4] for i in range(0, 48, 4)):
        assert [window["side"] for window in four] in (
            ["this", "other", "other", "this"],
            ["other", "this", "this", "other"],
        )
    [verdict] = [one for one in sweep["verdicts"] if one["threads"] == 2]
    assert (verdict["check"], verdict["status"]) == ("against", "fail")
    properties = {
        one.get("name"): one.get("value") for one in ElementTree.parse(sides.path / "junit.xml").iter("property")
    }
    assert float(properties["paddle_mt_ratio_2"]) == pytest.approx(0.526, rel=0.01)


def test_how_much_slower_it_may_be_is_an_option_and_a_marker_argument(sides):
    sides.conftest("THIS[2] = 72.2")  # 8 % more time, beyond the default
    sides.run("--paddle-max-drift=0.10").assert_outcomes(passed=2)
    sides.conftest("THIS[2] = 75.5")  # 3.3 % more time, within the default
    sides.test(
        "import pytest\n" + _TEST.replace("def test_s", "@pytest.mark.paddle_scaling(max_drift=0.02)\ndef test_s")
    )
    sides.run().assert_outcomes(failed=1, passed=1)


# What runs where


def test_forks_are_that_many_pairs(sides):
    sides.run("--paddle-forks=2", "--paddle-json=results.json").assert_outcomes(passed=2)
    windows = sides.results()[0]["windows"]
    assert [{window["fork"] for window in windows[i : i + 8]} for i in range(0, 48, 8)] == [{1, 3}, {2, 4}] * 3
    assert [window["side"] for window in windows if window["fork"] > 2] == ["other"] * 24


def test_the_other_side_runs_the_same_test_of_its_own_checkout(sides):
    before = sides.checkout()
    sides.conftest("THIS[2] = 41.0\nTHAT[2] = 1.0")
    (before / "helpers.py").write_text("HOW = 'before'")
    sides.conftest("import helpers\nTHAT[2] = 41.0\nnote('helpers', helpers.HOW)", before)
    (sides.path / "helpers.py").write_text("raise RuntimeError('of this checkout')")
    result = sides.run(f"--paddle-against-rootdir={before}")
    result.assert_outcomes(passed=2)
    assert [fork for fork, *_ in sides.notes("measured")] == ["1"] * 24
    notes = [line.split() for line in (before / "notes").read_text().splitlines()]
    assert {words[0] for words in notes} == {"2"}
    assert ["2", "helpers", "before"] in notes
    assert f"the other: {sides.python} in {before}" in said(result)


def test_a_relative_interpreter_and_rootdir_are_relative_to_where_pytest_was_started(sides):
    before = sides.checkout()
    python = f"../{sides.python.parent.name}/python"
    result = sides.run("--rootdir=.", "-c", "pytest.ini", f"--paddle-against-rootdir=../{before.name}", python=python)
    result.assert_outcomes(passed=2)


def test_nothing_of_this_interpreter_s_module_path_reaches_the_other(sides, monkeypatch):
    brought = sides.path.parent / f"{sides.path.name}-brought"
    brought.mkdir()
    (brought / "only_here.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(brought))
    sides.conftest(
        """
        import importlib.util
        note("found", importlib.util.find_spec("only_here") is not None)
        """
    )
    sides.run(apart=True).assert_outcomes(passed=2)  # PYTHONPATH counts when an interpreter starts
    assert dict(sides.notes("found")) == {"0": "True", "1": "True", "2": "False"}


def test_an_option_that_the_other_side_cannot_read_or_does_not_know_does_not_break_it(sides):
    before = sides.checkout()
    (sides.path / "only_here.py").write_text("class Value(str):\n    pass\n")
    sides.conftest(
        """
        import only_here

        def pytest_addoption(parser):
            parser.addoption("--mine", type=only_here.Value, default=only_here.Value("x"))
            parser.addoption("--known", default=only_here.Value("y"))
        """
    )
    sides.run(f"--paddle-against-rootdir={before}", "--mine=z").assert_outcomes(passed=2)


def test_another_version_of_the_plugin_with_the_same_protocol_is_allowed_and_said(sides):
    (sides.path / "sitecustomize.py").write_text(
        "import os, sys\n"
        "if 'OTHER_SIDE' in os.environ:\n"
        "    import pytest_paddle_mt\n"
        "    pytest_paddle_mt.__version__ = '9.8.7'\n"
    )
    python = sides.interpreter("python-newer", f"export PYTHONPATH={sides.path}")
    result = sides.run(python=python)
    result.assert_outcomes(passed=2)
    assert "pytest-paddle-mt 0.1.0 against 9.8.7" in said(result)


@pytest.mark.fault(
    "processes", "the other side has a plugin with another protocol", "the test fails and names both versions"
)
def test_another_protocol_is_a_failure_that_names_both(sides):
    (sides.path / "sitecustomize.py").write_text(
        "import os\n"
        "if 'OTHER_SIDE' in os.environ:\n"
        "    from pytest_paddle_mt.workers import protocol\n"
        "    protocol.PROTOCOL = 99\n"
    )
    python = sides.interpreter("python-newer", f"export PYTHONPATH={sides.path}")
    told(
        sides.run(python=python),
        f"has pytest-paddle-mt {__version__} (protocol 99) from",
        f"this process has {__version__} (protocol {PROTOCOL}): they do not understand each other",
        "install a version with the same protocol there",
    )


def test_the_same_interpreter_twice_is_said_to_be_a_comparison_with_itself(sides):
    result = sides.run(python=sys.executable)
    result.assert_outcomes(passed=2)
    assert "this interpreter and this rootdir (A/A)" in said(result)


# What cannot be compared, or is not there


@pytest.mark.parametrize(("status", "arguments"), [("skipped", ()), ("failed", ("--paddle-strict",))])
@pytest.mark.fault(
    "processes",
    "the other checkout lacks the test's file",
    "the test is skipped as `no_data` with the path, and never passes",
)
def test_a_file_that_the_other_checkout_lacks_is_no_data(sides, status, arguments):
    before = sides.checkout()
    (before / "test_it.py").unlink()
    result = sides.run(f"--paddle-against-rootdir={before}", "-rsf", *arguments)
    result.assert_outcomes(**{status: 1}, passed=1)
    assert f"no_data: the other side has no file {before}/test_it.py" in said(result)
    assert sides.notes("measured") == []


def test_a_test_that_the_other_checkout_lacks_is_no_data(sides):
    before = sides.checkout()
    sides.test("def test_next():\n    pass\n", before)
    result = sides.run(f"--paddle-against-rootdir={before}", "-rs")
    result.assert_outcomes(skipped=1, passed=1)
    assert "there is no test 'test_it.py::test_serves'" in said(result)
    assert "1 of 1 sweep NOT gated" in said(result)


@pytest.mark.fault(
    "processes", "the test is skipped on the other side only", "the test is skipped as `no_data` with that reason"
)
def test_a_test_that_is_skipped_on_the_other_side_is_no_data_with_its_reason(sides):
    sides.conftest("@pytest.fixture(autouse=True)\ndef everywhere():\n    if OTHER:\n        pytest.skip('not yet')")
    result = sides.run("-rs")
    result.assert_outcomes(skipped=1, passed=1)
    assert "no_data" in said(result)
    assert "not yet" in said(result)


def test_sides_that_serve_another_batch_are_not_comparable_and_the_difference_is_named(sides):
    sides.conftest(
        """
        from pytest_paddle_mt.predictors import identity
        known = identity.describe

        def describe(*arguments):
            return {**known(*arguments), "batch size": "8" if OTHER else "1", "colour": "red" if OTHER else "blue"}

        identity.describe = describe
        """
    )
    result = sides.run("-rs")
    result.assert_outcomes(skipped=1, passed=1)
    assert "not_comparable: the two sides differ in batch size: 1 and 8" in said(result)
    assert "colour blue against red" in said(result)
    assert sides.notes("measured") == []


@pytest.mark.fault(
    "models",
    "two sides serve other inputs or batches",
    "the test is skipped as `not_comparable`, and the difference is named",
)
def test_a_real_model_with_other_inputs_is_not_comparable_and_its_batch_is_named(sides, models):
    model = models.get("mlp")
    sides.conftest(
        f"""
        @pytest.fixture
        def paddle_config():
            from paddle import inference

            config = inference.Config({str(model.program)!r}, {str(model.params)!r})
            config.disable_glog_info()
            return config

        @pytest.fixture
        def paddle_inputs():
            import numpy

            return {{"x": numpy.zeros((4 if OTHER else 1, 16), "float32")}}
        """
    )
    sides.test("def test_serves(predictor_pool, concurrent_runner):\n    concurrent_runner(predictor_pool)\n")
    result = sides.run("-rs", "--paddle-engine=native")
    result.assert_outcomes(skipped=1)
    assert "not_comparable: the two sides differ in inputs: sha256 " in said(result)
    assert "they differ in: batch size 1 against 4; inputs sha256 " in said(result)


def test_figures_asked_of_a_comparison_without_any_end_the_test_as_undecided(sides):
    # the body in _TEST asks for ratios: without figures it neither goes on nor fails
    before = sides.checkout()
    (before / "test_it.py").unlink()
    sides.run(f"--paddle-against-rootdir={before}").assert_outcomes(skipped=1, passed=1)
    assert sides.notes("after") == []


@pytest.mark.fault(
    "processes", "a fixture fails on the other side only", "the test fails with its traceback and output"
)
def test_a_fixture_that_fails_on_the_other_side_fails_the_test_with_its_output(sides):
    sides.conftest(
        """
        @pytest.fixture(autouse=True)
        def everywhere():
            if OTHER:
                print("about to fail")
                raise RuntimeError("no room there")
        """
    )
    told(sides.run(), "(the other side, ", "RuntimeError: no room there", "about to fail")


@pytest.mark.fault(
    "processes",
    "the other side of `--paddle-against` crashes",
    "the test fails, names the side and how to run it alone",
)
def test_a_crash_on_the_other_side_fails_the_test_and_leaves_nothing_behind(sides):
    sides.conftest(
        """
        class Known(Known):
            def measure(self, threads, plan):
                if OTHER:
                    os.kill(os.getpid(), 9)
                return super().measure(threads, plan)
        """
    )
    told(
        sides.run(),  # looks for processes
        f"(the other side, {sides.python}) died of SIGKILL while it measured",
        f"there alone ({sides.python} -m pytest, in {sides.path}, without --paddle-against)",
    )


@pytest.mark.fault(
    "processes", "Ctrl-C while two sides are compared", "no process of either side and no result is left"
)
def test_ctrl_c_leaves_no_process_of_either_side_and_no_result(sides):
    sides.conftest(
        """
        import subprocess, threading
        from pytest_paddle_mt.workers import crew
        crew.INTERRUPT_S = 1.0
        if FORK:
            subprocess.Popen(["sleep", "1000"])  # would outlive a fork that only dies with pytest

        class Known(Known):
            def measure(self, threads, plan):
                (HERE / "window").touch()
                threading.Event().wait()
        """
    )
    process = sides.start(f"--paddle-against={sides.python}", "--paddle-json=results.json", forks=1)
    until((sides.path / "window").exists)
    assert "KeyboardInterrupt" in interrupt(process)
    until(lambda: not sides.processes())
    assert sides.results() == []
    assert [path.name for path in sides.temporary.iterdir() if "paddle" in path.name] == []


# Options that cannot be used


@pytest.mark.parametrize(
    ("arguments", "fact"),
    [
        (["--paddle-against=/no/such/python"], "there is no /no/such/python"),
        (["--paddle-against=no-such-python"], "there is no program 'no-such-python' on the PATH"),
        (["--paddle-against="], "the value is empty"),
        (["--paddle-against=/bin"], "/bin is a directory"),
        (["--paddle-against=/etc/passwd"], "/etc/passwd is not executable"),
        (["--paddle-against-rootdir=."], "names the other side's directory, but not the Python that runs it"),
        ([f"--paddle-against={sys.executable}", "--paddle-against-rootdir=/no/such"], "there is no directory /no/such"),
        (["--paddle-max-drift=-1"], "-1 leaves no room for noise"),
        (["--paddle-max-drift=much"], "'much' is not a number"),
    ],
)
@pytest.mark.fault(
    "processes", "`--paddle-against` is missing, a folder or not executable", "pytest stops with one line"
)
def test_an_option_that_cannot_be_used_stops_pytest_with_one_line(suite, arguments, fact):
    suite.write("def test_it():\n    pass\n")
    result = suite.run(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    [line] = [line for line in result.errlines if line.strip()]
    assert line.startswith("ERROR: ")
    assert fact in line


@pytest.mark.fault("processes", "`--paddle-against` is no Python", "the test fails and says so")
def test_a_program_that_is_no_python_fails_the_test_that_would_need_it(sides):
    told(sides.run(python="/bin/echo"), "UsageError: /bin/echo is no Python 3 interpreter")


@pytest.mark.fault("processes", "`--paddle-against` never answers", "the test fails after a deadline")
def test_a_program_that_never_answers_fails_the_test_that_would_need_it(sides):
    sides.conftest("from pytest_paddle_mt.workers import elsewhere\nelsewhere.ASK_S = 0.5")
    sleeper = sides.interpreter("sleeper", "exec sleep 1000")
    told(sides.run(python=sleeper), f"UsageError: {sleeper} did not answer within 0.5 s")


@pytest.mark.fault("models", "the other interpreter has no Paddle", "the test fails and says so")
def test_an_interpreter_without_paddle_fails_a_test_that_serves_a_model(sides, models):
    model = models.get("mlp")
    sides.conftest(
        f"""
        @pytest.fixture
        def paddle_config():
            from paddle import inference
            return inference.Config({str(model.program)!r}, {str(model.params)!r})
        """
    )
    sides.test(
        """
        def test_serves(predictor_pool, concurrent_runner):
            concurrent_runner(predictor_pool)

        def test_next():
            pass
        """
    )
    (sides.path / "sitecustomize.py").write_text(
        "import os, sys\nif 'OTHER_SIDE' in os.environ:\n    sys.modules['paddle'] = None\n"
    )
    python = sides.interpreter("python-bare", f"export PYTHONPATH={sides.path}")
    told(sides.run("--paddle-engine=native", python=python), "has no Paddle, which this test serves; install it there")


@pytest.mark.parametrize("argument", ["--benchmark-disable", "-n1"])
def test_a_smoke_run_stays_in_this_process_and_judges_nothing(sides, argument):
    if argument == "-n1":
        pytest.importorskip("xdist")
    sides.test("from conftest import *\ndef test_serves(concurrent_runner):\n    concurrent_runner([])\n")
    result = sides.run(argument, "-rs")
    result.assert_outcomes(skipped=1)
    assert {fork for fork, *_ in sides.notes("measured")} == {"0"}
    assert "NOT gated" in said(result)


def test_the_results_file_of_an_ordinary_sweep_has_no_other_side(sides):
    sides.test("from conftest import *\ndef test_serves(concurrent_runner):\n    concurrent_runner([], gate=False)\n")
    sides._forked.run_forked("--paddle-json=results.json", forks=0)
    assert json.loads((sides.path / "results.json").read_text())["sweeps"][0]["against"] is None
