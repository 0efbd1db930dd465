"""Makes the command line, environment and options of a fork: the parent's, without what only one process may have.

A fork runs one test as the parent does, and reports only to the parent. So it gets every option that fixtures,
parametrisation or the test may read (of pytest, of plugins, of a user's conftest.py) and none that writes a file,
selects tests, runs them again, or runs them elsewhere. Plugins passed to ``pytest.main`` as objects stay behind.

A fork of another interpreter (a ``Place``) gets the same options, but none of this interpreter's module paths. Paths
below this rootdir become the same paths below the other one.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_paddle_mt.workers.protocol import Start

if TYPE_CHECKING:
    import pytest

    from pytest_paddle_mt.records import Side

#: Tells user code in a fork which one it is, counted from 1; not set in the parent.
FORK_VARIABLE = "PYTEST_PADDLE_MT_FORK"

#: Options by their name in ``config.option``, and the value that a fork gets instead.
_REPLACED: dict[str, Any] = {
    # The parent's alone: a fork makes no comparison.
    **dict.fromkeys(("paddle_against", "paddle_against_rootdir"), None),
    # Given by an argument instead.
    "plugins": [],
    "basetemp": None,
    # Selects tests: a fork runs the test that its parent names.
    **dict.fromkeys(("keyword", "markexpr"), ""),
    **dict.fromkeys(("deselect", "ignore", "ignore_glob", "cacheshow"), None),
    **dict.fromkeys(("pyargs", "collectonly", "lf", "failedfirst", "newfirst", "markers", "help"), False),
    **dict.fromkeys(("stepwise", "stepwise_skip", "stepwise_reset", "showfixtures", "show_fixtures_per_test"), False),
    **dict.fromkeys(("setuponly", "setupshow", "setupplan"), False),
    **dict.fromkeys(("maxfail", "version"), 0),
    # Writes a file, or clears one; without a value for log_file, a fork would write the one in the ini file.
    **dict.fromkeys(("xmlpath", "pastebin", "debug", "report_log", "htmlpath"), None),
    **dict.fromkeys(("json_report_file", "allure_report_dir", "benchmark_json", "benchmark_save"), None),
    **dict.fromkeys(("benchmark_autosave", "benchmark_histogram", "benchmark_csv"), None),
    **dict.fromkeys(("benchmark_compare", "benchmark_compare_fail"), None),
    **dict.fromkeys(("cacheclear", "json_report", "allure_report_clear"), False),
    "log_file": os.devnull,
    "cov_source": [],
    "cov_report": {},
    "no_cov": True,
    # Asks a person, who is not there.
    **dict.fromkeys(("usepdb", "trace"), False),
    # Prints for a person; the output of a fork is that of the test.
    **dict.fromkeys(("capture", "color"), "no"),
    **dict.fromkeys(("no_header", "no_summary"), True),
    "verbose": -2,
    "durations": None,
    **dict.fromkeys(("showlocals", "traceconfig", "instafail"), False),
    # Runs tests elsewhere, or again.
    **dict.fromkeys(("numprocesses", "maxprocesses"), None),
    "dist": "no",
    "tx": [],
    "px": [],
    "reruns": 0,
    **dict.fromkeys(("distload", "looponfail", "forked"), False),
    # Checked in the parent.
    **dict.fromkeys(("strict", "strict_config"), False),
}

#: How variables begin that only the parent may have: by those of coverage.py and pytest-cov they start in every Python
#: process, and by those of pytest-xdist a fork would take itself for one of its workers.
_PARENT_ONLY = ("COV_CORE_", "COVERAGE_PROCESS_", "PYTEST_XDIST_")

#: Run by the fork's interpreter. It takes over the parent's module paths first, by which it then finds this plugin.
_BOOTSTRAP = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from pytest_paddle_mt.workers.child import main; sys.exit(main(*map(int, sys.argv[2:])))"
)

#: Run by another interpreter. It imports this plugin without its working directory, which may be a checkout that is not
#: installed. If the parent has its working directory among its module paths, the fork then gets its own.
_BOOTSTRAP_ELSEWHERE = (
    "import os, sys; sys.path[:] = [one for one in sys.path if one]; "
    "from pytest_paddle_mt.workers.child import main; "
    "sys.path[:0] = [os.getcwd()] * int(sys.argv[1]); sys.exit(main(*map(int, sys.argv[2:])))"
)

#: Variables that are about this interpreter, or ask for what a fork must not do.
_NOT_ELSEWHERE = ("PYTHONHOME", "PYTHONEXECUTABLE", "PYTHONPATH", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Place:
    """Where the other side of a comparison runs."""

    #: Its interpreter, absolute. Links are not followed: the Python of a virtual environment is one.
    python: Path
    rootdir: Path  #: Its rootdir, absolute.


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Role:
    """What the forks of one side do in a comparison."""

    side: Side  #: Which of the two things that ``compare`` was given they serve.
    place: Place | None  #: Where they run; None: here.
    first: int  #: Number of the first: no two processes of a test have the same.
    against: bool  #: Whether the other side is another interpreter or checkout.


def command(descriptor: int, place: Place | None = None) -> list[str]:
    """The command line of a fork that talks over the inherited file ``descriptor``, here or at ``place``."""
    if place is not None:
        with_cwd = str(int("" in sys.path or os.getcwd() in sys.path))
        return [str(place.python), "-u", "-c", _BOOTSTRAP_ELSEWHERE, with_cwd, str(descriptor), str(os.getpid())]
    # -u: otherwise what it printed right before a crash would be lost.
    flags = ["-u", *subprocess._args_from_interpreter_flags()]  # type: ignore[attr-defined]
    return [sys.executable, *flags, "-c", _BOOTSTRAP, json.dumps(sys.path), str(descriptor), str(os.getpid())]


def environment_of(fork: int) -> dict[str, str]:
    """The environment variables of a fork."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_PARENT_ONLY)}
    kept.pop("PYTEST_CURRENT_TEST", None)
    kept[FORK_VARIABLE] = str(fork)
    return kept


def environment_elsewhere(environ: dict[str, str], rootdir: Path, place: Place) -> dict[str, str]:
    """``environ`` without what leads another interpreter to the modules of this one.

    Relative entries of ``PYTHONPATH`` stay, entries below ``rootdir`` become those below the other rootdir, and all
    others are removed. So are variables that point into this interpreter's packages: importing Paddle sets such ones.
    """
    own = tuple({sysconfig.get_path(name) + os.sep for name in ("purelib", "platlib")})
    kept = {name: value for name, value in environ.items() if name not in _NOT_ELSEWHERE and not value.startswith(own)}
    entries = [Path(entry) for entry in environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    moved = [str(there(entry, rootdir, place)) for entry in entries if not entry.is_absolute() or rootdir in _up(entry)]
    if moved:
        kept["PYTHONPATH"] = os.pathsep.join(moved)
    return kept


def there(path: Path, rootdir: Path, place: Place | None) -> Path:
    """The same path below the other rootdir; ``path`` itself if it is not below this one."""
    if place is None or rootdir not in _up(path):
        return path
    return place.rootdir / path.relative_to(rootdir)


def working_directory(config: pytest.Config, place: Place | None) -> Path:
    """Where a fork runs: where this pytest was started, or the same place below the other rootdir."""
    directory = there(config.invocation_params.dir, config.rootpath, place)
    return directory if place is None or directory.is_dir() else place.rootdir


def start(item: pytest.Item, seed: int, basetemp: Path, role: Role | None = None) -> Start:
    """The message by which a fork runs ``item``.

    Args:
        item: the test.
        seed: seed of whatever the engine draws at random.
        basetemp: directory for the fork's own temporary files.
        role: what it does in a comparison; None: there is no comparison.
    """
    place = None if role is None else role.place
    return Start(
        nodeid=item.nodeid,
        path=str(there(item.path, item.config.rootpath, place)),
        arguments=tuple(_arguments(item, basetemp, place)),
        options=_options(item.config),
        seed=seed,
        side="this" if role is None else role.side,
        describe=role is not None,
    )


def _arguments(item: pytest.Item, basetemp: Path, place: Place | None) -> list[str]:
    config = item.config
    rootdir = config.rootpath
    plugins = [part for plugin in config.option.plugins or () for part in ("-p", plugin)]
    ini = None if config.inipath is None else there(config.inipath, rootdir, place)
    if place is not None and ini is not None and not ini.is_file():
        ini = None
    confcutdir = config.known_args_namespace.confcutdir
    return [
        _collected(there(item.path, rootdir, place)),
        f"--rootdir={there(rootdir, rootdir, place)}",
        f"--config-file={ini or os.devnull}",  # without the option the fork would look for a file
        f"--confcutdir={confcutdir if confcutdir is None else there(Path(confcutdir), rootdir, place)}",
        f"--basetemp={basetemp}",
        *plugins,
    ]


def _up(path: Path) -> tuple[Path, ...]:
    return (path, *path.parents)


def _collected(path: Path) -> str:
    """What pytest collects: the file, or a directory above it, because an argument must not contain ``[``."""
    while "[" in str(path):
        path = path.parent
    return str(path)


def _options(config: pytest.Config) -> dict[str, bytes]:
    """Options by name, each pickled; objects that cannot be pickled belong to this process and are left out."""
    pickled = {}
    for name, value in vars(config.option).items():
        if name == "file_or_dir":  # an argument; argparse warns of an option with its name
            continue
        with contextlib.suppress(Exception):  # any class may refuse in its own way
            pickled[name] = pickle.dumps(_REPLACED.get(name, value), protocol=4)
    return pickled
