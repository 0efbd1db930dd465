"""What a fork is started with: the parent's options without what only one process may have.

A fork runs one test as the parent does, and reports to nobody but the parent. So it gets every option that fixtures,
parametrisation or the test may read (of pytest, of plugins, of a user's conftest.py) and none that writes a file,
selects tests, runs them again, or runs them elsewhere. Plugins passed to ``pytest.main`` as objects stay behind.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from pytest_paddle_mt.workers.protocol import Start

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

#: Tells user code in a fork which one it is, counted from 1; not set in the parent.
FORK_VARIABLE = "PYTEST_PADDLE_MT_FORK"

#: Options by their name in ``config.option``, and what a fork has in their place.
_REPLACED: dict[str, Any] = {
    # Said by an argument instead.
    "plugins": [],
    "basetemp": None,
    # Selects tests: a fork runs the one that it is told.
    "keyword": "",
    "markexpr": "",
    "deselect": None,
    "ignore": None,
    "ignore_glob": None,
    "pyargs": False,
    "collectonly": False,
    "lf": False,
    "failedfirst": False,
    "newfirst": False,
    "stepwise": False,
    "stepwise_skip": False,
    "stepwise_reset": False,
    "maxfail": 0,
    "markers": False,
    "version": 0,
    "help": False,
    "showfixtures": False,
    "show_fixtures_per_test": False,
    "cacheshow": None,
    "setuponly": False,
    "setupshow": False,
    "setupplan": False,
    # Writes a file, or clears one.
    "xmlpath": None,
    "pastebin": None,
    "debug": None,
    "cacheclear": False,
    "log_file": os.devnull,  # None would mean the one in the ini file
    "report_log": None,
    "htmlpath": None,
    "json_report": False,
    "json_report_file": None,
    "allure_report_dir": None,
    "allure_report_clear": False,
    "benchmark_json": None,
    "benchmark_save": None,
    "benchmark_autosave": None,
    "benchmark_histogram": None,
    "benchmark_csv": None,
    "benchmark_compare": None,
    "benchmark_compare_fail": None,
    "cov_source": [],
    "cov_report": {},
    "no_cov": True,
    # Asks a person, who is not there.
    "usepdb": False,
    "trace": False,
    # Prints for a person; the output of a fork is that of the test.
    "capture": "no",
    "verbose": -2,
    "no_header": True,
    "no_summary": True,
    "color": "no",
    "durations": None,
    "showlocals": False,
    "traceconfig": False,
    "instafail": False,
    # Runs tests elsewhere, or again.
    "numprocesses": None,
    "maxprocesses": None,
    "dist": "no",
    "distload": False,
    "tx": [],
    "px": [],
    "looponfail": False,
    "forked": False,
    "reruns": 0,
    # Checked in the parent.
    "strict": False,
    "strict_config": False,
}

#: Variables by which coverage.py and pytest-cov start in every Python process; a measurement would be of them.
_COVERAGE_VARIABLES = ("COV_CORE_", "COVERAGE_PROCESS_")

#: Run by the fork's interpreter: its modules must be the parent's before ours can be found among them.
_BOOTSTRAP = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from pytest_paddle_mt.workers.child import main; sys.exit(main(*map(int, sys.argv[2:])))"
)


def command(descriptor: int) -> list[str]:
    """The command line of a fork that talks over the inherited file ``descriptor``."""
    # -u: what it printed before it crashed is in its log.
    flags = ["-u", *subprocess._args_from_interpreter_flags()]  # type: ignore[attr-defined]
    return [sys.executable, *flags, "-c", _BOOTSTRAP, json.dumps(sys.path), str(descriptor), str(os.getpid())]


def environment_of(fork: int) -> dict[str, str]:
    """The environment variables of a fork."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_COVERAGE_VARIABLES)}
    kept.pop("PYTEST_CURRENT_TEST", None)
    kept[FORK_VARIABLE] = str(fork)
    return kept


def start(item: pytest.Item, seed: int, basetemp: Path) -> Start:
    """What a fork is told to run ``item``.

    Args:
        item: the test.
        seed: seed of whatever the engine draws at random.
        basetemp: directory for the fork's own temporary files.
    """
    return Start(
        nodeid=item.nodeid,
        path=str(item.path),
        arguments=tuple(_arguments(item, basetemp)),
        options=_options(item.config),
        seed=seed,
    )


def _arguments(item: pytest.Item, basetemp: Path) -> list[str]:
    config = item.config
    plugins = [part for plugin in config.option.plugins or () for part in ("-p", plugin)]
    return [
        _collected(item.path),
        f"--rootdir={config.rootpath}",
        f"--config-file={config.inipath or os.devnull}",  # none: else the fork would look for one
        f"--confcutdir={config.known_args_namespace.confcutdir}",
        f"--basetemp={basetemp}",
        *plugins,
    ]


def _collected(path: Path) -> str:
    """What pytest is told to collect: the file, or, as it takes no ``[`` in an argument, a directory above it."""
    while "[" in str(path):
        path = path.parent
    return str(path)


def _options(config: pytest.Config) -> dict[str, bytes]:
    """Options by name, each pickled; what cannot be pickled is an object of this process and stays behind."""
    pickled = {}
    for name, value in vars(config.option).items():
        if name == "file_or_dir":  # an argument; argparse warns of an option with its name
            continue
        with contextlib.suppress(Exception):  # any class may refuse in its own way
            pickled[name] = pickle.dumps(_REPLACED.get(name, value), protocol=4)
    return pickled
