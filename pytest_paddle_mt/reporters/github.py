"""Tells GitHub Actions: a step summary, an error for each failed sweep, and a warning for all that was not gated."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_paddle_mt.reporters import headline, markdown
from pytest_paddle_mt.reporters.advice import why_or_next
from pytest_paddle_mt.units import counted, printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pytest

    from pytest_paddle_mt.records import Sweep
    from pytest_paddle_mt.reporters import Finished

_SUMMARY_MOST = 1024 * 1024  #: Bytes that GitHub takes of a step's summary; a longer one is refused as a whole.
_NAMES_MOST = 20  #: Tests that the warning names.


def in_actions(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether this process runs in GitHub Actions."""
    return environ.get("GITHUB_ACTIONS") == "true"


class GithubReporter:
    """Writes workflow commands and the step summary at the end of the session; see ``Reporter``."""

    name = "github"

    def __init__(self, *, strict: bool, environ: Mapping[str, str] = os.environ) -> None:
        """Nothing is written yet; under ``strict`` a sweep that was not gated is an error, too."""
        self._strict = strict
        self._summary = environ.get("GITHUB_STEP_SUMMARY")
        self._workspace = environ.get("GITHUB_WORKSPACE")
        self._places: dict[str, dict[str, str]] = {}

    def sweep_finished(self, finished: Finished) -> None:
        """Keep where the test is."""
        path, line = finished.item.path, finished.item.location[1]
        if self._workspace and path.is_relative_to(self._workspace):
            path = path.relative_to(self._workspace)
        self._places[finished.sweep.nodeid] = {"file": str(path), **({} if line is None else {"line": str(line + 1)})}

    def session_finished(self, sweeps: Sequence[Sweep], terminal: pytest.TerminalReporter) -> None:
        """Write the commands, and append to the step summary."""
        not_gated = [sweep for sweep in sweeps if not headline.gated(sweep)]
        for sweep in sweeps:
            if sweep.gate and (sweep.status == "fail" or (self._strict and sweep in not_gated)):
                terminal.write_line(self._error(sweep))
        if not_gated and not self._strict:
            names = [f"{one.nodeid}: {headline.headline(one)}" for one in not_gated[:_NAMES_MOST]]
            more = [f"and {len(not_gated) - _NAMES_MOST} more"] if len(not_gated) > _NAMES_MOST else []
            title = f"{len(not_gated)} of {counted(len(sweeps), 'sweep')} NOT gated"
            terminal.write_line(command("warning", [*names, *more], title=title))
        self._append(markdown.page(sweeps, self._room()), terminal)

    def not_measured(self, tests: int, reason: str, terminal: pytest.TerminalReporter) -> None:
        """The same for a session in which nothing was judged, as under pytest-xdist."""
        terminal.write_line(command("warning", [reason], title=f"{counted(tests, 'test')} NOT gated"))
        self._append(markdown.not_measured(tests, reason), terminal)

    def _error(self, sweep: Sweep) -> str:
        word = headline.status_word(sweep).lower()
        lines = [sweep.nodeid, headline.headline(sweep), why_or_next(sweep) or ""]
        return command("error", lines, **self._places.get(sweep.nodeid, {}), title=f"Thread scaling: {word}")

    def _room(self) -> int:
        """How many bytes the step summary still takes."""
        try:
            return _SUMMARY_MOST - (os.path.getsize(self._summary) if self._summary else 0)
        except OSError:
            return _SUMMARY_MOST

    def _append(self, page: str, terminal: pytest.TerminalReporter) -> None:
        if not self._summary or len(page.encode()) > self._room():
            return
        try:
            with Path(self._summary).open("a", encoding="utf-8") as file:
                file.write(page + "\n")
        except OSError as error:
            terminal.write_line(
                f"paddle-mt: the step summary {printable(self._summary)} could not be written: "
                f"{error.strerror or error}; the same is above, and --paddle-github=off writes none"
            )


def command(name: str, lines: Sequence[str], **properties: str) -> str:
    """A workflow command, such as ``::error file=a.py,line=3::text``; whatever the texts are, it is one command."""
    given = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{name} {given}::{'%0A'.join(_data(line) for line in lines if line)}"


def _data(value: str) -> str:
    """Printable characters only, so there is no end of line among them."""
    return printable(value).replace("%", "%25")


def _property(value: str) -> str:
    return _data(value).replace(":", "%3A").replace(",", "%2C")
