"""Collects the doubts about a measurement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_paddle_mt.records import Warning
from pytest_paddle_mt.statistics import resident_memory, validity
from pytest_paddle_mt.units import counted, megabytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_paddle_mt.checks import Evidence
    from pytest_paddle_mt.records import Point, Round, Subject


def doubts(subject: Subject, evidence: Evidence, threads_note: str | None) -> Iterator[Warning]:
    """What a reader of the verdicts has to know as well."""
    if threads_note is not None:
        yield Warning(kind="threads_added", text=threads_note)
    yield from _of_the_gil(subject)
    yield from _of_the_gpu(subject, evidence.points)
    yield from _of_the_memory(evidence.rounds)
    for point in evidence.points:
        yield from _of_the_machine(point, waits=validity.wait_for_each_other(evidence.rounds, point.threads))
        objection = validity.objection(evidence.rounds, point.threads)
        if objection is not None:
            yield Warning(kind="not_the_predictor", text=objection)
        if point.thinned:
            text = (
                f"{counted(point.threads, 'thread')}: too many queries to keep each timestamp; percentiles are from "
                "bins and right to 1 %; a shorter --paddle-window keeps them all"
            )
            yield Warning(kind="thinned", text=text)


def _of_the_memory(rounds: Sequence[Round]) -> Iterator[Warning]:
    grown = resident_memory.growth(rounds)
    if grown is not None:
        text = (
            f"memory grows by {megabytes(1000 * grown.bytes_per_query):.3g} MB per thousand queries: steadily over "
            f"the last {grown.rounds} rounds, from {megabytes(grown.first_bytes):.0f} to "
            f"{megabytes(grown.last_bytes):.0f} MB over {grown.queries:.0f} queries; look for what each query keeps"
        )
        yield Warning(kind="memory_grows", text=text)


def _of_the_gil(subject: Subject) -> Iterator[Warning]:
    if subject.gil == "held":
        paddle = subject.facts.get("paddle")
        text = (
            f"Predictor.run() of {paddle} holds the GIL: Python threads will not scale, whatever the native engine "
            "shows; 3.2.2 releases it"
        )
        if paddle is None:
            what = f"{subject.facts.get('runtime', 'its')} run()" if subject.gil_of == "run()" else subject.gil_of
            text = f"{what} holds the GIL for most of its time: Python threads will not scale"
        elif subject.gil_of != "run()":
            text = (
                f"{subject.gil_of} (with {paddle}) holds the GIL for most of its time: Python threads will not scale; "
                "3.2.2 releases it in run()"
            )
        yield Warning(kind="gil_held", text=text)
    if subject.gil == "unknown":
        run = "Predictor.run()" if "paddle" in subject.facts else f"{subject.facts.get('runtime', 'its')} run()"
        what = run if subject.gil_of == "run()" else subject.gil_of
        yield Warning(kind="gil_unknown", text=f"the GIL probe could not tell whether {what} holds the GIL")


def _of_the_gpu(subject: Subject, points: Sequence[Point]) -> Iterator[Warning]:
    observed = subject.facts.get("GPU observed", "by NVML")
    if observed != "by NVML":
        text = f"the GPU was not observed, so saturated, throttled and shared cannot be told apart: {observed}"
        yield Warning(kind="gpu_not_observed", text=text)
    for point in points:
        running = counted(point.threads, "thread")
        if point.throttled_rounds and point.gpu is not None:
            text = (
                f"{running}: {point.throttled_rounds} of {point.rounds} rounds were set aside because the GPU was "
                "clocked down by heat or its power supply; cool it, or lock lower clocks: nvidia-smi --lock-gpu-clocks"
            )
            yield Warning(kind="gpu_throttled", text=text)
    shared = [point.gpu for point in points if point.gpu is not None and point.gpu.shared]
    if shared:
        most = max(one.other_processes or 0 for one in shared)
        used = max((one.other_utilisation for one in shared if one.other_utilisation is not None), default=None)
        how = "of unknown load" if used is None else f"that keep it busy for {used:.0%} of the time"
        text = f"others compute on the GPU, too ({counted(most, 'PID')}, {how}); give this test a GPU of its own"
        yield Warning(kind="gpu_shared", text=text)


def _of_the_machine(point: Point, *, waits: bool) -> Iterator[Warning]:
    running = counted(point.threads, "thread")
    taken = point.set_aside_rounds - point.shared_core_rounds - point.throttled_rounds
    if taken:
        text = (
            f"{running}: {taken} of {point.rounds} rounds were set aside because other work took the cores away; use a "
            "quieter machine for a quicker verdict"
        )
        yield Warning(kind="preempted", text=text)
    if point.shared_core_rounds:
        text = (
            f"{running}: {point.shared_core_rounds} of {point.rounds} rounds were set aside because two threads shared "
            "one physical core (seen by the probe; hypervisors do that)"
        )
        yield Warning(kind="cores_shared", text=text)
    if point.lost_share > validity.MAX_LOST_SHARE and waits:
        text = (
            f"{running}: they wait for each other, so it is unknown how much of {point.lost_share:.0%} of their time "
            "other work took; throughput and efficiency are as measured"
        )
        yield Warning(kind="threads_wait", text=text)
    elif point.lost_share > validity.MAX_LOST_SHARE:
        text = (
            f"{running}: other work took {point.lost_share:.0%} of their time; throughput and efficiency are corrected "
            "for that; latencies are not, where every round was disturbed"
        )
        yield Warning(kind="lost_time", text=text)
