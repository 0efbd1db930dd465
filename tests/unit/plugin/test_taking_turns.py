"""Who may use the machine, when one process wants it alone."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading

import pytest

from pytest_paddle_mt.plugin.taking_turns import Machine
from tests.suite import until


@pytest.fixture
def path(tmp_path):
    return tmp_path / "machine"


def taken(path):
    """Whether somebody holds this file so that nobody else can have it."""
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def test_several_use_it_side_by_side(path):
    Machine(path).use()
    Machine(path).use()
    assert not taken(path)


def test_one_waits_for_it_alone_and_is_not_overtaken(path):
    first, alone, later = Machine(path), Machine(path), Machine(path)
    order = []
    first.use()
    waits = threading.Thread(target=lambda: (alone.use_alone(), order.append("alone")))
    waits.start()
    until(lambda: taken(path.with_name("machine-door")))
    comes_later = threading.Thread(target=lambda: (later.use(), order.append("later")))
    comes_later.start()
    assert order == []
    first.leave()
    waits.join()
    assert order == ["alone"]
    assert taken(path)
    alone.leave()
    comes_later.join()
    assert order == ["alone", "later"]


def test_who_uses_it_can_ask_for_it_alone(path):
    machine = Machine(path)
    machine.use()
    machine.use_alone()
    machine.use_alone()
    assert taken(path)
    machine.leave()
    machine.leave()
    assert not taken(path)


def test_a_process_that_dies_gives_it_up(path):
    program = (
        "import pathlib, sys, time; from pytest_paddle_mt.plugin.taking_turns import Machine; "
        "machine = Machine(pathlib.Path(sys.argv[1])); machine.use_alone(); time.sleep(600)"
    )
    holder = subprocess.Popen([sys.executable, "-c", program, str(path)])
    until(lambda: path.exists() and taken(path))
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    Machine(path).use_alone()
