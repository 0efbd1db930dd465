"""Which charts a sweep of the results file has: each is a function of it, and None where it has no figures for one."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_paddle_mt.html_report import svg
from pytest_paddle_mt.html_report.words import fixed, number
from pytest_paddle_mt.units import counted, megabytes

if TYPE_CHECKING:
    from collections.abc import Iterator

Sweep = dict[str, Any]  #: A sweep of the results file.

_SERIES = 6  #: More series than this are not told apart in a small chart.
_MOST_ROOM = 1.5  #: An interval may widen an axis by this factor; one that is wider leaves the chart.
_MOST_DOTS = 600  #: Of a timeline; beyond it neighbours are drawn as one, the slowest of them.
_CORRECTED = 0.75  #: Beyond this share lost to other work a window is not corrected further.


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Figure:
    """A chart on the page."""

    key: str  #: Part of its anchor.
    title: str
    note: str  #: How it is read, in a sentence.
    svg: str
    wide: bool = False


def figures(sweep: Sweep) -> list[Figure]:
    """The charts of a sweep, in the order of the page."""
    if not sweep["points"]:
        return []
    makers = (throughput, ratio, latency, efficiency_of_rounds, memory, history, timeline)
    return [figure for figure in (make(sweep) for make in makers) if figure is not None]


def throughput(sweep: Sweep) -> Figure | None:
    """QPS against threads: measured, ideal, limit, and the other side where there is one."""
    points = sweep["points"]
    threads = [point["threads"] for point in points]
    single = next((point["qps"] for point in points if point["threads"] == 1), None)
    limits = _limits(sweep)
    other = (sweep.get("against") or {}).get("points", [])
    shown = _room([point["qps"] for point in [*points, *other]], [point.get("qps_ci") for point in [*points, *other]])
    shown += [qps for part in limits for _, qps in part]
    until = sweep.get("linear_until") or min(threads[-1], 2)
    if single is not None:
        shown.append(single * min(until, threads[-1]))
    chart = svg.Chart(
        "Throughput against threads", _described(points, "qps", "queries per second"),
        svg.axis_of_threads(threads), svg.axis("queries per second", shown),
    )  # fmt: skip
    if single is not None and threads[-1] > 1:
        top = svg.axis("", shown).high
        end = min(float(threads[-1]), top / single)  # the ideal leaves the chart where nothing is measured near it
        chart.line([(1, single), (end, single * end)], svg.GREY, "ideal", dash=svg.DASHED)
    for part in limits:
        chart.line(part, svg.RED, "limit" if part is limits[0] else None, dash=svg.DOTTED)
    if other:
        _curve(chart, other, svg.ORANGE, sweep["against"]["names"][1])
    _curve(chart, points, svg.BLUE, sweep["against"]["names"][0] if other else "measured")
    failed = {verdict.get("threads") for verdict in sweep["verdicts"] if verdict["status"] == "fail"}
    bad = [(point["threads"], point["qps"]) for point in points if point["threads"] in failed]
    chart.dots(bad, svg.RED, "failed" if bad else None, size=11)
    return Figure(
        key="qps", title="Throughput",
        note="Bars are confidence intervals, in which the machine's ups and downs count; a point without one is known "
        "too badly for it. Whether a thread count fails is judged within rounds.",
        svg=chart.svg(),
    )  # fmt: skip


def _curve(chart: svg.Chart, points: list[Any], colour: str, label: str) -> None:
    places = [(point["threads"], point["qps"]) for point in points]
    chart.line(places, colour, label)
    chart.intervals([(point["threads"], *point["qps_ci"]) for point in points if point.get("qps_ci")], colour)
    chart.dots(places, colour)


def _limits(sweep: Sweep) -> list[list[svg.Place]]:
    """The lowest throughput that passes: along the ideal as far as that is judged, level beyond it."""
    qps = {point["threads"]: point["qps"] for point in sweep["points"]}
    against = sweep.get("against")
    if against is not None:
        allowed = 1 / (1 + against["max_drift"])
        return [[(point["threads"], point["qps"] * allowed) for point in against["points"]]]
    limits = {(verdict["check"], verdict.get("threads")): verdict.get("limit") for verdict in sweep["verdicts"]}
    until: int = sweep.get("linear_until") or 0
    linear = next((limit for (check, _), limit in limits.items() if check == "linear" and limit), None)
    collapse = next((limit for (check, _), limit in limits.items() if check == "collapse" and limit), None)
    parts: list[list[svg.Place]] = []
    if linear is not None and until in qps and 1 in qps and until > 1:
        parts.append([(threads, linear * threads * qps[1]) for threads in (1, until)])
    if collapse is not None and until in qps and max(qps) > until:
        parts.append([(threads, collapse * qps[until]) for threads in (until, max(qps))])
    return parts


def ratio(sweep: Sweep) -> Figure | None:
    """Throughput over that of the other side."""
    against = sweep.get("against")
    if against is None or not against.get("ratios"):
        return None
    ratios = against["ratios"]
    limit = 1 / (1 + against["max_drift"])
    intervals = [(one["threads"], *one["qps_ci"]) for one in ratios if one.get("qps_ci")]
    shown = [1.0, limit, *_room([one["qps"] for one in ratios], [edges for _, *edges in intervals])]
    threads = [one["threads"] for one in ratios]
    this, other = against["names"]
    chart = svg.Chart(
        f"Throughput of {this} over that of {other}", _described(ratios, "qps", "times as fast"),
        svg.axis_of_threads(threads), svg.axis("ratio", shown, low=None),
    )  # fmt: skip
    ends = (threads[0], threads[-1])
    chart.line([(n, 1.0) for n in ends], svg.GREY, "equal", dash=svg.DASHED)
    chart.line([(n, limit) for n in ends], svg.RED, "limit", dash=svg.DOTTED)
    chart.intervals(intervals, svg.BLUE)
    places = [(one["threads"], one["qps"]) for one in ratios]
    chart.line(places, svg.BLUE, "ratio")
    chart.dots(places, svg.BLUE)
    return Figure(key="ratio", title=f"{this} over {other}", note="Above 1 this side is faster.", svg=chart.svg())


def latency(sweep: Sweep) -> Figure | None:
    """Percentiles of latency against threads."""
    points, other = sweep["points"], (sweep.get("against") or {}).get("points", [])
    names = {"p50": svg.BLUE, "p90": svg.PURPLE, "p99": svg.ORANGE}
    series = {name: _defined(points, "latency_ms", name) for name in names}
    if not any(series.values()):
        return None
    beside = _defined(other, "latency_ms", "p50")
    shown = [value for places in [*series.values(), beside] for _, value in places]
    threads = [point["threads"] for point in points]
    described = "; ".join(
        f"{name} from {number(places[0][1])} to {number(places[-1][1])} ms" for name, places in series.items() if places
    )
    chart = svg.Chart(
        "Latency against threads", described, svg.axis_of_threads(threads), svg.axis("latency in ms", shown)
    )
    if beside:
        chart.line(beside, svg.GREY, f"p50 of {sweep['against']['names'][1]}", dash=svg.DASHED)
    for name, places in series.items():
        if places:
            chart.line(places, names[name], name)
            chart.dots(places, names[name])
    return Figure(
        key="latency", title="Latency",
        note="Of one query. A percentile is missing where there were too few queries for it.", svg=chart.svg(),
    )  # fmt: skip


def efficiency_of_rounds(sweep: Sweep) -> Figure | None:
    """Scaling efficiency of each round, by thread count."""
    rounds = round_efficiencies(sweep)
    counts = [point["threads"] for point in sweep["points"] if point["threads"] in rounds]
    judged = [verdict.get("threads") for verdict in sweep["verdicts"] if verdict["check"] == "linear"]
    chosen = sorted(sorted(counts, key=lambda threads: threads not in judged)[:_SERIES])
    shown = [value for threads in chosen for _, value in rounds[threads]]
    if not shown:
        return None
    last = max(index for threads in chosen for index, _ in rounds[threads])
    limit = next((one.get("limit") for one in sweep["verdicts"] if one["check"] == "linear"), None)
    described = "; ".join(
        f"{counted(threads, 'thread')}: median {fixed(statistics.median(value for _, value in rounds[threads]))}"
        for threads in chosen
    )
    chart = svg.Chart(
        "Scaling efficiency of each round", described,
        svg.axis("round", [1, last], low=0), svg.axis("efficiency", [*shown, limit or 1.0, 1.0]),
    )  # fmt: skip
    if limit is not None:
        most = max((one for one in judged if one is not None), default=1)
        chart.line([(0, limit), (last, limit)], svg.RED, f"limit up to {counted(most, 'thread')}", dash=svg.DOTTED)
    for colour, threads in zip(svg.COLOURS, chosen, strict=False):
        chart.dots(rounds[threads], colour, counted(threads, "thread"), size=6)
    return Figure(
        key="rounds", title="Efficiency of each round",
        note="Speedup over threads, 1 is ideal; with more threads than cores it must fall. Widely scattered dots are a "
        "noisy machine. Rounds that were set aside are shown, too.",
        svg=chart.svg(),
    )  # fmt: skip


def round_efficiencies(sweep: Sweep) -> dict[int, list[svg.Place]]:
    """By thread count above one: (round from 1, efficiency), with the time taken out that other work took."""
    logs: dict[tuple[int, int], list[float]] = {}
    for window in _windows(sweep):
        lost = min(window.get("lost_share") or 0.0, _CORRECTED)
        if window["qps"] > 0:
            logs.setdefault((window["round"], window["threads"]), []).append(math.log(window["qps"] / (1 - lost)))
    found: dict[int, list[svg.Place]] = {}
    for (index, threads), values in sorted(logs.items()):
        alone = logs.get((index, 1))
        if threads > 1 and alone:
            speedup = math.exp(statistics.fmean(values) - statistics.fmean(alone))
            found.setdefault(threads, []).append((index + 1, speedup / threads))
    return found


def memory(sweep: Sweep) -> Figure | None:
    """Peak memory against threads."""
    places = [
        (point["threads"], megabytes(point["peak_rss_bytes"]))
        for point in sweep["points"]
        if point.get("peak_rss_bytes") is not None
    ]
    if len(places) < 2:
        return None
    places = [(threads, max(size for n, size in places if n <= threads)) for threads, _ in places]  # a peak only grows
    chart = svg.Chart(
        "Peak memory against threads", f"from {number(places[0][1])} to {number(places[-1][1])} MB",
        svg.axis_of_threads([int(threads) for threads, _ in places]),
        svg.axis("MB", [size for _, size in places]),
    )  # fmt: skip
    chart.line(places, svg.TEAL, "peak of the process")
    chart.dots(places, svg.TEAL)
    return Figure(
        key="memory",
        title="Memory",
        note="The most that the process has had resident up to then: it never falls.",
        svg=chart.svg(),
    )


def history(sweep: Sweep) -> Figure | None:
    """Throughput of the accepted runs before this one, and this one."""
    runs = (sweep.get("baseline") or {}).get("runs", [])
    counts = sorted({point["threads"] for run in runs for point in run["points"]})
    chosen = [point["threads"] for point in sweep["points"] if point["threads"] in counts][-_SERIES:]
    if not runs or not chosen:
        return None
    now = {point["threads"]: point["qps"] for point in sweep["points"]}
    before = {
        threads: [
            (index + 1.0, point["qps"])
            for index, run in enumerate(runs)
            for point in run["points"]
            if point["threads"] == threads
        ]
        for threads in chosen
    }
    here = len(runs) + 1.0
    shown = [qps for places in before.values() for _, qps in places] + [now[threads] for threads in chosen]
    chart = svg.Chart(
        "Throughput of accepted runs, and of this one",
        f"{counted(len(runs), 'accepted run')}, the latest of {runs[-1]['date'][:10]}; this run is the last",
        svg.axis("run, the oldest first; the last is this one", [1, here], low=0),
        svg.axis("queries per second", shown),
    )  # fmt: skip
    for colour, threads in zip(svg.COLOURS, chosen, strict=False):
        chart.line([*before[threads], (here, now[threads])], colour, counted(threads, "thread"))
        chart.dots(before[threads], colour, size=4)
        chart.dots([(here, now[threads])], colour, size=9)
    return Figure(
        key="history", title="Stored baseline", note="Small dots are accepted runs, the large one is this run.",
        svg=chart.svg(),
    )  # fmt: skip


def timeline(sweep: Sweep) -> Figure | None:
    """The slowest query of each thread in each window, over time: stalls stand out."""
    threads = _timed(sweep)
    dots = slowest_queries(sweep)
    if threads is None or not dots:
        return None
    end = max(at for at, _, _ in dots)
    medians = [
        (window["opened_s"], window["latency_ms"]["p50"])
        for window in _windows(sweep)
        if window["threads"] == threads and window["latency_ms"].get("p50") is not None
    ]
    chart = svg.Chart(
        f"Slowest query of each thread over time, with {counted(threads, 'thread')}",
        f"{number(min(value for _, _, value in dots))} to {number(max(value for _, _, value in dots))} ms "
        f"in {number(end)} s",
        svg.axis("seconds since the sweep began", [0, end]),
        svg.axis("latency in ms", [value for _, _, value in dots]),
        width=900,
    )  # fmt: skip
    several = threads <= len(svg.COLOURS)
    for index in range(threads if several else 1):
        own = [(at, value) for at, thread, value in dots if thread == index or not several]
        label = f"thread {index + 1}" if several else f"slowest of {threads} threads"
        chart.dots(_thinned(own, _MOST_DOTS // (threads if several else 1)), svg.COLOURS[index], label, size=5)
    chart.line(sorted(medians), svg.INK, "median of all queries")
    return Figure(
        key="timeline", title=f"Latency over time, {counted(threads, 'thread')}",
        note="A dot is the slowest query of one thread in one window. A lone dot far above the line is a stall.",
        svg=chart.svg(), wide=True,
    )  # fmt: skip


def slowest_queries(sweep: Sweep) -> list[tuple[float, int, float]]:
    """With the largest thread count that has them: (seconds, thread from 0, ms of its slowest query in that window)."""
    threads = _timed(sweep)
    return [
        (window["opened_s"], thread, value)
        for window in _windows(sweep)
        if window["threads"] == threads and window.get("slowest_ms")
        for thread, value in enumerate(window["slowest_ms"])
        if value is not None
    ]


def _timed(sweep: Sweep) -> int | None:
    """The thread count of the timeline: as many as must scale, else the largest; None without times."""
    counts = {window["threads"] for window in _windows(sweep) if window.get("slowest_ms")}
    until = sweep.get("linear_until") or 0
    return until if until in counts and until > 1 else max(counts, default=None)


def _thinned(places: list[svg.Place], most: int) -> list[svg.Place]:
    """At most so many places: of neighbours in time the slowest."""
    several = -(-len(places) // max(1, most))
    ordered = sorted(places)
    return [
        max(ordered[first : first + several], key=lambda place: place[1])
        for first in range(0, len(ordered), max(1, several))
    ]


def _windows(sweep: Sweep) -> Iterator[Any]:
    """The windows that were judged; of two sides, those of this one."""
    return (one for one in sweep["windows"] if one["stage"] == "sweep" and one.get("side", "this") == "this")


def _defined(points: list[Any], group: str, name: str) -> list[svg.Place]:
    return [(point["threads"], point[group][name]) for point in points if point[group].get(name) is not None]


def _room(values: list[float], intervals: list[Any]) -> list[float]:
    """What an axis needs room for: the values, and of their intervals what does not dwarf them."""
    lowest, highest = min(values) / _MOST_ROOM, max(values) * _MOST_ROOM
    return [*values, *(min(max(edge, lowest), highest) for edges in intervals if edges for edge in edges)]


def _described(points: list[Any], name: str, unit: str) -> str:
    return ", ".join(f"{counted(one['threads'], 'thread')}: {number(one[name])}" for one in points) + f" {unit}"
