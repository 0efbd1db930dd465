"""Does another Paddle serve the same model as fast? Once through C++ threads, once as Python servers call it."""

import pytest


@pytest.mark.paddle_scaling(engine=["python", "native"], threads=2)
def test_mobilenet_v1(predictor_pool, concurrent_runner):
    """With --paddle-against: fails where this Paddle is slower than the other one. Without: where it does not scale."""
    concurrent_runner(predictor_pool)
