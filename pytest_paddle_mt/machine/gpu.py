"""Asks NVIDIA's management library (NVML) what the GPU does while a window is measured.

NVML averages the utilisation over 1/6 s to 1 s, whatever it is asked when, so a reading says something about a load
only once that has lasted for a second. A window shorter than that has a clock, a power and a temperature, and no
utilisation.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_paddle_mt.gpu import CLOCK_EVENTS, GpuLoad
from pytest_paddle_mt.machine.kernel import lines_of
from pytest_paddle_mt.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

#: A reading is six calls into the driver, which let go of the GIL. Nobody has measured yet what they cost on a card; at
#: a millisecond each they would take an eighth of one core.
PERIOD_S = 0.05
AVERAGED_S = 1.0  #: A utilisation is an average over this long, at most.
INSTALL = "pip install 'pytest-paddle-mt[gpu]'"


class Reading(NamedTuple):
    """What NVML answered at one moment; None where it does not know."""

    at_ns: int  #: Monotonic.
    utilisation: float | None
    memory_bytes: int | None
    sm_clock_mhz: float | None
    power_w: float | None
    temperature_c: float | None
    clock_events: int  #: Bits.


class GpuSensor:
    """Reads one device in a thread of its own while it is held as a context manager, then tells of one window.

    Args:
        nvml: the module ``pynvml``, initialised.
        device: its handle of the device.
    """

    def __init__(self, nvml: Any, device: Any) -> None:
        self._nvml = nvml
        self._device = device
        self._max_clock = self._ask("nvmlDeviceGetMaxClockInfo", nvml.NVML_CLOCK_SM)
        self._power_limit = _scaled(self._ask("nvmlDeviceGetEnforcedPowerLimit"), 1e-3)
        self._readings: list[Reading] = []
        self._began_ns = 0
        self._began_us = 0
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._readings = []
        self._over.clear()
        self._began_ns, self._began_us = time.monotonic_ns(), time.time_ns() // 1000
        self._thread = threading.Thread(target=self._keep_reading, name="paddle-mt-gpu", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        assert self._thread is not None, "it was entered"
        self._thread.join()

    def load(self, opened_ns: int, open_ns: int) -> GpuLoad | None:
        """What the readings of a window that opened then, for so long, say; None where there is none."""
        inside = [one for one in self._readings if opened_ns <= one.at_ns <= opened_ns + open_ns]
        if not inside:
            return None
        # The queries have run since shortly after the beginning: the warm-up is part of the same load.
        alone = [one for one in inside if one.at_ns - self._began_ns >= AVERAGED_S * NS_PER_S]
        bits = 0
        for one in inside:
            bits |= one.clock_events
        others, share = self._others()
        return GpuLoad(
            readings=len(inside),
            utilisation=_mean([one.utilisation for one in alone]),
            memory_bytes=max((one.memory_bytes for one in inside if one.memory_bytes is not None), default=None),
            sm_clock_mhz=_mean([one.sm_clock_mhz for one in inside]),
            max_sm_clock_mhz=self._max_clock,
            power_w=_mean([one.power_w for one in inside]),
            power_limit_w=self._power_limit,
            temperature_c=max((one.temperature_c for one in inside if one.temperature_c is not None), default=None),
            clock_events=tuple(name for bit, name in CLOCK_EVENTS.items() if bits & bit),
            other_processes=others,
            other_utilisation=share if alone else None,
        )

    def _keep_reading(self) -> None:
        while True:
            self._readings.append(self._read())
            if self._over.wait(PERIOD_S):
                return

    def _read(self) -> Reading:
        nvml = self._nvml
        rates, memory = self._ask("nvmlDeviceGetUtilizationRates"), self._ask("nvmlDeviceGetMemoryInfo")
        events = self._ask("nvmlDeviceGetCurrentClocksEventReasons")
        if events is None:  # drivers before 535 know the older name only
            events = self._ask("nvmlDeviceGetCurrentClocksThrottleReasons")
        return Reading(
            utilisation=None if rates is None else rates.gpu / 100,
            memory_bytes=None if memory is None else memory.used,
            sm_clock_mhz=self._ask("nvmlDeviceGetClockInfo", nvml.NVML_CLOCK_SM),
            power_w=_scaled(self._ask("nvmlDeviceGetPowerUsage"), 1e-3),
            temperature_c=self._ask("nvmlDeviceGetTemperature", nvml.NVML_TEMPERATURE_GPU),
            clock_events=events or 0,
            at_ns=time.monotonic_ns(),
        )

    def _others(self) -> tuple[int | None, float | None]:
        """How many processes of others compute on the device, and their share of its time; None where unknown.

        Unknown where this process itself is not listed, as in most containers: then the numbers are another system's.
        """
        listed = self._ask("nvmlDeviceGetComputeRunningProcesses")
        pids = {one.pid for one in listed or ()}
        if os.getpid() not in pids:
            return None, None
        others = {pid for pid in pids if not _of_this_run(pid)}
        if not others:
            return 0, 0.0
        used = self._ask("nvmlDeviceGetProcessUtilization", self._began_us)
        if used is None:
            return len(others), None
        by_time = sorted(used, key=lambda one: one.timeStamp)
        latest = {one.pid: one.smUtil / 100 for one in by_time if one.pid in others}
        return len(others), min(1.0, sum(latest.values()))

    def _ask(self, name: str, *arguments: Any) -> Any:
        """The answer to one call; None where this card, driver or version of the library has none."""
        try:
            return getattr(self._nvml, name)(self._device, *arguments)
        except (AttributeError, self._nvml.NVMLError):
            return None


def sensor_of(device: str) -> tuple[GpuSensor | None, str]:
    """A sensor of ``gpu:N``, and what is known of it, human-readable: where there is none, why and what to do."""
    try:
        import pynvml as nvml
    except ImportError:
        return None, f"nvidia-ml-py is not installed: {INSTALL}"
    try:
        nvml.nvmlInit()
        handle = _handle(nvml, _uuid_of(int(device.partition(":")[2] or 0)))
        return (None, f"the driver knows no {device}") if handle is None else (GpuSensor(nvml, handle), "by NVML")
    except nvml.NVMLError as error:
        return None, f"NVML cannot be asked ({error}): it needs NVIDIA's driver"


def _handle(nvml: Any, identity: bytes | None) -> Any:
    """NVML's handle of a device with this identity, a whole one or an instance of MIG."""
    if identity is None:
        return None
    for kind in ("GPU", "MIG"):
        with contextlib.suppress(nvml.NVMLError):
            return nvml.nvmlDeviceGetHandleByUUID(f"{kind}-{uuid.UUID(bytes=identity)}")
    return None


def _uuid_of(number: int, load: Callable[[str], Any] = ctypes.CDLL) -> bytes | None:
    """The identity of the device that CUDA calls ``number`` in this process; None without driver or device.

    CUDA itself is asked, which has read CUDA_VISIBLE_DEVICES (numbers, UUIDs and their beginnings, instances of MIG)
    and CUDA_DEVICE_ORDER: NVML reads neither, and numbers devices in the order of the bus. No context is made.
    """
    try:
        driver = load("libcuda.so.1")
        identify = getattr(driver, "cuDeviceGetUuid_v2", None) or driver.cuDeviceGetUuid  # the older knows no MIG
    except (OSError, AttributeError):
        return None
    handle, found = ctypes.c_int(), (ctypes.c_ubyte * 16)()
    failed = driver.cuInit(0) or driver.cuDeviceGet(ctypes.byref(handle), number) or identify(found, handle)
    return None if failed else bytes(found)


def _of_this_run(pid: int) -> bool:
    """Whether a process is this one, its parent, or another child of either: forks of one sweep share the device."""
    here, parent = os.getpid(), os.getppid()
    fork = "PYTEST_PADDLE_MT_FORK" in os.environ
    return pid == here or _parent(pid) == here or (fork and parent in (pid, _parent(pid)))


def _parent(pid: int) -> int | None:
    """The parent of a process; None where it is gone."""
    for line in lines_of(Path(f"/proc/{pid}/status")):
        if line.startswith("PPid:"):
            return int(line.split()[1])
    return None


def _mean(values: list[Any]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor
