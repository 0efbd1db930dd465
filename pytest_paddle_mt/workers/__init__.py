"""Who measures a window. A worker owns predictors and answers one request: measure n threads for this long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pytest_paddle_mt.records import Window, WindowPlan


class Worker(Protocol):
    """Measures windows, one at a time; where it lives is its own affair."""

    def prepare(self, threads: int) -> None:
        """Make everything that windows of up to ``threads`` threads need."""

    def measure(self, threads: int, plan: WindowPlan) -> Window:
        """Measure one window.

        Raises:
            QueryFailed: a query failed; nothing of the window is returned.
        """

    def close(self) -> None:
        """Stop every thread. Safe to call twice."""
