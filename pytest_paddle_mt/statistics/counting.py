"""Counts the queries of a window without bias, however few they are.

Each query is spread evenly over the time that it takes; what lies inside the window counts. In a stationary process
that sums up to rate x length on average, for a window whose edges do not depend on the queries: the query under way at
a moment is as often one of duration d as d is long, so a share of 1 / d of it counts on average 1 / mean duration
(length-biased sampling; Cox, Renewal Theory, 1962, section 5.4).
"""

from __future__ import annotations


def fraction_inside(start_ns: int, end_ns: int, opened_ns: int, closed_ns: int) -> float:
    """The share of a query's time that lies inside the window; 0 for a query that takes none."""
    inside_ns = time_inside_ns(start_ns, end_ns, opened_ns, closed_ns)
    return inside_ns / (end_ns - start_ns) if inside_ns else 0.0


def time_inside_ns(start_ns: int, end_ns: int, opened_ns: int, closed_ns: int) -> int:
    """How much of a query's time lies inside the window, in ns."""
    return max(0, min(end_ns, closed_ns) - max(start_ns, opened_ns))
