"""Turns tracers and profilers off while Python threads measure: coverage, debuggers and profilers slow each line down.

Only what Python itself calls can be turned off. A profiler that samples from outside goes on.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOOLS = range(6)  #: Ids of the tools of ``sys.monitoring``; Python 3.12 and newer.


def instrumentation() -> tuple[str, ...]:
    """What is called for lines or calls of this thread, or of one that it starts, by name."""
    hooks = (sys.gettrace(), sys.getprofile(), threading.gettrace(), threading.getprofile())
    found = [_name(hook) for hook in hooks if hook is not None]
    return tuple(dict.fromkeys([*found, *(f"{name} (sys.monitoring)" for _, name in _monitors())]))


@contextlib.contextmanager
def without_instrumentation() -> Iterator[None]:
    """While this is held, nothing is called for lines or calls of this thread, and of those that it starts."""
    trace, profile = sys.gettrace(), sys.getprofile()
    trace_of_new, profile_of_new = threading.gettrace(), threading.getprofile()
    monitored = {tool: _monitoring().get_events(tool) for tool, _ in _monitors()}
    # Events of single functions, as of coverage and of debuggers, stay on without this.
    callbacks = {
        (tool, event): _monitoring().register_callback(tool, event, None) for tool in monitored for event in _events()
    }
    try:
        sys.settrace(None)
        sys.setprofile(None)
        threading.settrace(None)
        threading.setprofile(None)
        for tool in monitored:
            _monitoring().set_events(tool, 0)
        yield
    finally:
        for (tool, event), callback in callbacks.items():
            _monitoring().register_callback(tool, event, callback)
        for tool, events in monitored.items():
            _monitoring().set_events(tool, events)
        threading.setprofile(profile_of_new)
        threading.settrace(trace_of_new)
        _profile_again(profile)
        sys.settrace(trace)


def _profile_again(profile: Any) -> None:
    if profile is None or callable(profile):
        sys.setprofile(profile)
    else:
        profile.enable()  # cProfile, which Python does not call: before Python 3.12 its own code is the hook


def _monitoring() -> Any:
    return getattr(sys, "monitoring", None)


def _events() -> list[int]:
    """Every event of ``sys.monitoring``; from Python 3.14 on, BRANCH stands for two of them."""
    events = vars(_monitoring().events)
    composed = {"NO_EVENTS", "BRANCH"} if "BRANCH_LEFT" in events else {"NO_EVENTS"}
    return [event for name, event in events.items() if name.isupper() and name not in composed]


def _monitors() -> list[tuple[int, str]]:
    """The tools that use ``sys.monitoring`` now, by their ids."""
    monitoring = _monitoring()
    if monitoring is None:
        return []
    named = [(tool, monitoring.get_tool(tool)) for tool in _TOOLS]
    return [(tool, name) for tool, name in named if name is not None]


def _name(hook: object) -> str:
    named = hook if hasattr(hook, "__qualname__") else type(hook)
    return f"{getattr(named, '__module__', '')}.{getattr(named, '__qualname__', '')}"
