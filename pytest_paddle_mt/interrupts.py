"""Holds Ctrl-C back while something is put away that must not stay half done."""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
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
