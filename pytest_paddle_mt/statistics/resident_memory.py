"""What the windows of a sweep show of the memory of their process: its peak, and whether it keeps growing."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_paddle_mt.records import Round, Window

#: A process still allocates what it will need during this share of its rounds.
_WARM_UP_SHARE = 1 / 3
_MIN_READINGS = 4  #: After that; fewer readings show no trend.
_STRETCHES = 4  #: The rounds after that are looked at in so many stretches, if there are enough.
#: Growth is steady where no stretch grew, per query, by less than this share of what another did: a warm-up fades.
_MIN_STEADINESS = 1 / 3
_MIN_GROWTH_BYTES = 5_000_000  #: In all: an allocator moves by less without a cause.
_MIN_BYTES_PER_QUERY = 256  #: The plugin itself keeps 8 bytes, the latency.


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Growth:
    """How the resident memory of a process grew, round after round."""

    first_bytes: int  #: Resident memory when its warm-up was over.
    last_bytes: int  #: Resident memory at the end.
    queries: float  #: Queries in between, all threads together, those outside of windows too.
    rounds: int  #: Rounds in between.

    @property
    def bytes_per_query(self) -> float:
        """How much each query keeps, on average."""
        return (self.last_bytes - self.first_bytes) / self.queries


def peak_rss_bytes(rounds: Sequence[Round]) -> int | None:
    """The largest peak of resident memory of any process in these rounds, in bytes; None if unknown."""
    noises = [visit.window.noise for one in rounds for visit in one.visits]
    return max((noise.peak_rss_bytes for noise in noises if noise and noise.peak_rss_bytes is not None), default=None)


def growth(rounds: Sequence[Round]) -> Growth | None:
    """The growth of the process in which a query kept the most; None unless every process grew steadily.

    A process with too few rounds shows nothing, and neither does one whose memory is unknown.
    """
    by_fork: dict[int, list[tuple[float, int]]] = {}
    for one in rounds:
        if one.visits:
            by_fork.setdefault(one.fork, []).append(_reading([visit.window for visit in one.visits]))
    found = [steady_growth(readings) for readings in by_fork.values()]
    grown = [one for one in found if one is not None]
    return max(grown, key=lambda one: one.bytes_per_query) if grown and len(grown) == len(found) else None


def steady_growth(readings: Sequence[tuple[float, int]]) -> Growth | None:
    """The growth that these readings show; None unless it is steady and large enough to have a cause.

    Args:
        readings: of each round, the queries that were served in it, and resident memory at its end, in bytes; 0 where
            that is unknown.
    """
    kept = readings[round(len(readings) * _WARM_UP_SHARE) :]
    if len(kept) < _MIN_READINGS or not all(rss and queries for queries, rss in kept):
        return None
    queries = list(itertools.accumulate(queries for queries, _ in kept))
    last = len(kept) - 1
    stretches = min(_STRETCHES, last)
    edges = [round(last * stretch / stretches) for stretch in range(stretches + 1)]
    rates = [(kept[b][1] - kept[a][1]) / (queries[b] - queries[a]) for a, b in itertools.pairwise(edges)]
    grown = Growth(first_bytes=kept[0][1], last_bytes=kept[-1][1], queries=queries[-1] - queries[0], rounds=last)
    steady = min(rates) > 0 and min(rates) >= _MIN_STEADINESS * max(rates)
    large = grown.last_bytes - grown.first_bytes >= _MIN_GROWTH_BYTES
    return grown if steady and large and grown.bytes_per_query >= _MIN_BYTES_PER_QUERY else None


def _reading(windows: Sequence[Window]) -> tuple[float, int]:
    noise = windows[-1].noise
    return sum(_queries(window) for window in windows), 0 if noise is None else noise.rss_bytes or 0


def _queries(window: Window) -> float:
    """The queries of a window and of the warm-up before it, by its throughput."""
    return 0.0 if window.noise is None else window.completed * window.noise.wall_ns / window.open_ns
