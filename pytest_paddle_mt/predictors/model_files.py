"""Checks the model that a ``paddle.inference.Config`` names, before Paddle loads it."""

from __future__ import annotations

import os
from typing import Any

from pytest_paddle_mt.errors import ModelError, UsageError

_GPU_MB = 256  #: Memory that a GPU gives to begin with, in MB; it grows.

_PROGRAM_STARTS = b"\n"  #: The tag of ``ProgramDesc.blocks`` in protobuf: a model of the old format begins with it.


def model_name(config: Any) -> str:
    """The name of the model of ``config`` in messages: its program file or directory."""
    if config is None:
        return "of the given predictors"
    if config.model_from_memory():  # then prog_file() is the model itself
        return "given from memory"
    return str(config.prog_file() or config.model_dir())


def check_config(config: Any) -> None:
    """Refuse what Paddle would crash on, or make a predictor of nothing from.

    Raises:
        UsageError: ``config`` is not a ``paddle.inference.Config``.
        ModelError: the model is not there, or is none.
    """
    from paddle import inference

    if not isinstance(config, inference.Config):
        raise UsageError(
            f"a predictor pool needs a paddle.inference.Config, got {type(config).__name__}; "
            'return paddle.inference.Config("model.json", "model.pdiparams") from paddle_config'
        )
    if config.model_from_memory():
        _check_bytes(_model_in_memory(config))
        return
    program, params, directory = config.prog_file(), config.params_file(), config.model_dir()
    if not program and not directory:
        raise ModelError(
            "the paddle.inference.Config is empty: it names no model, and Paddle would make a predictor of nothing. "
            'Write paddle.inference.Config("model.json", "model.pdiparams")'
        )
    check_files(program, params)


def check_files(program: str, params: str) -> None:
    """Refuse a model file or a parameters file that is not there, or is none; an empty name is not looked at.

    Raises:
        ModelError: one of them cannot be loaded.
    """
    _check_file("model", program)
    _check_file("parameters", params)
    if program:
        _check_format(program)


def config_of(program: str, params: str, device: str) -> Any:
    """A silent ``paddle.inference.Config`` of these files, for ``cpu`` or ``gpu:N``; a CPU build has no GPU."""
    import paddle
    from paddle import inference

    made = inference.Config(program, params)
    made.disable_glog_info()
    if device.startswith("gpu:") and paddle.is_compiled_with_cuda():
        made.enable_use_gpu(_GPU_MB, int(device.partition(":")[2]))
    return made


def _model_in_memory(config: Any) -> bytes:
    """The model that ``set_model_buffer`` was given: ``prog_file()`` then returns it, decoded as text."""
    try:
        return str(config.prog_file()).encode()
    except UnicodeDecodeError as error:
        return error.object


def _check_bytes(model: bytes) -> None:
    """Refuse a model from memory that is not in the old format: Paddle 3.x crashes on it."""
    given = "the model given to Config.set_model_buffer"
    if not model:
        raise ModelError(f"{given} is empty, and Paddle would make a predictor of nothing; give it the bytes of a file")
    if model.lstrip().startswith(b"{"):
        raise ModelError(
            f"{given} is a .json model, on which Paddle crashes: it takes only the .pdmodel format from memory. Name "
            'the files, paddle.inference.Config("model.json", "model.pdiparams"), or export the model as .pdmodel'
        )
    if not model.startswith(_PROGRAM_STARTS):
        raise ModelError(
            f"{given} is not a Paddle program (it starts with {model[:8]!r}), and Paddle would crash on it; give it "
            "the bytes of a .pdmodel file, the model before its parameters"
        )


def _check_file(what: str, path: str) -> None:
    if not path:
        return
    if os.path.isdir(path):
        raise ModelError(f"the {what} file {path!r} is a directory; name the file in it")
    if not os.path.exists(path):
        none = ', or give "" as the second argument for a model that has no parameters' if what == "parameters" else ""
        raise ModelError(f"the {what} file {path!r} does not exist (looked from {os.getcwd()!r}); check the path{none}")
    if not os.path.isfile(path):
        raise ModelError(f"the {what} file {path!r} is a pipe or a device; name a regular file")
    if os.path.getsize(path) == 0:
        raise ModelError(f"the {what} file {path!r} is empty; export the model again")


def _check_format(program: str) -> None:
    """Refuse a file that is no model: Paddle 2.6 and 3.x crash on it if it is called ``.pdmodel``."""
    with open(program, "rb") as file:
        start = file.read(64)
    if program.endswith(".json"):
        kind, fits = "a JSON object", start.lstrip().startswith(b"{")
    else:
        kind, fits = "a Paddle program", start.startswith(_PROGRAM_STARTS)
    if not fits:
        raise ModelError(
            f"the model file {program!r} is not {kind} (it starts with {start[:8]!r}); name the file that was "
            "exported, the model before its parameters"
        )
