"""A GPU that is saturated, throttled, shared or kept waiting, told apart. Every load is invented."""

from __future__ import annotations

import dataclasses

import pytest

from pytest_paddle_mt.checks import causes, curve, gpu_causes
from pytest_paddle_mt.gpu import GpuLoad, together
from pytest_paddle_mt.records import Cpu, Round
from pytest_paddle_mt.testing import window
from tests.builders import limits, round_with, rounds_of, subject, verdict

CPU = Cpu(usable_cores=2, math_threads=1)


def load(utilisation=0.99, **changes):
    known = {"sm_clock_mhz": 1980.0, "max_sm_clock_mhz": 1980.0, "power_w": 300.0, "power_limit_w": 700.0}
    return GpuLoad(**{"readings": 10, "utilisation": utilisation, "other_processes": 0, **known, **changes})


def surveyed(qps, utilisation, **changes) -> tuple[Round, ...]:
    """One window of each count with this throughput, and so busy a GPU."""
    windows = [
        dataclasses.replace(window(threads, value), gpu=load(utilisation[threads], **changes))
        for threads, value in qps.items()
    ]
    return (round_with(*windows),)


SATURATES = {1: 100.0, 2: 199.0, 4: 300.0, 8: 303.0}
BUSY = {1: 0.4, 2: 0.8, 4: 0.99, 8: 1.0}


def test_a_gpu_is_saturated_where_it_is_busy_and_more_threads_serve_no_more():
    assert gpu_causes.saturated_at(surveyed(SATURATES, BUSY)) == (
        4,
        "busy 99% of the time with 4 threads, and 8 serve 1.01 times as much",
    )


@pytest.mark.parametrize(
    ("qps", "utilisation", "changes"),
    [
        ({1: 100.0, 2: 199.0, 4: 390.0}, {1: 0.99, 2: 1.0, 4: 1.0}, {}),
        (SATURATES, dict.fromkeys(SATURATES, 0.5), {}),
        (SATURATES, dict.fromkeys(SATURATES), {}),
        (SATURATES, BUSY, {"other_processes": 1}),
        (SATURATES, BUSY, {"clock_events": ("hw_thermal",), "sm_clock_mhz": 900.0}),
    ],
    ids=["busy, but it grows", "idle half of the time", "unknown", "others compute there", "hot"],
)
def test_a_gpu_counts_as_saturated_for_no_other_reason(qps, utilisation, changes):
    assert gpu_causes.saturated_at(surveyed(qps, utilisation, **changes)) is None


def test_with_the_largest_count_nobody_knows_whether_it_is_saturated():
    assert gpu_causes.saturated_at(surveyed({1: 100.0, 2: 199.0}, {1: 0.5, 2: 1.0})) is None
    assert gpu_causes.saturated_at(()) is None


def cause(utilisation=None, of=None, survey=(), idle_cores=None, **changes):
    """What is named where two threads serve as much as one, on a GPU with this load."""
    rounds = [
        dataclasses.replace(
            one,
            visits=tuple(
                dataclasses.replace(visit, window=dataclasses.replace(visit.window, gpu=load(utilisation, **changes)))
                for visit in one.visits
            ),
        )
        for one in rounds_of({1: 40, 2: 40}, at=2, cpu_share=0.5, idle_cores=idle_cores)
    ]
    seen = causes.observed(of or subject(device="gpu:0"), rounds, 2, CPU)
    return causes.likely(dataclasses.replace(seen, survey=survey))


@pytest.mark.parametrize(
    ("kind", "evidence", "changes"),
    [
        ("gpu_saturated", "busy 99% of the time, 1980 of 1980 MHz", {"utilisation": 0.99}),
        ("gpu_waits", "waits for the threads, which wait for a lock, or for the stream", {"utilisation": 0.4}),
        ("gpu_shared", "3 other processes", {"utilisation": 0.99, "other_processes": 3, "other_utilisation": 0.5}),
        (
            "gpu_throttled",
            "clock events power_cap",
            {"utilisation": 0.99, "clock_events": ("power_cap",), "sm_clock_mhz": 1200.0},
        ),
        ("gpu_saturated", "power_cap", {"utilisation": 0.99, "clock_events": ("power_cap",)}),
        ("gpu_throttled", "hw_thermal", {"clock_events": ("hw_thermal",), "sm_clock_mhz": 1200.0}),
        ("unknown", "for the device, or for a lock", {}),
        ("unknown", "for the device, or for a lock", {"utilisation": 0.9}),
    ],
)
def test_each_cause_has_evidence_of_its_own(kind, evidence, changes):
    found = cause(**changes)
    assert (found.kind, found.threads) == (kind, 2)
    assert evidence in found.line


def test_how_busy_it_is_comes_from_the_survey_where_windows_are_short():
    survey = surveyed({1: 40.0, 2: 40.0}, {1: 0.6, 2: 0.98})
    found = cause(survey=survey)
    assert found.kind == "gpu_saturated"
    assert found.figures["gpu_utilisation"] == 0.98


def test_a_gpu_that_waits_for_a_held_gil_waits_for_the_gil():
    held = subject(device="gpu:0", engine="python", gil="held")
    assert cause(0.4, of=held).kind == "gil"
    assert cause(0.99, of=held).kind == "gpu_saturated"


def test_what_keeps_the_threads_is_named_as_far_as_the_cpu_shows_it():
    own = subject(device="gpu:0", facts={"streams": "own"})
    assert cause(0.4, of=own).text.endswith("which wait for a lock")
    assert cause(0.4, idle_cores=0.1).text.endswith("and no usable core is free")


def test_a_sweep_that_scales_on_a_busy_gpu_has_no_cause():
    rounds = rounds_of({1: 40, 2: 80})
    seen = causes.observed(subject(device="gpu:0"), rounds, 2, CPU)
    survey = surveyed({1: 40.0, 2: 80.0}, {1: 0.99, 2: 1.0})
    assert causes.likely(dataclasses.replace(seen, survey=survey)) is None


def test_several_windows_are_one_load():
    one = together([load(0.4, temperature_c=60.0), load(None, temperature_c=70.0, clock_events=("hw_thermal",))])
    assert (one.readings, one.utilisation, one.temperature_c) == (20, 0.4, 70.0)
    assert one.clock_events == ("hw_thermal",)
    assert together([]) is None


@pytest.mark.parametrize(
    ("qps", "said"),
    [
        ({1: 100.0, 4: 101.0, 8: 102.0}, "one thread saturates the GPU, so no thread count above one"),
        ({1: 100.0, 4: 300.0, 8: 303.0}, "4 threads saturate the GPU, and no count between one and that was measured"),
    ],
)
def test_where_no_count_can_be_linear_the_reason_names_the_count_that_saturates(qps, said):
    nothing = verdict("not_comparable", threads=None)
    (found,) = curve.in_words_of_a_gpu([nothing], limits(), surveyed(qps, dict.fromkeys(qps, 0.99)))
    assert found.reason.startswith(said)
