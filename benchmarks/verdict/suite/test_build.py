"""One live build of the proof bench; see ``operating_characteristics.py``."""

from __future__ import annotations


def test_build(request, workload, concurrent_runner):
    served = workload.work if workload.work is not None else request.getfixturevalue("predictor_pool")
    concurrent_runner(served)
