"""Each export is read by what reads it elsewhere: a consumer's parser, or the schema that it documents."""

from __future__ import annotations

import csv
import io
import json

import jsonschema
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from pytest_paddle_mt import exports
from pytest_paddle_mt.exports import table
from tests.builders import latency_summary, point, sweep

#: As Bencher documents it: benchmarks by name, each with measures by name, each a metric with bounds or without.
BMF = {
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "additionalProperties": {
            "type": "object",
            "required": ["value"],
            "properties": {key: {"type": "number"} for key in ("value", "lower_value", "upper_value")},
            "additionalProperties": False,
        },
    },
}

#: As github-action-benchmark documents its custom tools.
GAB = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["name", "unit", "value"],
        "properties": {
            "value": {"type": "number"},
            **{key: {"type": "string"} for key in ("name", "unit", "range", "extra")},
        },
        "additionalProperties": False,
    },
}

HOSTILE = 'test_é.py::test["\\x", {a="b"},\n=1] # EOF \ud800'
FEW = point(
    2,
    78,
    qps_interval=None,
    efficiency=None,
    efficiency_interval=None,
    latency=latency_summary(25e6, p90_ns=None, p99_ns=None),
)
SWEEPS = {
    "usual": [sweep(nodeid="test_a.py::test_one"), sweep(nodeid="test_a.py::test_two")],
    "hostile": [sweep(nodeid=HOSTILE)],
    "undefined": [sweep(points=(FEW,))],
    "none": [],
    "long": [sweep(nodeid="x" * 3000), sweep(nodeid="x" * 3000 + "y")],
}
every_kind = pytest.mark.parametrize("kind", SWEEPS)


def json_of(form, sweeps):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(exports.text(form, sweeps), parse_constant=refuse)


def families_of(sweeps):
    return {family.name: family for family in text_string_to_metric_families(exports.text("openmetrics", sweeps))}


def rows_of(sweeps):
    return list(csv.DictReader(io.StringIO(exports.text("csv", sweeps)), strict=True))


@every_kind
def test_bencher_takes_the_file(kind):
    document = json_of("bmf", SWEEPS[kind])
    jsonschema.validate(document, BMF)
    assert len(document) == sum(len(one.points) for one in SWEEPS[kind])
    assert max(map(len, document), default=0) <= 1024


def test_bencher_gets_latencies_in_ns_and_throughput_with_its_bounds():
    document = json_of("bmf", SWEEPS["usual"])
    assert document["test_a.py::test_two[threads=1]"]["latency-p50"] == {"value": 25e6}
    measures = document["test_a.py::test_two[threads=2]"]
    assert measures["throughput"] == {"value": 78, "lower_value": 0.97 * 78, "upper_value": 1.03 * 78}
    assert measures["scaling-efficiency"]["value"] == 0.98


def test_what_is_undefined_is_no_measure():
    [measures] = json_of("bmf", SWEEPS["undefined"]).values()
    assert set(measures) == {"throughput", "latency", "latency-p50"}


@every_kind
def test_github_action_benchmark_takes_the_file(kind):
    document = json_of("gab", SWEEPS[kind])
    jsonschema.validate(document, GAB)
    names = [one["name"] for one in document]
    assert len(set(names)) == len(names)


def test_github_action_benchmark_gets_what_is_better_when_it_is_bigger_and_nothing_else():
    entries = {one["name"]: one for one in json_of("gab", SWEEPS["usual"])}
    two = entries["test_a.py::test_one[threads=2] throughput"]
    assert (two["value"], two["unit"], two["range"]) == (78, "queries/s", "75.66 to 80.34")
    assert {name.split("] ")[1] for name in entries} == {"throughput", "scaling efficiency"}


@every_kind
def test_prometheus_takes_the_file(kind):
    sweeps = SWEEPS[kind]
    families = families_of(sweeps)
    assert {family.type for family in families.values()} == {"gauge", "stateset"}
    assert len(families["paddle_mt_throughput"].samples) == sum(len(one.points) for one in sweeps)


def test_prometheus_gets_seconds_and_the_status_of_every_test():
    families = families_of(SWEEPS["usual"])
    latencies = {
        sample.labels["statistic"]: sample.value
        for sample in families["paddle_mt_latency_seconds"].samples
        if (sample.labels["test"], sample.labels["threads"]) == ("test_a.py::test_one", "1")
    }
    assert latencies["p50"] == pytest.approx(0.025)
    states = [one for one in families["paddle_mt_status"].samples if one.labels["test"] == "test_a.py::test_two"]
    assert {one.labels["paddle_mt_status"]: one.value for one in states if one.value} == {"pass": 1}


def test_prometheus_gets_a_hostile_name_with_its_quotes_and_no_end_of_line():
    [name] = {one.labels["test"] for one in families_of(SWEEPS["hostile"])["paddle_mt_throughput"].samples}
    assert name == HOSTILE.replace("\n", "\\n").replace("\ud800", "\\ud800")


@every_kind
def test_a_table_has_the_columns_in_every_row(kind):
    rows = rows_of(SWEEPS[kind])
    assert len(rows) == sum(len(one.points) for one in SWEEPS[kind])
    assert all(list(row) == table.COLUMNS and None not in row.values() for row in rows)
    exports.text("csv", SWEEPS[kind]).encode()


def test_a_table_has_the_figures_and_nothing_for_what_is_undefined():
    one, two = rows_of(SWEEPS["usual"])[:2]
    assert (two["nodeid"], two["threads"], float(two["qps"])) == ("test_a.py::test_one", "2", 78.0)
    assert [float(one[name]) for name in ("p50_ms", "p90_ms", "p99_ms")] == [25, 30, 40]
    [few] = rows_of(SWEEPS["undefined"])
    assert [few[name] for name in ("qps_low", "speedup", "efficiency", "p90_ms", "peak_rss_bytes")] == [""] * 5


@pytest.mark.parametrize("form", exports.FORMATS)
def test_two_long_names_stay_two(form):
    text = exports.text(form, SWEEPS["long"])
    assert text != exports.text(form, [SWEEPS["long"][0]] * 2)
