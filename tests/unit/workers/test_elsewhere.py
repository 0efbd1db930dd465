"""The checks of the other side of a comparison, before anything is measured."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_paddle_mt.errors import UsageError
from pytest_paddle_mt.workers import elsewhere
from pytest_paddle_mt.workers.launch import Place

THIS = Path(sys.executable)
SOURCES = {"against": "--paddle-against=X", "against_rootdir": "--paddle-against-rootdir=Y"}


def place(python, rootdir=None, here=Path("/")):
    return elsewhere.place(python, rootdir, here, SOURCES)


def script(path, text):
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_without_an_interpreter_there_is_no_other_side():
    assert place(None) is None


def test_the_rootdir_is_the_same_unless_another_is_given(tmp_path):
    assert place(THIS, None, tmp_path).rootdir == tmp_path
    assert place(THIS, tmp_path, Path("/")).rootdir == tmp_path


def test_a_link_is_not_followed(tmp_path):
    link = tmp_path / "python"
    link.symlink_to(THIS)
    assert place(link).python == link


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda at: at / "missing", "there is no .*missing; name a Python interpreter that exists"),
        (lambda at: (at / "link").symlink_to(at / "gone") or at / "link", "it is a link that leads nowhere"),
        (lambda at: at, "is a directory; name the interpreter itself"),
        (lambda at: ((at / "text").write_text("") and None) or at / "text", "is not executable"),
    ],
)
def test_an_unusable_interpreter_is_refused_as_the_user_wrote_it(tmp_path, make, told):
    with pytest.raises(UsageError, match=told) as refused:
        place(make(tmp_path))
    assert str(refused.value).startswith("--paddle-against=X: ")


def test_for_a_virtual_environment_the_error_names_the_interpreter_in_it(tmp_path):
    (tmp_path / "bin").mkdir()
    script(tmp_path / "bin/python", "")
    with pytest.raises(UsageError, match=f"is a directory; write {tmp_path}/bin/python"):
        place(tmp_path)


def test_a_rootdir_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"--paddle-against-rootdir=Y: there is no directory .*missing"):
        place(THIS, tmp_path / "missing")


def test_a_rootdir_alone_is_refused_with_the_missing_option(tmp_path):
    with pytest.raises(UsageError, match=f"add --paddle-against={sys.executable}"):
        place(None, tmp_path)


def test_this_interpreter_reports_its_version(tmp_path):
    found = elsewhere.ask(Place(python=THIS, rootdir=tmp_path), tmp_path)
    assert found.python == sys.version.split()[0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("#!/bin/sh\necho hello\n", "is no Python 3 interpreter: asked what it is, it printed 'hello'"),
        ("#!/bin/sh\nexit 3\n", "it exited with status 3"),
        ("#!/bin/sh\necho '[1]'\n", "is no Python 3 interpreter"),
        ("nothing that runs", "cannot be run"),
    ],
)
def test_what_is_no_python_is_refused_with_what_it_did(tmp_path, text, told):
    with pytest.raises(UsageError, match=told):
        elsewhere.ask(Place(python=script(tmp_path / "python", text), rootdir=tmp_path), tmp_path)


def test_what_does_not_answer_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(elsewhere, "ASK_S", 0.5)
    sleeper = script(tmp_path / "python", "#!/bin/sh\nexec sleep 1000\n")
    with pytest.raises(UsageError, match=r"did not answer within 0\.5 s"):
        elsewhere.ask(Place(python=sleeper, rootdir=tmp_path), tmp_path)


def test_an_interpreter_without_the_plugin_is_refused(tmp_path):
    bare = script(tmp_path / "python", f'#!/bin/sh\nexec {THIS} -S "$@"\n')  # without site-packages
    with pytest.raises(UsageError, match=r"has no pytest-paddle-mt, which must measure there, too; install"):
        elsewhere.ask(Place(python=bare, rootdir=tmp_path), tmp_path)


def test_a_checkout_of_the_plugin_in_the_working_directory_is_not_taken_for_an_installation(tmp_path):
    (tmp_path / "pytest_paddle_mt").mkdir()
    (tmp_path / "pytest_paddle_mt/__init__.py").touch()
    bare = script(tmp_path / "python", f'#!/bin/sh\nexec {THIS} -S "$@"\n')
    with pytest.raises(UsageError, match="has no pytest-paddle-mt"):
        elsewhere.ask(Place(python=bare, rootdir=tmp_path), tmp_path)


def test_whether_it_has_paddle_is_looked_for_and_not_imported(tmp_path, monkeypatch):
    (tmp_path / "paddle").mkdir()
    (tmp_path / "paddle/__init__.py").write_text("raise SystemExit('imported')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert elsewhere.ask(Place(python=THIS, rootdir=tmp_path), tmp_path).has_paddle


def test_the_same_interpreter_and_rootdir_are_here_whatever_they_are_called(tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    assert elsewhere.is_here(Place(python=THIS, rootdir=tmp_path), tmp_path)
    for name in ("python", "python3"):
        if (THIS.parent / name).exists():
            assert elsewhere.is_here(Place(python=THIS.parent / name, rootdir=tmp_path / "other/.."), tmp_path)
    assert not elsewhere.is_here(Place(python=THIS, rootdir=other), tmp_path)


def test_the_python_of_another_virtual_environment_is_elsewhere_though_a_link_to_the_same_file(tmp_path):
    link = tmp_path / "python"
    link.symlink_to(THIS.resolve())
    assert not elsewhere.is_here(Place(python=link, rootdir=tmp_path), tmp_path)


def item(path, rootdir):
    return SimpleNamespace(path=path, config=SimpleNamespace(rootpath=rootdir))


def test_a_test_file_that_the_other_checkout_lacks_is_absent(tmp_path):
    for name in ("here", "there"):
        (tmp_path / name / "tests").mkdir(parents=True)
    test = tmp_path / "here/tests/test_it.py"
    test.touch()
    there = Place(python=THIS, rootdir=tmp_path / "there")
    reason = elsewhere.absence(item(test, tmp_path / "here"), there)
    assert reason == f"the other side has no file {tmp_path}/there/tests/test_it.py"
    (tmp_path / "there/tests/test_it.py").touch()
    assert elsewhere.absence(item(test, tmp_path / "here"), there) is None


def test_a_test_file_outside_the_rootdir_cannot_be_found_in_another_checkout(tmp_path):
    (tmp_path / "here").mkdir()
    outside = tmp_path / "test_it.py"
    outside.touch()
    with pytest.raises(UsageError, match="is not below the rootdir"):
        elsewhere.absence(item(outside, tmp_path / "here"), Place(python=THIS, rootdir=tmp_path))
    assert elsewhere.absence(item(outside, tmp_path / "here"), Place(python=THIS, rootdir=tmp_path / "here")) is None
