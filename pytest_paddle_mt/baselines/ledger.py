"""Keeps a session's baselines: which were looked up, which runs were offered and accepted, and why others were not.

Nothing is written before the session ends, nor without an update having been asked for.
"""

from __future__ import annotations

import datetime
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_paddle_mt.addresses import Address
from pytest_paddle_mt.baselines import (
    Baseline,
    Figures,
    Run,
    Series,
    Stored,
    anchor,
    digests,
    figures,
    other_rootdirs,
    remote,
    report,
    revisions,
    rule,
    store,
)
from pytest_paddle_mt.baselines.commit import commit_of
from pytest_paddle_mt.baselines.words import differences
from pytest_paddle_mt.errors import BaselineError
from pytest_paddle_mt.machine.facts import machine_facts, machine_key
from pytest_paddle_mt.machine.versions import measured_versions
from pytest_paddle_mt.units import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pytest_paddle_mt.baselines import Fact
    from pytest_paddle_mt.records import Limits, Measured, Subject, Sweep, Verdict
    from pytest_paddle_mt.settings import Settings

_NAMED = 3  #: At most so many other machines are named in a message.

_ACCEPTABLE = frozenset({"pass", "calibrating"})  #: Statuses of a verdict under which a run may be accepted.


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Offer:
    """A sweep whose run may be accepted when the session has ended."""

    nodeid: str
    test: str  #: The key of the test in the store: its node id without the engine.
    engine: str
    path: Path | Address
    machine: Mapping[str, Fact]
    setting: Mapping[str, Fact]
    limits: Limits
    points: tuple[Figures, ...]
    refusal: str | None  #: Why it cannot be accepted even if its test passes; None where it can.


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Accepted:
    """A run that was accepted, with the baseline before and after."""

    offer: Offer
    before: Baseline | None
    after: Baseline


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Part:
    """What a ledger knows of one test, on its way to the ledger of another process."""

    nodeid: str
    looked_up: Stored | None
    offer: Offer | None
    refused: tuple[str, ...]  #: Why it has nothing to accept, human-readable.
    kept: bool
    errors: tuple[str, ...]  #: Why a store could not be used, human-readable.
    left_out: tuple[str, ...]  #: What was left out of what was read, human-readable.


class Ledger:
    """The baselines of one session."""

    def __init__(self, settings: Settings, rootdir: Path) -> None:
        self._settings = settings
        self._rootdir = rootdir
        folder = settings.baselines
        self._store: Any = remote.Store(folder) if isinstance(folder, Address) else store
        self._looked_up: dict[str, Stored] = {}
        self._machine = functools.cache(machine_facts)
        self._offers: dict[str, Offer] = {}
        self._accepted: list[Accepted] = []
        self._refused: list[tuple[str, str]] = []
        self._kept: list[str] = []
        self._errors: list[str] = []
        self._left_out: dict[str, None] = {}  # of other ledgers
        #: Why nothing is accepted in this session, human-readable; None where runs may be.
        self._closed: str | None = None

    @property
    def updates(self) -> bool:
        """Whether runs are to be accepted."""
        return self._settings.baseline_update != "none"

    def look_up(self, nodeid: str, test: str, subject: Subject, thread_counts: Sequence[int], *, gate: bool) -> Stored:
        """What is stored for a test that is about to be measured.

        Raises:
            BaselineError: its file cannot be read, or there is none and one is required.
        """
        update = self._settings.baseline_update
        machine = self._machine(subject.device)
        key = machine_key(machine)
        path = self._settings.baselines / key / self._store.file_name(test, subject.engine)
        baseline = objection = edited = None
        try:
            baseline = self._store.load(path, test, subject.engine)
        except remote.StoreFailed as error:  # the other checks need no store
            self._failed(error)
            objection = f"the store of baselines {self._settings.baselines} cannot be used; the summary has the reason"
        if baseline is not None:
            objection = _objection(baseline, machine, setting_of(subject))
            edited = digests.edited(baseline)
        elif update == "none" and objection is None:
            objection = self._of_another_rootdir(path, test, subject.engine) or self._of_other_machines(
                path, test, subject.engine, machine
            )
        accepting = gate and (update == "all" or (update == "new" and baseline is None and objection is None))
        stored = Stored(baseline=baseline, path=path, objection=objection, accepting=accepting, edited=edited)
        if gate and self._settings.baseline_required and not accepting:
            _require(stored, test, key, thread_counts)
        if gate:
            self._looked_up[nodeid] = stored
        return stored

    def measured(self, sweep: Sweep, measured: Measured, test: str, stored: Stored | None, *, complete: bool) -> None:
        """Offers the run of a finished sweep, where an update was asked for.

        ``stored`` is what ``look_up`` returned for ``test``, None in a smoke run; ``complete`` is whether the rounds
        reached the first look.
        """
        if not self.updates or (stored is not None and sweep.gate and not stored.accepting):
            if self.updates and stored is not None and stored.baseline is not None:
                self._kept.append(sweep.nodeid)
            return
        if stored is None:
            self._refused.append((sweep.nodeid, f"a smoke run measures nothing ({sweep.smoke_reason})"))
            return
        self._offers[sweep.nodeid] = Offer(
            nodeid=sweep.nodeid,
            test=test,
            engine=sweep.subject.engine,
            path=stored.path,
            machine=self._machine(sweep.subject.device),
            setting=setting_of(sweep.subject),
            limits=sweep.limits,
            points=figures.of_sweep(sweep.points, measured.rounds, measured.cpu),
            refusal=_refusal(sweep.verdicts, gate=sweep.gate, complete=complete),
        )

    def refuse(self, nodeid: str, reason: str) -> None:
        """Records why this test has nothing to accept, where an update was asked for."""
        if self.updates:
            self._refused.append((nodeid, reason))

    def again(self, nodeid: str) -> None:
        """A test begins, perhaps again: discards what an earlier attempt of it offered."""
        self._offers.pop(nodeid, None)
        self._refused = [one for one in self._refused if one[0] != nodeid]
        self._kept = [one for one in self._kept if one != nodeid]

    def take(self, nodeid: str) -> Part | None:
        """What is known of a test, which this ledger then forgets; None if it knows nothing."""
        part = Part(
            nodeid=nodeid,
            looked_up=self._looked_up.pop(nodeid, None),
            offer=self._offers.get(nodeid),
            refused=tuple(reason for refused, reason in self._refused if refused == nodeid),
            kept=nodeid in self._kept,
            errors=tuple(self._errors),
            left_out=tuple(self._store_left_out()),
        )
        self.again(nodeid)
        self._errors.clear()
        self._store_left_out().clear()
        known = (part.looked_up, part.offer, part.refused, part.kept, part.errors, part.left_out)
        return part if any(known) else None

    def add(self, part: Part) -> None:
        """Know what another ledger knew of a test."""
        if part.looked_up is not None:
            self._looked_up[part.nodeid] = part.looked_up
        if part.offer is not None:
            self._offers[part.nodeid] = part.offer
        self._refused += [(part.nodeid, reason) for reason in part.refused]
        self._kept += [part.nodeid] if part.kept else []
        self._errors += [error for error in part.errors if error not in self._errors]
        self._left_out |= dict.fromkeys(part.left_out)

    def accept_offers(self, reason: str | None, failure_of: Callable[[str], str | None]) -> bool:
        """Accepts every offered run that may be accepted; returns whether every file could be written.

        Both reasons are human-readable: ``reason``, why no run may be accepted, and what ``failure_of`` returns for a
        node id, why that test did not pass. They are None where runs may be accepted, and where the test passed.
        """
        self._closed = reason
        offers, self._offers = self._offers, {}
        date = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        commit = commit_of(self._rootdir) if offers and reason is None else None
        for offer in offers.values():
            refusal = reason or offer.refusal or failure_of(offer.nodeid)
            if refusal is not None:
                self._refused.append((offer.nodeid, refusal))
                continue
            try:
                self._accept(offer, Run(date=date, commit=commit, versions=measured_versions(), points=offer.points))
            except BaselineError as error:
                self._failed(error)
        return not self._errors

    def _store_left_out(self) -> dict[str, None]:
        left_out: dict[str, None] = getattr(self._store, "left_out", {})  # files have nothing that they leave out
        return left_out

    def _failed(self, error: BaselineError) -> None:
        if str(error) not in self._errors:  # a store that fails does so for every test
            self._errors.append(str(error))

    def unused(self, tests: Sequence[str]) -> list[str]:
        """The names of baselines of this session's machines that belong to none of ``tests``."""
        stems = {store.stem(test) for test in tests}
        machines = {stored.path.parent for stored in self._looked_up.values()}
        return [
            f"{directory.name}/{name}"
            for directory in sorted(machines)
            for name in self._store.names(directory)
            if not any(name.startswith(f"{stem}-") for stem in stems)
        ]

    def summary_lines(self) -> list[str]:
        """What the session did with baselines, in lines for the terminal."""
        looked_up = self._looked_up.values()
        without = [one for one in looked_up if not (one.baseline or one.objection or one.accepting)]
        lines = []
        if without:
            lines.append(
                f"paddle-mt: no stored baseline for {counted(len(without), 'sweep')}, so drift was not judged; "
                "--paddle-baseline-update records one"
            )
        lines += self._edited()
        lines += [line for one in self._accepted for line in (*report.accepted_lines(one), *self._doubled(one))]
        if self._kept:
            lines.append(f"paddle-mt: {counted(len(self._kept), 'baseline')} kept: --paddle-baseline-update-new-only")
        if self.updates and self._closed is not None:
            lines.append(f"paddle-mt: no baseline was updated: {self._closed}")
        else:
            lines += [f"paddle-mt: baseline not updated: {nodeid}: {reason}" for nodeid, reason in self._refused]
            if self.updates and not (self._accepted or self._refused or self._kept or self._errors):
                lines.append("paddle-mt: no baseline was updated: no test measured anything")
        left_out = self._left_out | self._store_left_out()
        lines += [f"paddle-mt: left out of the baselines: {one}" for one in left_out]
        lines += [f"paddle-mt: ERROR: {error}" for error in self._errors]
        return lines

    def _edited(self) -> list[str]:
        """Which of the baselines that were looked up this change edits, in lines; those written just now left out."""
        written = {one.offer.path for one in self._accepted}
        read = [
            one.path
            for one in self._looked_up.values()
            if one.baseline is not None and one.path not in written and not isinstance(one.path, Address)
        ]
        folder = self._settings.baselines
        if not read or isinstance(folder, Address):  # git has none at an address
            return []
        try:
            commit = revisions.base_of(folder)
            edits = [one for one in revisions.edits(folder, commit, read) if one.old or one.unreadable]
        except revisions.NoSuchCommit:  # most often there is no repository
            return []
        return [f"paddle-mt: {revisions.lines(edits, commit)[0]}", *revisions.lines(edits, commit)[1:]] if edits else []

    def _of_another_rootdir(self, path: Path | Address, test: str, engine: str) -> str | None:
        """Why a baseline that was recorded with another rootdir is not used, human-readable; None without one."""
        found = None if isinstance(path, Address) else other_rootdirs.find(path, test, engine, self._rootdir)
        if found is None:
            return None
        rootdir, other = found
        return (
            f"no baseline for {test!r}, whose path begins at the rootdir {self._rootdir}; with another one it has a "
            f"baseline, {other}: give --rootdir={rootdir}, or record one here with --paddle-baseline-update"
        )

    def _of_other_machines(
        self, path: Path | Address, test: str, engine: str, machine: Mapping[str, Fact]
    ) -> str | None:
        """Why baselines of other machines cannot be used, human-readable; None where there are none."""
        others = self._store.elsewhere(self._settings.baselines, path.parent.name, path.name)
        if not others:
            return None
        named = []
        for other in others[:_NAMED]:
            try:
                baseline = self._store.load(other, test, engine)
            except BaselineError:  # sessions on that machine report it
                baseline = None
            differing = "; ".join(differences(baseline.machine, machine)) if baseline else ""
            named.append(f"{other.parent.name}{f' ({differing})' if differing else ''}")
        if len(others) > _NAMED:
            named.append(f"{len(others) - _NAMED} more")
        return (
            f"no baseline for {test!r} on this machine, {path.parent.name}; there is one for {', '.join(named)}. "
            "Figures of another machine cannot be compared; record them here with --paddle-baseline-update"
        )

    def _doubled(self, one: Accepted) -> list[str]:
        """A line where the test's first run was accepted although it has a baseline with another rootdir."""
        offer = one.offer
        found = None
        if one.before is None and not isinstance(offer.path, Address):
            found = other_rootdirs.find(offer.path, offer.test, offer.engine, self._rootdir)
        return [] if found is None else [f"  it has another one with --rootdir={found[0]}, {found[1]}"]

    def _accept(self, offer: Offer, run: Run) -> None:
        series = Series(setting=offer.setting, anchor=anchor.of_runs((run,)), runs=(run,))
        new = Baseline(test=offer.test, engine=offer.engine, machine=offer.machine, series=series, before=None)

        def changed(current: Baseline | None) -> Baseline:
            if current is not None and self._settings.baseline_update == "new":  # another process was faster
                return current
            return digests.sealed(rule.accepted(current, new, offer.limits))

        before, after = self._store.change(offer.path, offer.test, offer.engine, changed)
        if after is before:
            self._kept.append(offer.nodeid)
        else:
            self._accepted.append(Accepted(offer=offer, before=before, after=after))


def setting_of(subject: Subject) -> dict[str, Fact]:
    """The facts, by name, that must be the same for two runs of a test to be compared."""
    stated_only = {
        "math_libraries": "math libraries",
        "pinned_to": "pinned to",
        "streams": "streams",
        "xdist": "xdist",
    }
    return {
        "device": subject.device,
        "batch_size": subject.batch_size,
        "pool": subject.pool,
        "math_threads": subject.math_threads,
        "onednn": subject.facts.get("oneDNN"),
        "idle_math_threads": subject.facts.get("idle math threads"),
        **{name: subject.facts[fact] for name, fact in stated_only.items() if fact in subject.facts},
    }


def _objection(baseline: Baseline, machine: Mapping[str, Fact], setting: Mapping[str, Fact]) -> str | None:
    of_machine = differences(baseline.machine, machine)
    of_setting = differences(baseline.series.setting, setting)
    if not of_machine and not of_setting:
        return None
    what = "machine" if of_machine else "setting"
    return (
        f"the baseline of {baseline.test!r} was recorded with another {what}: {'; '.join(of_machine + of_setting)}; "
        "measure as it was recorded, or record it anew with --paddle-baseline-update"
    )


def _require(stored: Stored, test: str, key: str, thread_counts: Sequence[int]) -> None:
    if stored.baseline is None:
        raise BaselineError(
            stored.objection
            or f"no baseline for {test!r} on machine {key!r} and --paddle-baseline-required; record one with "
            "--paddle-baseline-update"
        )
    series = stored.baseline.series
    unknown = [threads for threads in thread_counts if not rule.runs_with(series, threads)]
    if unknown:
        raise BaselineError(
            f"the baseline of {test!r} has no figures for {', '.join(map(str, unknown))} threads and "
            "--paddle-baseline-required; record it with --paddle-baseline-update, or measure less with "
            "--paddle-threads"
        )


def _refusal(verdicts: Sequence[Verdict], *, gate: bool, complete: bool) -> str | None:
    """Why the run of a sweep cannot be accepted even if its test passes; None where it can."""
    if not gate:
        return "gate=False: nothing has checked it"
    if not complete:
        return "the budget ended it before its first look; give a larger --paddle-budget"
    bad = [verdict for verdict in verdicts if verdict.status not in _ACCEPTABLE]
    return f"{bad[0].check}: {bad[0].status}" if bad else None
