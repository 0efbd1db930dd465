"""Does ONNX Runtime serve a model as fast as Paddle does, and does it scale?"""

import pytest


@pytest.mark.paddle_scaling(engine=["python", "native"])
def test_onnx_runtime_is_not_slower(with_paddle, with_onnx_runtime, concurrent_runner):
    """Fails where ONNX Runtime is slower than Paddle, as a Python server calls it, and as a C++ server does."""
    concurrent_runner.compare(with_paddle, with_onnx_runtime)


def test_onnx_runtime_scales(with_onnx_runtime, concurrent_runner):
    """One session for each thread, or one for all with --paddle-pool=shared."""
    concurrent_runner(with_onnx_runtime)
