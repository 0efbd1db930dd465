"""The suites that tests write and run in this process leave it as it was."""

from pytest_paddle_mt.predictors.pool import PredictorPool
from pytest_paddle_mt.workers import fork


def test_what_a_conftest_overwrites_in_the_package_ends_with_its_run(suite):
    close, seconds = PredictorPool.close, fork.SLACK_S
    suite.conftest(
        """
        from pytest_paddle_mt.predictors.pool import PredictorPool
        from pytest_paddle_mt.workers import fork

        PredictorPool.close = fork.SLACK_S = None

        def test_sees_it():
            assert PredictorPool.close is fork.SLACK_S is None
        """
    )
    suite.write("from conftest import test_sees_it")
    suite.run().assert_outcomes(passed=1)
    assert PredictorPool.close is close
    assert seconds == fork.SLACK_S
