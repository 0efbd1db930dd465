"""The same work from 1 to 16 threads, on streams of their own and on the default stream that they share."""

from __future__ import annotations

import libraries
import pytest


@pytest.mark.parametrize("stream", ["own", "shared"])
@pytest.mark.parametrize("work", ["known_work", "model"])
def test_threads(concurrent_runner, request, work, stream):
    most = int(request.config.getoption("paddle_threads"))
    calls = [getattr(libraries.chosen[0], work)(stream == "own") for _ in range(most)]
    concurrent_runner(calls, query=lambda call, inputs: call(), gate=False)
