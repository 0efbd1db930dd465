"""Small ONNX models for the tests, written by the package ``onnx``; no Paddle is needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

WEIGHTS = np.random.default_rng(1).normal(size=(16, 4)).astype("float32")


def linear(directory: Path, *, kind: str = "float", bias: float = 0.0) -> Path:
    """A model with an input ``x`` of shape (batch, 16) and an output ``y``: x @ WEIGHTS + bias, in float32."""
    helper = pytest.importorskip("onnx.helper")
    from onnx import TensorProto, numpy_helper, save

    pytest.importorskip("onnxruntime")
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
            numpy_helper.from_array(WEIGHTS, "w"),
            numpy_helper.from_array(np.full(4, bias, dtype=np.float32), "b"),
        ],
    )
    path = directory / f"linear-{kind}-{bias}.onnx"
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
    return path


def answer(inputs: dict[str, Any], bias: float = 0.0) -> Any:
    """What ``linear`` answers."""
    return inputs["x"].astype("float32") @ WEIGHTS + np.float32(bias)
