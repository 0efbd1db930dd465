"""Opens workers for the sides of a sweep, in this process or in fresh ones, and closes them whatever happens."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pytest_paddle_mt.interrupts import held_back
from pytest_paddle_mt.workers.crew import Crew
from pytest_paddle_mt.workers.fork import Absent
from pytest_paddle_mt.workers.launch import Role

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    import pytest

    from pytest_paddle_mt.records import Side, Subject
    from pytest_paddle_mt.workers import Worker
    from pytest_paddle_mt.workers.launch import Place


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Opened:
    """Workers that are ready to measure, and what they serve."""

    #: A worker for each side; several entries measure whole rounds in turn.
    workers: Sequence[Mapping[Side, Worker]]
    subjects: Mapping[Side, Subject]  #: What each side serves.


class Opener(Protocol):
    """A context manager: inside it the workers are ready."""

    @property
    def notes(self) -> Sequence[str]:
        """What went wrong after the last window; complete once it has closed them."""

    def __enter__(self) -> Opened: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class InProcess:
    """Workers of this process."""

    notes: Sequence[str] = ()

    def __init__(self, sides: Mapping[Side, tuple[Worker, Subject]], threads: int) -> None:
        """Take over the workers of each side; they are made ready for ``threads`` threads on entering."""
        self._sides = sides
        self._threads = threads

    def __enter__(self) -> Opened:
        workers = {side: worker for side, (worker, _) in self._sides.items()}
        try:
            for worker in workers.values():
                worker.prepare(self._threads)
        except BaseException:
            self._close()
            raise
        return Opened(workers=[workers], subjects={side: subject for side, (_, subject) in self._sides.items()})

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        with held_back(), contextlib.ExitStack() as closing:
            for worker, _ in self._sides.values():
                closing.callback(worker.close)


class InForks:
    """Fresh processes for each side, all of them alive until the end."""

    def __init__(
        self,
        item: pytest.Item,
        places: Mapping[Side, Place | None] | None,
        *,
        count: int,
        seed: int,
        threads: int,
        cores: int,
    ) -> None:
        """Nothing is started yet.

        Args:
            item: the test.
            places: where the processes of each side run, None: here; no mapping: there is one side, and it is here.
            count: how many for each side.
            seed: seed of whatever the engine draws at random.
            threads: the largest thread count.
            cores: how many are started at once.
        """
        self.notes: Sequence[str] = ()
        self._item = item
        self._threads = threads
        self._cores = cores
        self._crews: dict[Side, Crew] = {}
        if places is None:
            self._crews["this"] = Crew(item, count, seed)
        else:
            against = any(place is not None for place in places.values())
            for index, (side, place) in enumerate(places.items()):
                role = Role(side=side, place=place, first=1 + index * count, against=against)
                self._crews[side] = Crew(item, count, seed, role)

    def __enter__(self) -> Opened:
        try:
            # The other side first: it may have nothing to measure, and then this one need not start.
            for crew in reversed(self._crews.values()):
                crew.prepare(self._threads, self._cores)
            of_sides = zip(*(crew.workers for crew in self._crews.values()), strict=True)
            return Opened(
                workers=[dict(zip(self._crews, workers, strict=True)) for workers in of_sides],
                subjects={side: crew.subject for side, crew in self._crews.items()},
            )
        except BaseException as error:
            self._close(error)
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close(error)

    def _close(self, error: BaseException | None) -> None:
        # An error is no reason to leave fixtures standing; Ctrl-C is.
        hurry = error is not None and not isinstance(error, Exception)
        try:
            with contextlib.ExitStack() as closing:
                for crew in self._crews.values():
                    closing.callback(crew.close, hurry)
        finally:
            for crew in self._crews.values():
                for fork, text in crew.outputs.items():
                    self._item.add_report_section("call", f"output of fork {fork}", text)
            if error is None:  # else the error itself is reported
                self.notes = [note for crew in self._crews.values() for note in crew.notes]


class NoOtherSide:
    """The other side has nothing to measure, as could be seen before anything was started."""

    notes: Sequence[str] = ()

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def __enter__(self) -> Opened:
        """Give up.

        Raises:
            Absent: always.
        """
        raise Absent(self._reason)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing was opened."""
