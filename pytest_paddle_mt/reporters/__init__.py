"""Reports sweeps: one reporter per file, behind one protocol.

A reporter is added with the hook ``pytest_paddle_mt_reporters``. Only reporters convert units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pytest

    from pytest_paddle_mt.records import Measured, Sweep


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Finished:
    """A finished sweep and where it happened."""

    sweep: Sweep
    measured: Measured  #: Every window of it; not kept after the sweep was reported.
    item: pytest.Item
    benchmark: Any  #: The ``benchmark`` fixture of pytest-benchmark; None without that plugin.


class Reporter(Protocol):
    """Reports sweeps to somebody."""

    @property
    def name(self) -> str:
        """A word for error messages."""

    def sweep_finished(self, finished: Finished) -> None:
        """Called after each sweep, before its verdict decides about the test, so that no later failure loses it.

        Raises:
            OSError: the report cannot be written. The test keeps its outcome; unless a later sweep can be written, the
                summary prints the message and the session fails.
        """

    def session_finished(self, sweeps: Sequence[Sweep], terminal: pytest.TerminalReporter) -> None:
        """Called once, for the summary. What was measured is gone by then: a ``Sweep`` holds no windows."""


def built_in(json_path: Path | None) -> list[Reporter]:
    """The reporters that this package brings; the results file only where one was asked for."""
    from pytest_paddle_mt.reporters.json_file import JsonReporter
    from pytest_paddle_mt.reporters.junit import JunitReporter
    from pytest_paddle_mt.reporters.pytest_benchmark import PytestBenchmarkReporter
    from pytest_paddle_mt.reporters.terminal import TerminalTableReporter

    always: list[Reporter] = [PytestBenchmarkReporter(), JunitReporter(), TerminalTableReporter()]
    return always if json_path is None else [JsonReporter(json_path), *always]


def exporting(exports: Sequence[tuple[str, Path]]) -> list[Reporter]:
    """A reporter for each format and file."""
    from pytest_paddle_mt.reporters.export_file import ExportReporter

    return [ExportReporter(form, path) for form, path in exports]
