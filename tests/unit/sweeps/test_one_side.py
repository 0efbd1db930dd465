"""One sweep, by workers whose windows are built; on a GPU, too, which nothing here has."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping

import pytest

from pytest_paddle_mt import checks
from pytest_paddle_mt.baselines import Stored, store
from pytest_paddle_mt.baselines.ledger import Ledger
from pytest_paddle_mt.machine.cores import Cores
from pytest_paddle_mt.plugin.resolve import resolve
from pytest_paddle_mt.records import Measured, Sweep, WindowPlan
from pytest_paddle_mt.sweeps import one_side, rounds
from pytest_paddle_mt.sweeps.rounds import Schedule
from pytest_paddle_mt.sweeps.terms import Terms
from pytest_paddle_mt.testing import FakeEngine
from pytest_paddle_mt.workers.in_process import InProcessWorker
from pytest_paddle_mt.workers.opened import InProcess
from tests.builders import stored, subject

COUNTS = (1, 2)
SCALES = {1: 40.0, 2: 79.0}
NOTHING_STORED = stored(None)
PLAN = WindowPlan(window_s=0.1, min_queries=20, warmup_s=0.0, warmup_queries=1)


@pytest.fixture
def swept(request, pytester):
    """A sweep on this device, of an engine that scales unless said otherwise; the probe is served by ``probing``."""

    def sweep(
        device: str,
        probing: FakeEngine | None = None,
        throughput: Mapping[int, float] = SCALES,
        look_up: Stored = NOTHING_STORED,
    ) -> tuple[Sweep, Measured]:
        terms = Terms(
            item=request.node,
            forks=0,
            schedule=Schedule(thread_counts=COUNTS, window=PLAN, order=rounds.one_side, looks=(12,), budget_s=60.0),
            limits=resolve(pytester.parseconfig()).limits,
            cores=Cores(affinity=2, quota=None),
            seed=1,
            gate=True,
            smoke_reason=None,
            threads_note=None,
            checks=checks.built_in(),
            answers=0,
            synthetic=probing or FakeEngine({1: 500.0, 2: 1000.0}),
            started_s=time.monotonic(),
            announce=print,
            progress=lambda _: None,
        )
        worker = InProcessWorker(FakeEngine(throughput))
        opener = InProcess({"this": (worker, subject(device=device))}, COUNTS[-1])
        found, measured, _ = one_side.sweep(opener, terms, lambda _: look_up)
        return found, measured

    return sweep


def test_two_threads_on_one_core_show_in_every_round_on_the_cpu(swept):
    one_core = FakeEngine({1: 500.0, 2: 500.0}, swing=0.0)
    sweep, measured = swept("cpu", one_core)
    assert sweep.status == "inconclusive"
    assert sweep.points[1].shared_core_rounds == len(measured.rounds) == 12
    assert sorted(set(one_core.asked)) == [1, 2]


def test_a_gpu_is_not_probed_as_its_threads_need_no_core_each(swept):
    one_core = FakeEngine({1: 500.0, 2: 500.0}, swing=0.0)
    sweep, measured = swept("gpu:0", one_core)
    assert sweep.status == "pass"
    assert one_core.asked == []
    assert {visit.probe for one in measured.rounds for visit in one.visits} == {None}


def test_a_gpu_that_saturates_at_once_gets_a_baseline_and_passes_it_from_then_on(swept, pytester):
    """From the first run to the second, although nothing scales."""
    saturated = {1: 40.0, 2: 41.0}
    settings = resolve(pytester.parseconfig("--paddle-baseline-update"))
    ledger = Ledger(settings, pytester.path)
    sweep, measured = swept("gpu:0", throughput=saturated, look_up=stored(None, accepting=True))
    assert [(one.check, one.status) for one in sweep.verdicts] == [("linear", "calibrating")]
    found = dataclasses.replace(stored(None, accepting=True), path=pytester.path / "machine" / "test.json")
    ledger.measured(sweep, measured, "test", found, complete=True)
    assert ledger.accept_offers(None, lambda _: None)
    recorded = store.load(found.path, "test", "native")
    assert [point.threads for point in recorded.series.runs[0].points] == [1, 2]
    again, _ = swept("gpu:0", throughput=saturated, look_up=stored(recorded))
    assert again.linear_until == 1
    assert (sweep.accepted_runs, again.accepted_runs) == ((), recorded.series.runs)
    assert {one.check for one in again.verdicts} == {"collapse", "drift"}
    assert {one.status for one in again.verdicts} == {"pass", "calibrating"}
    assert "curve_not_linear" in {one.kind for one in again.warnings}
