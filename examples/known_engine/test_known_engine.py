"""What the checks conclude from known throughput."""

import pytest


@pytest.mark.paddle_scaling(engine="scales", threads=[1, 2], linear_until=2)
def test_throughput_that_doubles_passes(concurrent_runner):
    result = concurrent_runner(None, gate=False)
    assert result.status == "pass"


@pytest.mark.paddle_scaling(engine="stays", threads=[1, 2], linear_until=2)
def test_throughput_that_stays_fails(concurrent_runner):
    result = concurrent_runner(None, gate=False)
    assert result.status == "fail"
