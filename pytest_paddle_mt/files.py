"""Writes files so that an interruption or a power cut leaves the old file or the new one, never a part."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path

#: What may stand in the place of a file, by its type.
_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}

#: Names that lead to what this process has open. Replacing such a file would lose what is still written to it.
_STREAMS = ("/proc/", "/dev/fd/", "/dev/std")

_NAMED = 50  #: So many characters of a file's name are in that of its temporary file, which must fit, too.


def no_file(path: Path) -> str | None:
    """What stands at ``path`` instead of a regular file, links followed; None where a file is or could be made."""
    if os.path.abspath(path).startswith(_STREAMS):
        return "a stream of a process"
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        return "a symbolic link that leads to itself" if error.errno == errno.ELOOP else None
    return None if stat.S_ISREG(mode) else _KINDS.get(stat.S_IFMT(mode), "no regular file")


def write_atomically(path: Path, text: str) -> None:
    """Replace the file ``path`` by one with this text, once all of the text is on the disk.

    A symbolic link stays, and the file that it leads to is replaced or made.

    Raises:
        OSError: it cannot be written, or is something else than a regular file; what was there is unchanged.
    """
    obstacle = no_file(path)
    if obstacle is not None:
        raise OSError(errno.EINVAL, f"it is {obstacle}, not a regular file", str(path))
    path = Path(os.path.realpath(path))
    make_directory(path.parent)
    temporary = path.with_name(f".{path.name[:_NAMED]}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    _sync_directory(path.parent)


def make_directory(directory: Path) -> None:
    """Make a directory and its parents, so that each of them survives a power cut.

    Raises:
        OSError: one of them cannot be made, or something else has its name.
    """
    if directory.is_dir():
        return
    make_directory(directory.parent)
    try:
        directory.mkdir(exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, f"{directory} is not a directory") from None
    _sync_directory(directory.parent)


def _sync_directory(directory: Path) -> None:
    """Let new names in this directory survive a power cut, if the file system supports that."""
    with contextlib.suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
