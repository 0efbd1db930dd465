"""The folder of baselines: names, what is refused, and what survives a full disk, two writers and a kill."""

from __future__ import annotations

import fcntl
import io
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from pytest_paddle_mt.baselines import schema, store
from pytest_paddle_mt.errors import BaselineError
from tests.builders import baseline

TEST, ENGINE = "test_scaling.py::test_serving_scales", "native"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A stored baseline."""
    found = tmp_path / "fake-cpu-2c" / store.file_name(TEST, ENGINE)
    store.change(found, TEST, ENGINE, lambda _: baseline(40, 41))
    return found


def refusal(path: Path) -> str:
    """What is said of a file that cannot be read, which then is as it was, whatever is tried with it."""
    with pytest.raises(BaselineError) as caught:
        store.load(path, TEST, ENGINE)
    with pytest.raises(BaselineError) as caught_too:
        store.change(path, TEST, ENGINE, lambda _: baseline(1))
    assert str(caught_too.value) == str(caught.value)
    return str(caught.value)


# Names.


def test_a_name_is_readable_and_its_own():
    assert store.file_name("tests/test_a.py::TestB::test_c[x-1]", "native").startswith("tests-test_a-TestB-test_c-x-1-")
    names = [
        store.file_name(test, engine)
        for test in ("test_a.py::test[a b]", "test_a.py::test[a-b]", "test_a.py::test[A-b]", "test_a.py::test[模]")
        for engine in ("native", "python")
    ]
    assert len({name.lower() for name in names}) == len(names)
    assert all(name.isascii() and "/" not in name and name.endswith(".json") for name in names)


@pytest.mark.fault(
    "baselines", "a test's id is longer than a file name may be", "its file has the end of it and a digest"
)
def test_a_name_fits_a_file_system_however_long_the_test_s_is():
    name = store.file_name(f"test_a.py::test[{'x' * 5000}-its-end]", "native")
    assert len(name) < 200
    assert "xxx-its-end-" in name
    assert name != store.file_name(f"test_a.py::test[{'x' * 5001}-its-end]", "native")


@pytest.mark.fault("baselines", "a test's id contains `../`", "its file stays in its folder")
def test_a_name_does_not_leave_its_folder_nor_hide():
    for test in ("../../etc/passwd::x", "/etc/passwd", ".hidden.py::test", "..", "-"):
        name = store.file_name(test, "../engine")
        assert Path(name).name == name
        assert not name.startswith((".", "-"))


@pytest.mark.fault(
    "baselines", "a test's id is no text, as its file's name is no UTF-8", "its run is not recorded, and that is said"
)
def test_a_test_whose_name_is_no_text_has_a_file_name_and_no_baseline(path):
    test = os.fsdecode(b"test_\xfe.py") + "::test_it"
    assert store.file_name(test, ENGINE).isascii()
    with pytest.raises(BaselineError, match=r"was not written, as it could not be read again: test is 'test_\\udcfe"):
        store.change(path.with_name("another.json"), test, ENGINE, lambda _: baseline(50, test=test))


def test_the_name_of_a_test_is_the_same_in_every_process():
    command = "from pytest_paddle_mt.baselines import store; print(store.file_name('test_a.py::test_b', 'native'))"
    printed = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == store.file_name("test_a.py::test_b", "native")


# Reading.


def test_there_is_nothing_where_nothing_was_stored(tmp_path):
    assert store.load(tmp_path / "none" / "x.json", TEST, ENGINE) is None
    (tmp_path / "file").write_text("")
    assert store.load(tmp_path / "file" / "x.json", TEST, ENGINE) is None


def test_what_was_stored_is_read(path):
    found = store.load(path, TEST, ENGINE)
    assert [run.points[0].qps for run in found.series.runs] == [40, 41]


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda text: text[: len(text) // 2], "is no baseline: it is not JSON"),
        (lambda text: "<<<<<<< HEAD\n" + text, "is no baseline: line 1 is a mark that a merge left"),
        (lambda text: text.replace('"schema": 1', '"schema": 2'), "is no baseline: it has schema 2"),
        (lambda text: text.replace('"qps": 40.0', '"qps": -40.0'), "is no baseline: runs[0].points[0].qps is -40.0"),
        (lambda text: "", "is no baseline: it is not JSON"),
        (
            lambda text: text.replace("native", "python"),
            "contains the baseline of 'test_scaling.py::test_serving_scales' with",
        ),
    ],
)
def test_a_damaged_file_is_named_and_left_as_it_is(path, damage, told):
    damaged = damage(path.read_text())
    path.write_text(damaged)
    message = refusal(path)
    assert message.startswith(str(path))
    assert told in message
    assert path.read_text() == damaged
    assert [one.name for one in path.parent.iterdir()] == [path.name]


@pytest.mark.fault("baselines", "a file is no UTF-8", "its test fails and says so")
def test_bytes_that_are_no_text_are_refused(path):
    path.write_bytes(b"\xff\xfe\x00")
    assert "is no baseline: 'utf-8' codec can't decode" in refusal(path)


@pytest.mark.fault("baselines", "a file has more than 8 MB", "it is refused before it is read")
def test_a_file_that_is_too_large_is_refused_before_it_is_read(path, monkeypatch):
    class Unread(io.FileIO):
        def read(self, *_: int) -> bytes:
            raise AssertionError("it was read")

    os.truncate(path, 100_000_000)
    monkeypatch.setattr(Path, "open", lambda self, *_, **__: Unread(self))
    with pytest.raises(BaselineError, match=r"it has 100\.0 MB, and a baseline has at most 8 MB; restore it"):
        store.load(path, TEST, ENGINE)


def test_a_baseline_that_would_be_too_large_is_not_written(path, monkeypatch):
    before = path.read_text()
    monkeypatch.setattr(schema, "MOST_BYTES", len(before))
    with pytest.raises(BaselineError, match=r"as it could not be read again: it has 0\.0 MB"):
        store.change(path, TEST, ENGINE, lambda _: baseline(40, 41, 42))
    assert path.read_text() == before


@pytest.mark.fault("baselines", "a folder stands in a file's place", "its test fails and says so")
def test_a_directory_in_its_place_is_refused(path):
    path.unlink()
    path.mkdir()
    assert refusal(path).endswith("and is a directory; move it out of the way")


def test_the_file_that_a_link_leads_to_is_read_and_changed(path, tmp_path):
    elsewhere = tmp_path / "elsewhere.json"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    store.change(path, TEST, ENGINE, lambda found: baseline(len(found.series.runs)))
    assert path.is_symlink()
    assert store.load(elsewhere, TEST, ENGINE).series.runs[0].points[0].qps == 2


@pytest.mark.fault("baselines", "a link leads nowhere", "its test fails and names the target")
def test_a_link_that_leads_nowhere_is_refused(path, tmp_path):
    path.unlink()
    path.symlink_to(tmp_path / "nowhere.json")
    assert f"is a symbolic link to {tmp_path / 'nowhere.json'}, which does not exist; restore that" in refusal(path)
    assert not (tmp_path / "nowhere.json").exists()


@pytest.mark.parametrize(
    ("kind", "put"), [("named pipe", os.mkfifo), ("device", lambda path: path.symlink_to(os.devnull))]
)
@pytest.mark.fault("baselines", "a pipe or device stands in a file's place", "it is refused, not opened")
def test_a_pipe_or_device_in_its_place_is_refused_and_not_opened(path, monkeypatch, kind, put):
    path.unlink()
    put(path)
    monkeypatch.setattr(Path, "open", None)  # a pipe would wait for a writer for ever
    assert refusal(path).endswith(f"and is a {kind}; move it out of the way")


@pytest.mark.fault("baselines", "a file may not be read", "its test fails and says so")
def test_a_file_without_permission_is_refused(path, monkeypatch):
    def denied(self: Path, mode: str) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)  # root reads everything
    assert refusal(path) == f"{path} cannot be read: Permission denied; check its permissions"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_whose_permissions_were_taken_is_refused(path):
    path.chmod(0)
    assert "cannot be read: Permission denied" in refusal(path)


# Writing.


def test_what_is_changed_is_what_the_file_holds_then(path):
    seen = []
    store.change(path, TEST, ENGINE, lambda found: seen.append(found) or baseline(50))
    assert [run.points[0].qps for run in seen[0].series.runs] == [40, 41]
    assert [run.points[0].qps for run in store.load(path, TEST, ENGINE).series.runs] == [50]


@pytest.mark.parametrize("operation", ["fsync", "replace"])
@pytest.mark.fault("baselines", "the disk is full", "the file stays as it was")
def test_a_full_disk_leaves_the_file_as_it_was(path, monkeypatch, operation):
    before = path.read_text()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(f"os.{operation}", full)
    with pytest.raises(BaselineError) as caught:
        store.change(path, TEST, ENGINE, lambda _: baseline(50))
    monkeypatch.undo()
    assert str(caught.value).startswith(
        f"{path} could not be written: No space left on device; its previous content is"
    )
    assert "--paddle-baselines" in str(caught.value)
    assert path.read_text() == before
    assert [one.name for one in path.parent.iterdir()] == [path.name]


@pytest.mark.fault("baselines", "a limit on file size is reached (RLIMIT_FSIZE)", "the file stays as it was")
def test_a_limit_on_file_size_leaves_the_file_as_it_was(path):
    """The kernel itself refuses, in the middle of the file."""
    before = path.read_text()
    program = f"""
        import resource, signal
        from pathlib import Path
        from pytest_paddle_mt.baselines import store
        from pytest_paddle_mt.errors import BaselineError
        from tests.builders import baseline
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
        try:
            store.change(Path({str(path)!r}), {TEST!r}, {ENGINE!r}, lambda _: baseline(50))
        except BaselineError as error:
            print(error)
    """
    done = run_python(program)
    assert f"{path} could not be written: File too large" in done.stdout, done.stderr
    assert path.read_text() == before
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BaselineError, match="could not be written"):
        store.change(tmp_path / "file" / "x.json", TEST, ENGINE, lambda _: baseline())


@pytest.mark.parametrize("moment", ["pytest_paddle_mt.baselines.store.readable_text", "os.fsync", "os.replace"])
@pytest.mark.fault("baselines", "an error interrupts an update", "the file stays as it was, and the lock is gone")
def test_nothing_is_left_when_the_change_itself_fails(path, monkeypatch, moment):
    before = path.read_text()

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(moment, interrupt)
    with pytest.raises(KeyboardInterrupt):
        store.change(path, TEST, ENGINE, lambda _: baseline(50))
    monkeypatch.undo()
    assert path.read_text() == before
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    folder = os.open(path.parent, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)  # an error where the lock is still held
    os.close(folder)


@pytest.mark.fault("baselines", "several jobs record at once", "no run is lost")
def test_processes_that_accept_runs_at_the_same_time_lose_none(path, tmp_path):
    """Each of four processes adds five runs of its own to one file; none adds its first before all have begun."""
    begun = tmp_path / "begun"
    begun.mkdir()
    program = f"""
        import sys
        import time
        from pathlib import Path
        from pytest_paddle_mt.baselines import store
        from tests.builders import baseline

        begun = Path({str(begun)!r})
        until_s = time.monotonic() + 30

        def added(found):
            while len(list(begun.iterdir())) < 4:
                assert time.monotonic() < until_s, "another process did not begin"
                time.sleep(0.001)
            return baseline(*[run.points[0].qps for run in found.series.runs], float(sys.argv[1]))

        (begun / sys.argv[1]).touch()
        for _ in range(5):
            store.change(Path({str(path)!r}), {TEST!r}, {ENGINE!r}, added)
    """
    writers = [
        subprocess.Popen([sys.executable, "-c", dedent(program), str(100 + index)], cwd=Path(__file__).parents[3])
        for index in range(4)
    ]
    assert [writer.wait(60) for writer in writers] == [0] * 4
    runs = [run.points[0].qps for run in store.load(path, TEST, ENGINE).series.runs]
    assert runs[:2] == [40, 41]
    assert sorted(runs[2:]) == [100] * 5 + [101] * 5 + [102] * 5 + [103] * 5
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def run_python(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", dedent(program)], capture_output=True, text=True, cwd=Path(__file__).parents[3]
    )


@pytest.mark.parametrize("bad", [{"engine": "native\x1b"}, {"machine": {}}, {"engine": "native\ud800"}])
@pytest.mark.fault(
    "baselines", "a run has a value that a reader would refuse", "it is not written, and the file stays as it was"
)
def test_what_could_not_be_read_again_is_not_written(path, bad):
    before = path.read_text()
    with pytest.raises(BaselineError, match="was not written, as it could not be read again: "):
        store.change(path, TEST, ENGINE, lambda _: baseline(50, **bad))
    assert path.read_text() == before


# What else there is.


def test_baselines_of_other_machines_are_found_by_name(tmp_path, path):
    other = tmp_path / "other-cpu-8c" / path.name
    store.change(other, TEST, ENGINE, lambda _: baseline())
    (tmp_path / "README.md").write_text("not a machine")
    store.change(tmp_path / "x\n::error::y" / path.name, TEST, ENGINE, lambda _: baseline())
    assert store.elsewhere(tmp_path, path.parent.name, path.name) == [other]
    assert store.elsewhere(tmp_path, "third", path.name) == [path, other]
    assert store.elsewhere(tmp_path / "nowhere", "third", path.name) == []


def test_names_are_those_of_baselines(path):
    (path.parent / ".hidden.json").write_text("")
    (path.parent / "README.md").write_text("")
    assert store.names(path.parent) == [path.name]
    assert store.names(path.parent / "nowhere") == []


def test_a_file_is_written_as_the_schema_says(path):
    assert path.read_text() == schema.to_text(baseline(40, 41))
