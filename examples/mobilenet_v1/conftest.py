"""The model of Paddle's multi-thread guide, exported with random weights: what it has learnt costs no time."""

import paddle
import pytest


@pytest.fixture(scope="session")
def exported_model(tmp_path_factory):
    """MobileNetV1 on disk; its files without their endings."""
    path = tmp_path_factory.mktemp("mobilenet_v1") / "inference"
    model = paddle.vision.models.mobilenet_v1()
    model.eval()
    image = paddle.static.InputSpec([None, 3, 224, 224], "float32", "image")
    paddle.jit.save(model, str(path), input_spec=[image])
    return path


@pytest.fixture
def paddle_config(exported_model, request):
    """The model to serve. Each test needs a Config of its own: Paddle makes one predictor from it."""
    program = exported_model.with_suffix(".json")
    if not program.exists():  # Paddle 2
        program = exported_model.with_suffix(".pdmodel")
    config = paddle.inference.Config(str(program), str(exported_model.with_suffix(".pdiparams")))
    config.disable_glog_info()
    device = request.config.getoption("--paddle-device") or "cpu"
    if device.startswith("gpu:"):
        config.enable_use_gpu(256, int(device[len("gpu:") :]))  # 256 MB to begin with
    return config
