"""Baselines in S3: a server of S3 that starts here, and the client that users have. Run by .ci/s3."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from pytest_paddle_mt.addresses import Address
from pytest_paddle_mt.baselines import remote
from pytest_paddle_mt.errors import BaselineError
from tests import servers
from tests.unit.baselines.test_remote import ENGINE, TEST, added, folder_of, read, record, throughputs

s3fs = pytest.importorskip("s3fs", reason="needs the extra test-s3: .ci/s3 runs this")
pytest.importorskip("moto.server", reason="needs the extra test-s3: .ci/s3 runs this", exc_type=ImportError)


@pytest.fixture(scope="module")
def server():
    with servers.s3("bucket") as started:
        yield started


@pytest.fixture
def address(server: servers.Server, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Address:
    """An empty prefix."""
    for name, value in server.environ.items():
        monkeypatch.setenv(name, value)
    return Address(f"{server.url}/{request.node.name}")


def objects(address: Address) -> list[str]:
    """Every object below an address."""
    return list(s3fs.S3FileSystem(skip_instance_cache=True).find(address.url))


def test_what_was_recorded_is_read_again(address: Address):
    record(address, *(40 + 0.1 * number for number in range(10)))
    assert sorted(throughputs(read(address))) == pytest.approx([40 + 0.1 * number for number in range(10)])
    found = remote.Store(address)
    assert found.names(folder_of(address).parent) == [folder_of(address).name]
    assert found.elsewhere(address, "another-4c", folder_of(address).name) == [folder_of(address)]


def test_nothing_is_there_at_first(address: Address):
    assert read(address) is None


def test_processes_that_record_at_the_same_time_lose_no_run(address: Address):
    program = f"""
        import sys
        from tests.unit.baselines.test_remote import Address, record
        record(Address({address.url!r}), *[float(sys.argv[1]) + number / 100 for number in range(4)])
    """
    writers = [
        subprocess.Popen([sys.executable, "-c", dedent(program), qps], cwd=Path(__file__).parents[2], env=os.environ)
        for qps in ("40", "41")
    ]
    assert [writer.wait(120) for writer in writers] == [0, 0]
    expected = [base + number / 100 for base in (40, 41) for number in range(4)]
    assert sorted(throughputs(read(address))) == pytest.approx(expected)
    assert len(objects(address)) == 8


def test_two_jobs_that_record_the_first_run_at_the_same_time_begin_one_series(address: Address):
    def changed(found):
        record(address, 41)
        return added(40)(found)

    remote.Store(address).change(folder_of(address), TEST, ENGINE, changed)
    assert sorted(throughputs(read(address))) == [40, 41]


def test_an_object_that_is_no_baseline_is_named_and_nothing_is_added(address: Address):
    record(address, 40)
    (path,) = objects(address)
    files = s3fs.S3FileSystem(skip_instance_cache=True)
    files.pipe_file(path, b"{".ljust(files.size(path)))
    with pytest.raises(BaselineError, match=f"{path.rpartition('/')[2]} is no baseline: "):
        record(address, 40)
    assert objects(address) == [path]


def test_a_bucket_that_does_not_exist_is_an_error_and_is_not_made(address: Address):
    with pytest.raises(remote.StoreFailed, match="bucket"):
        record(Address("s3://no-such-bucket/x"), 40)
    assert [one.rstrip("/") for one in s3fs.S3FileSystem(skip_instance_cache=True).ls("")] == ["bucket"]


def test_a_server_that_is_gone_is_an_error_with_the_next_step(address: Address, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setattr(remote, "DEADLINE_S", 10.0)
    with pytest.raises(remote.StoreFailed, match="Check the URL, the network and the credentials") as caught:
        read(address)
    assert servers.PASSWORD not in str(caught.value)
