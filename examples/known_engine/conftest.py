"""Engines whose throughput is known, and a machine that disturbs nothing."""

import pytest

from pytest_paddle_mt.testing import FakeEngine, known_machine


def pytest_paddle_mt_engines():
    """An engine that scales, and one that does not."""
    return [
        FakeEngine({1: 40.0, 2: 79.0}, name="scales"),
        FakeEngine({1: 40.0, 2: 41.0}, name="stays"),
    ]


@pytest.fixture(autouse=True)
def machine():
    """Let the probe find a core for each thread, however busy this machine is."""
    with known_machine():
        yield
