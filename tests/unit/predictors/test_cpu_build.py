"""A CPU build that is asked for a GPU refuses it."""

from __future__ import annotations

import contextlib

import pytest

from pytest_paddle_mt.errors import ModelError
from pytest_paddle_mt.predictors.cpu_build import no_gpu_support, refusing_gpu_on_cpu_build
from tests.models import PADDLE

pytestmark = pytest.mark.skipif(not PADDLE, reason="needs Paddle")


@pytest.fixture
def cpu_build(models):
    import paddle

    if paddle.is_compiled_with_cuda():
        pytest.skip("this Paddle is a GPU build")


@pytest.mark.fault(
    "models",
    "`paddle_config` asks a CPU build for a GPU",
    "it is refused, where Paddle alone would silently run on the CPU",
)
def test_a_gpu_asked_of_a_cpu_build_is_refused(cpu_build, models):
    import paddle

    made = models.get("mlp").config()
    with refusing_gpu_on_cpu_build(), pytest.raises(ModelError) as caught:
        made.enable_use_gpu(256, 0)
    assert f"calls enable_use_gpu(), but paddlepaddle {paddle.__version__} is a CPU build" in str(caught.value)
    assert "Install paddlepaddle-gpu" in str(caught.value)


def test_enable_use_gpu_is_paddles_own_again_afterwards(cpu_build, models):
    from paddle import inference

    original = inference.Config.enable_use_gpu
    with contextlib.suppress(KeyError), refusing_gpu_on_cpu_build():
        assert inference.Config.enable_use_gpu is not original
        raise KeyError("of the user's")
    assert inference.Config.enable_use_gpu is original


def test_the_error_for_a_gpu_names_what_asked_for_it(cpu_build):
    assert str(no_gpu_support("--paddle-device=gpu:0 asks for a GPU")).startswith(
        "--paddle-device=gpu:0 asks for a GPU, but"
    )
