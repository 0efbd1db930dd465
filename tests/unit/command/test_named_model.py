"""What a user writes leads to the files of a model, or to a message with the next step."""

from __future__ import annotations

import pytest

from pytest_paddle_mt.command.named_model import model_of, params_of
from pytest_paddle_mt.errors import UsageError


@pytest.fixture
def here(tmp_path, monkeypatch):
    """``here(*names)`` makes these files in the current directory."""
    monkeypatch.chdir(tmp_path)

    def make(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("{}")

    return make


@pytest.mark.parametrize("written", ["models/a.json", "models/a", "models", "models/"])
def test_a_file_its_path_without_the_ending_and_its_folder_name_the_model(here, written):
    here("models/a.json", "models/a.pdiparams")
    assert model_of(written) == "models/a.json"
    assert params_of("models/a.json", None) == "models/a.pdiparams"


def test_a_folder_names_the_file_that_has_parameters_beside_it(here):
    here("models/config.json", "models/inference.pdmodel", "models/inference.pdiparams")
    assert model_of("models") == "models/inference.pdmodel"


def test_a_name_with_dots_is_not_cut(here):
    here("v1.5.json")
    assert model_of("v1.5") == "v1.5.json"


def test_parameters_may_stand_elsewhere_and_may_be_none(here):
    here("a.json", "weights/b.pdiparams")
    assert params_of("a.json", "weights/b.pdiparams") == "weights/b.pdiparams"
    assert params_of("a.json", "") == ""


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("mobilenet.jsn", "no model 'mobilenet.jsn'; did you mean 'mobilenet.json'? (looked from '"),
        ("two/a", "both two/a.json and two/a.pdmodel; name one"),
        ("two", "several models in two: two/a.json, two/a.pdmodel; name one"),
        ("empty", "no .json or .pdmodel file in empty; export a model with paddle.jit.save"),
        ("a.onnx", "a.onnx does not end in .json or .pdmodel"),
        ("mobilenet.pdiparams", "name the model before them, such as mobilenet.json"),
    ],
)
def test_what_names_no_model_is_an_error_with_the_next_step(here, written, message):
    here("mobilenet.json", "two/a.json", "two/a.pdmodel", "empty/readme", "a.onnx", "mobilenet.pdiparams")
    with pytest.raises(UsageError) as caught:
        model_of(written)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (None, 'no a.pdiparams beside a.json; name the parameters after the model, or give "" for'),
        ("b.json", "b.json is a model by its name, not parameters"),
        ("b.pdparams", "b.pdparams is a checkpoint of training; export the model with paddle.jit.save"),
        ("b.pdiparam", "no parameters file 'b.pdiparam'; did you mean 'b.pdiparams'? (looked from '"),
    ],
)
def test_what_names_no_parameters_is_an_error_with_the_next_step(here, written, message):
    here("a.json", "b.json", "b.pdparams", "b.pdiparams")
    with pytest.raises(UsageError) as caught:
        params_of("a.json", written)
    assert message in str(caught.value)
