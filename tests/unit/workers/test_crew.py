"""Forks of one sweep: they must serve the same, and report it once."""

from __future__ import annotations

import tempfile

import pytest

from pytest_paddle_mt.errors import ForkFailed
from pytest_paddle_mt.workers.crew import Crew
from pytest_paddle_mt.workers.fork import ForkWorker
from tests.builders import subject


def crew(*subjects):
    made = Crew.__new__(Crew)
    made.workers = []
    for number, one in enumerate(subjects, 1):
        worker = ForkWorker.__new__(ForkWorker)
        worker.fork, worker.subject = number, one
        made.workers.append(worker)
    return made


def test_forks_serve_what_the_first_serves_and_report_how_many_they_are():
    whole = crew(subject(), subject()).subject
    assert (whole.engine, whole.batch_size, whole.facts["forks"]) == ("native", 1, "2")


def test_forks_that_serve_different_things_are_refused_with_both():
    with pytest.raises(ForkFailed, match="fork 2 serves something else than fork 1: batch size 8 and 1"):
        crew(subject(), subject(batch_size=8)).subject  # noqa: B018


@pytest.mark.parametrize(
    ("states", "together"),
    [
        (("held", "held"), "held"),
        (("unknown", "released"), "released"),
        (("held", "released"), "unknown"),
        (("unknown", "unknown"), "unknown"),
        ((None, None), None),
    ],
)
def test_whether_the_gil_is_held_is_known_when_no_fork_contradicts(states, together):
    assert crew(*(subject(gil=state) for state in states)).subject.gil == together


@pytest.mark.fault("machine", "no temporary folder can be written to", "a test with forks fails, and names the folders")
def test_without_a_temporary_folder_the_forks_fail_with_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", None)  # it is looked up anew, among these
    absent = [str(tmp_path / "first"), str(tmp_path / "second")]
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: absent)
    with pytest.raises(ForkFailed, match=r"2 forks could not be started .*/first', .*/second'.*: check that what"):
        Crew(None, 2, 1)
