"""``--paddle-export`` writes after each sweep, whole or not at all."""

from __future__ import annotations

import json

import pytest

from pytest_paddle_mt.reporters.export_file import ExportReporter
from tests.builders import sweep
from tests.unit.reporters.test_json_file import FakeTerminal, FullDisk, finished


def test_the_file_has_every_sweep_so_far_and_one_attempt_of_each(tmp_path):
    reporter, terminal = ExportReporter("bmf", tmp_path / "new" / "x.json"), FakeTerminal()
    for nodeid in ("a", "b", "b"):
        reporter.sweep_finished(finished(sweep(nodeid=nodeid)))
    assert {name[0] for name in json.loads((tmp_path / "new" / "x.json").read_text())} == {"a", "b"}
    reporter.session_finished([], terminal)
    assert terminal.lines == [f"paddle-mt: bmf of 2 sweeps in {tmp_path / 'new' / 'x.json'}"]


def test_a_smoke_run_has_no_figures_to_export(tmp_path):
    reporter, terminal = ExportReporter("csv", tmp_path / "x.csv"), FakeTerminal()
    reporter.sweep_finished(finished(sweep(smoke_reason="pytest-xdist")))
    reporter.session_finished([], terminal)
    assert (list(tmp_path.iterdir()), terminal.lines) == ([], [])


def test_a_full_disk_leaves_the_file_as_it_was_and_says_so(tmp_path, monkeypatch):
    reporter = ExportReporter("csv", tmp_path / "x.csv")
    reporter.sweep_finished(finished(sweep(nodeid="a")))
    before = (tmp_path / "x.csv").read_text()
    monkeypatch.setattr("os.fsync", FullDisk("fsync"))
    with pytest.raises(OSError, match="it contains 1 of 2 sweeps of this session") as caught:
        reporter.sweep_finished(finished(sweep(nodeid="b")))
    assert "give another file with --paddle-export" in str(caught.value)
    assert (tmp_path / "x.csv").read_text() == before
