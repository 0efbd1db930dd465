"""Prints the human-readable table: in the summary and, small, in a failure. Fits 80 columns."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from pytest_paddle_mt.records import GATED_STATUSES
from pytest_paddle_mt.reporters import sides, text
from pytest_paddle_mt.units import counted, megabytes, ms

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from pytest_paddle_mt.records import Point, Sweep
    from pytest_paddle_mt.reporters import Finished

_HEADER = "threads     QPS  speedup  efficiency        p50 ms  p90 ms  p99 ms  verdict"


class TerminalTableReporter:
    """Adds a section to pytest's summary; see ``Reporter``."""

    name = "terminal"

    def sweep_finished(self, finished: Finished) -> None:
        """Does nothing: tables wait for the summary."""

    def session_finished(self, sweeps: Sequence[Sweep], terminal: pytest.TerminalReporter) -> None:
        """A table per sweep, and how many of them were gated."""
        terminal.section("paddle thread scaling")
        for sweep in sweeps:
            for line in [*heading(sweep), *inputs(sweep), *table(sweep), *memory(sweep), *remarks(sweep), ""]:
                terminal.write_line(line)
        gated = [sweep for sweep in sweeps if sweep.gate]
        not_gated = [sweep for sweep in gated if sweep.status not in GATED_STATUSES]
        if not_gated:
            of_all = f"{len(not_gated)} of {counted(len(gated), 'sweep')}"
            terminal.write_line(f"{of_all} NOT gated", yellow=True, bold=True)
        elif gated:
            terminal.write_line(f"{len(gated)} of {counted(len(gated), 'sweep')} gated")


def heading(sweep: Sweep) -> list[str]:
    """What was measured, on what."""
    if sweep.against is not None:
        return [*textwrap.wrap(sweep.nodeid, text.WIDTH), *sides.heading(sweep, sweep.against)]
    assert sweep.linear_until is not None, "one side judges scaling"
    subject = sweep.subject
    facts = [f"{subject.engine} engine", subject.device]
    if subject.batch_size is not None:
        facts.append(f"batch {subject.batch_size}")
    if subject.pool is not None:
        facts.append({"clone": "Clone", "predictor_pool": "PredictorPool"}[subject.pool])
    facts += [value if key in _OWN_WORDS else f"{key} {value}" for key, value in subject.facts.items()]
    if subject.gil is not None:
        facts.append(f"GIL {subject.gil} by {subject.gil_of}")
    linear = f"linear up to {counted(sweep.linear_until, 'thread')}: {sweep.linear_until_reason}"
    effort = f"{counted(sweep.points[0].rounds, 'round')} in {sweep.elapsed_s:.0f} s, seed {sweep.seed}"
    return [
        *textwrap.wrap(sweep.nodeid, text.WIDTH),
        *text.wrapped(", ".join(facts)),
        *text.wrapped(f"{linear}; {effort}"),
    ]


_INPUTS_SHOWN = 4
_OWN_WORDS = ("paddle", "measured")  #: Facts that are understood without their key.


def inputs(sweep: Sweep) -> list[str]:
    """What was served, and whether the plugin made it up."""
    served = sweep.subject.inputs
    if not served:
        return []
    shown = [f"{one.name} {one.text}" for one in served[:_INPUTS_SHOWN]]
    if len(served) > _INPUTS_SHOWN:
        shown.append(f"and {len(served) - _INPUTS_SHOWN} more")
    return text.wrapped(f"inputs{' (made up)' if served[0].made_up else ''}: {'; '.join(shown)}")


def table(sweep: Sweep) -> list[str]:
    """The table: a line per thread count."""
    if sweep.against is not None:
        return sides.table(sweep, sweep.against)
    return [_HEADER, *(_row(sweep, point) for point in sweep.points)]


def memory(sweep: Sweep) -> list[str]:
    """Peak memory of the process with all predictors."""
    return [] if sweep.peak_rss_bytes is None else [f"  peak memory {megabytes(sweep.peak_rss_bytes):.0f} MB"]


def remarks(sweep: Sweep) -> list[str]:
    """The verdicts' reasons and the doubts, wrapped."""
    lines = []
    if sweep.smoke_reason is not None:
        lines += text.wrapped(f"SMOKE RUN, nothing judged or recorded: {sweep.smoke_reason}")
    for verdict in sweep.verdicts:
        lines += text.wrapped(f"{verdict.status.upper()} {verdict.check}: {verdict.reason}")
    if sweep.cause is not None:
        lines += text.wrapped(sweep.cause.line)
    for warning in sweep.warnings:
        lines += text.wrapped(f"note: {warning.text}")
    return lines


def _row(sweep: Sweep, point: Point) -> str:
    latency = point.latency
    return (
        f"{point.threads:>7} {text.number(point.qps):>7}  {text.fixed(point.speedup):>7}  {_efficiency(point):<16}"
        f"  {_latency(latency.p50_ns):>6}  {_latency(latency.p90_ns):>6}  {_latency(latency.p99_ns):>6}"
        f"  {text.verdict(sweep, point.threads)}"
    ).rstrip()


def _efficiency(point: Point) -> str:
    if point.efficiency is None:
        return "-"
    interval = point.efficiency_interval
    span = "" if interval is None else f" ({text.fixed(interval.low)}-{text.fixed(interval.high)})"
    return f"{text.fixed(point.efficiency)}{span}"


def _latency(latency_ns: float | None) -> str:
    return "-" if latency_ns is None else text.number(ms(latency_ns))
