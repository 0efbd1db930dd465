"""Compares the baselines in the working tree with those of a commit: which ones a change edits, and how."""

from __future__ import annotations

import contextlib
import os
import subprocess
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_paddle_mt.baselines import digests, rule, schema, words
from pytest_paddle_mt.units import counted, printable

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from pytest_paddle_mt.baselines import Baseline, Series

_GIT_S = 20  #: Git answers in milliseconds; a file system that hangs must not hang a session.


class NoSuchCommit(Exception):
    """Git does not know this commit, or there is no repository."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Edit:
    """A file that differs from that of a commit."""

    path: Path
    old: Baseline | None  #: None where the commit has no such file, or none that can be read.
    new: Baseline | None  #: None where there is no such file now, or none that can be read.
    unreadable: str | None  #: Why one of the two cannot be read, human-readable.


def base_of(folder: Path) -> str:
    """What a change is compared with: the base branch of a pull request where git has it, else the last commit."""
    branch = os.environ.get("GITHUB_BASE_REF")
    if branch and not branch.startswith("-"):
        try:
            _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"origin/{branch}^{{commit}}")
        except NoSuchCommit:
            return "HEAD"
        return f"origin/{branch}"
    return "HEAD"


def edits(folder: Path, commit: str, only: Collection[Path] | None = None) -> list[Edit]:
    """The baselines below ``folder`` that differ from those of ``commit``; new files, too, that git does not ignore.

    Args:
        folder: with a folder for each machine.
        commit: as git names it.
        only: files to look at, of those; None: all of them.

    Raises:
        NoSuchCommit: there is no such commit.
    """
    if commit.startswith("-"):
        raise NoSuchCommit(f"{commit!r} is no commit")
    # In the folder, or above it where that is gone.
    here = next(one for one in (folder.absolute(), *folder.absolute().parents) if one.is_dir())
    below = os.path.relpath(folder.absolute(), here)
    changed = _git(here, "diff", "--name-only", "--relative", "--no-renames", "-z", commit, "--", below)
    added = _git(here, "ls-files", "--others", "--exclude-standard", "-z", "--", below)
    names = sorted({name for name in (changed + added).split("\0") if name.endswith(".json")})
    wanted = None if only is None else {os.path.realpath(path) for path in only}
    return [_edit(here, name, commit) for name in names if wanted is None or os.path.realpath(here / name) in wanted]


def lines(found: Sequence[Edit], commit: str) -> list[str]:
    """What a change does to baselines, in lines: how many it edits, and old -> new of each."""
    if not found:
        return [f"this change edits no baseline, compared with {commit}"]
    head = f"this change edits {counted(len(found), 'baseline')}, compared with {commit}:"
    return [printable(line) for line in (head, *(line for edit in found for line in _lines(edit)))]


def _lines(edit: Edit) -> list[str]:
    wrapped = textwrap.TextWrapper(100, initial_indent="    ", subsequent_indent="      ", break_on_hyphens=False)
    name = f"  {edit.path.parent.name}/{edit.path.name}"
    if edit.unreadable is not None:
        return [f"{name}: {edit.unreadable}"]
    old, new = (None if one is None else one.series for one in (edit.old, edit.new))
    before, after = (0 if one is None else len(one.runs) for one in (old, new))
    head = (
        f"{name}: "
        + ("new, " if edit.old is None else "")
        + ("removed" if edit.new is None else f"{before} -> {counted(after, 'run')}")
    )
    by_hand = None if edit.new is None else digests.edited(edit.new)
    if by_hand is not None:
        head += f"; EDITED after it was recorded: {by_hand}"
    figures = [line for threads in _thread_counts(old, new) for line in wrapped.wrap(_figures(old, new, threads))]
    return [head, *figures]


def _thread_counts(*series: Series | None) -> list[int]:
    return sorted({point.threads for one in series if one is not None for run in one.runs for point in run.points})


def _figures(old: Series | None, new: Series | None, threads: int) -> str:
    """Means of the accepted runs, and how much these differ, old -> new."""
    parts = []
    for quantity in rule.QUANTITIES:
        if quantity.key == "efficiency" and threads == 1:
            continue
        means = [None if one is None else rule.mean(one, threads, quantity) for one in (old, new)]
        spreads = [None if one is None else rule.spread(one, threads, quantity) for one in (old, new)]
        if means == [None, None]:
            continue
        shown = [None if one is None else words.figure(quantity.key, one) for one in means]
        what = words.change(quantity.key, *means) if None not in means else f"{shown[0] or '-'} -> {shown[1] or '-'}"  # type: ignore[arg-type]
        spread = " -> ".join("-" if one is None else f"{one:.1%}" for one in spreads)
        parts.append(f"{quantity.name} {what}, spread {spread}")
    return f"{counted(threads, 'thread')}: {'; '.join(parts)}"


def _edit(here: Path, name: str, commit: str) -> Edit:
    texts = {}
    with contextlib.suppress(NoSuchCommit):
        texts["there"] = _git(here, "show", f"{commit}:./{name}")
    with contextlib.suppress(OSError):
        texts["here"] = (here / name).read_bytes()[: schema.MOST_BYTES + 1].decode(errors="replace")
    found, unreadable = {}, None
    for which, text in texts.items():
        try:
            found[which] = schema.from_text(text)
        except schema.Unreadable as error:
            unreadable = f"the one {which} is no baseline: {error}"
    return Edit(path=here / name, old=found.get("there"), new=found.get("here"), unreadable=unreadable)


def _git(here: Path, *arguments: str) -> str:
    """What git prints in this directory."""
    try:
        done = subprocess.run(["git", *arguments], cwd=here, capture_output=True, timeout=_GIT_S)
    except (OSError, subprocess.SubprocessError) as error:
        raise NoSuchCommit(f"git cannot be asked: {error}") from None
    if done.returncode != 0:
        raise NoSuchCommit(done.stderr.decode(errors="replace").strip() or f"git {arguments[0]} failed")
    return done.stdout.decode(errors="replace")
