"""Baselines at a URL as users meet them: recorded, compared, and a store that cannot be reached."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from pytest_paddle_mt.machine.facts import machine_key
from tests import servers
from tests.suite import Suite, text

fsspec = pytest.importorskip("fsspec")

_TEST = """
    def test_it(concurrent_runner):
        concurrent_runner(None)
"""

UPDATE = "--paddle-baseline-update"


@pytest.fixture
def stored(suite: Suite) -> Suite:
    """A suite of one test that scales."""
    pytest.importorskip("sshfs")
    suite.ini("paddle-engine = scales")
    suite.write(_TEST)
    return suite


@pytest.fixture
def nowhere() -> str:
    """A URL, with a password, where nobody answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    return f"sftp://ci:{servers.PASSWORD}@127.0.0.1:{port}/stored"


def test_a_run_is_recorded_over_sftp_and_the_next_one_compared_with_it(
    stored: Suite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "served" / "stored").mkdir(parents=True)
    with servers.sftp(tmp_path / "served", tmp_path) as server:
        monkeypatch.setitem(fsspec.config.conf, "sftp", {"known_hosts": server.environ["FSSPEC_SFTP_KNOWN_HOSTS"]})
        given = f"--paddle-baselines={server.url}"
        recorded = stored.run(given, UPDATE, "--paddle-json=results.json")
        compared = stored.run(given)
    recorded.assert_outcomes(passed=1)
    compared.assert_outcomes(passed=1)
    shown = server.url.replace(f"{servers.USER}:{servers.PASSWORD}", "***")
    assert "new baseline, 1 run accepted" in text(recorded)
    assert f"in {shown}/{machine_key()}/test_it-test_it-" in text(recorded)
    assert "CALIBRATING drift: p50 latency with 1 thread 25 -> 25 ms" in text(compared)
    (path,) = server.folder.rglob("*.json")
    assert path.relative_to(server.folder).parts[0] == machine_key()
    assert len(json.loads(path.read_text())["runs"]) == 1
    assert not (stored.path / "baselines").exists()
    for said in (text(recorded), text(compared), (stored.path / "results.json").read_text()):
        assert servers.PASSWORD not in said


@pytest.mark.fault(
    "baselines", "a remote store cannot be reached", "one error a session; drift is not compared, the rest is judged"
)
def test_a_store_that_cannot_be_reached_is_one_error_and_costs_no_other_verdict(stored: Suite, nowhere: str):
    stored.write(
        """
        import pytest

        @pytest.mark.paddle_scaling(engine=["scales", "stays"])
        def test_it(concurrent_runner):
            concurrent_runner(None)
        """
    )
    result = stored.run(f"--paddle-baselines={nowhere}")
    result.assert_outcomes(skipped=1, failed=1)
    said = text(result)
    assert said.count("paddle-mt: ERROR: ") == said.count("ConnectionRefusedError") == 1
    assert "ERROR: the store of baselines sftp://***@127.0.0.1:" in said
    assert "NOT_COMPARABLE drift: the store of baselines sftp://***@" in said
    assert "FAIL linear" in said
    assert servers.PASSWORD not in said
    assert "Traceback" not in said


@pytest.mark.fault(
    "baselines", "a job dies while it writes to a remote store", "what it left is not read, and the summary says so"
)
def test_what_is_not_whole_is_left_out_and_the_summary_says_so(stored: Suite, tmp_path: Path):
    given = f"--paddle-baselines=file://{tmp_path}/stored"
    stored.run(given, UPDATE).assert_outcomes(passed=1)
    (path,) = (tmp_path / "stored").rglob("*.json")
    os.truncate(path, 100)
    result = stored.run(given)
    result.assert_outcomes(passed=1)
    assert f"paddle-mt: left out of the baselines: file://{path} has 100 bytes and not " in text(result)
    assert "no stored baseline for 1 sweep" in text(result)


def test_what_could_not_be_recorded_fails_the_session_with_one_error(stored: Suite, nowhere: str):
    result = stored.run(f"--paddle-baselines={nowhere}", UPDATE)
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert text(result).count("ERROR: the store of baselines ") == 1


def test_a_required_baseline_that_cannot_be_read_fails_its_test(stored: Suite, nowhere: str):
    result = stored.run(f"--paddle-baselines={nowhere}", "--paddle-baseline-required")
    result.assert_outcomes(failed=1)
    assert "the summary has the reason" in text(result)


def test_a_url_that_nothing_reaches_is_refused_before_anything_is_measured(stored: Suite):
    result = stored.run("--paddle-baselines=nosuch://ci:hunter2@host/x")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "--paddle-baselines=nosuch://***@host/x: nosuch://***@host/x cannot be reached: Protocol" in text(result)
    assert servers.PASSWORD not in text(result)
