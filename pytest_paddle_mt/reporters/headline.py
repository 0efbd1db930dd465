"""Puts a sweep's verdict into one sentence, with its figures: what the terminal, GitHub and Markdown begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_paddle_mt.checks import against, drift
from pytest_paddle_mt.records import GATED_STATUSES
from pytest_paddle_mt.reporters import text
from pytest_paddle_mt.units import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_paddle_mt.records import Status, Sweep, Verdict

#: What a check says where it passes and where it fails, and what its figure is called.
_WORDS = {
    "linear": ("scales", "does not scale", "efficiency"),
    "collapse": ("keeps its throughput", "loses throughput", "QPS ratio"),
    drift.NAME: ("is as fast as its baseline", "drifted from its baseline", ""),
    against.NAME: ("is not slower than the other side", "is slower than the other side", "QPS ratio"),
}


def status_word(sweep: Sweep) -> str:
    """The status in capitals, as two words where it is two: ``NOT COMPARABLE``."""
    return "SMOKE RUN" if sweep.smoke_reason is not None else sweep.status.upper().replace("_", " ")


def gated(sweep: Sweep) -> bool:
    """Whether the sweep has passed or failed its gate, or was meant to have none."""
    return not sweep.gate or sweep.status in GATED_STATUSES


def headline(sweep: Sweep) -> str:
    """What the verdicts say, in one sentence without the status."""
    if sweep.smoke_reason is not None:
        return "nothing judged or recorded"
    found = {status: [one for one in sweep.verdicts if one.status == status] for status in ("fail", "inconclusive")}
    if found["fail"]:
        said = [_said(one, 1) for one in _one_each(found["fail"])]
    elif sweep.status in {"pass", "calibrating"}:
        said = [_said(one, 0) for one in _one_each(reversed(sweep.verdicts))][::-1]
    elif found["inconclusive"]:
        said = [f"not decided: {_asked(found['inconclusive'])}"]
    else:
        asked = _asked([one for one in sweep.verdicts if one.status == sweep.status])
        said = [f"not judged: {asked}" if asked else "no check had anything to judge"]
    return "; ".join(said) + ("" if sweep.gate else " (reported only, gates nothing)")


def counts(sweeps: Iterable[Sweep]) -> str:
    """How many sweeps ended how: ``1 failed, 2 not gated, 3 passed``; those without a gate are ``reported only``."""
    number = {"failed": 0, "not gated": 0, "passed": 0, "reported only": 0}
    for sweep in sweeps:
        number[_counted_as(sweep)] += 1
    return ", ".join(f"{count} {word}" for word, count in number.items() if count)


def facts(sweep: Sweep) -> list[str]:
    """What was measured, on what, in a few words each."""
    subject = sweep.subject
    known = [f"{subject.engine} engine", subject.device]
    if subject.batch_size is not None:
        known.append(f"batch {subject.batch_size}")
    known += [subject.facts[name] for name in ("paddle", "runtime") if name in subject.facts]
    if subject.inputs and subject.inputs[0].made_up:
        known.append("made-up inputs")
    if "measured by" in subject.facts:
        known.append(f"by {subject.facts['measured by']}")
    if sweep.linear_until is not None:
        known.append(f"{counted(sweep.usable_cores, 'usable core')}, linear up to {sweep.linear_until}")
    if sweep.points:
        known.append(f"{counted(sweep.points[0].rounds, 'round')} in {sweep.elapsed_s:.0f} s")
    return known


def _counted_as(sweep: Sweep) -> str:
    if not sweep.gate:
        return "reported only"
    statuses: dict[Status, str] = {"fail": "failed", "pass": "passed", "calibrating": "passed"}
    return statuses.get(sweep.status, "not gated")


def _one_each(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """The first verdict of each check."""
    first: dict[str, Verdict] = {}
    for verdict in verdicts:
        first.setdefault(verdict.check, verdict)
    return list(first.values())


def _said(verdict: Verdict, failed: int) -> str:
    unknown = (f"passes {verdict.check}", f"fails {verdict.check}", "observed")
    words = _WORDS.get(verdict.check, unknown)
    word, figure = words[failed], words[2]
    up_to = "with" if failed else "up to"
    where = "" if verdict.threads is None else f" {up_to} {counted(verdict.threads, 'thread')}"
    if failed and verdict.check == drift.NAME:  # its reason begins with what drifted, from what to what
        return f"{word}: {verdict.reason.partition(', ')[0]}"
    if verdict.observed is None or verdict.limit is None or verdict.check == drift.NAME:
        return f"{word}{where}"
    return f"{word}{where} ({figure} {text.fixed(verdict.observed)}, limit {text.fixed(verdict.limit)})"


def _asked(verdicts: Sequence[Verdict]) -> str:
    """What was asked, without the answers: ``linear with 2, 4 threads, collapse with 8 threads``."""
    asked: dict[str, list[int]] = {}
    for verdict in verdicts:
        asked.setdefault(verdict.check, []).extend([] if verdict.threads is None else [verdict.threads])
    return ", ".join(
        f"{check} with {', '.join(map(str, [*threads[:-1], counted(threads[-1], 'thread')]))}" if threads else check
        for check, threads in asked.items()
    )
