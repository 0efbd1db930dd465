"""Forks with a real model."""

from __future__ import annotations

import signal

import pytest


@pytest.fixture
def served(forked, models):
    """A suite whose tests serve a tiny model in forks."""
    model = models.get("mlp")
    forked.conftest(
        f"""
        @pytest.fixture
        def paddle_config():
            from paddle import inference

            config = inference.Config({str(model.program)!r}, {str(model.params)!r})
            config.disable_glog_info()
            config.disable_mkldnn()
            return config
        """
    )
    forked.ini("paddle-engine = native", "paddle-rounds = 2")
    return forked


def test_no_predictor_is_made_in_the_parent_and_the_forks_say_what_they_serve(served):
    served.write(
        """
        from conftest import *

        def test_serves(predictor_pool, paddle_inputs, concurrent_runner):
            result = concurrent_runner(predictor_pool, gate=False)
            assert len(predictor_pool) == 0
            subject = result.sweep.subject
            assert (subject.batch_size, subject.pool, subject.math_threads) == (1, "clone", 1)
            assert subject.gil in ("held", "released")
            assert subject.facts["paddle"].startswith("paddlepaddle ")
            assert {one.fork for one in result.measured.rounds} == {1, 2}
            assert paddle_inputs["x"].shape == (1, 16)  # whoever looks gets one
            assert len(predictor_pool) == 1
        """
    )
    served.run_forked(forks=2).assert_outcomes(passed=1)


def test_wrong_inputs_are_refused_as_they_are_without_forks(served):
    served.conftest_too('@pytest.fixture\ndef paddle_inputs():\n    return {"y": [1]}')
    served.write(
        "from conftest import *\ndef test_serves(predictor_pool, concurrent_runner):\n"
        "    concurrent_runner(predictor_pool)\n"
    )
    for forks in (0, 1):
        result = served.run_forked(forks=forks)
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["*InputError: the model has no input 'y'; its inputs are 'x'*"])


@pytest.mark.fault("processes", "a second Ctrl-C while a pool is closed", "pytest ends as after one")
def test_a_second_ctrl_c_while_the_pool_is_closed_ends_in_no_traceback(served):
    served.write(
        """
        from conftest import *
        from pytest_paddle_mt import PredictorPool

        close = PredictorPool.close

        def interrupted(pool):
            signal.raise_signal(signal.SIGINT)
            close(pool)
            note("closed", pool.closed)

        def test_serves(predictor_pool):
            assert predictor_pool[0] is not None
            PredictorPool.close = interrupted
            signal.raise_signal(signal.SIGINT)
        """
    )
    result = served.run_apart()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*! KeyboardInterrupt !*"])
    assert "Traceback" not in result.stdout.str() + result.stderr.str()
    assert served.notes("closed") == [["0", "True"]]


def test_a_crash_is_told_with_the_stacks_although_paddle_takes_the_signals_over(served):
    served.write(
        """
        from conftest import *

        def query(predictor, inputs):
            predictor.run() if not FORK else SEGFAULT()

        def test_serves(predictor_pool, concurrent_runner):
            concurrent_runner(predictor_pool, query=query)

        def test_next():
            pass
        """
    )
    result = served.run_forked("--paddle-engine=python")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["*fork 1 died of SIG*", "*Segmentation fault*", "*in query*"])


#: A predictor whose pointer to its implementation was overwritten after it was proven, as by a stray write of a model.
_BROKEN = """
    from pytest_paddle_mt.predictors import libpaddle
    from pytest_paddle_mt.engines.native import NativeSession

    def measure(self, threads, plan, sound=NativeSession.measure):
        self.prepare(threads)
        ctypes.c_void_p.from_address(libpaddle.predictor_pointer(self._pool[0])).value = 64
        return sound(self, threads, plan)

    NativeSession.measure = measure
"""
_SERVES = """
    from conftest import *

    def test_serves(predictor_pool, concurrent_runner):
        concurrent_runner(predictor_pool)

    def test_next():
        pass
"""


@pytest.mark.fault(
    "processes",
    "a real predictor crashes in a fork",
    "its test fails with the stacks, although Paddle takes crash signals over",
)
def test_a_crash_of_a_predictor_in_a_measuring_thread_is_told_with_the_stacks(served):
    served.conftest_too(_BROKEN)
    served.write(_SERVES)
    result = served.run_forked()
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(
        ["*fork 1 died of SIGSEGV while it measured*", "*Fatal Python error: Segmentation fault*", "*in test_serves*"]
    )


@pytest.mark.fault("processes", "a real predictor crashes without forks", "pytest ends; signal and stacks are printed")
def test_a_crash_of_a_predictor_in_a_measuring_thread_prints_the_stacks_without_forks_too(served):
    served.conftest_too(_BROKEN)
    served.write(_SERVES)
    result = served.run_apart()
    assert result.ret == -signal.SIGSEGV
    result.stderr.fnmatch_lines(["*Fatal Python error: Segmentation fault*", "*in measure", "*in test_serves"])
