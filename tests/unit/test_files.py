"""Files that are there whole or not at all; what a failing write leaves is tested with the results file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_paddle_mt.files import no_file, write_atomically


def test_a_file_is_on_the_disk_before_it_has_its_name_and_its_name_before_the_write_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = []
    sync, replace = os.fsync, os.replace

    def watched_sync(descriptor: int) -> None:
        done.append(("sync", Path(os.readlink(f"/proc/self/fd/{descriptor}")).name.partition(".results")[1:]))
        sync(descriptor)

    def watched_replace(source: Path, target: Path) -> None:
        done.append(("replace", target.name))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", watched_sync)
    monkeypatch.setattr(os, "replace", watched_replace)
    write_atomically(tmp_path / "results.json", "x")
    assert [what for what, _ in done] == ["sync", "replace", "sync"]
    assert done[0][1][0] == ".results"  # the temporary file
    assert done[2][1] == ("", "")  # its directory


def test_a_directory_that_was_made_is_in_the_one_above_before_the_write_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = []
    sync = os.fsync

    def watched_sync(descriptor: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", watched_sync)
    write_atomically(tmp_path / "baselines" / "machine" / "test.json", "x")
    assert synced[:2] == [tmp_path, tmp_path / "baselines"]
    assert synced[-1] == tmp_path / "baselines" / "machine"


def test_a_file_in_the_place_of_its_directory_is_an_error_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match=f"{tmp_path / 'file'} is not a directory"):
        write_atomically(tmp_path / "file" / "deep" / "results.json", "x")


def test_a_directory_that_cannot_be_synced_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sync = os.fsync

    def only_files(descriptor: int) -> None:
        if Path(os.readlink(f"/proc/self/fd/{descriptor}")).is_dir():
            raise OSError(22, "Invalid argument")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", only_files)
    write_atomically(tmp_path / "results.json", "x")
    assert (tmp_path / "results.json").read_text() == "x"


@pytest.mark.fault("results", "a report's path is a link", "the file that it leads to is replaced")
def test_the_file_that_a_link_leads_to_is_replaced_and_the_link_stays(tmp_path: Path) -> None:
    (tmp_path / "to").mkdir()
    link = tmp_path / "results.json"
    link.symlink_to("to/first.json")
    for text in ("made", "replaced"):
        write_atomically(link, text)
        assert os.readlink(link) == "to/first.json"
        assert (tmp_path / "to" / "first.json").read_text() == text


@pytest.mark.fault("results", "a report is to be written over a pipe or device", "it is refused, and the pipe stays")
def test_what_is_no_regular_file_stays_what_it_is(tmp_path: Path) -> None:
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    for path in (pipe, link):
        with pytest.raises(OSError, match="it is a named pipe, not a regular file"):
            write_atomically(path, "x")
    assert pipe.is_fifo()
    assert sorted(tmp_path.iterdir()) == [link, pipe]
    link.unlink()
    link.symlink_to("/dev/null")  # root could replace it, so it is only looked at
    assert no_file(link) == no_file(Path("/dev/null")) == "a device"


@pytest.mark.fault("results", "a report's path is a link to itself", "it is refused, and the link stays")
def test_a_link_that_leads_to_itself_stays(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(link)
    with pytest.raises(OSError, match="a symbolic link that leads to itself"):
        write_atomically(link, "x")
    assert link.is_symlink()


@pytest.mark.fault("results", "a report has the longest name that there is", "it is written")
def test_a_name_may_be_as_long_as_names_may_be(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 250 + ".json")
    write_atomically(path, "x")
    assert path.read_text() == "x"
