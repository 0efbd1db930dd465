from __future__ import annotations

import pytest

from tests.suite import Suite


@pytest.fixture
def forked(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    """A user's suite that is measured in forks; nothing of this run reaches it."""
    return Suite(pytester, monkeypatch, engine="watched")
