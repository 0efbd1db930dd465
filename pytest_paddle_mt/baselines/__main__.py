"""``python -m pytest_paddle_mt.baselines``: looks at files of baselines without measuring anything.

    check FILE ...          whether each is a baseline with the name that it should have, and nobody has edited it
    diff COMMIT [FOLDER]    which baselines below FOLDER differ from those of COMMIT, with old and new figures

``check`` needs neither NumPy nor pytest, so that a job that installs nothing can ask.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pytest_paddle_mt.baselines import digests, schema
from pytest_paddle_mt.baselines.file_names import file_name
from pytest_paddle_mt.machine.facts import machine_key
from pytest_paddle_mt.units import printable

_USAGE = 2  #: Exit status of a call that cannot be understood.


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


def main(arguments: list[str]) -> int:
    """Run a command; returns the exit status."""
    match arguments:
        case ["check", _, *_]:
            found = [(name, problem(Path(name))) for name in arguments[1:]]
            problems = [printable(f"{name}: {why}") for name, why in found if why is not None]
            sys.stdout.write("".join(f"{line}\n" for line in problems))
            return 1 if problems else 0
        case ["diff", commit] | ["diff", commit, _]:
            from pytest_paddle_mt.baselines import revisions

            folder = Path(
                arguments[2] if len(arguments) > 2 else os.environ.get("PYTEST_PADDLE_BASELINES", "baselines")
            )
            try:
                edits = revisions.edits(folder, commit)
            except revisions.NoSuchCommit as error:
                sys.stderr.write(f"{printable(str(error))}\n")
                return _USAGE
            sys.stdout.write("".join(f"{line}\n" for line in revisions.lines(edits, commit)))
            return 0
    sys.stderr.write(f"{__doc__}\n")
    return _USAGE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
