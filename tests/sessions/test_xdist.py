"""Workers of pytest-xdist that measure: one table, one file, one set of baselines. The GPUs are fakes."""

from __future__ import annotations

import json

import pytest

from pytest_paddle_mt.machine.cores import available_cores
from tests.suite import Suite, text

TESTS = """
    import os, signal
    import pytest

    @pytest.mark.paddle_scaling(engine="scales")
    @pytest.mark.parametrize("which", range(4))
    def test_it(concurrent_runner, which):
        concurrent_runner(None)

    def test_that_kills_its_worker():
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.fault(
    "machine", "a worker of pytest-xdist dies", "its test fails, and all that it measured before is kept"
)
def test_two_workers_with_fake_gpus_give_one_table_file_and_set_of_baselines(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
):
    pytest.importorskip("xdist")
    if available_cores().usable < 2:
        pytest.skip("two workers need a core each")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "fake4,fake7")
    suite.conftest_too("from quiet_machine import pytest_runtest_protocol")
    suite.write(TESTS)
    files = ("--paddle-json=results.json", "--paddle-markdown=scaling.md")
    result = suite.run("-n2", "--paddle-xdist=devices", "--paddle-baseline-update", *files)
    assert {"passed": 4, "failed": 1}.items() <= result.parseoutcomes().items()
    printed = text(result)
    assert printed.count("= paddle thread scaling =") == 1
    assert "4 of 4 sweeps gated" in printed
    assert printed.count("new baseline, 1 run accepted") == len(list(suite.path.glob("baselines/*/*.json"))) == 4
    assert [path.name for path in suite.path.glob("results*")] == ["results.json"]
    assert (suite.path / "scaling.md").read_text().count("### Thread scaling") == 1
    by = {
        one["nodeid"].partition("::")[2]: one["facts"]["measured by"].split(" and CPU ")
        for one in json.loads((suite.path / "results.json").read_text())["sweeps"]
    }
    one, other = by["test_it[0]"], by["test_it[2]"]
    assert (by["test_it[1]"], by["test_it[3]"]) == (one, other)
    assert sorted(where[0][-len("GPU fake4") :] for where in (one, other)) == ["GPU fake4", "GPU fake7"]
    assert not set(one[1].split(",")) & set(other[1].split(","))
