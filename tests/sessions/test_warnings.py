"""Where a user makes every warning an error, pytest starts and measures: neither we nor the import of Paddle warn."""

from __future__ import annotations

import pytest

from tests.suite import Suite, text

CONFIG = """
    @pytest.fixture
    def paddle_config():
        {inside}
        config = paddle.inference.Config({program!r}, {params!r})
        config.disable_glog_info()
        return config
"""

SERVES = """
    def test_serves(predictor_pool, concurrent_runner):
        concurrent_runner(predictor_pool, gate=False)
"""


@pytest.mark.parametrize("inside", [False, True], ids=["on_top", "in_the_fixture"])
def test_a_suite_that_serves_a_model_runs_where_warnings_are_errors(suite: Suite, models, inside):
    model = models.get("mlp")
    importing = ("pass", "import paddle") if inside else ("import paddle", "pass")
    suite.ini("paddle-rounds = 1", "paddle-window = 2q", "filterwarnings = error")
    suite.conftest(f"import pytest\n{importing[0]}\n")
    suite.conftest_too(CONFIG.format(inside=importing[1], program=str(model.program), params=str(model.params)))
    suite.write(SERVES)
    result = suite.run_apart()
    assert result.ret == 0, text(result)
    result.assert_outcomes(passed=1)
    assert "warning" not in result.stdout.lines[-1]


def test_other_warnings_stay_errors(suite: Suite):
    suite.ini("filterwarnings = error")
    suite.write('import warnings\ndef test_it():\n    warnings.warn("of the user\'s")\n')
    result = suite.run()
    result.assert_outcomes(failed=1)
