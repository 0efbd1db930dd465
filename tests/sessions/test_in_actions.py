"""A session in GitHub Actions."""

from __future__ import annotations

import re

import pytest

from tests.sessions.bodies import STAYS
from tests.suite import Suite, in_actions


def test_in_github_actions_a_failed_sweep_is_an_error_at_its_line_and_in_the_summary(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
):
    in_actions(suite, monkeypatch)
    suite.write(STAYS)
    result = suite.run("--paddle-markdown=scaling.md")
    [command] = [line for line in result.outlines if line.startswith("::")]
    lines = (suite.path / "test_it.py").read_text().splitlines()
    assert "paddle_scaling" in lines[int(re.search(r",line=(\d+),", command)[1]) - 1]
    assert command.startswith("::error file=test_it.py,line=")
    assert ",title=Thread scaling%3A fail::test_it.py::test_it%0Adoes not scale with 2 threads" in command
    page = (suite.path / "scaling.md").read_text()
    assert "### Thread scaling: 1 failed" in page
    assert (suite.path / "summary.md").read_text() == page + "\n"


def test_github_is_told_nothing_with_the_option_off(suite: Suite, monkeypatch: pytest.MonkeyPatch):
    in_actions(suite, monkeypatch)
    suite.write(STAYS)
    assert [line for line in suite.run("--paddle-github=off").outlines if line.startswith("::")] == []
    assert not (suite.path / "summary.md").exists()
