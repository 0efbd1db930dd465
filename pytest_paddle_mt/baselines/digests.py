"""Binds the figures of a file to the run that made them, so that an edit of the file shows.

Each run has a digest of its figures, date, commit and versions, of the test, engine and setting, and of the machine. A
series has one of its setting, its anchor and all of its runs, so that none can be taken out, moved or added by hand.

A digest has no secret. It shows a slip, a careless edit, and a figure copied from elsewhere; whoever edits a file and
computes the digests anew is found only by comparing with what the recording session printed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import TYPE_CHECKING

from pytest_paddle_mt.baselines import schema

if TYPE_CHECKING:
    from pytest_paddle_mt.baselines import Baseline, Run, Series


def of_run(baseline: Baseline, run: Run) -> str:
    """The digest of a run of ``baseline``, as the file has its figures."""
    content = schema.written(dataclasses.replace(run, digest=None), schema.RUN)
    return _digest({**_measured(baseline), "setting": dict(baseline.series.setting), "run": content})


def of_series(baseline: Baseline) -> str:
    """The digest of the series of ``baseline``: of its setting, its anchor, and its runs with their digests."""
    content = schema.written(dataclasses.replace(baseline.series, digest=None), schema.SERIES)
    return _digest({**_measured(baseline), "series": content})


def sealed(baseline: Baseline) -> Baseline:
    """``baseline`` with the digest of its latest run, which was just accepted, and of its series."""
    *others, latest = baseline.series.runs
    latest = dataclasses.replace(latest, digest=of_run(baseline, latest))
    found = _with(baseline, dataclasses.replace(baseline.series, runs=(*others, latest)))
    return _with(found, dataclasses.replace(found.series, digest=of_series(found)))


def edited(baseline: Baseline) -> str | None:
    """What was changed in the file of ``baseline`` after it was written, human-readable; None where all digests fit.

    None also of a file from before there were digests. Its runs may stand before those that have one.
    """
    series = baseline.series
    with_digest = [index for index, run in enumerate(series.runs) if run.digest is not None]
    if series.digest is None and not with_digest:
        return None
    for index, run in enumerate(series.runs):
        if run.digest is not None and run.digest != of_run(baseline, run):
            return f"runs[{index}], of {run.date}, is not what its digest was made of"
    lacking = [index for index in range(min(with_digest, default=0), len(series.runs)) if index not in with_digest]
    if lacking:
        return f"runs[{lacking[0]}], of {series.runs[lacking[0]].date}, has no digest, and one before it has"
    if series.digest is None:
        return "the series has no digest, and its runs have"
    if series.digest != of_series(baseline):
        return "the setting, the anchor or the list of runs is not what the digest of the series was made of"
    return None


def without(series: Series) -> int:
    """How many runs have no digest, as they were accepted by an earlier version."""
    return sum(1 for run in series.runs if run.digest is None)


def _with(baseline: Baseline, series: Series) -> Baseline:
    return dataclasses.replace(baseline, series=series)


def _measured(baseline: Baseline) -> dict[str, object]:
    return {"test": baseline.test, "engine": baseline.engine, "machine": dict(baseline.machine)}


def _digest(content: dict[str, object]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:32]
