"""Reports sweeps: one reporter per file, behind one protocol.

A reporter is added with the hook ``pytest_paddle_mt_reporters``. Only reporters convert units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from pytest_paddle_mt.records import Measured, Sweep
    from pytest_paddle_mt.settings import Settings


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


@runtime_checkable
class TellsNotMeasured(Protocol):
    """A reporter that also reports a session in which this process measured nothing, as under pytest-xdist."""

    def not_measured(self, tests: int, reason: str, terminal: pytest.TerminalReporter) -> None:
        """Called once, for the summary, in place of ``session_finished``."""


def built_in(settings: Settings, *, worker: bool = False) -> list[Reporter]:
    """The reporters that this package brings; those that write files only where they were asked for.

    A ``worker`` of pytest-xdist leaves what is written once a session to the process that started it.
    """
    from pytest_paddle_mt.reporters import github
    from pytest_paddle_mt.reporters.export_file import ExportReporter
    from pytest_paddle_mt.reporters.html_file import HtmlReporter
    from pytest_paddle_mt.reporters.json_file import JsonReporter, document, entry
    from pytest_paddle_mt.reporters.junit import JunitReporter
    from pytest_paddle_mt.reporters.markdown_file import MarkdownReporter
    from pytest_paddle_mt.reporters.pytest_benchmark import PytestBenchmarkReporter
    from pytest_paddle_mt.reporters.terminal import TerminalTableReporter

    reporters: list[Reporter] = [] if settings.json_path is None else [JsonReporter(settings.json_path)]
    if settings.html_path is not None:
        # The page is made of what the results file would contain, so that it can be made later, too.
        reporters.append(HtmlReporter(settings.html_path, entry, document))
    reporters += [PytestBenchmarkReporter(), JunitReporter(), TerminalTableReporter()]
    reporters += [ExportReporter(form, path) for form, path in settings.exports]
    if settings.markdown_path is not None and not worker:
        reporters.append(MarkdownReporter(settings.markdown_path))
    if settings.github and github.in_actions() and not worker:
        reporters.append(github.GithubReporter(strict=settings.strict))
    return reporters
