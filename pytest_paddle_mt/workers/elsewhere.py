"""The other side of a comparison, before anything is started there: is it there, and can it measure?"""

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

#: How long an interpreter may take to say what it is: 20 ms on an idle machine.
ASK_S = 60.0

#: Asked of the other interpreter, as ``launch`` starts it: without the working directory among its modules. Written for
#: any Python 3.
_QUESTION = (
    "import sys, json; sys.path[:] = [one for one in sys.path if one]; from importlib.util import find_spec as found; "
    "print(json.dumps({'python': sys.version.split()[0], "
    "'plugin': found('pytest_paddle_mt') is not None, 'paddle': found('paddle') is not None}))"
)

_PLUGIN_HERE = "install pytest-paddle-mt there as it is installed here"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Interpreter:
    """What another interpreter says of itself."""

    #: Version of Python.
    python: str
    has_paddle: bool


def place(python: Path | None, rootdir: Path | None, here: Path, sources: dict[str, str]) -> Place | None:
    """The other side that was asked for; None when none was.

    Args:
        python: as given, absolute; None: not given.
        rootdir: as given, absolute; None: the same as here.
        here: rootdir of this pytest.
        sources: how the user wrote each of them, by the keys of ``Settings.sources``.

    Raises:
        UsageError: one of them is not there, or only the directory was given.
    """
    if python is None:
        if rootdir is None:
            return None
        raise UsageError(
            f"{sources['against_rootdir']} says where the other side is, and not which Python runs it; add "
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
    """Whether this is the same interpreter and the same rootdir as here, so that a comparison is one with itself.

    The same interpreter stands in the same directory: ``python`` and ``python3`` of one virtual environment are one,
    those of two are links to one file and have other packages.
    """
    one, other = str(there.python), sys.executable
    same_python = os.path.samefile(one, other) and os.path.samefile(os.path.dirname(one), os.path.dirname(other))
    return same_python and os.path.samefile(there.rootdir, here)


def ask(there: Place, here: Path) -> Interpreter:
    """What the other interpreter is.

    Raises:
        UsageError: it is no Python, or has no plugin.
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
        raise UsageError(f"{python} did not say what it is within {ASK_S:g} s; is it a Python interpreter?") from None
    except OSError as error:
        raise UsageError(f"{python} cannot be run ({error}); name a Python interpreter") from error
    printed = (done.stdout + done.stderr).decode(errors="replace").strip()
    try:
        said = json.loads(done.stdout)
        version, has_plugin, has_paddle = str(said["python"]), bool(said["plugin"]), bool(said["paddle"])
    except (ValueError, TypeError, KeyError):
        told = f"it printed {printed[-200:]!r}" if printed else f"it exited with status {done.returncode}"
        raise UsageError(
            f"{python} is no Python 3 interpreter: asked what it is, {told}; name one for --paddle-against"
        ) from None
    if not has_plugin:
        raise UsageError(
            f"{python} (Python {version}) has no pytest-paddle-mt, which must measure there, too; {_PLUGIN_HERE}: "
            f"{python} -m pip install ..."
        )
    return Interpreter(python=version, has_paddle=has_paddle)


def absence(item: pytest.Item, there: Place) -> str | None:
    """Why the test has nothing to run there, for people, as far as can be seen from here; None when nothing is seen.

    Raises:
        UsageError: its file does not stand below the rootdir, so nobody can say where it stands there.
    """
    here = item.config.rootpath
    same_root = os.path.samefile(there.rootdir, here)
    if here not in item.path.parents and not same_root:
        raise UsageError(
            f"{item.path} does not stand below the rootdir {here}, so there is no telling where it stands below "
            f"{there.rootdir}; start pytest with a --rootdir above the test"
        )
    path = launch.there(item.path, here, there)
    return None if path.exists() else f"the other side has no file {path}"
