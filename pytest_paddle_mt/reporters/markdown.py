"""Renders sweeps as GitHub-flavoured Markdown: verdicts, one chart with its table, folded details.

Every text that comes from a test or a message is escaped by ``code`` or ``escaped``; none stands inside the chart.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_paddle_mt.records import STATUSES_WORST_FIRST
from pytest_paddle_mt.reporters import headline, text
from pytest_paddle_mt.reporters.advice import why_or_next
from pytest_paddle_mt.units import counted, ms, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_paddle_mt.records import Against, Point, Sweep

#: First line of every page: a comment on a pull request is found again by it.
MARKER = "<!-- pytest-paddle-mt -->"
ALL_PASSED = "<!-- all passed -->"  #: Second line of a page that has nothing to act on.

_NAME_MOST = 300  #: Characters of a test's name that are shown.
_REASON_MOST = 2000  #: Characters of a reason that are shown.
_RESERVED = 200  #: Bytes that are kept for the line that says how much was left out.

#: What Markdown, HTML and GitHub read as more than itself; a full stop or a colon where it makes a link or an emoji.
_SPECIAL = re.compile(r"[\\`*_{}\[\]<>#!|~@$&^]|:(?=\S)|(?<=www)\.", re.IGNORECASE)


def escaped(sentence: str, most: int = _REASON_MOST) -> str:
    """A text that reads as it is, in a paragraph and in a table; nobody and no issue is mentioned by it."""
    # GitHub mentions nobody in code, and no issue whose number stands apart.
    return _entities(sentence, most).replace("&#64;", "<code>&#64;</code>").replace("&#35;", "&#35;&#8203;")


def code(name: str) -> str:
    """A name as code, on one line."""
    return f"<code>{_entities(name, _NAME_MOST)}</code>"


def _entities(sentence: str, most: int) -> str:
    clipped = sentence if len(sentence) <= most else f"{sentence[:most]}..."
    return _SPECIAL.sub(lambda found: f"&#{ord(found[0])};", printable(clipped))


def page(sweeps: Sequence[Sweep], limit_bytes: int) -> str:
    """The whole page, in at most ``limit_bytes``: what failed comes first, and what does not fit is counted."""
    ordered = sorted(sweeps, key=lambda one: (not one.gate, STATUSES_WORST_FIRST.index(one.status)))
    quiet = all(headline.gated(one) and not (one.gate and one.status == "fail") for one in sweeps)
    made = _Page(limit_bytes - _RESERVED)
    made.add(
        f"{MARKER}\n" + (f"{ALL_PASSED}\n" if quiet else "") + f"### Thread scaling: {headline.counts(sweeps)}\n\n"
    )
    made.add("| | Test | Verdict |\n|---|---|---|\n")
    rows = made.add_each((_row(one) for one in ordered), limit_bytes // 2)
    if len(ordered) > rows:
        made.add(f"\n{len(ordered) - rows} more are not shown: this page is full.\n")
    charted = next((one for one in ordered if chart(one)), None)
    if charted is not None:
        made.add(f"\n{code(charted.nodeid)}: {chart(charted)}\n{table(charted)}")
    details = (_details(one, "" if one is charted else table(one)) for one in ordered)
    unfolded = len(ordered) - made.add_each(details, limit_bytes)
    if unfolded:
        made.add_last(f"\nThe details of {unfolded} more are not shown: this page is full.\n")
    return made.text


def not_measured(tests: int, reason: str) -> str:
    """The page of a session in which nothing was judged."""
    return f"{MARKER}\n### Thread scaling: {counted(tests, 'test')} NOT gated\n\n{escaped(reason)}\n"


class _Page:
    """A text that does not grow beyond a limit."""

    def __init__(self, limit_bytes: int) -> None:
        self.text = ""
        self._limit = limit_bytes
        self._size = 0

    def add(self, more: str, limit: int | None = None) -> bool:
        """Add a piece, whole or not at all."""
        size = len(more.encode())
        if self._size + size > min(self._limit, self._limit if limit is None else limit):
            return False
        self.add_last(more)
        return True

    def add_last(self, more: str) -> None:
        """Add what there is always room for."""
        self.text += more
        self._size += len(more.encode())

    def add_each(self, pieces: Iterable[str], limit: int) -> int:
        """Add pieces until one does not fit; returns how many were added."""
        added = 0
        for piece in pieces:
            if not self.add(piece, limit):
                break
            added += 1
        return added


def _row(sweep: Sweep) -> str:
    said = [why_or_next(sweep), None if sweep.cause is None else sweep.cause.line]
    below = "".join(f"<br>{escaped(one, 500)}" for one in said if one is not None)
    return f"| {_icon(sweep)} | {code(sweep.nodeid)} | {escaped(headline.headline(sweep))}{below} |\n"


def _icon(sweep: Sweep) -> str:
    icon = {"fail": "❌", "pass": "✅", "calibrating": "✅"}.get(sweep.status, "⚠️")
    return f"{icon} {headline.status_word(sweep).lower()}"


def chart(sweep: Sweep) -> str:
    """What the bars and the line are, and a Mermaid chart of it; empty where there is nothing to compare."""
    if sweep.against is not None:
        this, other = ([point.qps for point in points] for points in (sweep.points, sweep.against.points))
        said, axis = "bars are the QPS of this side, the line is that of the other.", "QPS"
        threads = [point.threads for point in sweep.points]
    else:
        known = [point for point in sweep.points if point.speedup is not None]
        threads = [point.threads for point in known]
        this, other = [point.speedup or 0.0 for point in known], [float(one) for one in threads]
        said, axis = "bars are the speedup as measured, the line is the ideal one.", "speedup"
    if len(threads) < 2:
        return ""
    names = ", ".join(f'"{one}"' for one in threads)
    bars, line = (", ".join(f"{value:.2f}" for value in values) for values in (this, other))
    return (
        f'{said}\n\n```mermaid\nxychart-beta\n    x-axis "threads" [{names}]\n'
        f'    y-axis "{axis}" 0 --> {max(*this, *other):.2f}\n    bar [{bars}]\n    line [{line}]\n```\n'
    )


def table(sweep: Sweep) -> str:
    """The figures of each thread count."""
    if sweep.against is not None:
        return _table_of_two(sweep, sweep.against)
    head = "| Threads | QPS | Speedup | Efficiency | p50 ms | p90 ms | p99 ms | Verdict |\n" + 7 * "|--:" + "|---|\n"
    return head + "".join(_point(sweep, point) for point in sweep.points)


def _point(sweep: Sweep, point: Point) -> str:
    latencies = (point.latency.p50_ns, point.latency.p90_ns, point.latency.p99_ns)
    shown = ["-" if one is None else text.number(ms(one)) for one in latencies]
    figures = [str(point.threads), text.number(point.qps), text.fixed(point.speedup), text.efficiency(point), *shown]
    return f"| {' | '.join(figures)} | {text.verdict(sweep, point.threads)} |\n"


def _table_of_two(sweep: Sweep, against: Against) -> str:
    this, other = (escaped(name) for name in against.names)
    rows = [f"| Threads | QPS of {this} | QPS of {other} | Ratio | Verdict |\n|--:|--:|--:|--:|---|\n"]
    for mine, theirs, ratio in zip(sweep.points, against.points, against.ratios, strict=True):
        figures = [str(mine.threads), text.number(mine.qps), text.number(theirs.qps), f"{ratio.qps:.3f}"]
        rows.append(f"| {' | '.join(figures)} | {text.verdict(sweep, mine.threads)} |\n")
    return "".join(rows)


def _details(sweep: Sweep, figures: str) -> str:
    said = [f"**{one.status} {escaped(one.check)}**: {escaped(one.reason)}" for one in sweep.verdicts]
    said += [f"note: {escaped(one.text)}" for one in sweep.warnings]
    said.append(f"measured: {escaped(', '.join(headline.facts(sweep)))}, seed {sweep.seed}")
    items = "".join(f"- {one}\n" for one in said)
    return f"\n<details><summary>{_icon(sweep)} {code(sweep.nodeid)}</summary>\n\n{figures}\n{items}\n</details>\n"
