"""The page: read by a parser of HTML and one of XML that were not written here."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import html5lib
import pytest

from pytest_paddle_mt.cause import CAUSE_ADVICE, CAUSE_NAMES
from pytest_paddle_mt.html_report import page
from pytest_paddle_mt.records import STATUSES_WORST_FIRST
from tests.unit.html_report.samples import HOSTILE, compared, document, everything, failed, sweep, unmeasured

DOCS = Path(__file__).parents[3] / "docs"

#: Attributes that say how something looks without a style, in SVG 1.1, and those that say where and what it is.
LOOKS = {
    "fill",
    "stroke",
    "stroke-width",
    "stroke-dasharray",
    "stroke-linecap",
    "font-family",
    "font-size",
    "text-anchor",
}
PLACE = {"xmlns", "viewBox", "width", "height", "role", "aria-label", "d", "x", "y", "transform"}


def parsed(text: str) -> ElementTree.Element:
    """The page as a tree; anything that HTML does not allow is an error."""
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(text)


def text_of(element: ElementTree.Element) -> str:
    return "".join(element.itertext())


def charts(text: str) -> dict[str, ElementTree.Element]:
    """The charts by their anchor, each read by a parser of XML."""
    figures = re.findall(r'<figure id="([^"]+)".*?(<svg.*?</svg>)', text, re.DOTALL)
    return {anchor: ElementTree.fromstring(chart) for anchor, chart in figures}


@pytest.fixture(scope="module")
def whole() -> str:
    return page({"this run": everything()})


@pytest.fixture(scope="module")
def tree(whole: str) -> ElementTree.Element:
    return parsed(whole)


def test_the_page_is_html_without_an_error(tree):
    assert [one.get("id") for one in tree.iter("article")] == ["sweep-1", "sweep-2", "sweep-3", "sweep-4"]


def test_no_two_things_have_one_anchor(tree):
    anchors = [one.get("id") for one in tree.iter() if one.get("id")]
    assert len(anchors) == len(set(anchors))
    assert {link.get("href")[1:] for link in tree.iter("a")} <= set(anchors)


def test_a_sweep_has_every_chart_that_it_has_figures_for(whole):
    assert [name for name in charts(whole) if name.startswith(("sweep-2", "sweep-3", "sweep-4"))] == [
        *(f"sweep-2-{key}" for key in ("qps", "latency", "rounds", "memory", "history", "timeline")),
        *(f"sweep-3-{key}" for key in ("qps", "ratio", "latency", "rounds", "memory", "timeline")),
    ]


def test_the_looks_of_a_chart_are_attributes_alone(whole):
    for chart in charts(whole).values():
        for element in chart.iter():
            assert element.tag.rpartition("}")[2] in {"svg", "path", "text"}
            assert set(element.keys()) <= LOOKS | PLACE


def test_a_chart_says_in_words_what_it_shows(whole):
    assert charts(whole)["sweep-1-qps"].get("aria-label") == (
        "Throughput against threads. 1 thread: 24.0, 2 threads: 44.0, 4 threads: 70.1, 8 threads: 78.7, "
        "16 threads: 66.0 queries per second"
    )


def test_everything_that_a_chart_draws_lies_inside_of_it(whole):
    for chart in charts(whole).values():
        width, height = float(chart.get("width")), float(chart.get("height"))
        for path in chart.iter("{http://www.w3.org/2000/svg}path"):
            for x, y in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", path.get("d")):
                assert -1 <= float(x) <= width + 1
                assert -1 <= float(y) <= height + 1


def test_the_page_loads_nothing_and_lets_nothing_be_loaded(tree):
    loading = [one.get(name) for one in tree.iter() for name in ("src", "srcset", "data", "action", "xlink:href")]
    assert not any(loading)
    assert list(tree.iter("link")) == []
    policy = next(one.get("content") for one in tree.iter("meta") if one.get("http-equiv"))
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy


def test_no_element_carries_a_style_or_a_script_of_its_own(tree):
    for one in tree.iter():
        assert [name for name in one.attrib if name == "style" or name.startswith("on")] == []


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.fault("results", "a name or message contains HTML (report)", "it is shown as text")
def test_a_hostile_name_is_text_and_nothing_else(name):
    hostile = sweep(
        nodeid=name,
        measured_rounds=2,
        facts={name: name},
        inputs=[{"name": name, "dtype": name, "shape": None, "min": None, "max": None, "made_up": False}],
        warnings=[{"kind": name, "text": name}],
        verdicts=[{"check": name, "threads": 2, "status": name, "observed": None, "limit": None, "reason": name}],
        against={**compared()["against"], "names": [name, name], "described": [name, name]},
    )
    text = page({name: {**document(hostile), "plugin_version": name, "environment": {name: name}}})
    text.encode()  # a lone surrogate could not be written
    tree = parsed(text)
    harmless = parsed(page({"x": document(sweep(measured_rounds=2, against=compared()["against"]))}))
    known = {one.tag for one in harmless.iter()}
    assert {one.tag for one in tree.iter()} <= known
    assert len(list(tree.iter("script"))) == len(list(tree.iter("style"))) == 1
    visible = name.replace("\x00", "\\x00").replace("\x1b", "\\x1b").replace("\u202e", "\\u202e")
    assert visible.replace("\ud800", "\\ud800") in text_of(tree)


def test_twenty_sweeps_of_as_many_rounds_as_there_can_be_take_less_than_a_megabyte():
    longest = sweep(measured_rounds=96)
    assert len(page({"r.json": document(*[longest] * 20)}).encode()) < 1_000_000


def test_verdicts_stand_before_charts_and_figures_the_worst_first(tree):
    first = next(tree.iter("article"))
    assert [text_of(one) for one in first.iter("h3")][:4] == ["Verdicts", "Likely cause", "Charts", "Figures"]
    verdicts = next(one for one in first.iter("ul") if one.get("class") == "verdicts")
    assert [one.get("class") for one in verdicts] == ["fail", "inconclusive", "pass"]
    assert "Look for a lock in the model's own operators" in text_of(verdicts)


def test_the_overview_begins_with_what_failed(tree):
    table = next(tree.iter("table"))
    statuses = [text_of(row[1]) for row in table.find("tbody")]
    assert statuses == ["fail", "fail", "no data", "pass"]


def test_the_overview_has_the_figures_up_to_where_throughput_must_grow_and_the_cause(tree):
    first = next(tree.iter("table")).find("tbody")[0]
    assert [text_of(cell) for cell in first[3:5]] == ["8", "78.7"]
    assert text_of(first[7]) == "a lock"


def test_the_summary_says_how_far_it_scales(tree):
    first = next(tree.iter("article"))
    assert next(text_of(one) for one in first.iter("p") if one.get("class") == "summary").endswith(
        " One thread serves 24.0 queries per second. 8 threads serve 78.7, 3.28 times as many (41% of the ideal 8). "
        "16 threads serve 66.0, 2.75 times as many. Throughput must grow up to 8 threads (8 usable cores). "
        "More threads than cores cannot add throughput: they only make each query wait longer. This is of native "
        "threads. Python threads would not scale: Predictor.run() of this Paddle holds the GIL."
    )


@pytest.mark.parametrize(
    "changes", [{"device": "gpu:0"}, {"linear_until": 16}, {"linear_until": None, "usable_cores": None}]
)
def test_cores_are_no_reason_elsewhere(changes):
    text = text_of(parsed(page({"x": document(sweep(**changes))})).find(".//p[@class='summary']"))
    assert "One thread serves" in text
    assert "More threads than cores" not in text


def test_a_count_that_was_not_decided_is_not_said_to_scale():
    swept = failed()
    swept["verdicts"] = [{**one, "status": "inconclusive"} if one["threads"] == 2 else one for one in swept["verdicts"]]
    text = text_of(parsed(page({"x": document(swept)})).find(".//p[@class='summary']"))
    assert text.startswith("It scales too little with 8 threads")
    assert "it still does" not in text


@pytest.mark.parametrize(
    ("swept", "answer"),
    [
        (sweep(), "It scales, up to 8 threads."),
        (
            failed(),
            "It scales too little with 8 threads: its efficiency is 0.80, and the limit 0.85. With 2 threads it still",
        ),
        (
            sweep(status="inconclusive", verdicts=[{**sweep()["verdicts"][0], "status": "inconclusive"}]),
            "Whether it scales is not decided: these figures are no verdict on the model.",
        ),
    ],
    ids=["pass", "fail", "inconclusive"],
)
def test_the_summary_begins_with_the_answer(swept, answer):
    tree = parsed(page({"x": document(swept)}))
    assert text_of(tree.find(".//p[@class='summary']")).startswith(answer)


@pytest.mark.parametrize(
    ("nodeid", "name"),
    [
        ("tests/test_a.py::TestA::test_b[c]", "test_b[c]"),
        ("model/rec/inference.json::test_scales[x=1,3]", "inference.json[x=1,3]"),
    ],
)
def test_a_sweep_is_called_by_its_test_or_by_the_model_that_the_command_measured(nodeid, name):
    heading = parsed(page({"x": document(sweep(nodeid=nodeid))})).find(".//article/h2")
    assert heading.text.strip() == name


def test_why_it_does_not_scale_stands_above_the_charts_with_what_to_do():
    text = " ".join(text_of(parsed(page({"x": document(failed())}))).split())
    assert "Likely cause With 8 threads: a lock: threads waited 62% of the time. What to do: Look for what" in text
    assert text.index("Likely cause") < text.index("Charts")


def test_what_to_do_about_a_cause_is_what_the_documents_say():
    rows = re.findall(r"^\| (.+?) \| .+ \| (.+) \|$", (DOCS / "why.md").read_text(encoding="utf-8"), re.MULTILINE)
    documented = {name: advice.replace("`", "") for name, advice in rows}
    assert {name: documented.get(name) for name in CAUSE_NAMES.values()} == {
        name: CAUSE_ADVICE[kind] for kind, name in CAUSE_NAMES.items()
    }


def test_every_figure_of_a_point_stands_in_a_table(tree):
    first = next(tree.iter("article"))
    rows = [[text_of(cell) for cell in row] for row in next(first.iter("tbody"))]
    assert rows[3] == [
        "8", "fail", "78.7", "76.3 to 81.1", "3.28", "0.41", "0.39 to 0.43", "101.7", "116.9", "152.5", "264.3",
        "9,600", "24 (1 set aside)", "0.97", "502",
    ]  # fmt: skip


def test_efficiencies_are_those_of_their_rounds():
    known = sweep(qps={1: 10.0, 2: 15.0})
    for window in known["windows"]:
        window["qps"] = 7.5 if window["threads"] == 2 else 10.0
        window["lost_share"] = 0.5 if window["threads"] == 2 else 0.0
    article = next(parsed(page({"x": document(known)})).iter("article"))
    table = [one for one in article.iter("table") if "2 threads" in text_of(one)][-1]
    assert {text_of(row[1]) for row in table.find("tbody")} == {"0.75"}


def test_a_stall_is_in_the_table_of_the_slowest_queries(tree):
    details = [one for one in tree.iter("details") if text_of(one).startswith("Slowest queries")]
    thread = [text_of(cell) for cell in details[0].find("table").find("tbody")[0]][1]
    assert thread == "8"  # the last one stalls in the sample


def test_files_of_older_versions_have_a_page_without_what_they_lack():
    older = sweep(warnings=[], baseline=None)
    for window in older["windows"]:
        del window["opened_s"], window["slowest_ms"], window["lost_share"]
    for name in ("inputs", "facts", "usl", "against", "baseline", "seed", "elapsed_s", "peak_rss_bytes", "gated"):
        del older[name]
    for point in older["points"]:
        del point["peak_rss_bytes"], point["fairness"], point["qps_ci"]
    assert list(charts(page({"old": document(older)}))) == [
        "sweep-1-qps",
        "sweep-1-latency",
        "sweep-1-rounds",
    ]


def test_several_files_have_one_page_which_names_them():
    tree = parsed(page({"monday.json": document(sweep()), "tuesday.json": document(failed())}))
    table = next(tree.iter("table"))
    assert [text_of(row[-1]) for row in table.find("tbody")] == ["tuesday.json", "monday.json"]
    assert [one.get("id") for one in tree.iter("article")] == ["sweep-1", "sweep-2"]


def test_a_page_of_nothing_says_so():
    assert "No sweep was finished." in text_of(parsed(page({"x": document()})))
    assert "Nothing was measured." in text_of(parsed(page({"x": document(unmeasured())})))


@pytest.mark.parametrize("status", STATUSES_WORST_FIRST)
def test_every_status_is_a_word_and_not_only_a_colour(status):
    tree = parsed(page({"x": document(sweep(status=status, measured_rounds=2))}))
    assert f"1 {status.replace('_', ' ')}" in text_of(tree)


def test_an_interval_that_dwarfs_the_figures_leaves_the_chart_and_does_not_flatten_it():
    swept = sweep()
    swept["points"][-1]["qps_ci"] = [0.008, 277_000.0]
    chart = charts(page({"x": document(swept)}))["sweep-1-qps"]
    ticks = [float(text.replace(",", "")) for text in chart.itertext() if re.fullmatch(r"[\d,.]+", text)]
    assert max(ticks) < 3 * max(point["qps"] for point in swept["points"])


@pytest.mark.parametrize("qps", [{1: 1e-9}, {1: 5e7, 64: 5e7}, {1: 1.0, 2: 0.0}, {n: 10.0 * n for n in range(1, 65)}])
def test_charts_of_extreme_figures_are_charts(qps):
    extreme = sweep(qps={n: value or 1e-300 for n, value in qps.items()}, measured_rounds=2)
    text = page({"x": document(extreme)})
    assert "sweep-1-qps" in charts(text)
    assert not re.search(r"\b(nan|inf)\b", "".join(re.findall(r' d="[^"]*"', text)))


def test_a_results_file_is_not_changed_by_its_page():
    given = everything()
    before = json.dumps(given)
    page({"x": given})
    assert json.dumps(given) == before
