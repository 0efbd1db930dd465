"""Keeps baselines in any store that fsspec reaches: S3, SFTP, a share. The counterpart of ``store``.

Each accepted run is an object of its own, ``URL/MACHINE/TEST-ENGINE/SERIES/RUN.json``, and is itself a file of schema 1
with that one run. What is read is the latest series, its runs put together.

Guarantees
    * No object is ever overwritten or deleted, and none has the name of another one. So jobs that record at the same
      time lose no run, and no store needs a lock or a conditional write for that.
    * An object counts once it is as long as its name says, so one that is half written is never read.
    * Jobs that begin a series at the same time begin the same one: its name is the next number, and a digest of what
      must be the same for runs to be compared.
    * A store that fails, or does not answer within ``DEADLINE_S``, is not asked again in this session.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import queue
import re
import threading
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from pytest_paddle_mt.addresses import Address, without_secrets
from pytest_paddle_mt.baselines import ANCHOR_RUNS, WINDOW_RUNS, Baseline, Run, Series, anchor, digests, schema, store
from pytest_paddle_mt.baselines.file_names import file_name
from pytest_paddle_mt.errors import BaselineError, UsageError
from pytest_paddle_mt.machine.facts import machine_key
from pytest_paddle_mt.units import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

DEADLINE_S = 30.0  #: A store that takes longer for one request is taken for one that cannot be reached.

#: Bytes that the object of one run may have. A run of ten thread counts and sixteen forks has 30 kB.
MOST_BYTES = 1_000_000

_SERIES = re.compile("([0-9]{4,9})-[0-9a-f]{8}")  #: Its number, and a digest of machine and setting.
_RUN = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{16}-([0-9]{1,7})\.json")  #: When, which, and its length.

_LONGEST = 300  #: So many characters of what a library says about a failure are printed.
_RESTORE = "delete it, or put back what was there; the other runs are not affected"


class StoreFailed(BaselineError):
    """The store of baselines cannot be used in this session."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Found:
    """The latest series of a test."""

    folder: str
    number: int
    baseline: Baseline


def fsspec_class(address: Address) -> Any:
    """The class of fsspec that reaches an address.

    Raises:
        UsageError: it is not installed, there is none, or it would talk to a host that it does not know.
    """
    try:
        import fsspec
    except ImportError:
        raise UsageError(f"{address} needs fsspec; pip install 'pytest-paddle-mt[remote]'") from None
    protocol = address.url.partition("://")[0].strip()
    try:
        found = fsspec.get_filesystem_class(protocol)
    except (ImportError, ValueError) as error:
        if protocol not in ("sftp", "ssh"):
            raise UsageError(f"{address} cannot be reached: {error}; see docs/remote-baselines.md") from None
        found = None
    if protocol in ("sftp", "ssh") and (found is None or not found.__module__.startswith("sshfs")):
        raise UsageError(f"{address} needs sshfs, which checks the key of the host; pip install sshfs")
    return found


class Store:
    """The baselines below one address. Its methods are those of the module ``store``."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._opened: tuple[Any, str] | None = None
        self._known: dict[Address, Baseline | None] = {}
        self._listed: dict[tuple[str, ...], dict[str, int]] = {}
        self._failure: str | None = None
        #: What was left out of what was read, human-readable.
        self.left_out: dict[str, None] = {}

    def file_name(self, test: str, engine: str) -> str:
        """The name of the folder of a test and an engine."""
        return file_name(test, engine).removesuffix(".json")

    def load(self, path: Address, test: str, engine: str) -> Baseline | None:
        """The baseline in a folder; None when there is none. It is read once a session.

        Raises:
            StoreFailed: the store cannot be used.
            BaselineError: an object in it cannot be read, or is something else.
        """
        if path not in self._known:
            found = self._latest(path)
            self._known[path] = None if found is None else found.baseline
        return self._known[path]

    def change(
        self, path: Address, test: str, engine: str, changed: Callable[[Baseline | None], Baseline]
    ) -> tuple[Baseline | None, Baseline]:
        """Adds the run that ``changed`` adds to what is stored now.

        Returns:
            The baseline that was there, and the same with the run.

        Raises:
            StoreFailed: the store cannot be used.
            BaselineError: what is there cannot be read, or what is new could not be read again; nothing was added.
        """
        found = self._latest(path)
        before = None if found is None else found.baseline
        after = changed(before)
        if after is before:
            return before, after
        text = store.readable_text(_alone(after, after.series.runs[-1]), path)
        of_series = f"{1 if found is None else found.number + 1:04d}-{_digest(schema.from_text(text))}"
        if found is not None and len(after.series.runs) > 1:  # the run belongs to the series that is there
            of_series = found.folder
        data = text.encode()
        if len(data) > MOST_BYTES:
            raise BaselineError(
                f"{path} was not written: the run has {len(data)} bytes, and at most {MOST_BYTES} are read again; give "
                "fewer thread counts"
            )
        date = re.sub("[:-]", "", after.series.runs[-1].date)
        self._add(path / of_series / f"{date}-{uuid.uuid4().hex[:16]}-{len(data)}.json", data)
        self._known.pop(path, None)
        return before, after

    def elsewhere(self, directory: Address, machine: str, name: str) -> list[Address]:
        """The folders of this name that belong to machines other than ``machine``."""
        with contextlib.suppress(StoreFailed):
            machines = [one for one in sorted(self._list(directory)) if store.MACHINE.fullmatch(one) and one != machine]
            return [directory / one / name for one in machines if name in self._list(directory / one)]
        return []

    def names(self, directory: Address) -> list[str]:
        """The names of the folders of one machine."""
        with contextlib.suppress(StoreFailed):
            return sorted(self._list(directory))
        return []

    def everything(self) -> Iterator[tuple[Address, Baseline | str]]:
        """Every folder of a test, with its baseline, or why that cannot be read, human-readable.

        Raises:
            StoreFailed: the store cannot be used.
        """
        for machine in filter(store.MACHINE.fullmatch, sorted(self._list(self._address))):
            for name in sorted(self._list(self._address / machine)):
                path = self._address / machine / name
                try:
                    found = self._latest(path)
                except StoreFailed:
                    raise
                except BaselineError as error:
                    yield path, str(error)
                else:
                    if found is not None:
                        yield path, found.baseline

    def _latest(self, path: Address) -> _Found | None:
        numbers = {name: int(match[1]) for name in self._list(path, anew=True) if (match := _SERIES.fullmatch(name))}
        for number in sorted(set(numbers.values()), reverse=True):
            runs = {name: self._runs(path / name) for name, own in numbers.items() if own == number}
            # Of two that began at the same time with different settings, the one that has the newest run.
            folder = max(runs, key=lambda name: (max(runs[name], default=""), name))
            if runs[folder]:
                baseline = self._together(path / folder, runs[folder])
                return _Found(folder=folder, number=number, baseline=baseline)
        return None

    def _runs(self, folder: Address) -> dict[str, int]:
        """The whole runs in the folder of a series, the oldest first, and their sizes."""
        found = {}
        for name, size in sorted(self._list(folder, anew=True).items()):
            match = _RUN.fullmatch(name)
            if match is None:
                continue
            if size == int(match[1]) <= MOST_BYTES:
                found[name] = size
            else:
                self.left_out[f"{folder / name} has {size} bytes and not {match[1]}, or too many"] = None
        return found

    def _together(self, folder: Address, sizes: Mapping[str, int]) -> Baseline:
        """The baseline made of the runs of a series: of those that its anchor is the mean of, and of the latest."""
        names = [
            name for number, name in enumerate(sizes) if number < ANCHOR_RUNS or number >= len(sizes) - WINDOW_RUNS
        ]
        paths = [folder / name for name in names]

        def read(files: Any, root: str) -> list[bytes]:
            below = [_below(root, path) for path in paths]
            found = files.cat_ranges(below, [0] * len(below), [sizes[name] for name in names])
            for one in found:
                if isinstance(one, BaseException):  # it returns what failed
                    raise one
            return list(found)

        contents = self._ask(read)
        each = [_one_run(path, data) for path, data in zip(paths, contents, strict=True)]
        runs = tuple(one.series.runs[0] for one in each)
        of_series = anchor.of_runs(runs)
        if of_series.runs == ANCHOR_RUNS:
            of_series = anchor.completed(of_series, runs)
        series = Series(setting=each[-1].series.setting, anchor=of_series, runs=runs[-WINDOW_RUNS:])
        found = dataclasses.replace(each[-1], series=series)
        if any(digests.edited(one) for one in each):
            return found  # without a digest of its own, an edited series is seen as such
        return dataclasses.replace(found, series=dataclasses.replace(series, digest=digests.of_series(found)))

    def _add(self, path: Address, data: bytes) -> None:
        def add(files: Any, root: str) -> None:
            try:
                files.pipe_file(_below(root, path), data)
            except FileNotFoundError:  # there are folders, and this one has to be made
                for depth in range("/" not in root, len(path.names)):  # a root without a slash is a bucket
                    with contextlib.suppress(FileExistsError):
                        files.mkdir(
                            _below(root, dataclasses.replace(path, names=path.names[:depth])), create_parents=False
                        )
                files.pipe_file(_below(root, path), data)

        self._ask(add)

    def _list(self, folder: Address, *, anew: bool = False) -> dict[str, int]:
        """What a folder contains, by name, with sizes in bytes; empty where it is not there."""

        def ls(files: Any, root: str) -> list[dict[str, Any]]:
            files.invalidate_cache()
            with contextlib.suppress(FileNotFoundError):
                return list(files.ls(_below(root, folder), detail=True))
            return []

        if anew or folder.names not in self._listed:
            entries = self._ask(ls)
            self._listed[folder.names] = {
                entry["name"].rstrip("/").rpartition("/")[2]: int(entry.get("size") or 0) for entry in entries
            }
        return self._listed[folder.names]

    def _ask(self, act: Callable[[Any, str], Any]) -> Any:
        """What ``act`` returns, asked on a thread that is left behind where the store does not answer.

        Raises:
            StoreFailed: it failed, now or before.
        """
        if self._failure is None:
            answers: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()

            def answer() -> None:
                try:
                    if self._opened is None:
                        self._opened = _open(self._address)
                    answers.put((act(*self._opened), None))
                except BaseException as error:
                    answers.put((None, error))

            threading.Thread(target=answer, name="baselines", daemon=True).start()
            try:
                value, error = answers.get(timeout=DEADLINE_S)
            except queue.Empty:
                value, error = None, TimeoutError(f"no answer within {DEADLINE_S:g} s")
            if error is None:
                return value
            self._failure = (
                f"the store of baselines {self._address} cannot be used: {self._reason(error)}. In this session no "
                "more is read from it or recorded there. Check the URL, the network and the credentials, and run again"
            )
        raise StoreFailed(self._failure)

    def _reason(self, error: BaseException) -> str:
        """What a library says about a failure, on one line and without secrets."""
        said = " ".join(str(error).split()).replace(self._address.url, str(self._address))
        found = re.search(r"://[^/\s@:]*:(\S*)@", self._address.url)
        for secret in {found[1], unquote(found[1])} if found and found[1] else ():
            said = said.replace(secret, "***")
        return printable(without_secrets(f"{type(error).__name__}: {said}")[:_LONGEST].rstrip(".: "))


def _open(address: Address) -> tuple[Any, str]:
    """What fsspec reaches the address with, and the address as that names it."""
    import fsspec
    from fsspec.config import conf

    protocol = address.url.partition("://")[0].strip()
    options: dict[str, Any] = {"skip_instance_cache": True}
    if protocol in ("sftp", "ssh"):  # sshfs trusts any host unless told otherwise, and does not read fsspec's settings
        options |= {"known_hosts": (), **conf.get(protocol, {})}  # (): the file in ~/.ssh
    files, root = fsspec.core.url_to_fs(address.url.strip(), **options)
    return files, str(root)


def _below(root: str, path: Address) -> str:
    return "/".join((root.rstrip("/"), *path.names))


def _digest(baseline: Baseline) -> str:
    """Of what must be the same for runs to be compared, so that runs of two settings never share a folder."""
    same = [dict(baseline.machine), dict(baseline.series.setting)]
    return hashlib.sha256(json.dumps(same, sort_keys=True).encode()).hexdigest()[:8]


def _alone(baseline: Baseline, run: Run) -> Baseline:
    """The baseline that has this run only."""
    series = Series(setting=baseline.series.setting, anchor=anchor.of_runs((run,)), runs=(run,))
    return digests.sealed(dataclasses.replace(baseline, series=series, before=None))


def _one_run(path: Address, data: bytes) -> Baseline:
    """The baseline of one run in an object.

    Raises:
        BaselineError: it is something else.
    """
    try:
        found = schema.from_text(data.decode())
    except (UnicodeDecodeError, schema.Unreadable) as error:
        raise BaselineError(f"{path} is no baseline: {str(error).replace(schema.RESTORE, _RESTORE)}") from None
    problem = _problem(found, path.parent)
    if problem is not None:
        raise BaselineError(f"{path} {problem}; {_RESTORE}")
    return found


def _problem(found: Baseline, folder: Address) -> str | None:
    """Why a baseline is not one of these runs, human-readable; None where it is."""
    if machine_key(found.machine) != folder.parent.parent.name:
        return "was measured on another machine than its folder is for; was it copied there?"
    if file_name(found.test, found.engine) != f"{folder.parent.name}.json":
        return f"contains the baseline of {found.test!r} with the {found.engine} engine; was it copied there?"
    if not folder.name.endswith(f"-{_digest(found)}"):
        return "was measured on another machine or with another setting than its folder is for; was it copied there?"
    if len(found.series.runs) != 1 or found.series.runs[0].digest is None:
        return f"has {len(found.series.runs)} runs or no digest, not one run with its digest"
    return None
