"""Files as nobody should write them lead to a clear error or to a baseline that can be used, never to anything else."""

from __future__ import annotations

import contextlib
import json
import math
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_paddle_mt.baselines import Baseline, ProbeFigures, rule, schema, store
from pytest_paddle_mt.checks.drift import DriftCheck, notes
from pytest_paddle_mt.errors import BaselineError
from tests.builders import baseline, evidence, limits, rounds_of, run_figures, run_of, series_of, stored

TEST, ENGINE = "test_scaling.py::test_serving_scales", "native"

#: The file stays the same for all examples, which replace its content.
ONE_FILE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)

WEIRD_NUMBERS = [0, -1, 1e-9, 1e12, 1e-320, 1e308, math.inf, math.nan, 2**63, 10**308, 10**400]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(WEIRD_NUMBERS)
    | st.text()
    | st.sampled_from(["\ud800", "\x1b[2J", "::error::x", "9999-99-99T99:99:99Z"]),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=5,
)


def of_nine_runs() -> Baseline:
    """Their figures go with the probe."""
    runs = [
        run_of(
            run_figures(1, 40.0 + index, probe=ProbeFigures(work="x", qps=400.0 + 10 * index)),
            run_figures(2, 78.0 + 2 * index, efficiency=0.98, probe=ProbeFigures(work="x", qps=800.0 + 20 * index)),
        )
        for index in range(9)
    ]
    return baseline(series=series_of(*runs), before=series_of(runs[0]))


ONE_RUN = json.loads(schema.to_text(baseline(40)))
NINE_RUNS = json.loads(schema.to_text(of_nine_runs()))


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every object or list in a document, with each of its keys or indexes."""
    if not isinstance(value, (dict, list)):
        return []
    keys = list(value) if isinstance(value, dict) else range(len(value))
    return [place for key in keys for place in ((value, key), *places(value[key]))]


@st.composite
def changed(draw: st.DrawFn, document: Any, values: st.SearchStrategy[Any], figures_only: bool = False) -> str:
    """The text of a document with some of its values replaced, and 1e400 for infinity: that is JSON."""
    document = json.loads(json.dumps(document))
    for _ in range(draw(st.integers(1, 3))):
        found = [one for one in places(document) if not figures_only or isinstance(one[0][one[1]], float)]
        holder, key = draw(st.sampled_from(found))
        holder[key] = draw(values)
    return json.dumps(document).replace("Infinity", "1e400")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "baseline.json"


@given(content=st.binary() | st.text().map(lambda text: text.encode(errors="surrogatepass")))
@ONE_FILE
@pytest.mark.fault("baselines", "a file has any bytes (property test)", "a baseline or an error of one line")
def test_any_bytes_are_a_baseline_or_a_clear_error(path: Path, content: bytes):
    path.write_bytes(content)
    with pytest.raises(BaselineError) as caught:
        store.load(path, TEST, ENGINE)
    fact, _, why = str(caught.value).partition(" is no baseline: ")
    assert fact == str(path)
    assert why
    assert why.isprintable()


@given(text=changed(ONE_RUN, JSON))
@ONE_FILE
def test_any_value_in_any_place_is_a_baseline_or_a_clear_error_without_control_characters(path: Path, text: str):
    path.write_text(text)
    told, found = "", None
    try:
        found = store.load(path, TEST, ENGINE)
    except BaselineError as error:
        told = str(error)
    assert {unicodedata.category(one) for one in told}.isdisjoint({"Cc", "Cs", "Zl", "Zp"})
    assert told or found
    if found:
        assert_usable(found)


@given(text=changed(NINE_RUNS, st.floats(0) | st.sampled_from(WEIRD_NUMBERS), figures_only=True))
@ONE_FILE
def test_any_figures_that_a_file_may_have_can_be_compared_and_added_to(text: str):
    with contextlib.suppress(schema.Unreadable):
        assert_usable(schema.from_text(text))


def assert_usable(found: Baseline):
    """A run can be compared with it, and accepted, and the result is a baseline again."""
    now = run_of(*(run_figures(threads, 40.0, probe=ProbeFigures(work="x", qps=10.0)) for threads in (1, 2)))
    for one in rule.compare(found.series, now.points, limits()):
        assert math.isfinite(one.limit)
    new = baseline(series=series_of(now))
    assert schema.from_text(schema.to_text(rule.accepted(found, new, limits())))
    given = evidence(rounds_of({1: 40, 2: 78}), stored=stored(found))
    for verdict in DriftCheck().judge(given):
        assert "nan" not in verdict.reason
    notes(given)
