"""One sweep, by workers whose windows are built; on a GPU, too, which nothing here has."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import pytest

from pytest_paddle_mt.baselines import Stored, store
from pytest_paddle_mt.baselines.ledger import Ledger
from pytest_paddle_mt.errors import PaddleMtError
from pytest_paddle_mt.gpu import GpuLoad
from pytest_paddle_mt.plugin.resolve import resolve
from pytest_paddle_mt.records import Measured, Sweep, Window, WindowPlan
from pytest_paddle_mt.sweeps import one_side, rounds
from pytest_paddle_mt.sweeps.rounds import Schedule
from pytest_paddle_mt.testing import FakeEngine
from pytest_paddle_mt.workers.in_process import InProcessWorker
from pytest_paddle_mt.workers.opened import InProcess
from tests.builders import baseline, run_figures, run_of, series_of, stored, subject, terms_of

COUNTS = (1, 2)
SCALES = {1: 40.0, 2: 79.0}
NOTHING_STORED = stored(None)
PLAN = WindowPlan(window_s=0.1, min_queries=20, warmup_s=0.0, warmup_queries=1)


class OnGpu(FakeEngine):
    """A ``FakeEngine`` on an invented GPU, whose load depends on the threads and on how long the window is asked for.

    ``asked`` has the windows that the survey asked for, too.
    """

    def __init__(self, qps: Mapping[int, float], load: Callable[[int, float], GpuLoad] | None, queries: int):
        super().__init__(qps, at=1, queries=queries)
        self._load = load
        self.warmed_up: list[int] = []

    def measure(self, threads: int, plan: WindowPlan) -> Window:
        self.warmed_up.append(plan.warmup_queries)
        gpu = None if self._load is None else self._load(threads, plan.window_s)
        return dataclasses.replace(super().measure(threads, plan), gpu=gpu)


class NoFork:
    """Where fresh processes would be opened; there is none."""

    def __enter__(self) -> None:
        raise PaddleMtError("no fresh process here")

    def __exit__(self, *_: object) -> None:
        """Nothing to close."""


@pytest.fixture
def swept(request, pytester, monkeypatch):
    """A sweep on this device, of an engine that scales unless said otherwise; the probe is served by ``probing``.

    A failure is believed at once, unless ``confirmed``: a fresh process that confirms it would run the very same test.
    """

    def sweep(
        device: str,
        probing: FakeEngine | None = None,
        throughput: Mapping[int, float] = SCALES,
        look_up: Stored = NOTHING_STORED,
        load: Callable[[int, float], GpuLoad] | None = None,
        looks: tuple[int, ...] = (12,),
        queries_of_one: int = 100,
        confirmed: bool = False,
    ) -> tuple[Sweep, Measured]:
        counts = tuple(throughput)
        schedule = Schedule(
            thread_counts=counts,
            window=PLAN,
            first_warmup_queries=3,
            order=rounds.one_side,
            looks=looks,
            budget_s=60.0,
        )
        known = resolve(pytester.parseconfig()).limits
        terms = terms_of(request.node, schedule, known, probing or FakeEngine({1: 500.0, 2: 1000.0}))
        sweep.engine = OnGpu(throughput, load, queries_of_one)
        worker = InProcessWorker(sweep.engine)
        served = subject(device=device, facts={"GPU observed": "by NVML"} if load else {})
        opener = InProcess({"this": (worker, served)}, counts[-1])
        with monkeypatch.context() as patched:
            if not confirmed:
                patched.setattr(one_side._OneSide, "confirm", lambda *_: one_side._NOT_AGAIN)
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


def test_a_sweep_for_a_baseline_goes_on_until_it_has_queries_enough_for_its_latencies(swept):
    """A window has ten queries of one thread, and the 5 % quantile takes 130: 12 windows have 120 and 18 have 180."""
    accepting = stored(None, accepting=True)
    for look_up, rounds_taken in ((NOTHING_STORED, 6), (accepting, 9)):
        _, measured = swept("cpu", look_up=look_up, looks=(6, 9, 13), queries_of_one=10)
        assert len(measured.rounds) == rounds_taken
    _, measured = swept("cpu", look_up=accepting, looks=(6, 9, 13))
    assert len(measured.rounds) == 6
    failed, measured = swept("cpu", throughput={1: 40, 2: 44}, look_up=accepting, looks=(6, 9, 13), queries_of_one=10)
    assert (failed.status, len(measured.rounds)) == ("fail", 6)


@pytest.mark.parametrize(("queries_of_one", "rounds_taken"), [(10, 9), (100, 6)])
def test_a_drift_is_confirmed_by_queries_enough_for_its_latencies(swept, monkeypatch, queries_of_one, rounds_taken):
    """In this process, as there is no other."""
    monkeypatch.setattr(one_side, "in_forks", lambda *_: NoFork())
    both = baseline(series=series_of(*[run_of(run_figures(1, 40), run_figures(2, 79))] * 8))
    sweep, measured = swept(
        "cpu",
        throughput={1: 25, 2: 49.5},
        look_up=stored(both),
        looks=(6, 9, 13),
        queries_of_one=queries_of_one,
        confirmed=True,
    )
    assert {one.check for one in sweep.verdicts if one.status == "fail"} == {"drift"}
    assert (len(measured.rounds), len(measured.confirmation)) == (6, rounds_taken)


# What is seen of a GPU; the loads are invented.

SATURATED = {1: 40.0, 2: 79.0, 4: 100.0, 8: 101.0}


def load_of(utilisation: Mapping[int, float], **changes: object) -> Callable[[int, float], GpuLoad]:
    """A load whose utilisation shows in windows of more than a second only, as NVML averages over one."""

    def load(threads: int, window_s: float) -> GpuLoad:
        busy = utilisation[threads] if window_s > 1 else None
        return GpuLoad(readings=3, utilisation=busy, sm_clock_mhz=1500.0, max_sm_clock_mhz=1980.0, **changes)

    return load


def test_beyond_the_count_that_saturates_a_gpu_nothing_has_to_grow(swept):
    load = load_of({1: 0.5, 2: 0.9, 4: 0.99, 8: 1.0})
    sweep, measured = swept("gpu:0", throughput=SATURATED, load=load)
    assert sweep.status == "pass"
    assert sweep.linear_until == 2
    assert sweep.linear_until_reason == (
        "the largest count before the GPU is saturated: busy 99% of the time with 4 threads, and 8 serve 1.01 times as "
        "much"
    )
    assert {(one.check, one.threads) for one in sweep.verdicts} == {("linear", 2), ("collapse", 4), ("collapse", 8)}
    assert [visit.window.threads for visit in measured.survey[0].visits] == [1, 2, 4, 8]
    assert [point.gpu.utilisation for point in sweep.points] == [0.5, 0.9, 0.99, 1.0]
    assert sweep.cause.kind == "gpu_saturated"


def test_a_gpu_that_waits_for_software_has_to_grow(swept):
    sweep, _ = swept("gpu:0", throughput={1: 40.0, 2: 41.0, 4: 41.0}, load=load_of(dict.fromkeys((1, 2, 4), 0.3)))
    assert (sweep.status, sweep.linear_until, sweep.cause.kind) == ("fail", 4, "gpu_waits")


def test_a_gpu_that_one_thread_saturates_is_not_gated_and_says_what_to_do(swept):
    sweep, _ = swept("gpu:0", throughput={1: 40.0, 2: 40.0}, load=load_of({1: 1.0, 2: 1.0}))
    assert (sweep.status, sweep.linear_until) == ("not_comparable", 1)
    reason = next(one.reason for one in sweep.verdicts if one.check == "linear")
    assert "busy 100% of the time with 1 thread, and 2 serve 1.01 times as much; record the curve" in reason


def test_a_stored_curve_goes_before_a_saturation_that_is_seen_today(swept):
    accepted = baseline(threads=4, series=series_of(run_of(*(run_figures(n, 40.0 * n) for n in (1, 2, 4)))))
    load = load_of({1: 0.5, 2: 1.0, 4: 1.0})
    sweep, _ = swept("gpu:0", throughput={1: 40.0, 2: 79.0, 4: 80.0}, load=load, look_up=stored(accepted))
    assert (sweep.linear_until, sweep.status) == (4, "fail")


def test_rounds_on_a_hot_gpu_are_set_aside_and_counted(swept):
    hot = load_of({1: 0.5, 2: 0.9}, clock_events=("hw_thermal",))
    sweep, _ = swept("gpu:0", load=hot)
    assert sweep.status == "inconclusive"
    assert [(one.throttled_rounds, one.set_aside_rounds) for one in sweep.points] == [(12, 12)] * 2
    assert next(one.text for one in sweep.warnings if one.kind == "gpu_throttled").startswith(
        "1 thread: 12 of 12 rounds were set aside because the GPU was clocked down"
    )
    assert "preempted" not in {one.kind for one in sweep.warnings}
    assert sweep.cause.kind == "gpu_throttled"


def test_a_survey_and_the_first_windows_are_warmed_up_for_longer(swept):
    swept("gpu:0", load=load_of({1: 0.2, 2: 0.4}))
    assert swept.engine.warmed_up[:8] == [3, 3, *[3, 3, 1, 1], 1, 1]  # two of the survey, a round, the next one


def test_a_gpu_that_says_nothing_of_its_utilisation_is_surveyed_once(swept):
    silent = load_of({1: None, 2: None})
    sweep, measured = swept("gpu:0", load=silent)
    assert (measured.survey, sweep.linear_until) == ((), 2)
    assert sweep.points[1].gpu.sm_clock_mhz == 1500.0
