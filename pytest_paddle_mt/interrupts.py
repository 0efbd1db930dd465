"""Holds Ctrl-C back while something is put away that must not stay half done, and puts away before a signal ends us."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType


@contextlib.contextmanager
def held_back(*, dropped: bool = False) -> Iterator[None]:
    """Let a Ctrl-C inside take effect at the end, or not at all where it is ``dropped``.

    A second one inside takes effect at once, as what is put away may hang. Outside of the main thread, which alone gets
    Ctrl-C, nothing is held back.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    first: list[tuple[int, FrameType | None]] = []

    def hold(number: int, frame: FrameType | None) -> None:
        if first:
            signal.signal(signal.SIGINT, before)
            before(number, frame)
        first.append((number, frame))

    signal.signal(signal.SIGINT, hold)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if first and not dropped:
            before(*first[0])


#: Signals that end a process without a word where nobody handles them: a job that is cancelled, a terminal that closes.
_ENDING = (signal.SIGTERM, signal.SIGHUP)

_put_away: list[Callable[[], None]] = []  #: What runs before one of them ends this process, the latest first.


def before_a_signal_ends(clean: Callable[[], None]) -> Callable[[], None]:
    """Let ``clean`` run before SIGTERM or SIGHUP ends this process; returns what takes that back.

    Nothing happens where somebody else handles or ignores such a signal, and outside of the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        return lambda: None
    _put_away.append(clean)
    for number in _ENDING:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _end)

    def take_back() -> None:
        if clean in _put_away:
            _put_away.remove(clean)
        for number in _ENDING:
            if not _put_away and signal.getsignal(number) is _end:
                signal.signal(number, signal.SIG_DFL)

    return take_back


def _end(number: int, frame: FrameType | None) -> None:
    """Put away, and end as this signal ends a process."""
    for clean in reversed(_put_away):
        with contextlib.suppress(Exception):
            clean()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
