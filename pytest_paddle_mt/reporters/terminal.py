"""Prints the human-readable table: in the summary and, small, in a failure. Fits 80 columns."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from pytest_paddle_mt.reporters import plot, sides, text
from pytest_paddle_mt.reporters.advice import why_or_next
from pytest_paddle_mt.reporters.headline import facts, gated, headline, status_word
from pytest_paddle_mt.units import counted, megabytes, ms

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from pytest_paddle_mt.records import Point, Status, Sweep, Warning
    from pytest_paddle_mt.reporters import Finished

_HEADER = "threads     QPS  speedup  efficiency        p50 ms  p90 ms  p99 ms  verdict"


class TerminalTableReporter:
    """Adds a section to pytest's summary; see ``Reporter``."""

    name = "terminal"

    def sweep_finished(self, finished: Finished) -> None:
        """Does nothing: tables wait for the summary."""

    def session_finished(self, sweeps: Sequence[Sweep], terminal: pytest.TerminalReporter) -> None:
        """Verdict, table and next step of each sweep, with all reasons under ``-v``; and how many were gated."""
        terminal.section("paddle thread scaling")
        verbose = terminal.verbosity > 0
        # pytest has no public name for the file that it writes to.
        drawn = plot.drawable(getattr(getattr(terminal._tw, "_file", None), "encoding", None))
        for sweep in sweeps:
            _write_verdict(sweep, terminal)
            _write_table(sweep, terminal)
            bars = plot.plot(sweep.points) if drawn and sweep.against is None else []
            below = long(sweep) if verbose else short(sweep)
            for line in [*bars, *below, ""]:
                terminal.write_line(line)
        judged = [sweep for sweep in sweeps if sweep.gate]
        not_gated = [sweep for sweep in judged if not gated(sweep)]
        if not_gated:
            of_all = f"{len(not_gated)} of {counted(len(judged), 'sweep')}"
            terminal.write_line(f"{of_all} NOT gated", yellow=True, bold=True)
        elif judged:
            terminal.write_line(f"{len(judged)} of {counted(len(judged), 'sweep')} gated")


def _write_verdict(sweep: Sweep, terminal: pytest.TerminalReporter) -> None:
    """The test, and below it the verdict in one sentence."""
    for line in textwrap.wrap(sweep.nodeid, text.WIDTH):
        terminal.write_line(line, bold=True)
    word = status_word(sweep)
    first, *more = text.wrapped(f"{word}  {headline(sweep)}")
    indented = first.index(word)
    terminal.write(first[:indented])
    terminal.write(word, bold=True, **_colour(sweep.status))
    terminal.write_line(first[indented + len(word) :])
    for line in more:
        terminal.write_line(line)


def _write_table(sweep: Sweep, terminal: pytest.TerminalReporter) -> None:
    """The table, its verdicts in colour."""
    header, *rows = table(sweep) or [""]
    terminal.write_line(header)
    for row, point in zip(rows, sweep.points, strict=True):
        word = text.verdict(sweep, point.threads)
        terminal.write(row[: len(row) - len(word)])
        terminal.write_line(word, **_colour(text.status(sweep, point.threads)))


def _colour(status: Status | None) -> dict[str, bool]:
    if status is None:
        return {}
    return {{"fail": "red", "pass": "green", "calibrating": "green"}.get(status, "yellow"): True}


def short(sweep: Sweep) -> list[str]:
    """Below a table without ``-v``: why it was not decided or what to do, what was measured, and the notes."""
    step = why_or_next(sweep)
    lines = [] if step is None else text.wrapped(step)
    if sweep.cause is not None:
        lines += text.wrapped(sweep.cause.line)
    if sweep.against is None:
        lines += text.wrapped(f"measured: {', '.join(facts(sweep))}")
        lines += items(sweep)
    else:
        lines += sides.heading(sweep, sweep.against)
    lines += [line for one in sweep.warnings if one.kind not in _OF_THE_MACHINE for line in _note(one)]
    quiet = [one for one in sweep.warnings if one.kind in _OF_THE_MACHINE]
    if quiet:
        kinds = ", ".join(dict.fromkeys(one.kind.replace("_", " ") for one in quiet))
        lines += text.wrapped(f"{counted(len(quiet), 'note')} on the machine ({kinds}): -v")
    return lines


def long(sweep: Sweep) -> list[str]:
    """Below a table with ``-v``: everything that is known."""
    return [*heading(sweep), *items(sweep), *inputs(sweep), *memory(sweep), *gpu(sweep), *remarks(sweep)]


def heading(sweep: Sweep) -> list[str]:
    """What was measured, on what."""
    if sweep.against is not None:
        return sides.heading(sweep, sweep.against)
    assert sweep.linear_until is not None, "one side judges scaling"
    subject = sweep.subject
    facts = [f"{subject.engine} engine", subject.device]
    if subject.batch_size is not None:
        facts.append(f"batch {subject.batch_size}")
    if subject.pool is not None:
        facts.append({"clone": "Clone", "predictor_pool": "PredictorPool", "shared": "one session"}[subject.pool])
    facts += [value if key in _OWN_WORDS else f"{key} {value}" for key, value in subject.facts.items()]
    if subject.gil is not None:
        facts.append(f"GIL {subject.gil} by {subject.gil_of}")
    linear = f"linear up to {counted(sweep.linear_until, 'thread')}: {sweep.linear_until_reason}"
    effort = f"{counted(sweep.points[0].rounds, 'round')} in {sweep.elapsed_s:.0f} s, seed {sweep.seed}"
    return [*text.wrapped(", ".join(facts)), *text.wrapped(f"{linear}; {effort}")]


def items(sweep: Sweep) -> list[str]:
    """Items per second, where a query serves more than one."""
    batch = sweep.subject.batch_size or 1
    if batch == 1 or sweep.against is not None or not sweep.points:
        return []
    each = [f"{text.number(batch * point.qps)} with {counted(point.threads, 'thread')}" for point in sweep.points]
    return text.wrapped(f"items per second (QPS x {batch}): {', '.join(each)}")


_INPUTS_SHOWN = 4
_OWN_WORDS = ("paddle", "runtime", "measured")  #: Facts that are understood without their key.

#: Doubts that are about the machine and change no verdict; without ``-v`` they are counted.
_OF_THE_MACHINE = frozenset({"cores_shared", "lost_time", "preempted", "thinned", "threads_wait"})


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


def gpu(sweep: Sweep) -> list[str]:
    """What the GPU did with each thread count, where it was observed."""
    observed = [(counted(point.threads, "thread"), point.gpu) for point in sweep.points if point.gpu is not None]
    return [line for running, load in observed for line in text.wrapped(f"GPU with {running}: {load.text}")]


def remarks(sweep: Sweep) -> list[str]:
    """The verdicts' reasons and the doubts, wrapped."""
    lines = []
    if sweep.smoke_reason is not None:
        lines += text.wrapped(f"SMOKE RUN, nothing judged or recorded: {sweep.smoke_reason}")
    for verdict in sweep.verdicts:
        lines += text.wrapped(f"{verdict.status.upper()} {verdict.check}: {verdict.reason}")
    if sweep.cause is not None:
        lines += text.wrapped(sweep.cause.line)
    return lines + [line for warning in sweep.warnings for line in _note(warning)]


def _note(warning: Warning) -> list[str]:
    return text.wrapped(f"note: {warning.text}")


def _row(sweep: Sweep, point: Point) -> str:
    latency = point.latency
    return (
        f"{point.threads:>7} {text.number(point.qps):>7}  {text.fixed(point.speedup):>7}  {text.efficiency(point):<16}"
        f"  {_latency(latency.p50_ns):>6}  {_latency(latency.p90_ns):>6}  {_latency(latency.p99_ns):>6}"
        f"  {text.verdict(sweep, point.threads)}"
    ).rstrip()


def _latency(latency_ns: float | None) -> str:
    return "-" if latency_ns is None else text.number(ms(latency_ns))
