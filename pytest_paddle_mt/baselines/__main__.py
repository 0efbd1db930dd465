"""``python -m pytest_paddle_mt.baselines``: looks at files of baselines without measuring anything.

``check`` needs neither NumPy nor pytest, so that a job that installs nothing can ask.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pytest_paddle_mt.addresses import Address, is_address
from pytest_paddle_mt.baselines import digests, schema
from pytest_paddle_mt.baselines.file_names import file_name
from pytest_paddle_mt.machine.facts import machine_key
from pytest_paddle_mt.units import counted, printable

USAGE_ERROR = 2  #: Exit status of a call that cannot be understood.

USAGE = """\
python -m pytest_paddle_mt.baselines looks at files of baselines without measuring anything:

    check FILE ...          whether each is a baseline with the name that it should have, and nobody has edited it
    check URL               the same of everything in a remote store
    pull URL FOLDER         write what a remote store has as files below FOLDER; none is replaced
    diff COMMIT [FOLDER]    which baselines below FOLDER differ from those of COMMIT, with old and new figures

check needs neither NumPy nor pytest.
"""


def problem(path: Path) -> str | None:
    """Why a file is not to be trusted as a baseline, human-readable; None where it is."""
    try:
        if not path.is_file():
            return "it is no regular file"
        if path.stat().st_size > schema.MOST_BYTES:
            return schema.too_large(path.stat().st_size)
        found = schema.from_text(path.read_bytes().decode())
    except (OSError, UnicodeDecodeError, schema.Unreadable) as error:
        return str(error)
    folder, name = machine_key(found.machine), file_name(found.test, found.engine)
    if (path.absolute().parent.name, path.name) != (folder, name):
        return f"by its content it should be {folder}/{name}"
    edited = digests.edited(found)
    return None if edited is None else f"it was edited after it was recorded: {edited}"


def _of_store(url: str, folder: Path | None) -> int:
    """Print what is wrong with the baselines of a remote store, and write them below ``folder``, if there is one."""
    from pytest_paddle_mt.baselines import remote
    from pytest_paddle_mt.errors import PaddleMtError
    from pytest_paddle_mt.files import write_atomically

    problems = written = 0
    try:
        remote.fsspec_class(Address(url))
        kept = remote.Store(Address(url))
        for path, found in kept.everything():
            why = found if isinstance(found, str) else digests.edited(found)
            if folder is not None and not isinstance(found, str):
                file = folder / path.parent.name / file_name(found.test, found.engine)
                if file.exists():
                    why = f"{file} is there already; give another folder"
                else:
                    write_atomically(file, schema.to_text(found))
                    written += 1
            if why is not None:
                problems += 1
                sys.stdout.write(f"{printable(f'{path}: {why}')}\n")
    except (PaddleMtError, OSError) as error:
        sys.stderr.write(f"{printable(str(error))}\n")
        return USAGE_ERROR
    sys.stdout.write("".join(f"{printable(one)}\n" for one in kept.left_out))
    sys.stdout.write("" if folder is None else f"{counted(written, 'baseline')} written below {folder}\n")
    return 1 if problems or kept.left_out else 0


def main(arguments: list[str]) -> int:
    """Run a command; returns the exit status."""
    match arguments:
        case ["check", url] if is_address(url):
            return _of_store(url, None)
        case ["pull", url, folder] if is_address(url):
            return _of_store(url, Path(folder))
        case ["check", _, *_]:
            found = [(name, problem(Path(name))) for name in arguments[1:]]
            problems = [printable(f"{name}: {why}") for name, why in found if why is not None]
            sys.stdout.write("".join(f"{line}\n" for line in problems))
            return 1 if problems else 0
        case ["diff", commit] | ["diff", commit, _]:
            from pytest_paddle_mt.baselines import revisions

            below = arguments[2] if len(arguments) > 2 else os.environ.get("PYTEST_PADDLE_BASELINES", "baselines")
            if is_address(below):
                sys.stderr.write("git has no commit of a remote store; pull it into a folder that git has\n")
                return USAGE_ERROR
            try:
                edits = revisions.edits(Path(below), commit)
            except revisions.NoSuchCommit as error:
                sys.stderr.write(f"{printable(str(error))}\n")
                return USAGE_ERROR
            sys.stdout.write("".join(f"{line}\n" for line in revisions.lines(edits, commit)))
            return 0
    sys.stderr.write(USAGE)
    return USAGE_ERROR


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
