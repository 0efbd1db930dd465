"""Finds the files of a model from what a user wrote: a file, a folder, or a path without the ending."""

from __future__ import annotations

import os
from difflib import get_close_matches

from pytest_paddle_mt.errors import UsageError

_MODELS = (".json", ".pdmodel")  #: The endings of a model, as ``paddle.jit.save`` writes it.
_PARAMS = ".pdiparams"
_CHECKPOINTS = (".pdparams", ".pdopt")  #: What ``paddle.save`` writes while a model is trained.


def model_of(written: str) -> str:
    """The model file that ``written`` names.

    Raises:
        UsageError: there is none, or there are several.
    """
    if os.path.isdir(written):
        return _model_in(written)
    found = [written + ending for ending in _MODELS if os.path.isfile(written + ending)]
    if len(found) > 1:
        raise UsageError(f"there are both {found[0]} and {found[1]}; name one of them")
    if found:
        return found[0]
    stem, ending = os.path.splitext(written)
    if ending == _PARAMS:
        raise UsageError(f"{written} has parameters; name the model before them, such as {stem}.json")
    if os.path.exists(written):
        if ending not in _MODELS:
            raise UsageError(
                f"{written} does not end in {' or '.join(_MODELS)}, as a model does that paddle.jit.save wrote; name "
                "the exported model"
            )
        return written
    raise UsageError(f"there is no model {written!r}{_instead(written)} (looked from {os.getcwd()!r}); check the path")


def params_of(program: str, written: str | None) -> str:
    """The parameters file of the model ``program``; empty for a model without parameters.

    Raises:
        UsageError: it is not there, or is something else by its name.
    """
    stem, _ = os.path.splitext(program)
    if written == "":
        return ""
    if written is None:
        if os.path.isfile(stem + _PARAMS):
            return stem + _PARAMS
        raise UsageError(
            f"there is no {stem}{_PARAMS} beside {program}; name the parameters after the model, or give "
            '"" for a model that has none'
        )
    ending = os.path.splitext(written)[1]
    if ending in _MODELS:
        raise UsageError(f"{written} is a model by its name, not parameters; name a {_PARAMS} file")
    if ending in _CHECKPOINTS:
        raise UsageError(
            f"{written} is a checkpoint of training; export the model with paddle.jit.save, and name its {_PARAMS} file"
        )
    if not os.path.exists(written):
        raise UsageError(
            f"there is no parameters file {written!r}{_instead(written)} (looked from {os.getcwd()!r}); check the path"
        )
    return written


def _model_in(folder: str) -> str:
    """The one model in ``folder``: of several files with such an ending, the one with parameters beside it."""
    names = sorted(name for name in os.listdir(folder) if name.endswith(_MODELS))
    found = [os.path.join(folder, name) for name in names]
    with_params = [path for path in found if os.path.isfile(os.path.splitext(path)[0] + _PARAMS)]
    chosen = with_params or found
    if not chosen:
        raise UsageError(f"there is no {' or '.join(_MODELS)} file in {folder}; export a model with paddle.jit.save")
    if len(chosen) > 1:
        raise UsageError(f"there are several models in {folder}: {', '.join(chosen)}; name one of them")
    return chosen[0]


def _instead(written: str) -> str:
    """A file with a name like the one that was written, as a question; empty without one."""
    folder, name = os.path.split(written)
    try:
        there = os.listdir(folder or os.curdir)
    except OSError:
        return ""
    close = get_close_matches(name, there, n=1)
    return f"; did you mean {os.path.join(folder, close[0])!r}?" if close else ""
