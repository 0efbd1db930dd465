"""Which CPUs are refused, and what is reported of threads that were placed."""

from __future__ import annotations

import dataclasses
import os
from types import SimpleNamespace

import pytest

from pytest_paddle_mt.errors import UsageError
from pytest_paddle_mt.machine import placement
from pytest_paddle_mt.records import Cpu
from pytest_paddle_mt.sweeps import placing
from pytest_paddle_mt.workers.opened import Opened
from tests.builders import round_of, subject


@pytest.mark.fault("machine", "`--paddle-pin` names a CPU that may not be used", "the test fails with those that may")
def test_cpus_outside_the_affinity_are_refused_with_those_inside(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 2, 3, 4, 8})
    placing.refuse_other_cpus((0, 8), "")
    with pytest.raises(UsageError) as refusal:
        placing.refuse_other_cpus((0, 1, 9), "--paddle-pin=0,1,9")
    assert str(refusal.value) == (
        "--paddle-pin=0,1,9: this process may not use CPU 1,9; give some of 0,2-4,8, or give it more CPUs (taskset, "
        "cpuset)"
    )


def opened(pin, math_threads=1, facts=()):
    cpu = Cpu(usable_cores=2, math_threads=math_threads)
    terms = SimpleNamespace(pin=pin, facts=dict(facts), cpu_of=lambda _: cpu)
    return placing.placed(Opened(workers=[], subjects={"this": subject(math_threads=math_threads)}), terms)


@pytest.mark.parametrize("pin", [(), (0,)])
def test_the_process_that_measures_is_a_fact_of_what_was_measured(pin):
    facts = opened(pin, facts={"measured by": "gw0 on CPU 0"}).subjects["this"].facts
    assert facts["measured by"] == "gw0 on CPU 0"


def test_where_threads_are_placed_is_a_fact_of_what_was_measured():
    assert opened((0, 1, 2, 5)).subjects["this"].facts["pinned to"] == "CPU 0-2,5"
    assert "pinned to" not in opened(()).subjects["this"].facts


def test_predictors_with_several_math_threads_are_not_placed():
    assert opened((), math_threads=2).subjects["this"].math_threads == 2
    with pytest.raises(UsageError, match=r"--paddle-pin=0: each predictor has 2 math threads, and only the thread"):
        opened((0,), math_threads=2)


def round_placed(pinned):
    """A round whose threads were placed, and stayed there or not."""

    def placed(visit):
        threads = tuple(dataclasses.replace(thread, pinned=pinned) for thread in visit.window.per_thread)
        return dataclasses.replace(visit, cpus=(0, 1), window=dataclasses.replace(visit.window, per_thread=threads))

    one = round_of({1: 40, 2: 78})
    return dataclasses.replace(one, visits=tuple(placed(visit) for visit in one.visits))


def test_threads_that_left_their_cpus_are_a_doubt():
    (doubt,) = placing.doubts([round_placed(True), round_placed(False)])
    assert doubt.kind == "not_pinned"
    assert doubt.text.startswith("in 4 of 8 windows a thread was not on its CPU at the end")
    assert list(placing.doubts([round_placed(True), round_of({1: 40, 2: 78})])) == []


def test_placement_is_dealt_out_in_the_order_of_use(monkeypatch):
    monkeypatch.setattr(placement, "lines_of", lambda path: ["0-1"] if path.parts[-3] in ("cpu0", "cpu1") else ["2"])
    turns = placing.turns((0, 1, 2), (1, 2))
    assert [turns.next(1), turns.next(2), turns.next(3)] == [(0,), (0, 2), (0, 2, 1)]
