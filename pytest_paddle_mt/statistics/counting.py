"""Counts the queries of a window without bias, however few they are.

Each query is spread evenly over the time that it takes; what lies inside the window counts. In a stationary process
that sums up to rate x length on average, for a window whose edges do not depend on the queries: the query under way at
a moment is as often one of duration d as d is long, so a share of 1 / d of it counts on average 1 / mean duration
(length-biased sampling; Cox, Renewal Theory, 1962, section 5.4).

Latencies are those of the queries that complete inside the window, whenever they started: of a query that takes d, the
end lies inside as often as that of any other. Those that start inside, too, would be the shorter ones.
"""

from __future__ import annotations


def fraction_inside(start_ns: int, end_ns: int, opened_ns: int, closed_ns: int) -> float:
    """The share of a query's time that lies inside the window; 0 for a query that takes none."""
    inside_ns = time_inside_ns(start_ns, end_ns, opened_ns, closed_ns)
    return inside_ns / (end_ns - start_ns) if inside_ns else 0.0


def ends_inside(query_ns: tuple[int, int], opened_ns: int, closed_ns: int) -> bool:
    """Whether a query, given by its start and end, completes inside the window."""
    return opened_ns < query_ns[1] <= closed_ns


def time_inside_ns(start_ns: int, end_ns: int, opened_ns: int, closed_ns: int) -> int:
    """How much of a query's time lies inside the window, in ns."""
    return max(0, min(end_ns, closed_ns) - max(start_ns, opened_ns))
