"""The onnxruntime engine: the stock API of ONNX Runtime on Python threads. Its ``run()`` releases the GIL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_paddle_mt.engines.python_session import PythonSession
from pytest_paddle_mt.errors import UsageError

if TYPE_CHECKING:
    from pytest_paddle_mt.engines import Workload


class OnnxRuntimeEngine:
    """Runs sessions of ONNX Runtime; see ``Engine``. The runner chooses it for an ``OnnxPool``."""

    name = "onnxruntime"
    needs_pool = True
    checks_answers = True
    takes_query = True
    serves_only = 'an ONNX model: concurrent_runner(pytest_paddle_mt.OnnxPool("model.onnx"))'

    def open(self, workload: Workload) -> PythonSession:
        """Start work on a pool of sessions."""
        if workload.pool is None:
            raise UsageError(f"the onnxruntime engine serves {self.serves_only}")
        return PythonSession(workload.pool, workload)
