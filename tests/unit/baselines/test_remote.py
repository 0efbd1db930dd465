"""Baselines in a store that fsspec reaches: what is read again, what two jobs do to each other, and what fails how."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from pytest_paddle_mt.addresses import Address, without_secrets
from pytest_paddle_mt.baselines import anchor, digests, remote, rule, schema, store
from pytest_paddle_mt.baselines.__main__ import main
from pytest_paddle_mt.errors import BaselineError, UsageError
from pytest_paddle_mt.machine.facts import machine_key
from tests import servers
from tests.builders import MACHINE, baseline, limits

fsspec = pytest.importorskip("fsspec")

KEY = machine_key(MACHINE)
TEST, ENGINE = "test_scaling.py::test_serving_scales", "native"
ROOT = Path(__file__).parents[3]


def added(*qps: float):
    """Adds runs with this throughput to what is there, as a session would."""

    def changed(found):
        for one in qps:
            found = digests.sealed(rule.accepted(found, baseline(one), limits()))
        return found

    return changed


def folder_of(address: Address) -> Address:
    return address / KEY / remote.Store(address).file_name(TEST, ENGINE)


def record(address: Address, *qps: float):
    """Each run in a session of its own."""
    for one in qps:
        remote.Store(address).change(folder_of(address), TEST, ENGINE, added(one))


def read(address: Address):
    return remote.Store(address).load(folder_of(address), TEST, ENGINE)


def throughputs(found) -> list[float]:
    return [run.points[0].qps for run in found.series.runs]


def trusted(monkeypatch: pytest.MonkeyPatch, server: servers.Server) -> Address:
    """The address of a server that fsspec trusts in this process, as its environment makes it in another."""
    monkeypatch.setitem(fsspec.config.conf, "sftp", {"known_hosts": server.environ["FSSPEC_SFTP_KNOWN_HOSTS"]})
    return Address(server.url)


@pytest.fixture
def address(tmp_path: Path) -> Address:
    return Address(f"file://{tmp_path}/stored")


@pytest.fixture
def sftp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An SSH server, and the address of an empty folder there."""
    (tmp_path / "served" / "stored").mkdir(parents=True)
    pytest.importorskip("sshfs")
    with servers.sftp(tmp_path / "served", tmp_path) as server:
        yield server, trusted(monkeypatch, server)


def objects(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.json"))


# What is read again.


def test_what_was_recorded_is_read_as_from_a_local_file(address, tmp_path):
    """Ten runs, so that the anchor is complete and the list of runs goes on."""
    qps = [40 + 0.1 * number for number in range(10)]
    record(address, *qps)
    local = tmp_path / "local" / "x.json"
    for one in qps:
        store.change(local, TEST, ENGINE, added(one))
    found, expected = read(address), store.load(local, TEST, ENGINE)
    assert sorted(throughputs(found)) == throughputs(expected)
    assert found.series.anchor.runs == anchor.ANCHOR_RUNS
    assert digests.edited(found) is None


def test_each_run_is_an_object_of_its_own_that_is_a_baseline_by_itself(address, tmp_path):
    record(address, 40, 40.1)
    found = objects(tmp_path)
    assert len(found) == 2
    for path in found:
        alone = schema.from_text(path.read_text())
        assert digests.edited(alone) is None
        assert path.name.endswith(f"-{path.stat().st_size}.json")


def test_a_long_series_is_read_by_its_first_and_its_latest_runs(address, tmp_path, monkeypatch):
    record(address, *(40 + 0.01 * number for number in range(12)))
    for number, path in enumerate(objects(tmp_path)):  # all of one second so far
        path.rename(path.with_name(f"202601{number + 10}T120000Z-{path.name.partition('Z-')[2]}"))
    monkeypatch.setattr(remote, "WINDOW_RUNS", 2)
    everything = [schema.from_text(path.read_text()).series.runs[0] for path in objects(tmp_path)]
    found = read(address)
    assert throughputs(found) == [run.points[0].qps for run in everything[-2:]]
    assert found.series.anchor.points[0].qps == pytest.approx(anchor.of_runs(everything).points[0].qps)


def test_a_run_beyond_its_limit_begins_the_next_series_and_the_old_one_stays(address, tmp_path):
    record(address, 40, 40.1, 10)
    assert throughputs(read(address)) == [10]
    assert sorted({path.parent.name[:5] for path in objects(tmp_path)}) == ["0001-", "0002-"]
    assert len(objects(tmp_path)) == 3


def test_it_is_read_once_a_session_and_anew_before_a_change(address):
    first = remote.Store(address)
    assert first.load(folder_of(address), TEST, ENGINE) is None
    record(address, 40)
    assert first.load(folder_of(address), TEST, ENGINE) is None
    before, _ = first.change(folder_of(address), TEST, ENGINE, added(40.1))
    assert throughputs(before) == [40]
    assert sorted(throughputs(first.load(folder_of(address), TEST, ENGINE))) == [40, 40.1]


def test_names_and_other_machines_are_listed(address):
    record(address, 40)
    folder = folder_of(address)
    found = remote.Store(address)
    assert found.names(folder.parent) == [folder.name]
    assert found.elsewhere(address, "another-4c", folder.name) == [folder]
    assert found.elsewhere(address, KEY, folder.name) == []


# The command.


def test_the_command_writes_a_store_as_files_that_it_then_trusts(address, tmp_path, capsys):
    record(address, 40, 40.1)
    assert main(["check", address.url]) == 0
    assert main(["pull", address.url, str(tmp_path / "pulled")]) == 0
    assert capsys.readouterr().out == f"1 baseline written below {tmp_path}/pulled\n"
    (path,) = objects(tmp_path / "pulled")
    assert path.name == store.file_name(TEST, ENGINE)
    assert sorted(throughputs(store.load(path, TEST, ENGINE))) == [40, 40.1]
    assert digests.edited(store.load(path, TEST, ENGINE)) is None
    before = path.read_text()
    assert main(["pull", address.url, str(tmp_path / "pulled")]) == 1
    assert f"{path} is there already; give another folder" in capsys.readouterr().out
    assert path.read_text() == before


def test_the_command_names_what_is_damaged_and_what_cannot_be_reached(address, tmp_path, capsys):
    record(address, 40)
    path = damaged(tmp_path, "{")
    assert main(["check", address.url]) == 1
    assert f"{path.name} is no baseline: it is not JSON" in capsys.readouterr().out
    assert main(["check", "nosuch://ci:hunter2@host/x"]) == 2
    assert main(["diff", "HEAD", address.url]) == 2
    assert capsys.readouterr().err.startswith("nosuch://***@host/x cannot be reached: Protocol not known")


# Several jobs at once.


def test_two_jobs_that_record_the_first_run_at_the_same_time_begin_one_series(address):
    """The second one records between the moment at which the first one reads and that at which it writes."""

    def changed(found):
        record(address, 41)
        return added(40)(found)

    remote.Store(address).change(folder_of(address), TEST, ENGINE, changed)
    assert sorted(throughputs(read(address))) == [40, 41]


def test_two_jobs_that_begin_a_series_with_different_settings_do_not_mix(address, tmp_path):
    record(address, 40)
    other = dataclasses.replace(baseline(20).series, setting={**baseline().series.setting, "batch_size": 8})

    def changed(found):
        record(address, 10)
        return digests.sealed(dataclasses.replace(baseline(20), series=other, before=found.series))

    remote.Store(address).change(folder_of(address), TEST, ENGINE, changed)
    assert len({path.parent for path in objects(tmp_path)}) == 3
    assert len(throughputs(read(address))) == 1


@pytest.mark.fault("baselines", "several jobs record at once in a remote store", "no run is lost")
def test_processes_that_record_at_the_same_time_over_sftp_lose_no_run(sftp):
    server, address = sftp
    program = f"""
        import sys
        from tests.unit.baselines.test_remote import Address, record
        record(Address({server.url!r}), *[float(sys.argv[1]) + number / 100 for number in range(4)])
    """
    writers = [
        subprocess.Popen([sys.executable, "-c", dedent(program), qps], cwd=ROOT, env={**os.environ, **server.environ})
        for qps in ("40", "41")
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    expected = [base + number / 100 for base in (40, 41) for number in range(4)]
    assert sorted(throughputs(read(address))) == pytest.approx(expected)
    assert len(objects(server.folder)) == 8


# What cannot be read.


def damaged(folder: Path, text: str) -> Path:
    """Replaces the text of the only object by as many bytes."""
    (path,) = objects(folder)
    size = path.stat().st_size
    path.write_text(text.ljust(size)[:size])
    return path


@pytest.mark.fault("baselines", "an object in a remote store is damaged", "it is named, and nothing is written there")
@pytest.mark.parametrize("text", ["{", '{"schema": 2}'])
def test_an_object_that_is_no_baseline_is_named_and_nothing_is_added(address, tmp_path, text):
    record(address, 40)
    path = damaged(tmp_path, text)
    with pytest.raises(BaselineError, match=f"{path.name} is no baseline: "):
        read(address)
    with pytest.raises(BaselineError, match=f"{path.name} is no baseline: "):
        record(address, 40)
    assert objects(tmp_path) == [path]


def test_an_object_of_another_test_is_refused(address, tmp_path):
    record(address, 40)
    (path,) = objects(tmp_path)
    damaged(tmp_path, path.read_text().replace("test_serving_scales", "test_sorting_scales"))
    with pytest.raises(BaselineError, match=r"contains the baseline of 'test_scaling\.py::test_sorting_scales'"):
        read(address)


def test_an_object_of_another_machine_is_refused(address, tmp_path):
    record(address, 40)
    (path,) = objects(tmp_path)
    damaged(tmp_path, path.read_text().replace("Fake CPU", "Take CPU"))
    with pytest.raises(BaselineError, match="was measured on another machine than its folder is for"):
        read(address)


def test_a_folder_that_was_copied_to_another_machine_is_refused(address, tmp_path):
    record(address, 40)
    (path,) = objects(tmp_path)
    machine = next(one for one in path.parents if one.name == KEY)
    machine.rename(machine.with_name("another-4c"))
    folder = address / "another-4c" / folder_of(address).name
    with pytest.raises(BaselineError, match="was measured on another machine than its folder is for"):
        remote.Store(address).load(folder, TEST, ENGINE)


def test_an_object_that_cannot_be_read_is_a_failure_of_the_store(address, monkeypatch):
    record(address, 40)
    found = remote.Store(address)
    found.names(address)
    files, _ = found._opened
    monkeypatch.setattr(files, "cat_ranges", lambda paths, *_: [PermissionError("denied")] * len(paths))
    with pytest.raises(remote.StoreFailed, match="PermissionError: denied"):
        found.load(folder_of(address), TEST, ENGINE)


def test_a_run_that_would_be_too_large_to_be_read_is_not_written(address, tmp_path, monkeypatch):
    monkeypatch.setattr(remote, "MOST_BYTES", 100)
    with pytest.raises(BaselineError, match="was not written: the run has "):
        record(address, 40)
    assert objects(tmp_path) == []


def test_an_object_that_was_edited_shows(address, tmp_path):
    record(address, 40)
    (path,) = objects(tmp_path)
    damaged(tmp_path, path.read_text().replace('"queries": 2400', '"queries": 2500'))
    assert "runs[0]" in digests.edited(read(address))


def test_an_edit_shows_also_in_a_run_that_only_the_anchor_is_made_of(address, tmp_path, monkeypatch):
    record(address, *(40 + 0.01 * number for number in range(4)))
    path = objects(tmp_path)[0]
    path.write_text(path.read_text().replace('"queries": 2400', '"queries": 2500'))
    monkeypatch.setattr(remote, "WINDOW_RUNS", 2)
    assert "no digest" in digests.edited(read(address))


def test_an_object_that_is_not_whole_is_left_out_and_told(address, tmp_path):
    record(address, 40, 40.1)
    path = objects(tmp_path)[0]
    os.truncate(path, 100)
    found = remote.Store(address)
    assert len(found.load(folder_of(address), TEST, ENGINE).series.runs) == 1
    (told,) = found.left_out
    assert f"{path.name} has 100 bytes and not " in told


def test_an_object_that_is_too_large_is_not_read(address, tmp_path):
    record(address, 40)
    (path,) = objects(tmp_path)
    large = path.rename(re.sub(r"-\d+\.json", "-5000000.json", str(path)))
    os.truncate(large, 5_000_000)
    assert read(address) is None


def test_what_is_no_run_is_not_looked_at(address, tmp_path):
    record(address, 40)
    folder = objects(tmp_path)[0].parent
    (folder / "README.json").write_text("hello")
    (folder.parent / "notes").mkdir()
    (folder.parent / "0009-00000000").mkdir()  # of a job that died before it wrote
    assert throughputs(read(address)) == [40]


# What cannot be reached.


@pytest.fixture
def port():
    """A port that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@pytest.mark.fault("baselines", "a remote store does not answer", "it is given up after 30 s, once a session")
def test_a_store_that_does_not_answer_is_given_up_once(port, monkeypatch):
    pytest.importorskip("sshfs")
    assert remote.DEADLINE_S == 30
    monkeypatch.setattr(remote, "DEADLINE_S", 0.2)
    address = Address(f"sftp://ci:hunter2@127.0.0.1:{port}/x")
    found = remote.Store(address)
    with pytest.raises(remote.StoreFailed) as caught:
        found.load(folder_of(address), TEST, ENGINE)
    assert str(caught.value).startswith(
        f"the store of baselines sftp://***@127.0.0.1:{port}/x cannot be used: TimeoutError: no answer within 0.2 s."
    )
    assert str(caught.value).endswith("Check the URL, the network and the credentials, and run again")
    monkeypatch.setattr(remote, "_open", None)
    with pytest.raises(remote.StoreFailed) as again:
        found.change(folder_of(address), TEST, ENGINE, added(40))
    assert str(again.value) == str(caught.value)
    assert found.names(folder_of(address).parent) == found.elsewhere(address, "x", "y") == []


def test_a_host_that_nobody_knows_gets_no_password(sftp, tmp_path, monkeypatch):
    _, address = sftp
    (tmp_path / "none").write_text("")
    monkeypatch.setitem(fsspec.config.conf, "sftp", {"known_hosts": str(tmp_path / "none")})
    with pytest.raises(remote.StoreFailed, match="Host key is not trusted"):
        read(address)


def test_a_host_is_known_by_the_file_in_the_home_folder(sftp, tmp_path, monkeypatch):
    server, address = sftp
    monkeypatch.setitem(fsspec.config.conf, "sftp", {})
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(remote.StoreFailed, match="Host key is not trusted"):
        read(address)
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "known_hosts").write_text(Path(server.environ["FSSPEC_SFTP_KNOWN_HOSTS"]).read_text())
    assert read(address) is None


def test_a_wrong_password_is_refused_and_not_printed(sftp):
    _, address = sftp
    with pytest.raises(remote.StoreFailed, match="Permission denied") as caught:
        read(Address(address.url.replace(servers.PASSWORD, "s3cret")))
    assert "s3cret" not in str(caught.value)


def test_a_password_that_no_url_may_contain_is_not_printed_either(monkeypatch):
    def fails(address):
        raise OSError(f"bad password pa[ss in {address.url}")

    monkeypatch.setattr(remote, "_open", fails)
    with pytest.raises(remote.StoreFailed, match="bad password") as caught:
        read(Address("sftp://ci:pa[ss@host/x"))
    assert "pa[ss" not in str(caught.value)


def test_a_failure_that_quotes_the_password_does_not_print_it(monkeypatch):
    def fails(address):
        raise OSError("p@ss p%40ss", address.url)

    monkeypatch.setattr(remote, "_open", fails)
    with pytest.raises(remote.StoreFailed, match=r"cannot be used: OSError: ") as caught:
        read(Address("sftp://ci:p%40ss@host/x"))
    assert "p@ss" not in str(caught.value)
    assert "p%40ss" not in str(caught.value)


# Addresses.


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("s3://bucket/prefix", "s3://bucket/prefix"),
        ("sftp://ci:p%40ss@host:22/a", "sftp://***@host:22/a"),
        ("sftp://ci:p@ss@host/a", "sftp://***@host/a"),
        ("https://token@host/a?sig=abc&x=1", "https://***@host/a?***"),
        ("s3://bucket/", "s3://bucket"),
        ("s3://AKIA:se/cr+et@bucket/p", "s3://***@bucket/p"),
        ("sftp://ci:a#b?@h/x", "sftp://***@h/x"),
        ("s3://bucket/p@v1", "s3://bucket/p@v1"),
    ],
)
def test_an_address_prints_no_secret(url, shown):
    assert str(Address(url)) == shown
    assert str(Address(url) / "machine" / "test") == f"{shown}/machine/test"
    assert "p@ss" not in repr(Address(url))
    assert without_secrets(f"--paddle-baselines={url} in pytest.ini").startswith(f"--paddle-baselines={shown}")


def test_an_address_without_a_path_stays_one():
    assert str(Address("memory://")) == "memory://"
    assert str(Address("memory://") / "machine") == "memory://machine"


def test_a_url_that_nothing_reaches_is_refused():
    with pytest.raises(UsageError, match=r"nosuch://\*\*\*@x cannot be reached: Protocol not known: nosuch"):
        remote.fsspec_class(Address("nosuch://a:b@x"))


def test_sftp_without_a_check_of_the_host_is_refused(monkeypatch):
    monkeypatch.setattr(fsspec, "get_filesystem_class", lambda _: fsspec.get_filesystem_class.__class__)
    with pytest.raises(UsageError, match="needs sshfs, which checks the key of the host; pip install sshfs"):
        remote.fsspec_class(Address("sftp://host/x"))


def test_a_stored_object_is_json_that_others_read(address, tmp_path):
    record(address, 40)
    (path,) = objects(tmp_path)
    assert json.loads(path.read_text())["schema"] == schema.SCHEMA
