"""Small ONNX models for the tests, written by the package ``onnx``; no Paddle is needed."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

with contextlib.suppress(ImportError):  # for good: an inner run of pytest would forget them, and onnx loads only once
    import onnx.helper
    import onnx.numpy_helper
    import onnxruntime  # noqa: F401

WEIGHTS = np.random.default_rng(1).normal(size=(16, 4)).astype("float32")


def linear(directory: Path, *, kind: str = "float", bias: float = 0.0) -> Path:
    """A model with an input ``x`` of shape (batch, 16) and an output ``y``: x @ WEIGHTS + bias, in float32."""
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    helper, TensorProto = onnx.helper, onnx.TensorProto  # noqa: N806
    number = {"float": TensorProto.FLOAT, "int64": TensorProto.INT64, "string": TensorProto.STRING}[kind]
    nodes = [
        helper.make_node("Cast", ["x"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Gemm", ["floats", "w", "b"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("x", number, ["batch", 16])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 4])],
        [
            onnx.numpy_helper.from_array(WEIGHTS, "w"),
            onnx.numpy_helper.from_array(np.full(4, bias, dtype=np.float32), "b"),
        ],
    )
    path = directory / f"linear-{kind}-{bias}.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
    return path


def answer(inputs: dict[str, Any], bias: float = 0.0) -> Any:
    """What ``linear`` answers."""
    return inputs["x"].astype("float32") @ WEIGHTS + np.float32(bias)
