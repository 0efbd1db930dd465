from __future__ import annotations

import os
import subprocess
import sys

from pytest_paddle_mt.machine.noise import NoiseSensor


def test_a_noise_sensor_sees_the_cpu_time_of_this_process():
    sensor = NoiseSensor()
    spent = sum(range(200_000))
    noise = sensor.read()
    assert spent > 0
    assert noise.process_cpu_ns > 0
    assert noise.wall_ns > 0
    assert noise.steal_ns is None or noise.steal_ns >= 0


def test_a_noise_sensor_reports_the_peak_memory_of_this_process():
    before = NoiseSensor().read().peak_rss_bytes
    held = bytearray(b"x") * 50_000_000
    after = NoiseSensor().read().peak_rss_bytes
    assert len(held) == 50_000_000
    assert before is not None
    assert after is not None
    assert after >= before
    assert after > 50_000_000


def test_the_memory_of_a_process_is_not_that_of_the_one_that_started_it():
    """In getrusage, the peak of a new process begins with that of its parent."""
    held = bytearray(b"x") * 200_000_000
    program = "from pytest_paddle_mt.machine.noise import _memory_bytes; print(_memory_bytes()['VmHWM'])"
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert len(held) == 200_000_000
    assert int(printed) < 150_000_000


def test_resident_memory_is_what_the_process_has_now_and_at_most_its_peak():
    held = bytearray(b"x") * 50_000_000
    noise = NoiseSensor().read()
    assert noise.peak_rss_bytes >= noise.rss_bytes > len(held)


def test_cores_are_idle_for_at_most_the_time_that_passes():
    sensor = NoiseSensor()
    noise = sensor.read()
    tick_ns = 10_000_000
    assert 0 <= noise.idle_ns <= len(os.sched_getaffinity(0)) * (noise.wall_ns + tick_ns)
