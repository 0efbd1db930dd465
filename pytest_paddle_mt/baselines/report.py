"""Renders what became of a baseline in lines for the terminal."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from pytest_paddle_mt.baselines import digests, rule, words
from pytest_paddle_mt.statistics import drift
from pytest_paddle_mt.units import counted, megabytes

if TYPE_CHECKING:
    from pytest_paddle_mt.baselines import Figures, Series
    from pytest_paddle_mt.baselines.ledger import Accepted


def accepted_lines(one: Accepted) -> list[str]:
    """What became of the baseline, its file, and old -> new of every figure."""
    lines = textwrap.TextWrapper(80, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)
    series = one.after.series
    limit = "" if len(series.runs) >= drift.FULL_RUNS else f"; the limit is wide until there are {drift.FULL_RUNS}"
    if one.before is None:
        head = f"new baseline, 1 run accepted{limit}"
    elif one.after.before is not None and one.after.before is one.before.series:
        why = "this run does not belong to the old one, which"
        edited = digests.edited(one.before)
        if edited is not None:
            why = f"the old one was edited ({edited}) and"
        head = f"new series, as {why} is kept as 'before'{limit}"
    else:
        head = f"updated, {counted(len(series.runs), 'run')} accepted{limit}"
    old = None if one.before is None else one.before.series
    return [
        f"paddle-mt: baseline of {one.offer.nodeid} ({one.offer.engine}): {head}",
        f"  in {one.offer.path}",
        *(line for point in one.offer.points for line in lines.wrap(_old_to_new(old, point))),
        f"  digest of this run: {series.runs[-1].digest}",
    ]


def _old_to_new(old: Series | None, point: Figures) -> str:
    parts = []
    for quantity in rule.QUANTITIES:
        new = getattr(point, quantity.key)
        if new is None or (quantity.key == "efficiency" and point.threads == 1):
            continue
        before = None if old is None else rule.mean(old, point.threads, quantity)
        parts.append(
            f"{quantity.name} "
            + (words.figure(quantity.key, new) if before is None else words.change(quantity.key, before, new))
        )
    if point.peak_rss_bytes is not None:
        parts.append(f"peak memory {megabytes(point.peak_rss_bytes):.0f} MB")
    return f"{counted(point.threads, 'thread')}: {', '.join(parts)}"
