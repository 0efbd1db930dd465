"""Measures whether a call or a user's own query holds the GIL: it is never assumed from the version of Paddle."""

from __future__ import annotations

import contextlib
import itertools
import sys
import threading
import time
from typing import TYPE_CHECKING

from pytest_paddle_mt import _native
from pytest_paddle_mt.units import NS_PER_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_paddle_mt.records import GilState

_WATCH_NS = 60 * NS_PER_MS  #: How long calls are watched: time for hundreds of ticks.
_TICK_S = 1e-4
_ENOUGH_TICKS = 3  #: With this many ticks inside the calls, the GIL counts as released.
#: A user's own query is judged by its time if it takes this long.
_RESOLVED_NS = NS_PER_MS
#: A query that holds the GIL for more than this share of its time counts as holding it.
_HELD_SHARE = 0.5
_ONE_OF = 10  #: The share that is judged: one call of so many is silent for less.
#: Nothing ticks for longer than this where the GIL is held for that share of the shortest query that is judged.
_SILENCE_NS = _RESOLVED_NS * _HELD_SHARE
#: Threads that run Python code give the GIL up this often during the probe, in seconds; else every 5 ms.
_SWITCH_S = 0.1


def probe(call: Callable[[], object]) -> GilState:
    """Whether ``call`` (a C function, for instance ``Predictor.run``) holds the GIL while it runs.

    A second Python thread ticks as often as it can; the calls are timed from C, so no bytecode runs between the two
    clock readings of a call and a tick inside them means that the call had released the GIL.
    """
    calls, ticks_ns = _watched(call)
    inside = sum(1 for tick_ns in ticks_ns if any(start < tick_ns < end for start, end in calls))
    if inside >= _ENOUGH_TICKS:
        return "released"
    return "held" if inside == 0 else "unknown"


def probe_query(query: Callable[[], object]) -> GilState:
    """Whether a user's own ``query`` holds the GIL for most of its time.

    It may run any Python code, between calls that hold the GIL and calls that release it. So what counts is for how
    long nothing ticks, in a call where that is little: other work on the machine silences the ticker, too. Not in the
    one where it is least: other work may also stop the query where it has just released the GIL. A query that is too
    short for that, and has ticks inside, stays ``unknown``.
    """
    __tracebackhide__ = True  # the query may raise
    with _seldom_switched():
        query()  # the first call may load and prepare things, and releases the GIL meanwhile
        calls, ticks_ns = _watched(query)
    mean_ns = sum(end - start for start, end in calls) / len(calls)
    if mean_ns < _RESOLVED_NS:
        inside = any(start < tick_ns < end for tick_ns in ticks_ns for start, end in calls)
        return "unknown" if inside else "held"
    silences = [pair for pair in itertools.pairwise(ticks_ns) if pair[1] - pair[0] > _SILENCE_NS]
    long_enough = [call for call in calls if call[1] - call[0] >= _RESOLVED_NS]
    shares = sorted(_time_inside_ns(silences, call) / (call[1] - call[0]) for call in long_enough)
    return "held" if shares[len(shares) // _ONE_OF] > _HELD_SHARE else "released"


def _time_inside_ns(intervals: list[tuple[int, int]], call: tuple[int, int]) -> int:
    return sum(max(0, min(end, call[1]) - max(start, call[0])) for start, end in intervals)


@contextlib.contextmanager
def _seldom_switched() -> Iterator[None]:
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before_s)


def _watched(call: Callable[[], object]) -> tuple[list[tuple[int, int]], list[int]]:
    """Start and end of some calls, and when a second thread ticked, before them, meanwhile and after."""
    __tracebackhide__ = True
    ticks_ns: list[int] = []
    stop = threading.Event()

    def tick() -> None:
        while not stop.is_set():
            ticks_ns.append(_native.monotonic_ns())
            time.sleep(_TICK_S)

    ticker = threading.Thread(target=tick, name="paddle-mt-gil-probe", daemon=True)
    ticker.start()
    try:
        while not ticks_ns:
            time.sleep(_TICK_S)
        calls = _native.time_calls(call, _WATCH_NS)
        ticked = len(ticks_ns)
        while len(ticks_ns) == ticked:
            time.sleep(_TICK_S)
    finally:
        stop.set()
        ticker.join()
    return calls, ticks_ns
