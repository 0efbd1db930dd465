"""What the page shows of a sweep of the results file beside its charts: words, rows and links."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_paddle_mt import gpu
from pytest_paddle_mt.cause import CAUSE_ADVICE, CAUSE_NAMES
from pytest_paddle_mt.html_report.charts import round_efficiencies, slowest_queries
from pytest_paddle_mt.html_report.words import DASH, STATUS_WORDS, fixed, number
from pytest_paddle_mt.records import STATUSES_WORST_FIRST
from pytest_paddle_mt.units import counted, megabytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_paddle_mt.html_report.charts import Figure, Sweep

_STALLS = 10  #: So many of the slowest queries stand in a table.


def view(sweep: Sweep, anchor: str, figures: Sequence[Figure]) -> dict[str, Any]:
    """What the template needs of one sweep."""
    return {
        "anchor": anchor,
        "name": _name(sweep["nodeid"]),
        "nodeid": sweep["nodeid"],
        "engine": sweep["engine"],
        "status": _status(sweep["status"]),
        "answer": answer(sweep),
        "summary": summary(sweep),
        "cause": _cause(sweep),
        "verdicts": sorted(
            ({**verdict, "status": _status(verdict["status"])} for verdict in sweep["verdicts"]),
            key=lambda verdict: verdict["status"]["rank"],
        ),
        "warnings": sweep["warnings"],
        "not_judged": _not_judged(sweep),
        "figures": figures,
        "rows": rows(sweep),
        "other_rows": rows({**sweep, **(sweep.get("against") or {"points": []}), "verdicts": []}),
        "against": sweep.get("against"),
        "furthest": _furthest(sweep),
        "facts": facts(sweep),
        "inputs": [_input(one) for one in sweep.get("inputs") or ()],
        "rounds": _rounds(sweep),
        "stalls": _stalls(sweep),
        "baseline": _baseline(sweep),
    }


def totals(sweeps: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """How many sweeps have which status, the worst first."""
    found = [sweep["status"] for sweep in sweeps]
    unique = sorted({status["key"]: status for status in found}.values(), key=lambda status: status["rank"])
    return [{**status, "count": sum(one["key"] == status["key"] for one in found)} for status in unique]


def _name(nodeid: str) -> str:
    """What a sweep is called where there is little room: its test, or the model that ``paddle-mt sweep`` measured."""
    path, _, test = nodeid.rpartition("::")
    if path.endswith((".json", ".pdmodel")):
        return path.rpartition("/")[2] + test.removeprefix("test_scales")
    return test or nodeid


def answer(sweep: Sweep) -> str:
    """Whether the model scales, and where it stops; empty where that was not judged."""
    linear = [one for one in sweep["verdicts"] if one["check"] == "linear"]
    if not linear:
        return ""
    worst = next((one for one in STATUSES_WORST_FIRST if one in {verdict["status"] for verdict in linear}), None)
    if worst == "fail":
        bad = min((one for one in linear if one["status"] == "fail"), key=lambda one: one.get("threads") or 0)
        threads, observed, limit = bad.get("threads") or 0, bad.get("observed"), bad.get("limit")
        if observed is None or limit is None:
            return f"It does not scale to {counted(threads, 'thread')}."
        text = f"It scales too little with {counted(threads, 'thread')}"
        below = [
            one["threads"] for one in linear if one["status"] == "pass" and 1 < (one.get("threads") or 0) < threads
        ]
        still = f" With {counted(max(below), 'thread')} it still does." if below else ""
        return f"{text}: its efficiency is {fixed(observed)}, and the limit {fixed(limit)}.{still}"
    if worst == "pass":
        until = counted(max(one.get("threads") or 0 for one in linear), "thread")
        return f"It scales, up to {until}." + ("" if sweep["status"] == "pass" else " Another check has more to say.")
    return "Whether it scales is not decided: these figures are no verdict on the model."


def _furthest(sweep: Sweep) -> dict[str, Any] | None:
    """The figures up to where throughput must grow; without that, those of the most threads."""
    points: list[dict[str, Any]] = sweep["points"]
    judged = [point for point in points if point["threads"] == sweep.get("linear_until")]
    return next(iter(judged or points[-1:]), None)


def _cause(sweep: Sweep) -> dict[str, Any] | None:
    """Why it does not scale, as far as that is known, and what to do about it."""
    cause = sweep.get("cause")
    if not cause:
        return None
    kind = cause["kind"]
    advice = CAUSE_ADVICE.get(kind, "")
    told = kind == "gil" or advice.rstrip(".").lower() in cause["text"].lower()  # the GIL's text has its own
    return {**cause, "name": CAUSE_NAMES.get(kind, kind), "advice": "" if told else advice}


def summary(sweep: Sweep) -> str:
    """How far it scales, in one or two sentences for somebody who reads such a page for the first time."""
    points: list[Any] = sweep["points"]
    if not points:
        return "Nothing was measured."
    if sweep.get("against"):
        return _summary_of_two(sweep)
    single = next((point for point in points if point["threads"] == 1), None)
    text = "" if single is None else f"One thread serves {number(single['qps'])} queries per second. "
    until = sweep.get("linear_until")
    for point in points:
        if point["threads"] == 1 or point["threads"] not in (until, points[-1]["threads"]):
            continue
        text += f"{counted(point['threads'], 'thread')} serve {number(point['qps'])}"
        if point["speedup"] is not None:
            text += f", {fixed(point['speedup'])} times as many"
            text += f" ({point['efficiency']:.0%} of the ideal {point['threads']})" if point["threads"] == until else ""
        text += ". "
    if until is not None:
        reason = sweep.get("linear_until_reason")
        text += f"Throughput must grow up to {counted(until, 'thread')}{f' ({reason})' if reason else ''}. "
        if sweep["device"] == "cpu" and until == sweep.get("usable_cores") and until < points[-1]["threads"]:
            text += "More threads than cores cannot add throughput: they only make each query wait longer. "
    if sweep["engine"] == "native" and sweep.get("gil") == "held":
        text += (
            "This is of native threads. Python threads would not scale: Predictor.run() of this Paddle holds the GIL."
        )
    return text.strip()


def _summary_of_two(sweep: Sweep) -> str:
    against = sweep["against"]
    this, other = against["names"]
    parts = [f"{number(one['qps'])} with {counted(one['threads'], 'thread')}" for one in against["ratios"]]
    listed = f"Throughput of {this} over that of {other}: {', '.join(parts)}. " if parts else ""
    differences = "; ".join(against["differences"]) or "nothing that either side knows of"
    return f"{listed}They differ in: {differences}."


def rows(sweep: Sweep) -> list[dict[str, Any]]:
    """The table: a row for each thread count."""
    worst: dict[Any, dict[str, Any]] = {}
    for verdict in sweep["verdicts"]:
        status = _status(verdict["status"])
        known = worst.get(verdict.get("threads"))
        if known is None or status["rank"] < known["rank"]:
            worst[verdict.get("threads")] = status
    return [
        {
            **point,
            "memory_mb": None if point.get("peak_rss_bytes") is None else megabytes(point["peak_rss_bytes"]),
            "status": worst.get(point["threads"]),
        }
        for point in sweep["points"]
    ]


def facts(sweep: Sweep) -> list[tuple[str, Any]]:
    """What was measured and how, by name."""
    names = {"clone": "Clone", "predictor_pool": "PredictorPool", "shared": "one session"}
    pool = names.get(sweep.get("pool") or "", sweep.get("pool"))
    gil = sweep.get("gil")
    peak = sweep.get("peak_rss_bytes")
    usl = sweep.get("usl")
    found = {
        "engine": sweep["engine"],
        "device": sweep["device"],
        "batch size": sweep.get("batch_size"),
        "predictors made by": pool,
        "math threads": sweep.get("math_threads"),
        "GIL during a query": gil,
        "usable cores": sweep.get("usable_cores"),
        **{name: value for name, value in (sweep.get("facts") or {}).items() if name != "math threads"},
        **{
            f"GPU with {counted(point['threads'], 'thread')}": gpu.of_dict(point["gpu"]).text
            for point in sweep["points"]
            if point.get("gpu")
        },
        "peak memory": None if peak is None else f"{megabytes(peak):,.0f} MB",
        "Universal Scalability Law": usl
        and f"contention {fixed(usl['contention'], 3)}, coherency {fixed(usl['coherency'], 3)}",
        "time": None if sweep.get("elapsed_s") is None else f"{sweep['elapsed_s']:.0f} s",
        "seed": None if sweep.get("seed") is None else str(sweep["seed"]),
    }
    return [(name, value) for name, value in found.items() if value is not None]


def _status(key: str) -> dict[str, Any]:
    known = key in STATUSES_WORST_FIRST
    return {
        "key": key if known else "no_data",
        "word": STATUS_WORDS.get(key, key),
        "rank": STATUSES_WORST_FIRST.index(key) if known else len(STATUSES_WORST_FIRST),
    }


def _not_judged(sweep: Sweep) -> str | None:
    if sweep.get("smoke_reason"):
        return f"Smoke run, nothing was judged or recorded: {sweep['smoke_reason']}"
    return None if sweep.get("gated", True) else "The verdicts have no consequence: the test gave gate=False."


def _input(one: Mapping[str, Any]) -> dict[str, Any]:
    shape = one.get("shape")
    low, high = one.get("min"), one.get("max")
    return {
        "name": one.get("name"),
        "dtype": one.get("dtype"),
        "shape": "differs"
        if shape is None
        else " \N{MULTIPLICATION SIGN} ".join("…" if n is None else str(n) for n in shape) or "scalar",
        "range": DASH if low is None or high is None else f"{low:.4g} to {high:.4g}",
        "made_up": "yes" if one.get("made_up") else "no",
    }


def _rounds(sweep: Sweep) -> dict[str, Any] | None:
    """The efficiency of each round: a column for each thread count."""
    found = round_efficiencies(sweep)
    by_round: dict[int, dict[int, float]] = {}
    for threads, places in found.items():
        for index, value in places:
            by_round.setdefault(int(index), {})[threads] = value
    counts = sorted(found)
    if not counts:
        return None
    cells = [(index, [by_round[index].get(threads) for threads in counts]) for index in sorted(by_round)]
    return {"counts": counts, "rows": cells}


def _stalls(sweep: Sweep) -> list[tuple[float, int, float]]:
    """The slowest queries of the timeline: seconds, thread from 1, ms."""
    slowest = sorted(slowest_queries(sweep), key=lambda one: -one[2])[:_STALLS]
    return [(at, thread + 1, value) for at, thread, value in slowest]


def _baseline(sweep: Sweep) -> dict[str, Any] | None:
    """The accepted runs: a column of throughput for each thread count."""
    runs = (sweep.get("baseline") or {}).get("runs", [])
    counts = sorted({point["threads"] for run in runs for point in run["points"]})
    if not counts:
        return None
    cells = [
        (run["date"], run.get("commit"), [{p["threads"]: p["qps"] for p in run["points"]}.get(n) for n in counts])
        for run in reversed(runs)
    ]
    return {"counts": counts, "rows": cells}
