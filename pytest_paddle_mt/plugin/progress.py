"""Prints lines while a sweep runs: one before it, and on a terminal one that changes."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from pytest_paddle_mt.units import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest
    from _pytest._io import TerminalWriter

    from pytest_paddle_mt.sweeps.rounds import Progress

_SLOW_CLONES_S = 2.0  #: Making predictors is reported once it has taken longer than this.
_EVERY_S = 0.5  #: The changing line is written at most this often.


class Announcer:
    """Writes past pytest's capture, to the terminal that pytest itself writes to."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._line_open = False
        self._last_s = 0.0

    def line(self, text: str) -> None:
        """Print a line that stays, with ``-q`` too: where a crash ends the process, it shows which test that was."""
        with self._terminal() as writer:
            if writer is not None:
                writer.line()
                writer.line(text)
                writer.flush()  # before capture resumes: what is left in the buffer ends with the process

    def progress(self, progress: Progress | None) -> None:
        """Print how far the sweep is; None clears the line at the end."""
        if progress is None:
            self._change("")
            return
        self._change(
            f"paddle-mt: {progress.elapsed_s:.0f} s, at most {progress.left_s:.0f} s left; round "
            f"{progress.round_index + 1}/{progress.rounds_most}, window {progress.window_index + 1}/"
            f"{progress.windows_per_round}, {counted(progress.threads, 'thread')}"
        )

    def clones(self, made: int, wanted: int, elapsed_s: float) -> None:
        """Print how many predictors have been made, if making them is slow."""
        if elapsed_s > _SLOW_CLONES_S:
            self._change("" if made == wanted else f"paddle-mt: predictor {made} of {wanted}, {elapsed_s:.0f} s")

    def _change(self, text: str) -> None:
        now_s = time.monotonic()
        if (text and now_s - self._last_s < _EVERY_S) or (not text and not self._line_open):
            return
        self._last_s = now_s
        with self._terminal() as writer:
            if writer is not None and self._on_a_terminal():
                writer.write(f"\r{text[: writer.fullwidth - 1]:<{writer.fullwidth - 1}}\r", flush=True)
                self._line_open = bool(text)

    def _on_a_terminal(self) -> bool:
        """Whether a line can change, and may. Colours prove nothing: --color=yes writes them to files, too."""
        reporter = self._config.pluginmanager.getplugin("terminalreporter")
        return reporter is not None and bool(reporter.isatty) and self._config.get_verbosity() >= 0

    @contextlib.contextmanager
    def _terminal(self) -> Iterator[TerminalWriter | None]:
        """pytest's terminal writer, with capture suspended; None if nothing is to be printed (``-p no:terminal``)."""
        manager = self._config.pluginmanager.getplugin("capturemanager")
        suspended = contextlib.nullcontext() if manager is None else manager.global_and_fixture_disabled()
        # A terminal that was closed, or a full disk behind it, costs the line and not the sweep.
        with suspended, contextlib.suppress(OSError):
            silent = self._config.pluginmanager.getplugin("terminalreporter") is None
            yield None if silent else self._config.get_terminal_writer()
