"""The file of a baseline: what it looks like, and what is refused."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest

from pytest_paddle_mt.baselines import ForkFigures, ProbeFigures, schema
from tests.builders import baseline, run_figures, run_of, series_of


def full():
    """A baseline with everything that one can have."""
    forks = (
        ForkFigures(fork=1, rounds=6, qps=39.9, p50_ns=25.1e6),
        ForkFigures(fork=2, rounds=6, qps=40.1, p50_ns=None),
    )
    one = run_figures(1, 40.0, forks=forks, probe=ProbeFigures(work="20000 steps", qps=9876.5432))
    two = run_figures(2, 79.123456, efficiency=0.98904, p90_ns=None, p99_ns=None, peak_rss_bytes=None)
    series = series_of(run_of(one, two), run_of(one, two, commit=None))
    return baseline(series=series, before=series_of(run_of(run_figures(1, 38.0))))


def document() -> Any:
    return json.loads(schema.to_text(full()))


def refusal(text: str) -> str:
    with pytest.raises(schema.Unreadable) as caught:
        schema.from_text(text)
    return str(caught.value)


def refusal_after(change: Callable[[Any], None]) -> str:
    changed = document()
    change(changed)
    return refusal(json.dumps(changed))


# What it looks like.


def test_a_file_that_was_written_and_read_says_the_same():
    text = schema.to_text(full())
    assert schema.to_text(schema.from_text(text)) == text


def test_what_is_read_is_what_was_written():
    found = schema.from_text(schema.to_text(full()))
    assert (found.test, found.engine) == ("test_scaling.py::test_serving_scales", "native")
    assert found.machine == full().machine
    first, second = found.series.runs
    assert (first.commit, second.commit) == (full().series.runs[0].commit, None)
    one, two = first.points
    assert one.forks[0].p50_ns == pytest.approx(25.1e6)
    assert one.forks[1].p50_ns is None
    for probe in (one.probe, found.series.anchor.points[0].probe):
        assert probe is not None
        assert (probe.work, probe.qps) == ("20000 steps", 9876.5)
    assert one.p5_ns == pytest.approx(0.95 * 25e6)
    assert (two.p99_ns, two.peak_rss_bytes, two.probe) == (None, None, None)
    assert found.series.anchor.points[1].qps == pytest.approx(79.123)
    assert found.before is not None
    assert found.before.runs[0].points[0].qps == 38


def test_a_setting_may_have_more_where_somebody_said_more():
    series = full().series
    libraries, cpus = {"math_libraries": "ONEDNN_MAX_CPU_ISA=AVX2"}, {"pinned_to": "CPU 0,2-5"}
    for more in (libraries, cpus, libraries | cpus, {"streams": "own"}, {"xdist": "cores (2 workers)"}):
        said = {**series.setting, **more}
        changed = dataclasses.replace(full(), series=dataclasses.replace(series, setting=said))
        assert schema.from_text(schema.to_text(changed)).series.setting == said


def test_the_file_is_for_people_and_for_diffs():
    text = schema.to_text(full())
    assert text.startswith(
        '{\n  "schema": 1,\n  "test": "test_scaling.py::test_serving_scales",\n  "engine": "native",\n'
    )
    assert text.endswith("}\n")
    assert '"qps": 79.123,' in text
    assert '"p50_ms": 25.0,' in text


def test_another_run_adds_lines_and_changes_none_but_the_anchor():
    run = run_of(run_figures(1, 40.0))
    before = schema.to_text(baseline(series=series_of(*[run] * 9))).splitlines()
    after = schema.to_text(baseline(series=series_of(*[run] * 10))).splitlines()
    assert [line for line in before if line not in after] == []
    assert len(after) > len(before)


def test_a_name_in_another_script_stays_readable():
    text = schema.to_text(baseline(test="test_模型.py::test_速度"))
    assert "test_模型.py::test_速度" in text
    assert schema.from_text(text).test == "test_模型.py::test_速度"


# What is refused.


@pytest.mark.parametrize("schema_", [2, 999])
@pytest.mark.fault("baselines", "a newer version wrote a file", "its test fails and asks for that version")
def test_a_newer_schema_asks_for_the_newer_version(schema_):
    told = refusal_after(lambda one: one.update(schema=schema_))
    assert told == (
        f"it has schema {schema_}, and this version of pytest-paddle-mt reads schema 1; install the newer version that "
        "wrote it"
    )


@pytest.mark.parametrize("schema_", [0, -1, "1", None, True, 1.5, [1]])
def test_an_unknown_schema_is_refused(schema_):
    assert "it has no schema 1; restore it from version control" in refusal_after(
        lambda one: one.update(schema=schema_)
    )


@pytest.mark.parametrize("text", ["", "null", "[]", '"x"', "3"])
def test_what_is_no_baseline_at_all_is_refused(text):
    assert "restore it from version control, or delete it and record a new one" in refusal(text)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
@pytest.mark.fault("baselines", "a file was cut off", "its test fails and says so")
def test_a_file_that_was_cut_short_is_refused(share):
    text = schema.to_text(full())
    assert "it is not JSON" in refusal(text[: int(len(text) * share)])


@pytest.mark.fault("baselines", "a merge left its marks", "its test fails with the line")
def test_conflict_marks_are_named_with_their_line():
    lines = schema.to_text(full()).splitlines()
    lines[3:3] = ["<<<<<<< HEAD", '  "engine": "python",', "=======", '  "engine": "native",', ">>>>>>> main"]
    told = refusal("\n".join(lines))
    assert told.startswith("line 4 is a mark that a merge left (<<<<<<<); keep one of the two sides")


@pytest.mark.fault("baselines", "a key stands twice", "its test fails and names it")
def test_a_member_that_stands_twice_is_refused():
    text = schema.to_text(full())
    assert "'engine' stands twice" in refusal(text.replace('"engine"', '"engine": "python",\n  "engine"', 1))


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_is_refused(constant):
    assert f"{constant} is no figure" in refusal(schema.to_text(full()).replace("79.123", constant, 1))


#: Members of ``full()`` as its file has them first, and their paths.
FIRST = {
    '"batch_size": 1,': "setting.batch_size",
    '"qps": 79.123,': "anchor.points[1].qps",
    '"queries": 2400,': "runs[0].points[0].queries",
}


def with_number(old: str, number: str) -> str:
    """The file of ``full()`` with another number for this member."""
    text = schema.to_text(full())
    assert old in text
    return text.replace(old, f"{old.partition(':')[0]}: {number},", 1)


@pytest.mark.parametrize(("old", "path"), FIRST.items())
@pytest.mark.parametrize("number", ["1e400", "-1e400", "1" * 309])
@pytest.mark.fault("baselines", "a figure has hundreds of digits", "its test fails with the path of the value")
def test_a_number_beyond_all_figures_is_refused_wherever_it_stands(number, old, path):
    told = refusal(with_number(old, number))
    assert told.startswith(f"{path} is ")
    assert "restore it from" in told


def test_a_number_of_thousands_of_digits_which_python_does_not_read_is_refused():
    for old in FIRST:
        told = refusal(with_number(old, "9" * 5000))
        assert "it is not JSON" not in told
        assert "restore it from" in told


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"x": ', "}")])
@pytest.mark.parametrize(("depth", "told"), [(500, "not text without control characters"), (200_000, "nested more")])
@pytest.mark.fault("baselines", "a file is nested without end", "its test fails and says so")
def test_endless_nesting_is_refused(opening, closing, depth, told):
    nested = opening * depth + "1" + closing * depth
    assert told in refusal(schema.to_text(full()).replace('"native"', nested))


def remove(*path: Any) -> Callable[[Any], None]:
    return lambda one: _at(one, path[:-1]).pop(path[-1])


def put(value: Any, *path: Any) -> Callable[[Any], None]:
    return lambda one: _at(one, path[:-1]).__setitem__(path[-1], value)


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (remove("test"), "test is missing"),
        (remove("before"), "before is missing"),
        (remove("machine", "smt"), "machine.smt is missing"),
        (remove("runs", 0, "points", 1, "qps"), "runs[0].points[1].qps is missing"),
        (put(1, "colour"), "'colour' is not known"),
        (put(1, "runs", 1, "colour"), "'colour' in runs[1] is not known"),
        (put("", "test"), "test is '', not text"),
        (put(7, "engine"), "engine is 7, not text"),
        (put([], "machine"), "machine is [], not an object"),
        (put(["x"], "setting", "device"), "setting.device is ['x'], not text, a number or null"),
        (put(True, "setting", "batch_size"), "setting.batch_size is True, not text, a number or null"),
        (put({}, "runs"), "runs is {}, not a list"),
        (put([], "runs"), "runs has 0 entries, not 1 to 30"),
        (put([], "runs", 0, "points"), "runs[0].points is empty"),
        (put("yesterday", "runs", 0, "date"), "runs[0].date is 'yesterday', not a time"),
        (put(3, "runs", 0, "commit"), "runs[0].commit is 3, not text"),
        (put([], "runs", 0, "versions"), "runs[0].versions is [], not an object"),
        (put(3, "runs", 0, "versions", "python"), "runs[0].versions.python is 3, not text"),
        (put(0, "runs", 0, "points", 0, "threads"), "runs[0].points[0].threads is 0, not a whole number above 0"),
        (put(1.5, "runs", 0, "points", 0, "threads"), "runs[0].points[0].threads is 1.5, not a whole number"),
        (put(2, "runs", 0, "points", 0, "threads"), "runs[0].points has thread counts 2, 2, which do not ascend"),
        (put(-4, "runs", 0, "points", 0, "qps"), "runs[0].points[0].qps is -4, not a number above 0"),
        (put(0, "runs", 0, "points", 0, "qps"), "qps is 0, not a number above 0"),
        (put("40", "runs", 0, "points", 0, "qps"), "qps is '40', not a number above 0"),
        (put(None, "runs", 0, "points", 0, "qps"), "qps is None, not a number above 0"),
        (put(10**400, "runs", 0, "points", 0, "qps"), "..., not a number above 0"),
        (put(-1, "runs", 0, "points", 0, "p50_ms"), "p50_ms is -1, not a number above 0"),
        (put(99, "runs", 0, "points", 0, "p5_ms"), "runs[0].points[0].p5_ms is 99 and p50_ms is 25.0: percentiles"),
        (put(26.0, "runs", 0, "points", 0, "p99_ms"), "p90_ms is 30.0 and p99_ms is 26.0: percentiles do not fall"),
        (
            put(0, "runs", 0, "points", 0, "forks", 0, "fork"),
            "runs[0].points[0].forks[0].fork is 0, not a whole number",
        ),
        (put("", "runs", 0, "points", 0, "probe", "work"), "runs[0].points[0].probe.work is '', not text"),
        (put(0, "runs", 0, "points", 0, "probe", "qps"), "runs[0].points[0].probe.qps is 0, not a number above 0"),
        (put(1, "anchor", "points", 0, "probe", "colour"), "'colour' in anchor.points[0].probe is not known"),
        (remove("anchor", "points", 1, "probe"), "anchor.points[1].probe is missing"),
        (put(5, "anchor", "runs"), "anchor.runs is 5 with 2 runs, not 2"),
        (put(5, "before", "anchor", "runs"), "before.anchor.runs is 5 with 1 run, not 1"),
        (put(1e300, "runs", 0, "points", 0, "p50_ms"), "p50_ms is 1e+300, not a number above 0, from 1e-09 to 1e+12"),
        (put(1e-300, "runs", 0, "points", 0, "qps"), "qps is 1e-300, not a number above 0, from 1e-09 to 1e+12"),
        (put(10**308, "runs", 0, "points", 0, "queries"), "..., not a whole number above 0 and below 2^63"),
        (put(10**308, "setting", "batch_size"), "..., not text, a number or null, numbers up to 1e+12"),
        (put("2026-13-41T25:61:61Z", "runs", 0, "date"), "runs[0].date is '2026-13-41T25:61:61Z', not a time"),
        (put("٢٠٢٦-01-31T12:00:00Z", "runs", 0, "date"), "not a time"),
        (put("\ud800", "test"), r"test is '\ud800', not text without control characters"),
        (put("x\x1b[2J", "engine"), r"engine is 'x\x1b[2J', not text without control characters"),
        (put("x\n::error::y", "machine", "cpu_model"), r"machine.cpu_model is 'x\n::error::y', not text"),
        (put("x ::error::y", "setting", "pool"), "setting.pool is 'x ::error::y', not text"),
        (put("##[error]y", "runs", 0, "versions", "python"), "versions.python is '##[error]y', not text"),
        (put("3", "runs", 0, "versions", "\x1b[2J"), r"runs[0].versions has the name '\x1b[2J', which is not text"),
        (put("\u202e", "runs", 0, "commit"), r"runs[0].commit is '\u202e', not text"),
        (put(1, "x" * 9999), "xxx... is not known"),
        (put(-1, "before", "runs", 0, "points", 0, "qps"), "before.runs[0].points[0].qps is -1"),
    ],
)
@pytest.mark.fault(
    "baselines",
    "a member or value is none that a run writes (a date that is none, a falling percentile, ESC, `::error::`)",
    "its test fails with the path of the value, escaped",
)
def test_what_nobody_but_a_hand_writes_is_refused_and_named(change, told):
    assert told in refusal_after(change)


@pytest.mark.fault("baselines", "a file has more runs than are kept", "its test fails and says so")
def test_more_runs_than_are_kept_are_refused():
    def change(one):
        one["runs"] *= 16

    assert "runs has 32 entries, not 1 to 30" in refusal_after(change)


def test_the_facts_of_a_gpu_come_together_or_not_at_all():
    gpu = {"gpu_model": "Fake GPU", "gpu_driver": "1", "cuda": "12.3", "cudnn": None}
    changed = document()
    changed["machine"].update(gpu)
    assert schema.from_text(json.dumps(changed)).machine["cuda"] == "12.3"
    assert "machine.cudnn is missing" in refusal_after(
        lambda one: one["machine"].update({"gpu_model": "Fake GPU", "gpu_driver": "1", "cuda": None})
    )
