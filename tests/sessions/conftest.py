from __future__ import annotations

import pytest

from tests.sessions.forked import Forked


@pytest.fixture
def forked(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Forked:
    """A user's suite that is measured in forks; nothing of this run reaches it."""
    return Forked(pytester, monkeypatch)
