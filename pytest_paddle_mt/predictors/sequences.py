"""Inputs that are sequences of different lengths, one behind the other: an array and its LoD (level of detail).

A LoD is a list of levels, each a list of offsets: ``[[0, 1, 4]]`` are two sequences, the rows 0 and 1 to 3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_paddle_mt.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

Lod = tuple[tuple[int, ...], ...]


class Sequences(np.ndarray):
    """An array with its LoD."""

    lod: Lod = ()


def lod_of(array: npt.NDArray[Any]) -> Lod:
    """The LoD of an array; empty for one that has none."""
    return getattr(array, "lod", ())


def with_lod(array: npt.NDArray[Any], lod: Lod) -> npt.NDArray[Any]:
    """``array`` with this LoD."""
    made = array.view(Sequences)
    made.lod = lod
    return made


def is_pair(given: object) -> bool:
    """Whether it is an array and something else, as in ``(array, lod)``."""
    return isinstance(given, tuple) and len(given) == 2 and isinstance(given[0], np.ndarray)


def checked_lod(name: str, given: Any, rows: int) -> Lod:
    """``given`` as a LoD of an input with so many rows. Paddle would read beyond the array by a wrong one.

    Raises:
        InputError: it is something else.
    """
    try:
        lod = tuple(tuple(_integers(level)) for level in given)
    except TypeError:
        lod = ()
    if not lod or not all(lod):
        raise InputError(
            f"the LoD of input {name!r} is {given!r}; give a list of levels, each a list of offsets, such as "
            "(array, [[0, 1, 4]]) for a sequence of the first row and one of the next three"
        )
    for number, offsets in enumerate(lod):
        below = len(lod[number + 1]) - 1 if number + 1 < len(lod) else rows
        what = "sequences in the next level" if number + 1 < len(lod) else "rows in the array"
        if offsets[0] != 0 or list(offsets) != sorted(offsets) or offsets[-1] != below:
            raise InputError(
                f"level {number} of the LoD of input {name!r} is {list(offsets)}; its offsets must begin with 0, never "
                f"fall, and end with {below}, the number of {what}. Lengths become offsets by numpy.cumsum"
            )
    return lod


def _integers(level: Iterable[Any]) -> Iterable[int]:
    for offset in level:
        if not isinstance(offset, (int, np.integer)) or isinstance(offset, bool):
            raise TypeError(f"{offset!r} is no offset")
        yield int(offset)
