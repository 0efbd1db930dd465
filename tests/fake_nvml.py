"""A fake of NVML and of CUDA's driver: invented answers, none of them recorded on a card."""

from __future__ import annotations

import ctypes
import uuid
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any


class FakeNVMLError(Exception):
    """Stands for ``pynvml.NVMLError``."""


class FakeNvml:
    """Answers like ``pynvml`` for the devices with these UUIDs; what is in ``answers`` replaces an answer.

    Args:
        uuids: of the devices, as NVML writes them.
        answers: by the name of the call; an exception is raised, a callable is called.
    """

    NVMLError = FakeNVMLError
    NVML_CLOCK_SM = 1
    NVML_TEMPERATURE_GPU = 0

    def __init__(self, uuids: tuple[str, ...] = (), answers: Mapping[str, Any] | None = None) -> None:
        self._uuids = uuids
        self.asked: list[str] = []
        self.answers: dict[str, Any] = {
            "nvmlInit": None,
            "nvmlDeviceGetMaxClockInfo": 1980,
            "nvmlDeviceGetEnforcedPowerLimit": 700_000,
            "nvmlDeviceGetUtilizationRates": SimpleNamespace(gpu=99, memory=10),
            "nvmlDeviceGetMemoryInfo": SimpleNamespace(used=2_000_000_000),
            "nvmlDeviceGetCurrentClocksEventReasons": 0,
            "nvmlDeviceGetClockInfo": 1980,
            "nvmlDeviceGetPowerUsage": 310_000,
            "nvmlDeviceGetTemperature": 61,
            "nvmlDeviceGetComputeRunningProcesses": [],
            "nvmlDeviceGetHandleByUUID": self._handle,
            **(answers or {}),
        }

    def __getattr__(self, name: str) -> Any:
        if name not in self.__dict__.get("answers", {}):
            raise AttributeError(name)

        def call(*arguments: Any) -> Any:
            self.asked.append(name)
            answer = self.answers[name]
            if isinstance(answer, Exception):
                raise answer
            return answer(*arguments) if callable(answer) else answer

        return call

    def _handle(self, identity: str) -> str:
        if identity not in self._uuids:
            raise FakeNVMLError("Not Found")
        return identity


class FakeCuda:
    """Stands for ``libcuda.so.1``: the devices that CUDA shows this process, in its order, after the environment."""

    def __init__(self, *visible: uuid.UUID, initialises: bool = True) -> None:
        self._visible = visible
        self._initialises = initialises

    def cuInit(self, flags: int) -> int:  # noqa: N802
        return 0 if self._initialises else 100

    def cuDeviceGet(self, handle: Any, number: int) -> int:  # noqa: N802
        if number >= len(self._visible):
            return 101
        handle._obj.value = number
        return 0

    def cuDeviceGetUuid_v2(self, found: Any, handle: ctypes.c_int) -> int:  # noqa: N802
        found[:] = self._visible[handle.value].bytes
        return 0
