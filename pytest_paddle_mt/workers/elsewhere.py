"""Checks the other side of a comparison before anything is measured: does it exist, and can it measure?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_paddle_mt.errors import UsageError
from pytest_paddle_mt.workers import launch
from pytest_paddle_mt.workers.launch import Place

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

ASK_S = 60.0  #: How long an interpreter may take to report what it is: 20 ms on an idle machine.

#: Run by the other interpreter, which may be any Python 3. As in ``launch``, the working directory is no module path.
_QUESTION = (
    "import sys, json; sys.path[:] = [one for one in sys.path if one]; from importlib.util import find_spec as found; "
    "print(json.dumps({'python': sys.version.split()[0], "
    "'plugin': found('pytest_paddle_mt') is not None, 'paddle': found('paddle') is not None}))"
)

_PLUGIN_HERE = "install pytest-paddle-mt there as it is installed here"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Interpreter:
    """What another interpreter reports about itself."""

    python: str  #: Version of Python.
    has_paddle: bool


def place(python: Path | None, rootdir: Path | None, here: Path, sources: dict[str, str]) -> Place | None:
    """The place of the other side; None when no other side was asked for.

    Args:
        python: as given, absolute; None: not given.
        rootdir: as given, absolute; None: the same as here.
        here: rootdir of this pytest.
        sources: how the user wrote each of them, by the keys of ``Settings.sources``.

    Raises:
        UsageError: one of them does not exist, or only the directory was given.
    """
    if python is None:
        if rootdir is None:
            return None
        raise UsageError(
            f"{sources['against_rootdir']} names the other side's directory, but not the Python that runs it; add "
            f"--paddle-against={sys.executable} for this one"
        )
    asked = sources["against"]
    if python.is_dir():
        inside = python / "bin" / "python"
        step = f"write {inside}" if inside.exists() else "name the interpreter itself"
        raise UsageError(f"{asked}: {python} is a directory; {step}")
    if not python.exists():
        broken = " any more: it is a link that leads nowhere" if python.is_symlink() else ""
        raise UsageError(f"{asked}: there is no {python}{broken}; name a Python interpreter that exists")
    if not os.access(python, os.X_OK):
        raise UsageError(f"{asked}: {python} is not executable; name a Python interpreter")
    if rootdir is not None and not rootdir.is_dir():
        raise UsageError(f"{sources['against_rootdir']}: there is no directory {rootdir}; name an existing checkout")
    return Place(python=python, rootdir=here if rootdir is None else rootdir)


def is_here(there: Place, here: Path) -> bool:
    """Whether this is the interpreter and the rootdir of this process, so that a comparison is one with itself.

    ``python`` and ``python3`` in one directory are the same interpreter. Those of two virtual environments are not,
    even if they are links to the same file: they have other packages.
    """
    one, other = str(there.python), sys.executable
    same_python = os.path.samefile(one, other) and os.path.samefile(os.path.dirname(one), os.path.dirname(other))
    return same_python and os.path.samefile(there.rootdir, here)


def ask(there: Place, here: Path) -> Interpreter:
    """Ask the other interpreter what it is.

    Raises:
        UsageError: it is no Python, or does not have this plugin.
    """
    python = there.python
    environ = launch.environment_elsewhere(dict(os.environ), here, there)
    try:
        done = subprocess.run(
            [str(python), "-c", _QUESTION],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            cwd=there.rootdir,
            env=environ,
            timeout=ASK_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UsageError(f"{python} did not answer within {ASK_S:g} s; is it a Python interpreter?") from None
    except OSError as error:
        raise UsageError(f"{python} cannot be run ({error}); name a Python interpreter") from error
    printed = (done.stdout + done.stderr).decode(errors="replace").strip()
    try:
        answer = json.loads(done.stdout)
        version, has_plugin, has_paddle = str(answer["python"]), bool(answer["plugin"]), bool(answer["paddle"])
    except (ValueError, TypeError, KeyError):
        reaction = f"it printed {printed[-200:]!r}" if printed else f"it exited with status {done.returncode}"
        raise UsageError(
            f"{python} is no Python 3 interpreter: asked what it is, {reaction}; name one for --paddle-against"
        ) from None
    if not has_plugin:
        raise UsageError(
            f"{python} (Python {version}) has no pytest-paddle-mt, which must measure there, too; {_PLUGIN_HERE}: "
            f"{python} -m pip install ..."
        )
    return Interpreter(python=version, has_paddle=has_paddle)


def absence(item: pytest.Item, there: Place) -> str | None:
    """Why the test cannot run there, as far as can be seen from here, human-readable; None if nothing is in its way.

    Raises:
        UsageError: its file is not below the rootdir, so its place on the other side is unknown.
    """
    here = item.config.rootpath
    same_root = os.path.samefile(there.rootdir, here)
    if here not in item.path.parents and not same_root:
        raise UsageError(
            f"{item.path} is not below the rootdir {here}, so its place below {there.rootdir} is unknown; "
            "start pytest with a --rootdir above the test"
        )
    path = launch.there(item.path, here, there)
    return None if path.exists() else f"the other side has no file {path}"
