"""The report of a session: a page of every sweep so far, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_paddle_mt.reporters import Finished, json_file
from pytest_paddle_mt.reporters.html_file import HtmlReporter
from tests.builders import against, measured, rounds_of, sweep, warning


def finished(**changes):
    rounds = rounds_of({1: 40, 2: 78}, count=2)
    return Finished(sweep=sweep(**changes), measured=measured(rounds=rounds), item=None, benchmark=None)


@pytest.fixture
def reporter(tmp_path: Path) -> HtmlReporter:
    return HtmlReporter(tmp_path / "report.html", json_file.entry, json_file.document)


def test_the_page_contains_every_sweep_so_far(reporter, tmp_path):
    reporter.sweep_finished(finished(nodeid="test_a.py::test_one", warnings=(warning("something shook"),)))
    reporter.sweep_finished(finished(nodeid="test_a.py::test_two", against=against()))
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("<article") == 2
    assert "something shook" in page
    assert 'id="sweep-1-timeline"' in page
    assert 'id="sweep-2-ratio"' in page


def test_a_later_attempt_of_the_same_test_replaces_the_earlier_one(reporter, tmp_path):
    for _ in range(2):
        reporter.sweep_finished(finished())
    assert (tmp_path / "report.html").read_text(encoding="utf-8").count("<article") == 1


def test_a_page_that_cannot_be_written_is_an_error_with_the_next_step(tmp_path):
    reporter = HtmlReporter(tmp_path, json_file.entry, json_file.document)
    with pytest.raises(OSError, match=r"could not be written: .* give another file with --paddle-html"):
        reporter.sweep_finished(finished())
