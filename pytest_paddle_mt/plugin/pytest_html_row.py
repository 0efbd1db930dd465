"""Shows the charts of a test in its row of pytest-html's report, where that plugin is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_paddle_mt.plugin.session import session_of

if TYPE_CHECKING:
    from collections.abc import Generator


class PytestHtmlRow:
    """Adds the charts that need no single windows: throughput, ratio, latency, memory, stored baseline."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Add the charts of the sweeps that the test made."""
        report = yield
        if call.when == "call":
            sweeps = [sweep for of, sweep in session_of(item.config).finished if of is item]
            if sweeps:
                report.extras = [*getattr(report, "extras", ()), *_charts(sweeps)]  # type: ignore[attr-defined]
        return report


def _charts(sweeps: list[Any]) -> list[dict[str, Any]]:
    from pytest_html import extras  # type: ignore[import-not-found,import-untyped,unused-ignore]

    from pytest_paddle_mt.html_report.charts import figures
    from pytest_paddle_mt.records import Cpu, Measured
    from pytest_paddle_mt.reporters.json_file import entry

    nothing = Measured(cpu=Cpu(usable_cores=1, math_threads=1), rounds=())
    drawn = [figure.svg for sweep in sweeps for figure in figures(entry(sweep, nothing))]
    return [extras.html(f"<div>{svg}</div>") for svg in drawn]
