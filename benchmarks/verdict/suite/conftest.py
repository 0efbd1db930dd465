"""The workload that a live build of the proof bench measures: ``pytest test_build.py --workload=NAME``."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))


def pytest_addoption(parser):
    parser.addoption("--workload", help="a name in workloads.py")


@pytest.fixture
def workload(request):
    from workloads import WORKLOADS

    return WORKLOADS[request.config.getoption("--workload")]


@pytest.fixture
def paddle_config(workload, tmp_path):
    return workload.config(tmp_path)
