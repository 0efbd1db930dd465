from __future__ import annotations

from pytest_paddle_mt.machine.versions import installed_version


def test_a_version_that_is_not_installed_is_none():
    assert installed_version("no-such-distribution-anywhere") is None
