"""Measures whether a call holds the GIL: it is never assumed from the version of Paddle."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from pytest_paddle_mt import _native
from pytest_paddle_mt.units import NS_PER_MS

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_paddle_mt.records import GilState

_WATCH_NS = 60 * NS_PER_MS  #: How long calls are watched: time for hundreds of ticks.
_TICK_S = 1e-4
_ENOUGH_TICKS = 3  #: With this many ticks inside the calls, the GIL counts as released.


def probe(call: Callable[[], object]) -> GilState:
    """Whether ``call`` (a C function, for instance ``Predictor.run``) holds the GIL while it runs.

    A second Python thread ticks as often as it can; the calls are timed from C, so no bytecode runs between the two
    clock readings of a call and a tick inside them means that the call had released the GIL.
    """
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
    finally:
        stop.set()
        ticker.join()
    inside = sum(1 for tick_ns in ticks_ns if any(start < tick_ns < end for start, end in calls))
    if inside >= _ENOUGH_TICKS:
        return "released"
    return "held" if inside == 0 else "unknown"
