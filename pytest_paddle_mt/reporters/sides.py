"""Formats the human-readable table of a comparison. Fits 80 columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_paddle_mt.reporters import text
from pytest_paddle_mt.units import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_paddle_mt.records import Against, Ratio, Sweep


def heading(sweep: Sweep, against: Against) -> list[str]:
    """What was compared with what, and in what the two differ."""
    subject = sweep.subject
    facts = [f"{subject.engine} engine", subject.device]
    if subject.batch_size is not None:
        facts.append(f"batch {subject.batch_size}")
    if sweep.points:
        facts.append(f"{counted(sweep.points[0].rounds, 'round')} in {sweep.elapsed_s:.0f} s")
    facts.append(f"seed {sweep.seed}")
    lines = text.wrapped(", ".join(facts))
    for name, described in zip(against.names, against.described, strict=True):
        lines += text.wrapped(f"{name}: {described}", break_long_words=False)
    differences = "; ".join(against.differences) or "nothing that either side knows of"
    if against.subject is not None:
        lines += text.wrapped(f"they differ in: {differences}")
    return lines


def table(sweep: Sweep, against: Against) -> list[str]:
    """A line per thread count: throughput and efficiency of both sides, and the ratio."""
    if not sweep.points:
        return []
    return [_header(against.names), *_rows(sweep, against)]


def _header(names: tuple[str, str]) -> str:
    this, other = (_one_word(name) for name in names)
    return (
        f"threads {this + ' QPS':>8} {other + ' QPS':>9}  {'QPS ratio':<19}  {'eff. ' + this:>9} {other:>5}  p50"
        "   verdict"
    )


def _one_word(name: str) -> str:
    """``this side`` and ``the other`` in the header of a column."""
    return name.replace("the ", "").replace(" side", "")


def _rows(sweep: Sweep, against: Against) -> Iterator[str]:
    ratios = {ratio.threads: ratio for ratio in against.ratios}
    for this, other in zip(sweep.points, against.points, strict=True):
        ratio = ratios[this.threads]
        yield (
            f"{this.threads:>7} {text.number(this.qps):>8} {text.number(other.qps):>9}  {_ratio(ratio):<19}"
            f"  {text.fixed(this.efficiency):>9} {text.fixed(other.efficiency):>5}  {text.fixed(ratio.p50):<4}"
            f"  {text.verdict(sweep, this.threads)}"
        ).rstrip()


def _ratio(ratio: Ratio) -> str:
    interval = ratio.qps_interval
    span = " (unknown)" if interval is None else f" ({_three(interval.low)}-{_three(interval.high)})"
    return f"{_three(ratio.qps)}{span}"


def _three(value: float) -> str:
    """Three decimals below 10: limits of a few percent are compared with it."""
    return f"{value:.3f}" if value < 10 else text.fixed(value)
