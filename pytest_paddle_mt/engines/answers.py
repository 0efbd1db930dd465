"""Compares the answers that threads got under load with those that the same inputs got before, single-threaded."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_paddle_mt.engines import turn as turn_of
from pytest_paddle_mt.errors import WrongAnswer
from pytest_paddle_mt.units import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy.typing as npt

    Answer = Mapping[str, npt.NDArray[Any]]  #: The arrays of an answer by output, plain values among them.

#: How far floats may differ where the model itself answers reproducibly. The second is of the largest element, or of 1
#: where that is larger: MobileNetV1 with random weights answers 1e-14, and would never be wrong by 1e-5.
_RELATIVE_TOLERANCE = 1e-3
_ABSOLUTE_TOLERANCE = 1e-5

#: An input set is asked twice; then all are asked in turn, until this many times in all or, after the fewest, so long.
#: A model that draws one of two answers with equal chance passes for reproducible once in 2^19; a slow one in 16.
_MOST_REPEATS = 20
_FEWEST_REPEATS = 4
_REPEATS_S = 0.5
_SETS_S = 5.0  #: Input sets that are not reached after this time are not compared.

_NAMED = 3  #: So many outputs that are not compared are named.
_KINDS = "biufcUS"  #: Kinds of dtypes that are compared.


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Golden:
    """The answers that are right."""

    answers: Mapping[int, Answer]  #: By the index of the input set; empty where nothing can be compared.
    input_sets: int  #: How many there are.
    #: Outputs that are not compared, with all their parts, because the same input gave them different values.
    drawn: frozenset[str]
    own_sets: int = 0  #: How many input sets each thread has of its own; 0: none, see ``Workload.turn``.

    @property
    def compares(self) -> bool:
        """Whether there is anything to compare."""
        return any(not self.is_drawn(name) for answer in self.answers.values() for name in answer)

    @property
    def described(self) -> str:
        """What is compared, human-readable: follows the word "answers"."""
        outputs = {name for answer in self.answers.values() for name in answer}
        if not outputs:
            return "not compared (the query returns nothing that can be)"
        if not self.compares:
            return "not compared (the same input gives different ones)"
        named = ", ".join(sorted(self.drawn)) if len(self.drawn) <= _NAMED else f"{len(self.drawn)} outputs"
        left_out = f" without {named}" if self.drawn else ""
        some = len(self.answers) < self.input_sets
        return f"compared{left_out}{f' for {len(self.answers)} of {self.input_sets} input sets' if some else ''}"

    def check(self, thread: int, query: int, threads: int, answer: object, turn: Sequence[int]) -> bool:
        """Compare the answer to a query, and return whether it could be compared.

        Args:
            thread: index of the thread.
            query: index of the query in that thread, from 0, warm-up included.
            threads: number of threads that were running.
            answer: arrays, plain values, or lists, tuples and dicts of these.
            turn: the input sets that the thread takes in turn, see ``Workload.turn``.

        Raises:
            WrongAnswer: it is not the right one.
        """
        asked = turn[query % len(turn)]
        expected = self.answers.get(asked)
        if expected is None or not self.compares:
            return False
        got = parts(answer)
        difference = self._difference(expected, got)
        if difference is None:
            return True
        # Answers may be alike: one of the thread's own explains more than one of another's.
        of_all = (*reversed(turn[: query % len(turn)]), *reversed(turn), *self.answers)
        known = (one for one in of_all if one in self.answers)
        other = next((one for one in known if self._difference(self.answers[one], got) is None), None)
        if other is not None:
            whose = self._whose(other, thread, query, threads, turn)
            difference += f". It is the answer to input set {other}, which {whose}: answers were mixed up"
        raise WrongAnswer(thread=thread, query=query, threads=threads, message=f"to input set {asked}, {difference}")

    def _whose(self, input_set: int, thread: int, query: int, threads: int, turn: Sequence[int]) -> str:
        """Who asks an input set, as far as that can be told."""
        if query and input_set == turn[(query - 1) % len(turn)]:
            return "this thread asked just before"
        if not self.own_sets:
            return "another query of this thread or of another one asks"
        if input_set in turn:
            return "another query of this thread asks"
        owners = [one for one in range(threads) if input_set in turn_of(one, self.input_sets, self.own_sets)]
        return f"thread {' or '.join(map(str, owners))} asks" if owners else "no thread that ran asks"

    def _difference(self, expected: Answer, got: Answer | None) -> str | None:
        """How an answer differs from the expected one, human-readable; None if it does not."""
        if got is None:
            return "it is nothing that can be compared"
        for name in sorted(expected.keys() | got.keys()):
            if self.is_drawn(name):
                continue
            if name not in got or name not in expected:
                return f"{_called(name)} is {'there, and was not expected' if name in got else 'missing'}"
            if not same(expected[name], got[name]):
                return _first_difference(_called(name), expected[name], got[name])
        return None

    def is_drawn(self, name: str) -> bool:
        """Whether this output is not compared."""
        return any(one in ("", name) or name.startswith(f"{one}[") for one in self.drawn)


def golden(ask: Callable[[int], object], input_sets: int, clock: Callable[[], float] = time.monotonic) -> Golden:
    """The answers to input sets, asked more than once: outputs that differ then are not compared later.

    Args:
        ask: serves one query of the input set with this index, single-threaded, and returns the answer.
        input_sets: how many there are.
        clock: the time in seconds.
    """
    __tracebackhide__ = True  # a query of the user's own may raise here
    known: dict[int, Answer] = {}
    drawn: set[str] = set()

    def asked_again(index: int) -> None:
        __tracebackhide__ = True
        again = parts(ask(index)) or {}
        one = known[index]
        for name in one.keys() | again.keys():
            if name not in one or name not in again:  # a list of another length: the next may have yet another
                drawn.add(name.rpartition("[")[0])
            elif not same(one[name], again[name]):
                drawn.add(name)

    latest_s = clock() + _SETS_S
    for index in range(input_sets):
        first = parts(ask(index))
        if first is None:
            return Golden(answers={}, input_sets=input_sets, drawn=frozenset())
        known[index] = {name: array.copy() for name, array in first.items()}
        asked_again(index)
        if clock() > latest_s:
            break
    latest_s = clock() + _REPEATS_S
    for repeat in range(_MOST_REPEATS):
        if repeat >= _FEWEST_REPEATS and clock() > latest_s:
            break
        asked_again(repeat % len(known))
    return Golden(answers=known, input_sets=input_sets, drawn=frozenset(drawn))


def parts(answer: object) -> Answer | None:
    """The arrays of an answer by their place in it; None where a part is neither an array nor a plain value.

    What is None has no parts. Plain numbers of one type in a list are one array.
    """
    try:
        return dict(_parts(answer, ""))
    except TypeError:
        return None


def _parts(answer: object, name: str) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    if isinstance(answer, dict):
        for key, value in answer.items():
            yield from _parts(value, key if isinstance(key, str) and not name else f"{name}[{key!r}]")
        return
    if isinstance(answer, (list, tuple)) and not _numbers_of_one_type(answer):
        for index, value in enumerate(answer):
            yield from _parts(value, f"{name}[{index}]")
        return
    if answer is None:
        return
    if not isinstance(answer, (np.ndarray, np.generic, bool, int, float, complex, str, bytes, list, tuple)):
        raise TypeError(f"{type(answer).__name__} is not compared")
    array = np.asarray(answer)
    if array.dtype.kind not in _KINDS:
        raise TypeError(f"{array.dtype} is not compared")
    yield name, array


def _numbers_of_one_type(values: list[object] | tuple[object, ...]) -> bool:
    kinds = set(map(type, values))
    return len(kinds) == 1 and kinds <= {bool, int, float}


def same(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> bool:
    """Whether two arrays are alike: floats within the tolerance, NaN like NaN, everything else exactly."""
    if not _same_type(one, other) or one.shape != other.shape:
        return False
    return bool(np.array_equal(one, other)) or bool(_alike(one, other).all())


def _same_type(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> bool:
    texts = one.dtype.kind in "US"  # their dtype has their length
    return one.dtype.kind == other.dtype.kind if texts else one.dtype == other.dtype


def _alike(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """For each element, whether it is the same."""
    if one.dtype.kind not in "fc":
        return np.asarray(one == other)
    largest = np.max(np.abs(one), where=np.isfinite(one), initial=0)
    absolute = _ABSOLUTE_TOLERANCE * min(1.0, float(largest))
    return np.asarray(np.isclose(other, one, rtol=_RELATIVE_TOLERANCE, atol=absolute, equal_nan=True))


def _first_difference(name: str, expected: npt.NDArray[Any], got: npt.NDArray[Any]) -> str:
    if not _same_type(expected, got) or expected.shape != got.shape:
        return f"{name} is {_shape(got)} where {_shape(expected)} was expected"
    differ = ~_alike(expected, got)
    place = tuple(int(index) for index in np.argwhere(differ)[0])
    at = f" at {list(place)}" if place else ""
    of = f"{counted(int(differ.sum()), 'element')} of {differ.size} in {name}"
    return f"{of} differ, first{at}: expected {expected[place].item()!r}, got {got[place].item()!r}"


def _shape(array: npt.NDArray[Any]) -> str:
    return f"{array.dtype.name} {list(array.shape)}"


def _called(name: str) -> str:
    return f"output {name!r}" if name else "what the query returned"
