"""The plugin in conftest.py at work; it needs no Paddle."""

import pytest


@pytest.mark.paddle_scaling(engine="one-at-a-time", threads=2, window=0.1, rounds="4:4")
def test_every_sweep_is_judged_by_the_new_check(concurrent_runner):
    """This engine brings its own work, so it is given no predictors."""
    result = concurrent_runner([], gate=False)
    assert {verdict.check for verdict in result.verdicts} == {"linear", "fairness"}
