from __future__ import annotations

import cProfile
import pstats
import sys
import threading

import pytest

from pytest_paddle_mt.engines.instrumentation import instrumentation, without_instrumentation
from pytest_paddle_mt.engines.python_crew import PythonCrew
from pytest_paddle_mt.engines.python_loop import PythonLoop
from pytest_paddle_mt.records import WindowPlan

PLAN = WindowPlan(window_s=0.0, min_queries=5, warmup_s=0.0, warmup_queries=1)


@pytest.fixture
def traced():
    """The names of the functions of which a tracer and a profiler were told; both are on."""
    before = sys.gettrace(), sys.getprofile(), threading.gettrace(), threading.getprofile()
    seen = []

    def hook(frame, event, argument):
        seen.append(frame.f_code.co_name)
        return hook

    for module in (sys, threading):
        module.settrace(hook)
        module.setprofile(hook)
    yield seen
    sys.settrace(before[0])
    sys.setprofile(before[1])
    threading.settrace(before[2])
    threading.setprofile(before[3])


@pytest.fixture
def crew():
    made = PythonCrew()
    yield made
    made.close()


@pytest.mark.fault("machine", "coverage or a debugger traces Python", "it is off inside a window")
def test_nothing_is_traced_in_a_window(traced, crew):
    hooks = []

    def served(query):
        hooks.extend([sys.gettrace(), sys.getprofile()])

    PythonLoop([served, served], PLAN).run(crew)
    assert set(hooks) == {None}
    assert not {"served", "_serve", "_loop"} & set(traced)


def test_tracing_goes_on_after_a_window_and_after_one_that_failed(traced, crew):
    hooks = sys.gettrace(), sys.getprofile(), threading.gettrace(), threading.getprofile()
    PythonLoop([lambda query: None], PLAN).run(crew)
    assert (sys.gettrace(), sys.getprofile(), threading.gettrace(), threading.getprofile()) == hooks
    with pytest.raises(KeyError), without_instrumentation():
        raise KeyError
    assert (sys.gettrace(), sys.getprofile(), threading.gettrace(), threading.getprofile()) == hooks


def test_what_is_turned_off_is_named_once(traced):
    assert [name for name in instrumentation() if "monitoring" not in name] == [
        "tests.unit.engines.test_instrumentation.traced.<locals>.hook"
    ]


def test_a_profiler_of_the_standard_library_goes_on_after_a_window():
    def after():
        pass

    profiler = cProfile.Profile()
    profiler.enable()
    with without_instrumentation():
        pass
    after()
    profiler.disable()
    assert any(name == "after" for _, _, name in pstats.Stats(profiler).stats)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring came with Python 3.12")
def test_a_tool_of_sys_monitoring_is_off_in_a_window_and_on_again_after_it():
    monitoring = sys.monitoring
    tool, events = 4, monitoring.events.PY_START
    monitoring.use_tool_id(tool, "mine")
    try:
        monitoring.set_events(tool, events)
        assert "mine (sys.monitoring)" in instrumentation()
        with without_instrumentation():
            assert monitoring.get_events(tool) == 0
        assert monitoring.get_events(tool) == events
    finally:
        monitoring.set_events(tool, 0)
        monitoring.free_tool_id(tool)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring came with Python 3.12")
def test_lines_of_one_function_are_not_reported_in_a_window_and_are_again_after_it():
    monitoring = sys.monitoring
    tool, line = 4, monitoring.events.LINE
    lines = []

    def served():
        lines.append("served")

    monitoring.use_tool_id(tool, "mine")
    try:
        monitoring.register_callback(tool, line, lambda code, number: lines.append(number))
        monitoring.set_local_events(tool, served.__code__, line)
        with without_instrumentation():
            served()
        assert lines == ["served"]
        served()
        assert len(lines) == 3
    finally:
        monitoring.set_local_events(tool, served.__code__, 0)
        monitoring.register_callback(tool, line, None)
        monitoring.free_tool_id(tool)
