"""An edit of a file shows: what its digests are made of, and what becomes of a file that they do not fit."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from pytest_paddle_mt.baselines import Baseline, digests, rule, schema
from pytest_paddle_mt.checks.curve import linear_until
from pytest_paddle_mt.checks.drift import DriftCheck, notes
from tests.builders import baseline, evidence, limits, rounds_of, run_figures, run_of, series_of, stored

QPS = (78.0, 80.0, 79.0)


def recorded(*qps: float, first: Baseline | None = None) -> Baseline:
    """A baseline that was recorded run by run, as by sessions."""
    found = first
    for one in qps:
        new = baseline(series=series_of(run_of(run_figures(2, one))))
        found = digests.sealed(rule.accepted(found, new, limits()))
    assert found is not None
    return found


def edited(change: Any, start: Baseline | None = None) -> str | None:
    """What is found after ``change`` of the document of a file."""
    document = json.loads(schema.to_text(start or recorded(*QPS)))
    change(document)
    return digests.edited(schema.from_text(json.dumps(document)))


def put(value: Any, *path: Any) -> Any:
    def change(document: Any) -> None:
        for step in path[:-1]:
            document = document[step]
        if value is None:
            del document[path[-1]]
        else:
            document[path[-1]] = value

    return change


def test_a_file_that_was_written_and_read_fits_its_digests():
    assert edited(lambda document: None) is None


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (put(40.0, "runs", 1, "points", 0, "qps"), "runs[1], of 2026-01-31T12:00:00Z, is not what its digest"),
        (put(26.0, "runs", 2, "points", 0, "p50_ms"), "runs[2]"),
        (put(7, "runs", 0, "points", 0, "rounds"), "runs[0]"),
        (put("2020-01-01T00:00:00Z", "runs", 0, "date"), "runs[0], of 2020-01-01T00:00:00Z"),
        (put("another", "runs", 0, "commit"), "runs[0]"),
        (put(40.0, "anchor", "points", 0, "qps"), "the anchor"),
        (put(8, "setting", "batch_size"), "runs[0]"),
        (put(64, "machine", "usable_cores"), "runs[0]"),
        (put("test_it.py::test_other", "test"), "runs[0]"),
        (put("python", "engine"), "runs[0]"),
        (put(None, "runs", 1, "digest"), "runs[1], of 2026-01-31T12:00:00Z, has no digest"),
        (put(None, "digest"), "the series has no digest"),
        (lambda one: one["runs"].reverse(), "the list of runs"),
        (lambda one: one["runs"].__setitem__(0, one["runs"][1]), "the list of runs"),
    ],
)
def test_an_edit_is_found_and_named(change: Any, told: str):
    assert told in str(edited(change))


@pytest.mark.fault("baselines", "somebody copies a run from another file", "drift is inconclusive with the place")
def test_runs_of_another_file_are_found():
    of_another = digests.sealed(dataclasses.replace(baseline(40.0), test="test_other.py::test_it"))
    document = json.loads(schema.to_text(recorded(*QPS)))
    document["runs"][2] = json.loads(schema.to_text(of_another))["runs"][0]
    found = schema.from_text(json.dumps(document))
    looked_up = dataclasses.replace(stored(found), edited=digests.edited(found))
    (verdict,) = DriftCheck().judge(evidence(rounds_of({1: 40, 2: 79}), stored=looked_up))
    assert verdict.status == "inconclusive"
    assert verdict.reason.startswith("the baseline was edited after it was recorded: runs[2], of ")


def test_a_file_of_an_earlier_version_is_read_as_before_and_said_to_have_no_digests():
    old = baseline(*QPS)
    assert digests.edited(old) is None
    now = evidence(rounds_of({1: 40, 2: 79}), stored=stored(old))
    assert [one.status for one in DriftCheck().judge(now)] == ["calibrating"]
    (note,) = [one.text for one in notes(now) if one.kind == "without_digest"]
    assert note.startswith("3 of 3 accepted runs of the baseline have no digest")


def test_runs_are_added_to_a_file_of_an_earlier_version():
    found = recorded(79.5, first=baseline(*QPS))
    assert digests.edited(found) is None
    assert digests.without(found.series) == 3
    assert "runs[3]" in str(edited(put(40.0, "runs", 3, "points", 0, "qps"), found))
    assert "the list of runs" in str(edited(put(40.0, "runs", 0, "points", 0, "qps"), found))


def test_an_edited_file_is_never_gated_and_never_read_as_a_curve():
    kept = recorded(*QPS)
    changed = dataclasses.replace(kept.series, setting={**kept.series.setting, "batch_size": 2})
    found = dataclasses.replace(stored(kept), edited=digests.edited(dataclasses.replace(kept, series=changed)))
    (verdict,) = DriftCheck().judge(evidence(rounds_of({1: 40, 2: 10}), stored=found))
    assert (verdict.status, verdict.threads) == ("inconclusive", None)
    assert verdict.reason.startswith("the baseline was edited after it was recorded: runs[0]")
    assert linear_until(limits(), (1, 2, 4), evidence(rounds_of({1: 40})).cpu, "2 cores", "gpu:0", found)[0] == 4


def test_a_run_that_is_accepted_begins_a_new_series_and_the_edited_one_stays():
    document = json.loads(schema.to_text(recorded(*QPS)))
    document["runs"][1]["points"][0]["qps"] = 77.0
    found = schema.from_text(json.dumps(document))
    after = recorded(79.0, first=found)
    assert len(after.series.runs) == 1
    assert digests.edited(after) is None
    assert after.before is not None
    assert schema.to_text(after).count('"qps": 77.0') == 1
