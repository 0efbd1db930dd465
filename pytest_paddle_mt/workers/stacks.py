"""Shortens the stacks that faulthandler prints to what their reader can act on.

Pure functions; as a program, it shortens its input. Its imports are Python's own, so that a crashed process can run it.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_THREAD = re.compile(r"(Current thread|Thread) 0x[0-9a-f]+\b.*:$")
_FRAME = re.compile(r'  File "(?P<path>.*)", line (?:\d+|\?\?\?) in .*$')
#: Frames of pytest, of its plugins, of this one, and of what starts Python.
_MACHINERY = re.compile(
    r"/(_pytest|pluggy|pytest_paddle_mt)/|-packages/(pytest\w*|xdist|execnet)(/|\.py$)|/runpy\.py$|/bin/(pytest|py\.test|paddle-mt)$|^<(string|frozen)"
)
_LIBRARY = re.compile(r"/python3\.\d+/(?!site-packages/)")
_HEAD = 2  #: The frames nearest to what happened are kept, whoever they belong to.


def shortened(text: str) -> str:
    """``text`` with the stacks in it cut to their head and to the frames of the user.

    Threads of other libraries are left out where a thread has frames of the user. What is no stack stays as it is.
    """
    lines = text.splitlines()
    starts = [index for index, line in enumerate(lines) if _THREAD.fullmatch(line)]
    if not starts:
        return text
    threads = {start: _frames(lines, start + 1) for start in starts}
    of_users = {start for start, frames in threads.items() if lines[start].startswith("Current") or _of_user(frames)}
    kept = lines[: starts[0]]
    end = starts[0]
    for start, frames in threads.items():
        kept += _between(lines[end:start])
        if start in of_users or not of_users:
            kept += [lines[start], *_cut(frames)]
        end = start + 1 + len(frames)
    return "\n".join(kept + _between(lines[end:]))


def _frames(lines: list[str], start: int) -> list[str]:
    end = start
    while end < len(lines) and lines[end].startswith("  "):
        end += 1
    return lines[start:end]


def _of_user(frames: list[str]) -> bool:
    return any(_is_of_user(frame) for frame in frames)


def _is_of_user(frame: str) -> bool:
    found = _FRAME.fullmatch(frame)
    return found is not None and not _MACHINERY.search(found["path"]) and not _LIBRARY.search(found["path"])


def _cut(frames: list[str]) -> Iterator[str]:
    dropped = 0
    for index, frame in enumerate(frames):
        if index < _HEAD or _is_of_user(frame):
            yield from _left_out(dropped)
            dropped = 0
            yield frame
        else:
            dropped += 1
    yield from _left_out(dropped)


def _left_out(frames: int) -> list[str]:
    return [f"  ... {frames} of pytest, its plugins and Python"] if frames else []


def _between(lines: list[str]) -> list[str]:
    return [line for line in lines if line.strip() and not line.startswith("Extension modules: ")]


if __name__ == "__main__":
    sys.stdout.write(shortened(sys.stdin.buffer.read().decode(errors="replace")) + "\n")
