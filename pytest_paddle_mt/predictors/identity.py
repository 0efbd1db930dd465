"""Describes what exactly was served, by digests and versions, and decides whether two sides may be compared."""

from __future__ import annotations

import dataclasses
import hashlib
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import pytest_paddle_mt
from pytest_paddle_mt.machine.versions import paddle_version
from pytest_paddle_mt.predictors.sequences import lod_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_paddle_mt.predictors.pool import PredictorPool
    from pytest_paddle_mt.records import Subject

UNKNOWN = "unknown"  #: Stands for a fact that cannot be known; it equals nothing, not even itself.

#: Facts in which two sides must agree, or the ratio of their throughputs would mean nothing.
_MUST_MATCH = ("inputs", "batch size", "device")

_DIGITS = 16  #: Characters of a digest that are kept: 64 bits, which rules out a collision by chance.


def describe(
    subject: Subject, pool: PredictorPool | None, inputs: Sequence[Mapping[str, Any]], work: object
) -> dict[str, str]:
    """What is served and by what, as text by name, in the order in which it is printed.

    ``pool`` is None for an engine without predictors; ``work`` is what runs instead of the predictor, a user's own
    query or known work, None for the predictor itself.

    Raises:
        OSError: a file of the model cannot be read.
    """
    facts = {
        "Python": platform.python_version(),
        "NumPy": np.__version__,
        "pytest-paddle-mt": pytest_paddle_mt.__version__,
        "engine": subject.engine,
        "device": subject.device,
    }
    if subject.batch_size is not None:
        facts["batch size"] = str(subject.batch_size)
    if work is not None:
        facts["work"] = name_of(work)
    if pool is None:
        return facts
    if pool.engine is None:
        facts["paddlepaddle"] = str(paddle_version())
        facts["oneDNN"] = subject.facts.get("oneDNN", UNKNOWN)
    facts.update({name: subject.facts[name] for name in ("runtime", "provider") if name in subject.facts})
    facts["pool"] = str(subject.pool)
    facts["math threads"] = str(subject.math_threads)
    facts[f"GIL in {subject.gil_of}"] = str(subject.gil)
    facts["inputs"] = inputs_digest(inputs)
    facts.update({"model": _files_digest(pool.files)} if pool.files else _model(pool.config))
    return facts


def objection(this: Mapping[str, str], other: Mapping[str, str]) -> str | None:
    """Why two sides cannot be compared, human-readable; None if they can."""
    for name in _MUST_MATCH:
        one, two = this.get(name), other.get(name)
        if name == "batch size" and None in (one, two):  # of callables it is not known; their inputs are compared
            continue
        if one != two and UNKNOWN not in (one, two):
            return f"the two sides differ in {name}: {one} and {two}; a ratio of their throughputs would mean nothing"
    return None


def differences(this: Mapping[str, str], other: Mapping[str, str]) -> tuple[str, ...]:
    """What differs or may differ between two sides, one line each: ``paddlepaddle 3.3.1 against 3.2.2``."""
    found = []
    for name in {**this, **other}:
        one, two = this.get(name), other.get(name)
        if UNKNOWN in (one, two):
            found.append(f"{name}: unknown, so it may differ")
        elif one != two:
            found.append(f"{name} {one or 'none'} against {two or 'none'}")
    return tuple(found)


def inputs_digest(inputs: Sequence[Mapping[str, Any]]) -> str:
    """Digest of names, dtypes, shapes and contents of all input sets; ``UNKNOWN`` if one is no array."""
    digest = hashlib.sha256()
    for one in inputs:
        for name, array in sorted(one.items()):
            if not isinstance(array, np.ndarray) or array.dtype.hasobject:
                return UNKNOWN
            digest.update(f"{name} {array.dtype.str} {array.shape} {lod_of(array) or ''}\n".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        digest.update(b"\n")
    return _short(digest)


def _model(config: Any) -> dict[str, str]:
    """Digests of the files that a ``paddle.inference.Config`` names."""
    if config is None or config.model_from_memory():
        return {"model": UNKNOWN}
    program, params, directory = config.prog_file(), config.params_file(), config.model_dir()
    if not program:
        return {"model": _files_digest(sorted(path for path in Path(directory).iterdir() if path.is_file()))}
    digests = {"model program": _files_digest([Path(program)])}
    if params:
        digests["model parameters"] = _files_digest([Path(params)])
    return digests


def _files_digest(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    return _short(digest)


def _short(digest: Any) -> str:
    return f"sha256 {digest.hexdigest()[:_DIGITS]}"


def name_of(work: object) -> str:
    """A name for work that is the same in every process: a function by its name, a record by its fields."""
    if dataclasses.is_dataclass(work) and not isinstance(work, type):
        given = (
            f"{field.name}={value!r}"
            for field in dataclasses.fields(work)
            if (value := getattr(work, field.name)) != field.default
        )
        return f"{type(work).__name__}({', '.join(given)})"
    name = getattr(work, "__qualname__", type(work).__qualname__)
    return f"{getattr(work, '__module__', '')}.{name}"
