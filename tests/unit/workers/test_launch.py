"""What the interpreter of another side is started with."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pytest_paddle_mt.workers import launch
from pytest_paddle_mt.workers.launch import Place

THIS = Path(sys.executable)


def environment(environ, rootdir=Path("/repo")):
    return launch.environment_elsewhere(environ, rootdir, Place(python=THIS, rootdir=Path("/other")))


def test_nothing_that_is_about_this_interpreter_reaches_the_other():
    own = Path(launch.sysconfig.get_path("purelib")) / "paddle/libs"
    found = environment(
        {"PYTHONHOME": "/x", "VIRTUAL_ENV": "/x", "PYTHONEXECUTABLE": "/x", "CUSTOM_DEVICE_ROOT": str(own), "KEPT": "1"}
    )
    assert found == {"KEPT": "1"}


def test_of_the_python_path_only_what_belongs_to_the_checkout_reaches_the_other_and_points_into_its_own():
    entries = ["src", "/repo/src", "/elsewhere/site-packages", "", "/repo"]
    assert environment({"PYTHONPATH": os.pathsep.join(entries)}) == {"PYTHONPATH": "src:/other/src:/other"}
    assert environment({"PYTHONPATH": "/elsewhere"}) == {}


def test_the_command_line_of_the_other_interpreter_has_no_module_path_of_this_one():
    line = launch.command(7, Place(python=Path("/other/python"), rootdir=Path("/other")))
    assert line[0] == "/other/python"
    assert not [entry for entry in sys.path if len(entry) > 1 and any(entry in argument for argument in line)]


def test_paths_below_this_rootdir_become_those_below_the_other():
    there = Place(python=THIS, rootdir=Path("/other"))
    assert launch.there(Path("/repo/tests/a.py"), Path("/repo"), there) == Path("/other/tests/a.py")
    assert launch.there(Path("/repository/a.py"), Path("/repo"), there) == Path("/repository/a.py")
    assert launch.there(Path("/repo/a.py"), Path("/repo"), None) == Path("/repo/a.py")
