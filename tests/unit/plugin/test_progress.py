from __future__ import annotations

import errno
from types import SimpleNamespace

import pytest

from pytest_paddle_mt.plugin.progress import Announcer


@pytest.mark.fault(
    "machine", "a line of progress cannot be written (a full disk)", "the line is lost, and nothing else"
)
def test_a_line_that_cannot_be_written_costs_the_line_and_nothing_else():
    refused = []

    def refuse(*written, **_):
        refused.append(written)
        raise OSError(errno.ENOSPC, "No space left on device")

    writer = SimpleNamespace(write=lambda *_, **__: None, fullwidth=80)
    plugins = {"capturemanager": None, "terminalreporter": SimpleNamespace(isatty=True)}
    config = SimpleNamespace(
        pluginmanager=SimpleNamespace(getplugin=plugins.get),
        get_terminal_writer=lambda: writer,
        get_verbosity=lambda: 0,
    )
    announcer = Announcer(config)
    announcer.clones(1, 2, 3.0)  # opens a line, which progress(None) then clears
    writer.line = writer.write = writer.flush = refuse
    announcer.line("paddle-mt: test_it.py::test_it")
    announcer.progress(None)
    assert len(refused) == 2
