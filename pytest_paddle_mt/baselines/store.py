"""Reads and writes the files of the folder of baselines, and names them.

Guarantees
    * A file exists whole or not at all, and is on the disk before a change returns.
    * Processes that accept runs at the same time wait for each other, and each changes what the last one wrote.
    * A file that cannot be read is never overwritten. No file is ever deleted.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_paddle_mt.baselines import schema
from pytest_paddle_mt.baselines.file_names import file_name as file_name
from pytest_paddle_mt.baselines.file_names import stem as stem
from pytest_paddle_mt.errors import BaselineError
from pytest_paddle_mt.files import make_directory, no_file, write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_paddle_mt.baselines import Baseline

MACHINE = re.compile("[a-z0-9-]+")  #: The name of a folder for one machine: ``facts.machine_key``.


def load(path: Path, test: str, engine: str) -> Baseline | None:
    """The baseline of ``test`` and ``engine`` in a file; None when there is no such file.

    Raises:
        BaselineError: the file cannot be read, or contains something else.
    """
    obstacle = no_file(path)
    if obstacle is not None:
        raise BaselineError(f"{path} should be the baseline of {test!r} and is {obstacle}; move it out of the way")
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > schema.MOST_BYTES:
                raise schema.Unreadable(schema.too_large(size))
            baseline = schema.from_text(file.read().decode())
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():
            raise BaselineError(
                f"{path} is a symbolic link to {os.readlink(path)}, which does not exist; restore that file, or remove "
                "the link and record a new baseline with --paddle-baseline-update"
            ) from None
        return None
    except OSError as error:
        raise BaselineError(f"{path} cannot be read: {error.strerror or error}; check its permissions") from error
    except UnicodeDecodeError as error:
        raise BaselineError(f"{path} is no baseline: {error}; {schema.RESTORE}") from None
    except schema.Unreadable as error:
        raise BaselineError(f"{path} is no baseline: {error}") from None
    if (baseline.test, baseline.engine) != (test, engine):
        raise BaselineError(
            f"{path} contains the baseline of {baseline.test!r} with the {baseline.engine} engine, but by its name it "
            f"should be that of {test!r} with the {engine} engine; was it renamed or copied? Put it back, or delete it "
            "and record a new one with --paddle-baseline-update"
        )
    return baseline


def change(
    path: Path, test: str, engine: str, changed: Callable[[Baseline | None], Baseline]
) -> tuple[Baseline | None, Baseline]:
    """Replaces the baseline in a file by ``changed`` of it, under a lock that keeps other processes out.

    Returns:
        The baseline that was there, and the one that was written.

    Raises:
        BaselineError: the file is no such baseline, or cannot be written, or could not be read again; it is unchanged.
    """
    try:
        folder = Path(os.path.realpath(path)).parent  # of the file that a link leads to: it is what is replaced
        make_directory(folder)
        with _locked(folder):
            before = load(path, test, engine)
            after = changed(before)
            write_atomically(path, readable_text(after, path))
    except OSError as error:
        raise BaselineError(
            f"{path} could not be written: {error.strerror or error}; its previous content is unchanged. Check "
            "free space and permissions there, or give another folder with --paddle-baselines"
        ) from error
    return before, after


def readable_text(baseline: Baseline, path: object) -> str:
    """The text of a file that ``load`` accepts.

    Raises:
        BaselineError: there is none: a name or a figure cannot be stored.
    """
    try:
        text = schema.to_text(baseline)
        schema.from_text(text)
    except (ValueError, schema.Unreadable) as error:
        raise BaselineError(f"{path} was not written, as it could not be read again: {error}") from None
    return text


def elsewhere(directory: Path, machine: str, name: str) -> list[Path]:
    """The files of this name that belong to machines other than ``machine``."""
    return sorted(
        found / name for found in _directories(directory) if found.name != machine and os.path.lexists(found / name)
    )


def names(directory: Path) -> list[str]:
    """The names of the baselines of one machine."""
    with contextlib.suppress(OSError):
        return sorted(name for name in os.listdir(directory) if name.endswith(".json") and not name.startswith("."))
    return []


def _directories(directory: Path) -> list[Path]:
    with contextlib.suppress(OSError), os.scandir(directory) as entries:
        return [directory / entry.name for entry in entries if MACHINE.fullmatch(entry.name) and entry.is_dir()]
    return []


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Locks a directory against other threads and processes; the kernel unlocks it when the process ends."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
