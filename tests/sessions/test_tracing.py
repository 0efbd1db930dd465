"""A tracer of the user's, coverage for instance: it is off while Python threads measure, and the report names it."""

from __future__ import annotations

import pytest

from tests.suite import Suite, text


@pytest.mark.parametrize(("engine", "named"), [("python", True), ("native", False)])
def test_a_tracer_is_off_in_windows_of_python_threads_and_named(suite: Suite, models, engine, named):
    model = models.get("mlp")
    suite.ini("paddle-rounds = 1", "paddle-window = 2q")
    suite.write(
        f"""
        import sys, threading
        import pytest
        from paddle import inference

        seen = []

        def tracer(frame, event, argument):
            seen.append(frame.f_code.co_name)
            return tracer

        @pytest.fixture(autouse=True)
        def traced():
            before = sys.gettrace(), threading.gettrace()
            sys.settrace(tracer)
            threading.settrace(tracer)
            yield
            sys.settrace(before[0])
            threading.settrace(before[1])

        @pytest.fixture
        def paddle_config():
            config = inference.Config({str(model.program)!r}, {str(model.params)!r})
            config.disable_glog_info()
            return config

        def test_serves(predictor_pool, concurrent_runner):
            concurrent_runner(predictor_pool, gate=False)
            assert sys.gettrace() is tracer
            assert not {{"_serve", "_loop"}} & set(seen)
        """
    )
    result = suite.run(f"--paddle-engine={engine}")
    result.assert_outcomes(passed=1)
    assert ("tracing off in windows (test_it.tracer)" in text(result)) is named
