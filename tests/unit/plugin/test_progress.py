from __future__ import annotations

import errno
from types import SimpleNamespace

import pytest

from pytest_paddle_mt.plugin.progress import Announcer


@pytest.mark.fault(
    "machine", "the terminal closes, or the disk behind the output is full", "the sweep goes on, and is stored"
)
def test_a_line_that_cannot_be_written_costs_the_line_and_nothing_else():
    def refuse(*_, **__):
        raise OSError(errno.EIO, "Input/output error")

    writer = SimpleNamespace(line=refuse, write=refuse, flush=refuse, fullwidth=80)
    plugins = {"capturemanager": None, "terminalreporter": SimpleNamespace(isatty=True)}
    config = SimpleNamespace(
        pluginmanager=SimpleNamespace(getplugin=plugins.get),
        get_terminal_writer=lambda: writer,
        get_verbosity=lambda: 0,
    )
    announcer = Announcer(config)
    announcer.line("paddle-mt: test_it.py::test_it")
    announcer.clones(1, 2, 3.0)
    announcer.progress(None)
