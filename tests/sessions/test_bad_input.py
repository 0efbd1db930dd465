"""Bad input, as a user meets it: the message names the fact, the value and the next step."""

from __future__ import annotations

import re

import pytest

from tests.models import FORMATS
from tests.suite import Suite

ANY_TEST = """
    import pytest

    @pytest.mark.paddle_scaling(engine="scales")
    def test_it(concurrent_runner):
        concurrent_runner(None)
"""


def told(result: pytest.RunResult) -> str:
    """What a test that failed told its author; that no code of ours was shown is checked on the way."""
    printed = "\n".join(result.outlines)
    sections = re.split(r"^=+ (?:FAILURES|ERRORS) =+$", printed, flags=re.MULTILINE)
    assert len(sections) > 1, "nothing failed"
    report = re.split(
        r"^=+ (?:warnings summary|short test summary info|paddle thread scaling) ", sections[1], flags=re.MULTILINE
    )[0]
    assert "pytest_paddle_mt/" not in report
    return " ".join(report.replace("\nE  ", "\n").split())


def raised(result: pytest.RunResult) -> str:
    """The message of the error alone, without the lines of the test that pytest quotes where it shows a traceback."""
    lines = [line[1:] for line in result.outlines if line.startswith("E  ")]
    return " ".join(" ".join(lines).split()) if lines else told(result)


# Options: pytest stops at once.


@pytest.mark.parametrize(
    ("option", "fact", "step"),
    [
        ("--paddle-threads=0", "0 is not a count of threads", "give the largest count (16)"),
        ("--paddle-threads=-1", "-1 is not a count of threads", "a range (1-16)"),
        ("--paddle-threads=x", "'x' is not a whole number", "a list (1,3,8)"),
        ("--paddle-threads=8-2", "the range runs backwards", "write 2-8"),
        ("--paddle-threads=10000", "10000 threads are more than the limit of 1024", "ask for 1024 threads or fewer"),
        ("--paddle-engine=natve", "there is no engine 'natve'", "did you mean 'native'?"),
        ("--paddle-min-efficiency=0", "0 cannot be the smallest efficiency", "above 0 and up to 1"),
        ("--paddle-min-efficiency=1.5", "1.5 cannot be the smallest efficiency", "above 0 and up to 1"),
        ("--paddle-min-efficiency=nan", "'nan' is not a number", "above 0 and up to 1"),
        ("--paddle-window=0", "a window of 0 s measures nothing", "give seconds (0.5)"),
        ("--paddle-window=0q", "a window of 0q is too short", "queries of every thread (200q)"),
        ("--paddle-window=-1q", "a window of -1q is too short", "queries of every thread (200q)"),
        ("--paddle-window=5x", "'5x' is not a number", "give seconds (0.5)"),
    ],
)
def test_an_option_that_cannot_be_used_stops_pytest_with_one_line(suite: Suite, option, fact, step):
    suite.write(ANY_TEST)
    result = suite.run(option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    [line] = [line for line in result.errlines if line.strip()]
    assert line.startswith(f"ERROR: {option}: ")
    assert fact in line
    assert step in line


def test_a_marker_argument_that_cannot_be_used_is_an_error_of_that_test_s_collection(suite: Suite):
    suite.write(ANY_TEST.replace('engine="scales"', "min_efficiency=1.5"))
    result = suite.run()
    result.assert_outcomes(errors=1)
    assert "test_it.py::test_it: paddle_scaling(min_efficiency=1.5): 1.5 cannot be the smallest efficiency" in told(
        result
    )


def test_a_misspelt_marker_argument_is_told_with_the_one_that_was_meant(suite: Suite):
    suite.write(ANY_TEST.replace('engine="scales"', "min_eficiency=0.9"))
    result = suite.run()
    result.assert_outcomes(errors=1)
    assert "'min_eficiency' is not an argument of the marker; did you mean 'min_efficiency'?" in told(result)


# Calls of concurrent_runner.


def test_the_runner_called_twice_in_one_test_is_refused(suite: Suite):
    suite.write(ANY_TEST + "        concurrent_runner(None)\n")
    result = suite.run()
    result.assert_outcomes(failed=1)
    assert "UsageError: concurrent_runner was called twice in one test" in told(result)
    assert "write a second test, or parametrise this one" in told(result)


@pytest.mark.fault("models", "`concurrent_runner` is called from another thread", "it is refused")
def test_the_runner_called_from_a_thread_is_refused(suite: Suite):
    suite.write(
        """
        from concurrent.futures import ThreadPoolExecutor

        def test_it(concurrent_runner):
            with ThreadPoolExecutor(thread_name_prefix="mine") as pool:
                pool.submit(concurrent_runner, None).result()
        """
    )
    result = suite.run()
    result.assert_outcomes(failed=1)
    assert "concurrent_runner was called from thread 'mine_0'" in told(result)
    assert "must be called from the test itself" in told(result)


@pytest.mark.parametrize(("served", "named"), [("None", "NoneType"), ("3", "int"), ("'model'", "str"), ("{}", "dict")])
def test_a_wrong_object_is_refused(suite: Suite, served, named):
    suite.write(f"def test_it(concurrent_runner):\n    concurrent_runner({served})\n")
    result = suite.run()
    result.assert_outcomes(failed=1)
    assert f"serves a predictor pool or a list of predictors, got {named}" in told(result)
    assert "call concurrent_runner(predictor_pool)" in told(result)


def test_no_predictor_at_all_is_refused(suite: Suite):
    suite.write("def test_it(concurrent_runner):\n    concurrent_runner([])\n")
    result = suite.run()
    result.assert_outcomes(failed=1)
    assert "an empty list of predictors serves nothing; give one predictor per thread" in told(result)


def test_one_predictor_for_two_threads_is_refused(suite: Suite):
    suite.write("def test_it(concurrent_runner):\n    one = object()\n    concurrent_runner([object(), one, one])\n")
    result = suite.run()
    result.assert_outcomes(failed=1)
    assert "predictors 1 and 2 are one object" in told(result)
    assert "give each thread its own, by predictor.clone()" in told(result)


def test_fewer_predictors_than_threads_are_refused(suite: Suite):
    suite.write("def test_it(concurrent_runner):\n    concurrent_runner([object()])\n")
    result = suite.run()
    result.assert_outcomes(failed=1)
    assert "2 threads need 2 predictors and the pool has 1" in told(result)
    assert "--paddle-threads=1" in told(result)


def test_a_query_that_cannot_be_called_is_refused(suite: Suite):
    suite.write("def test_it(concurrent_runner):\n    concurrent_runner([object(), object()], query=3)\n")
    result = suite.run()
    result.assert_outcomes(failed=1)
    assert "query=3 cannot be called; give a function query(predictor, inputs)" in told(result)


def test_a_query_on_the_native_engine_is_refused_when_that_was_asked_for(suite: Suite):
    suite.write("def test_it(concurrent_runner):\n    concurrent_runner([object(), object()], query=print)\n")
    result = suite.run("--paddle-engine=native")
    result.assert_outcomes(failed=1)
    assert "the native engine cannot run a query of your own (--paddle-engine=native)" in told(result)
    assert "measure it with --paddle-engine=python" in told(result)


@pytest.mark.parametrize(
    ("work", "fact"),
    [
        ("spin_ns=-1", "SyntheticWork(spin_ns=-1) is out of range"),
        ("locked_fraction=1.5", "SyntheticWork(locked_fraction=1.5) is no fraction; give 0 to 1"),
        ("growth=-0.5", "SyntheticWork(growth=-0.5) is out of range; give 0 to"),
        ("stream_bytes=-1", "has a negative amount of work; give 0 or more"),
    ],
)
def test_work_that_cannot_be_done_is_refused(suite: Suite, work, fact):
    suite.write(
        f"""
        from pytest_paddle_mt import SyntheticWork

        def test_it(concurrent_runner):
            concurrent_runner(SyntheticWork({work}))
        """
    )
    result = suite.run()
    result.assert_outcomes(failed=1)
    assert fact in told(result)


# The result.


def test_a_thread_count_that_was_not_measured_is_refused(suite: Suite):
    suite.write(ANY_TEST.replace("(None)", "(None).at(threads=8)"))
    result = suite.run()
    result.assert_outcomes(failed=1)
    assert "8 threads were not measured; measured: 1, 2. Ask for them with --paddle-threads" in told(result)


@pytest.mark.parametrize("percentile", ["0", "100", "-1", "float('nan')"])
def test_what_is_no_percentile_is_refused(suite: Suite, percentile):
    suite.write(ANY_TEST.replace("(None)", f"(None).at(threads=2).latency_ms({percentile})"))
    result = suite.run()
    result.assert_outcomes(failed=1)
    assert "is no percentile; give a number between 0 and 100" in told(result)


def test_a_percentile_that_the_sample_cannot_support_is_refused(suite: Suite):
    suite.write(ANY_TEST.replace("(None)", "(None).at(threads=2).latency_ms(99)"))
    result = suite.run("--paddle-rounds=1")
    result.assert_outcomes(failed=1)
    assert "p99 needs 662 queries and 400 were measured with 2 threads" in told(result)
    assert "give a longer --paddle-window or more --paddle-rounds" in told(result)


# Fixtures.


@pytest.mark.usefixtures("models")  # Paddle cannot be imported twice: here, then in the suite
def test_a_missing_paddle_config_is_told_with_what_to_write(suite: Suite):
    suite.write("def test_it(predictor_pool, concurrent_runner):\n    concurrent_runner(predictor_pool)\n")
    result = suite.run()
    result.assert_outcomes(errors=1)
    assert "predictor_pool needs a fixture named paddle_config; write a fixture that returns the model" in told(result)
    assert "def paddle_config():" in told(result)
    assert "return paddle.inference.Config(" in told(result)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ("raise ImportError('libx.so: cannot open')", "and cannot be loaded: ImportError: libx.so: cannot open; run "),
        ("import no_such_part", "and cannot be loaded: ModuleNotFoundError: No module named 'no_such_part'; run "),
        ("raise ModuleNotFoundError(name='paddle')", "paddle is not installed; install it with: pip install"),
    ],
)
@pytest.mark.fault(
    "models",
    "Paddle is installed and cannot be loaded",
    'the test fails with the loader\'s message, not with "not installed"',
)
def test_a_paddle_that_cannot_be_loaded_is_told_from_one_that_is_not_installed(suite: Suite, module: str, message: str):
    suite.write(module, "paddle")
    suite.write(
        """
        import pytest

        @pytest.fixture
        def paddle_config():
            return "whatever Paddle would take"

        def test_it(predictor_pool, concurrent_runner):
            concurrent_runner(predictor_pool)
        """
    )
    result = suite.run_apart()
    result.assert_outcomes(errors=1)
    assert message in told(result)


@pytest.mark.usefixtures("models")  # Paddle cannot be imported twice: here, then in the suite
def test_a_paddle_config_overridden_with_none_is_refused(suite: Suite):
    suite.write(
        """
        import pytest

        @pytest.fixture
        def paddle_config():
            pass

        def test_it(predictor_pool, concurrent_runner):
            concurrent_runner(predictor_pool)
        """
    )
    result = suite.run()
    result.assert_outcomes(errors=1)
    assert "the fixture paddle_config returned None; return a paddle.inference.Config from it" in told(result)


@pytest.mark.usefixtures("models")  # Paddle cannot be imported twice: here, then in the suite
def test_a_paddle_config_that_is_a_path_is_refused(suite: Suite):
    suite.write(
        """
        import pytest

        @pytest.fixture
        def paddle_config():
            return "model/inference.json"

        def test_it(predictor_pool, concurrent_runner):
            concurrent_runner(predictor_pool)
        """
    )
    result = suite.run()
    result.assert_outcomes(errors=1)
    assert "a predictor pool needs a paddle.inference.Config, got str" in told(result)


def test_a_predictor_pool_overridden_with_none_is_refused(suite: Suite):
    suite.write(
        """
        import pytest

        @pytest.fixture
        def predictor_pool():
            pass

        def test_it(predictor_pool, concurrent_runner):
            concurrent_runner(predictor_pool)
        """
    )
    result = suite.run()
    result.assert_outcomes(**{"failed": 1} if "failed" in result.parseoutcomes() else {"errors": 1})
    assert "the fixture predictor_pool returned None; return a pytest_paddle_mt.PredictorPool from it" in told(result)


CONFIGURED = """
    import pytest
    from paddle import inference

    def threads(text):
        return int(text)

    @pytest.fixture
    def paddle_config():
        config = inference.Config({files})
        config.set_cpu_math_library_num_threads({threads})
        return config

    def test_it(predictor_pool, concurrent_runner):
        concurrent_runner(predictor_pool)
"""


def test_an_error_of_the_user_s_code_in_paddle_config_keeps_its_traceback(suite: Suite, models):
    model = models.get("mlp")
    suite.write(CONFIGURED.format(files=f"{str(model.program)!r}, {str(model.params)!r}", threads='threads("eight")'))
    result = suite.run()
    result.assert_outcomes(errors=1)
    assert "test_it.py:6: ValueError" in told(result)
    assert "> return int(text)" in told(result)
    assert "check the paths" not in told(result)


@pytest.mark.usefixtures("models")  # Paddle cannot be imported twice: here, then in the suite
def test_an_error_of_paddle_in_paddle_config_keeps_its_traceback_and_gets_advice(suite: Suite):
    suite.write(CONFIGURED.format(files="'absent.json', 'absent.pdiparams'", threads=1))
    result = suite.run()
    result.assert_outcomes(errors=1)
    assert "test_it.py:10: RuntimeError" in told(result)
    assert "Paddle raised this in paddle_config; check the paths given to Config" in told(result)


# Models and inputs, on a real Paddle.


class Served:
    """A suite that serves a real model."""

    def __init__(self, suite: Suite, models):
        self._suite = suite
        self.model = models.get("mlp")

    def run(
        self,
        *,
        program: object = None,
        params: object = None,
        inputs: str | None = None,
        body: str = "concurrent_runner(predictor_pool)",
        arguments: tuple[str, ...] = (),
    ) -> pytest.RunResult:
        """Run one test on these files, with these inputs."""
        program = self.model.program if program is None else program
        params = self.model.params if params is None else params
        fixture = "" if inputs is None else f"@pytest.fixture\ndef paddle_inputs():\n    return {inputs}\n"
        self._suite.write(
            "import numpy as np\n"
            "import pytest\n"
            "from paddle import inference\n"
            "@pytest.fixture\n"
            "def paddle_config():\n"
            f"    config = inference.Config({str(program)!r}, {str(params)!r})\n"
            "    config.disable_glog_info()\n"
            "    return config\n"
            f"{fixture}"
            "def test_it(predictor_pool, concurrent_runner):\n"
            f"    {body}\n"
        )
        return self._suite.run(*arguments)


@pytest.fixture
def served(suite: Suite, models) -> Served:
    return Served(suite, models)


def test_the_model_that_the_others_break_is_served(served: Served):
    served.run(body="concurrent_runner(predictor_pool, gate=False)").assert_outcomes(passed=1)


@pytest.mark.fault("models", "a model file is missing", "the test fails and names it")
def test_a_model_file_that_does_not_exist_is_named(served: Served, tmp_path):
    result = served.run(program=tmp_path / "absent.json")
    result.assert_outcomes(errors=1)
    assert str(tmp_path / "absent.json") in raised(result)
    assert "check the path" in told(result)


@pytest.mark.fault("models", "a parameters file is missing", "the test fails and names it")
def test_a_parameters_file_that_does_not_exist_is_named(served: Served, tmp_path):
    result = served.run(params=tmp_path / "absent.pdiparams")
    result.assert_outcomes(errors=1)
    assert str(tmp_path / "absent.pdiparams") in raised(result)
    assert "check the path" in told(result)


@pytest.mark.fault("models", "a model path is a folder", "the test fails and names it")
def test_a_directory_for_a_model_file_is_named(served: Served, tmp_path):
    result = served.run(program=tmp_path)
    result.assert_outcomes(errors=1)
    assert str(tmp_path) in raised(result)
    assert "check the path" in told(result)


def test_a_directory_for_a_parameters_file_is_named(served: Served, tmp_path):
    result = served.run(params=tmp_path)
    result.assert_outcomes(errors=1)
    assert f"the parameters file '{tmp_path}' is a directory; name the file in it" in told(result)


@pytest.mark.fault("models", "a model file is empty", "the test fails and names it")
def test_an_empty_model_file_is_named(served: Served, tmp_path):
    (tmp_path / "empty.json").touch()
    result = served.run(program=tmp_path / "empty.json")
    result.assert_outcomes(errors=1)
    assert "empty.json' is empty; export the model again" in told(result)


@pytest.mark.fault("models", "a model file was cut off", "the test fails and names it")
def test_a_truncated_model_file_is_named(served: Served, tmp_path):
    whole = served.model.program.read_bytes()
    cut = tmp_path / f"cut{served.model.program.suffix}"
    cut.write_bytes(whole[: len(whole) // 2])
    result = served.run(program=cut)
    assert "passed" not in result.parseoutcomes()
    assert cut.name in told(result)
    assert "check that the files are whole" in told(result)


@pytest.mark.fault(
    "models", "a parameters file was cut off", "the test fails, names the model and asks whether its files are whole"
)
def test_a_truncated_parameters_file_is_named(served: Served, tmp_path):
    whole = served.model.params.read_bytes()
    (tmp_path / "cut.pdiparams").write_bytes(whole[: len(whole) // 2])
    result = served.run(params=tmp_path / "cut.pdiparams")
    assert "passed" not in result.parseoutcomes()
    assert str(served.model.program) in raised(result)
    assert "check that the files are whole" in told(result)


@pytest.mark.fault("models", "a file has another format", "the test fails and names it")
def test_a_file_of_another_format_is_named(served: Served, tmp_path):
    other = tmp_path / f"other{served.model.program.suffix}"
    other.write_text("this is no model at all\n")
    result = served.run(program=other)
    assert "passed" not in result.parseoutcomes()
    assert f"the model file '{other}' is not a " in raised(result)
    assert "(it starts with b'this is '); name the file that was exported" in raised(result)


@pytest.mark.parametrize(
    ("inputs", "fact", "step"),
    [
        (
            '{"x1": np.zeros((1, 16), "float32")}',
            "the model has no input 'x1'; its inputs are 'x'",
            "did you mean 'x'?",
        ),
        ('{"x": np.zeros((1, 16))}', "input 'x' is float64, the model wants float32", ".astype('float32')"),
        ('{"x": np.zeros(16, "float32")}', "input 'x' has 1 dimensions (16,), the model wants 2: (..., 16)", "reshape"),
        ('{"x": np.zeros((1, 7), "float32")}', "input 'x' has the shape (1, 7), the model wants (..., 16)", "reshape"),
        ('{"x": np.zeros((0, 16), "float32")}', "no input has elements ('x' has the shape (0, 16))", "at least one"),
        ('{"x": ["words"]}', "input 'x' is text, which no engine copies", "export the model without its tokenizer"),
        ("{}", "paddle_inputs is empty", "give at least one dict"),
        ("[]", "paddle_inputs is empty", "give at least one dict"),
        ("None", "paddle_inputs must be a dict of arrays by input name", "got NoneType None"),
        ("3", "paddle_inputs must be a dict of arrays by input name", "got int 3"),
    ],
)
@pytest.mark.fault("models", "inputs do not fit the model", "the test fails with the shape and type wanted")
def test_inputs_that_do_not_fit_the_model_are_refused(served: Served, inputs, fact, step):
    result = served.run(inputs=inputs)
    result.assert_outcomes(failed=1)
    assert fact in told(result)
    assert step in told(result)


@pytest.mark.parametrize(
    ("name", "fact", "line", "fixture"),
    [
        (
            "divided",
            "answers NaN or inf in output",
            "factor: float32 (1, 4), 0 to 0.3",
            '"factor": numpy.ones((1, 4), "float32"),',
        ),
        (
            "table",
            "Paddle could not serve a first query of the model",
            "ids: int64 (1, 40), 0 to 3",
            '"ids": numpy.ones((1, 40), "int64"),',
        ),
    ],
)
@pytest.mark.fault(
    "models",
    "a model cannot serve the inputs that are made up",
    "the test fails with those inputs and the fixture to write",
)
def test_made_up_inputs_that_the_model_cannot_take_are_shown_with_what_to_write(
    served: Served, models, name, fact, line, fixture
):
    served.model = models.get(name)
    result = served.run()
    result.assert_outcomes(failed=1)
    for words in (fact, "The inputs were made up by pytest-paddle-mt", line, "def paddle_inputs():", fixture):
        assert words in told(result)


def test_inputs_of_the_user_s_own_are_not_said_to_be_made_up(served: Served, models):
    served.model = models.get("divided")
    zeros = 'np.zeros((1, 4), "float32")'
    result = served.run(inputs=f'{{"x": {zeros}, "factor": {zeros}}}')
    result.assert_outcomes(failed=1)
    assert "answers NaN or inf" in told(result)
    assert "made up" not in told(result)


@pytest.mark.skipif("json" not in FORMATS, reason="the old format does not load such a model")
@pytest.mark.parametrize("engine", ["native", "python"])
def test_a_model_without_inputs_is_served(served: Served, models, engine):
    served.model = models.get("no_inputs")
    body = "concurrent_runner(predictor_pool, gate=False)"
    served.run(body=body, arguments=(f"--paddle-engine={engine}",)).assert_outcomes(passed=1)


def test_the_summary_shows_what_was_served(served: Served):
    result = served.run(body="concurrent_runner(predictor_pool, gate=False)")
    result.stdout.fnmatch_lines(["  inputs (made up): x float32 (1, 16), 0 to 1.5"])


@pytest.mark.fault("models", "a pool is served after its `close()`", "the test fails and says so")
def test_a_pool_used_after_its_close_is_refused(served: Served):
    result = served.run(body="predictor_pool.close(); concurrent_runner(predictor_pool)")
    result.assert_outcomes(failed=1)
    assert "the predictor pool is closed; use it inside the test, or make one with a wider scope" in told(result)


@pytest.mark.fault("answers", "a list has one predictor twice", "it is refused before two threads run it")
def test_a_list_with_one_real_predictor_twice_is_refused(served: Served):
    result = served.run(body="concurrent_runner([predictor_pool[0], predictor_pool[0]])")
    result.assert_outcomes(failed=1)
    assert "predictors 0 and 1 are one object" in told(result)


@pytest.mark.fault(
    "models", "`--paddle-device=gpu:0` is given to a CPU build", "the test fails and names the package to install"
)
def test_a_gpu_asked_of_a_cpu_build_is_refused(served: Served):
    paddle = pytest.importorskip("paddle")
    if paddle.is_compiled_with_cuda():
        pytest.skip("this Paddle can use a GPU")
    result = served.run(arguments=("--paddle-device=gpu:0",))
    result.assert_outcomes(errors=1)
    assert "--paddle-device=gpu:0 asks for a GPU" in told(result)
    assert "is a CPU build" in told(result)
    assert "paddlepaddle-gpu" in told(result)


@pytest.mark.fault("processes", "a `query=` raises at its first call", "the test fails with its message")
def test_a_query_of_the_user_s_that_fails_is_told_with_its_own_message(served: Served):
    result = served.run(
        body="concurrent_runner(predictor_pool, query=lambda predictor, inputs: 1 / 0)",
    )
    result.assert_outcomes(failed=1)
    assert "ZeroDivisionError: division by zero" in told(result)
