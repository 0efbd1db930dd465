"""What NVML says of a window. No card: NVML and CUDA are fakes, but for the test without a driver."""

from __future__ import annotations

import os
import sys
import threading
import time
import uuid
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_paddle_mt.gpu import CLOCK_EVENTS, as_dict, of_dict
from pytest_paddle_mt.machine import gpu
from pytest_paddle_mt.machine.gpu import GpuSensor, Reading
from pytest_paddle_mt.units import NS_PER_S
from tests.fake_nvml import FakeCuda, FakeNvml, FakeNVMLError

ONE, OTHER = uuid.UUID(int=1), uuid.UUID(int=2)
OPENED_NS, OPEN_NS = 10 * NS_PER_S, 2 * NS_PER_S


def reading(at_s, **changes):
    known = {"utilisation": 0.9, "memory_bytes": 5, "sm_clock_mhz": 1900, "power_w": 300.0, "temperature_c": 60}
    return Reading(**{**known, "clock_events": 0, **changes}, at_ns=round(at_s * NS_PER_S))


def told(readings, nvml=None, began_s=9.0):
    """What a sensor tells of the window from 10 s to 12 s, given its readings."""
    sensor = GpuSensor(nvml or FakeNvml(), "device")
    sensor._readings, sensor._began_ns = readings, round(began_s * NS_PER_S)
    return sensor.load(OPENED_NS, OPEN_NS)


def test_only_readings_inside_the_window_count():
    load = told([reading(9.9, power_w=1.0), reading(10.5), reading(11.5, power_w=400.0), reading(12.1, power_w=1.0)])
    assert (load.readings, load.power_w, load.power_limit_w) == (2, 350.0, 700.0)
    assert (load.sm_clock_mhz, load.max_sm_clock_mhz, load.temperature_c) == (1900, 1980, 60)
    assert told([reading(9.9), reading(12.1)]) is None


def test_a_utilisation_counts_only_where_the_load_is_as_old_as_what_it_averages_over():
    """Else a short window would have that of the window before it, with another number of threads."""
    readings = [reading(10.5, utilisation=0.1), reading(11.5, utilisation=0.9)]
    assert told(readings, began_s=10.0).utilisation == 0.9
    assert told(readings, began_s=10.8).utilisation is None
    assert told(readings, began_s=10.8).power_w == 300.0


def test_every_clock_event_that_was_seen_is_named():
    load = told([reading(10.5, clock_events=0x40), reading(11.5, clock_events=0x04)])
    assert load.clock_events == ("power_cap", "hw_thermal")
    assert load.throttled


def test_a_card_at_its_power_cap_is_not_throttled_and_neither_is_one_at_its_full_clock():
    assert not told([reading(10.5, clock_events=0x04)]).throttled
    assert not told([reading(10.5, clock_events=0x40, sm_clock_mhz=1980)]).throttled
    assert told([reading(10.5, clock_events=0x40, sm_clock_mhz=None)]).throttled


def test_the_bits_of_clock_events_are_those_of_nvml():
    nvml = pytest.importorskip("pynvml")
    assert {
        "power_cap": nvml.nvmlClocksEventReasonSwPowerCap,
        "hw_slowdown": nvml.nvmlClocksThrottleReasonHwSlowdown,
        "sw_thermal": nvml.nvmlClocksEventReasonSwThermalSlowdown,
        "hw_thermal": nvml.nvmlClocksThrottleReasonHwThermalSlowdown,
        "hw_power_brake": nvml.nvmlClocksThrottleReasonHwPowerBrakeSlowdown,
        "idle": nvml.nvmlClocksEventReasonGpuIdle,
        "application_clocks": nvml.nvmlClocksEventReasonApplicationsClocksSetting,
        "sync_boost": nvml.nvmlClocksEventReasonSyncBoost,
        "display_clocks": nvml.nvmlClocksEventReasonDisplayClockSetting,
    } == {name: bit for bit, name in CLOCK_EVENTS.items()}


def test_what_a_card_does_not_answer_is_unknown():
    refusals = ("UtilizationRates", "ClockInfo", "PowerUsage", "EnforcedPowerLimit", "Temperature")
    nvml = FakeNvml(answers={f"nvmlDeviceGet{name}": FakeNVMLError("Not Supported") for name in refusals})
    sensor = GpuSensor(nvml, "device")
    answered = sensor._read()
    assert (answered.utilisation, answered.sm_clock_mhz, answered.power_w, answered.temperature_c) == (None,) * 4
    assert answered.memory_bytes == 2_000_000_000


def test_an_older_driver_is_asked_by_the_older_name():
    nvml = FakeNvml(answers={"nvmlDeviceGetCurrentClocksThrottleReasons": 0x20})
    del nvml.answers["nvmlDeviceGetCurrentClocksEventReasons"]
    assert GpuSensor(nvml, "device")._read().clock_events == 0x20


def test_it_reads_in_a_thread_of_its_own_only_while_a_window_is_measured():
    read = threading.Event()
    nvml = FakeNvml(answers={"nvmlDeviceGetTemperature": lambda *_: read.set() or 61})
    with GpuSensor(nvml, "device") as sensor:
        began_ns = time.monotonic_ns()
        read.clear()
        assert read.wait(60)
        assert "paddle-mt-gpu" in {one.name for one in threading.enumerate()}
    assert "paddle-mt-gpu" not in {one.name for one in threading.enumerate()}
    load = sensor.load(0, time.monotonic_ns())
    assert load.readings >= 1
    assert load.text == "1980 of 1980 MHz, 310 of 700 W, 61 C, 2.0 GB in use"
    assert sensor._began_ns <= began_ns


# Who else computes there.


def listed(*pids, used=()):
    of_each = [SimpleNamespace(pid=pid, timeStamp=at, smUtil=share) for at, (pid, share) in enumerate(used)]
    nvml = FakeNvml(
        answers={
            "nvmlDeviceGetComputeRunningProcesses": [SimpleNamespace(pid=pid) for pid in pids],
            "nvmlDeviceGetProcessUtilization": of_each or FakeNVMLError("Not Found"),
        }
    )
    return told([reading(11.0)], nvml)


def test_other_processes_are_counted_and_their_share_is_taken_from_the_driver():
    load = listed(os.getpid(), 1, used=((1, 10), (1, 40), (os.getpid(), 50)))
    assert (load.other_processes, load.other_utilisation, load.shared) == (1, 0.4, True)


def test_another_process_that_does_nothing_does_not_share_the_gpu():
    assert not listed(os.getpid(), 1, used=((os.getpid(), 90),)).shared
    assert listed(os.getpid(), 1).shared, "how much it does is unknown"
    assert listed(os.getpid()).shared is False


def test_in_a_container_that_hides_processes_nothing_is_known_of_others():
    load = listed(1, 7)
    assert (load.other_processes, load.shared) == (None, False)


def test_forks_of_one_sweep_are_no_others(monkeypatch):
    monkeypatch.setattr(gpu, "_parent", {100: os.getpid(), 200: os.getppid(), 300: 1}.get)
    assert [gpu._of_this_run(pid) for pid in (os.getpid(), 100, 200, 300)] == [True, True, False, False]
    monkeypatch.setenv("PYTEST_PADDLE_MT_FORK", "1")
    assert [gpu._of_this_run(pid) for pid in (os.getppid(), 200, 300)] == [True, True, False]


# Which device it is.


@pytest.mark.parametrize(
    ("number", "known", "expected"),
    [
        (0, f"GPU-{ONE}", f"GPU-{ONE}"),
        (1, f"GPU-{OTHER}", f"GPU-{OTHER}"),
        (0, f"MIG-{ONE}", f"MIG-{ONE}"),
        (2, f"GPU-{ONE}", None),
        (0, f"GPU-{OTHER}", None),
    ],
    ids=["first", "second", "an instance of MIG", "not visible", "not known to NVML"],
)
def test_the_device_is_the_one_that_cuda_numbers_so(number, known, expected):
    """CUDA has applied CUDA_VISIBLE_DEVICES; NVML, which reads it not, is asked by UUID."""
    found = gpu._uuid_of(number, lambda _: FakeCuda(ONE, OTHER))
    assert gpu._handle(FakeNvml((known,)), found) == expected


def test_there_is_no_device_without_cuda_or_where_it_does_not_start():
    def missing(name):
        raise OSError(name)

    assert gpu._uuid_of(0, missing) is None
    assert gpu._uuid_of(0, lambda _: FakeCuda(ONE, initialises=False)) is None


def test_without_nvidia_ml_py_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert gpu.sensor_of("gpu:0") == (
        None,
        "nvidia-ml-py is not installed: pip install 'pytest-paddle-mt[gpu]'",
    )


def test_without_a_driver_the_real_nvml_says_so():
    """No fake: nvidia-ml-py installs without a GPU."""
    pytest.importorskip("pynvml")
    if Path("/proc/driver/nvidia").exists():
        pytest.skip("there is a driver")
    assert gpu.sensor_of("gpu:0") == (
        None,
        "NVML cannot be asked (NVML Shared Library Not Found): it needs NVIDIA's driver",
    )


def test_a_sensor_is_made_where_driver_and_device_are_there(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml((f"GPU-{ONE}",)))
    monkeypatch.setattr(gpu, "_uuid_of", {0: ONE.bytes}.get)
    sensor, observed = gpu.sensor_of("gpu:0")
    assert (type(sensor), observed) == (GpuSensor, "by NVML")
    assert gpu.sensor_of("gpu:1") == (None, "the driver knows no gpu:1")


def test_a_load_is_read_back_from_the_results_file_and_what_is_unknown_there_is_left_out():
    load = told([reading(10.5, clock_events=0x04)])
    assert of_dict({**as_dict(load), "of_a_later_version": 1}).text == load.text
