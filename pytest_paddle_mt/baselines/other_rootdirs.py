"""Finds the baseline of a test that was recorded with another rootdir: the test has another name there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_paddle_mt.baselines import store

if TYPE_CHECKING:
    from collections.abc import Iterator


def find(path: Path, test: str, engine: str, rootdir: Path) -> tuple[Path, Path] | None:
    """A rootdir with which this test has a baseline, and its file; None where none was found.

    Looked at are the folders above the test's file and those directly below them, as far as they belong to the same
    repository.

    Args:
        path: where its baseline should be, for this machine.
        test: key of the test in the store.
        engine: name of the engine.
        rootdir: the one of this session.
    """
    name, _, function = test.partition("::")
    file = Path(os.path.normpath(rootdir / name))
    machine, folder = path.parent.name, path.parent.parent
    inside = folder.is_relative_to(rootdir)
    for other in dict.fromkeys(_rootdirs(file, rootdir)):
        there = other / folder.relative_to(rootdir) if inside else folder
        key = f"{os.path.relpath(file, other).replace(os.sep, '/')}::{function}"
        found = there / machine / store.file_name(key, engine)
        if other != rootdir and os.path.lexists(found):
            return other, found
    return None


def _rootdirs(file: Path, rootdir: Path) -> Iterator[Path]:
    """Folders that may be a rootdir, the nearest first."""
    above = [*file.parents]
    top = next((number for number, one in enumerate(above) if os.path.lexists(one / ".git")), None)
    yield from above
    for one in [rootdir] if top is None else above[: top + 1]:
        try:
            with os.scandir(one) as entries:
                names = sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
        except OSError:
            continue
        yield from (one / name for name in names)
