"""Adds figures as properties of the test, which pytest writes into ``--junitxml`` files."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from pytest_paddle_mt.records import Sweep
    from pytest_paddle_mt.reporters import Finished


class JunitReporter:
    """Adds user properties to the test; see ``Reporter``."""

    name = "junit"

    def sweep_finished(self, finished: Finished) -> None:
        """Add the status, and throughput and efficiency of each thread count, in place of an earlier attempt's."""
        sweep = finished.sweep
        properties = finished.item.user_properties
        properties[:] = [(name, value) for name, value in properties if not name.startswith("paddle_mt_")]
        properties.append(("paddle_mt_status", sweep.status))
        for point in sweep.points:
            properties.append((f"paddle_mt_qps_{point.threads}", round(point.qps, 3)))
            if point.efficiency is not None:
                properties.append((f"paddle_mt_efficiency_{point.threads}", round(point.efficiency, 4)))
        for ratio in () if sweep.against is None else sweep.against.ratios:
            properties.append((f"paddle_mt_ratio_{ratio.threads}", round(ratio.qps, 4)))

    def session_finished(self, sweeps: Sequence[Sweep], terminal: pytest.TerminalReporter) -> None:
        """Does nothing: pytest writes the file."""
