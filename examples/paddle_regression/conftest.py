"""MobileNetV1 with random weights, the same ones every time and under every Paddle."""

import paddle
import pytest


@pytest.fixture(scope="session")
def exported_model(tmp_path_factory):
    """The model on disk, exported by the Paddle that serves it; its files without their endings."""
    paddle.seed(0)
    path = tmp_path_factory.mktemp("mobilenet_v1") / "inference"
    model = paddle.vision.models.mobilenet_v1()
    model.eval()
    image = paddle.static.InputSpec([None, 3, 224, 224], "float32", "image")
    paddle.jit.save(model, str(path), input_spec=[image])
    return path


@pytest.fixture
def paddle_config(exported_model):
    """The model to serve."""
    program = exported_model.with_suffix(".json")
    if not program.exists():  # Paddle 2
        program = exported_model.with_suffix(".pdmodel")
    config = paddle.inference.Config(str(program), str(exported_model.with_suffix(".pdiparams")))
    config.disable_glog_info()
    return config
