"""The published JSON Schemas describe the files as this package writes and reads them."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_paddle_mt.baselines import schema
from pytest_paddle_mt.gpu import GpuLoad
from pytest_paddle_mt.records import Interval, ServedInput, UniversalScalability
from pytest_paddle_mt.reporters import json_file
from tests.builders import against, latency_summary, measured, point, rounds_of, subject, sweep, verdict, warning
from tests.unit.baselines.test_hostile_files import JSON, NINE_RUNS, ONE_RUN, changed

SCHEMAS = Path(__file__).parents[2] / "docs/schemas"

#: What the reader refuses and no schema can describe: how values of one file belong together, and the calendar.
BEYOND = ("do not ascend", "percentiles do not fall", ".runs is ", "not a time such as")


def validator(name):
    """Validates as JSON is written: to the schema's language 1.0 is an integer, to the reader it is a figure."""
    document = json.loads((SCHEMAS / name).read_text())
    jsonschema.Draft202012Validator.check_schema(document)
    exact = jsonschema.Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int)
    return jsonschema.validators.extend(jsonschema.Draft202012Validator, type_checker=exact)(document)


BASELINE, RESULTS = validator("baseline.schema.json"), validator("results.schema.json")


def refusal(text):
    """Why our own reader refuses the text of a baseline; None where it accepts it."""
    try:
        schema.from_text(text)
    except schema.Unreadable as error:
        return str(error)
    return None


@pytest.mark.parametrize("document", [ONE_RUN, NINE_RUNS], ids=["one run", "nine runs"])
def test_a_baseline_as_it_is_written_fits(document):
    BASELINE.validate(document)


def test_every_baseline_of_this_repository_fits():
    for path in SCHEMAS.parents[1].glob("baselines/ci/**/*.json"):
        BASELINE.validate(json.loads(path.read_text()))


@given(
    text=changed(ONE_RUN, JSON)
    | changed(NINE_RUNS, JSON)
    | changed(NINE_RUNS, st.floats(1e-12, 1e15) | st.integers(-1, 2**64) | st.text(max_size=3) | st.none())
)
@settings(max_examples=60, deadline=None)
def test_the_schema_of_a_baseline_accepts_what_our_reader_accepts_and_refuses_what_it_refuses(text):
    why = refusal(text)
    fits = BASELINE.is_valid(json.loads(text))
    if why is None:
        assert fits, text
    else:
        assert not fits or any(part in why for part in BEYOND), why


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema",), 2),
        (("test",), "a\nb"),
        (("runs", 0, "commit"), "x ::error::y"),
        (("runs", 0, "date"), "2026-13-01T00:00:00Z"),
        (("runs", 0, "points", 0, "qps"), 0),
        (("runs", 0, "points", 0, "threads"), 1.0),
        (("runs", 0, "points"), []),
        (("anchor", "runs"), 9),
        (("machine", "cuda"), "12"),
        (("setting", "unknown"), 1),
    ],
)
def test_both_refuse_a_baseline_with_a_wrong_value(path, value):
    document = json.loads(json.dumps(ONE_RUN))
    holder = document
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    assert refusal(json.dumps(document)) is not None
    assert not BASELINE.is_valid(document)


MEASURED = measured(rounds=rounds_of({1: 40, 2: 78}, count=1))
EMPTY = json_file.document([], datetime.datetime(2026, 1, 31, tzinfo=datetime.timezone.utc))


def results_of(*sweeps):
    document = {**EMPTY, "sweeps": [json_file.entry(one, MEASURED) for one in sweeps]}
    return json.loads(json.dumps(document))


some_number = st.floats(0, 1e12)
some_text = st.text(max_size=20)
points = st.builds(
    point,
    st.integers(1, 1024),
    st.floats(1e-3, 1e12),
    efficiency=st.none() | some_number,
    qps_interval=st.none() | st.builds(Interval, low=some_number, high=some_number),
    latency=st.builds(latency_summary, st.floats(1e3, 1e12), p90_ns=st.none() | some_number),
    peak_rss_bytes=st.none() | st.integers(0, 2**50),
    gpu=st.none() | st.builds(GpuLoad, readings=st.integers(1, 99), utilisation=st.none() | some_number),
)
inputs = st.builds(
    ServedInput,
    name=some_text,
    dtype=some_text,
    shape=st.none() | st.tuples(st.none() | st.integers(0, 9)),
    low=st.none() | some_number,
    high=st.none() | some_number,
    made_up=st.booleans(),
)
sweeps = st.builds(
    sweep,
    nodeid=some_text,
    subject=st.builds(subject, inputs=st.tuples(inputs), pool=st.sampled_from(["clone", "predictor_pool", None])),
    points=st.tuples(points, points),
    usl=st.none() | st.just(UniversalScalability(contention=0.1, coherency=-0.01)),
    warnings=st.just(()) | st.builds(lambda text: (warning(text),), some_text),
    verdicts=st.just(()) | st.builds(lambda text: (verdict(reason=text),), some_text),
    against=st.none() | st.just(against()),
    smoke_reason=st.none() | some_text,
)


@given(one=sweeps)
@settings(max_examples=30, deadline=None)
def test_results_as_they_are_written_fit(one):
    RESULTS.validate(results_of(one))


def test_results_that_lack_a_member_or_have_another_type_do_not_fit():
    for change in ({"seed": "1"}, {"status": "passed"}, {"points": None}):
        document = results_of(sweep())
        document["sweeps"][0].update(change)
        assert not RESULTS.is_valid(document)
    document = results_of(sweep())
    del document["sweeps"][0]["points"][0]["qps_ci"]
    assert not RESULTS.is_valid(document)
