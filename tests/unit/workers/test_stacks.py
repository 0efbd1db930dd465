"""Stacks of a crash, cut to what their reader can act on."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pytest_paddle_mt.workers.stacks import shortened

SITE = "/venv/lib/python3.11/site-packages"
CRASH = f'''loading the model
Fatal Python error: Segmentation fault

Thread 0x00007ff6862fe6c0 [python3] (most recent call first):
  File "/usr/lib/python3.11/socket.py", line 294 in accept
  File "{SITE}/pytest_rerunfailures.py", line 921 in run_server
  File "/usr/lib/python3.11/threading.py", line 1002 in _bootstrap

Thread 0x00007ff69004ab80 (most recent call first):
  File "/src/pytest_paddle_mt/engines/closed_loop.py", line 74 in measure
  File "/src/pytest_paddle_mt/engines/closed_loop.py", line 51 in measure
  File "/src/pytest_paddle_mt/workers/child.py", line 93 in serve
  File "/home/me/serving/helper.py", line 4 in helper
  File "/home/me/serving/test_c.py", line 7 in test_serves
  File "{SITE}/_pytest/python.py", line 187 in pytest_pyfunc_call
  File "{SITE}/pluggy/_execution.py", line 147 in _multicall
  File "<string>", line 1 in <module>
  File "/venv/bin/pytest", line 8 in <module>

Extension modules: numpy._core._multiarray_umath (total: 1)
'''


def test_the_head_and_the_frames_of_the_user_stay():
    assert shortened(CRASH).splitlines() == [
        "loading the model",
        "Fatal Python error: Segmentation fault",
        "",
        "Thread 0x00007ff69004ab80 (most recent call first):",
        '  File "/src/pytest_paddle_mt/engines/closed_loop.py", line 74 in measure',
        '  File "/src/pytest_paddle_mt/engines/closed_loop.py", line 51 in measure',
        "  ... 1 of pytest, its plugins and Python",
        '  File "/home/me/serving/helper.py", line 4 in helper',
        '  File "/home/me/serving/test_c.py", line 7 in test_serves',
        "  ... 4 of pytest, its plugins and Python",
    ]


def test_the_thread_that_crashed_stays_whoever_it_belongs_to():
    text = CRASH.replace("Thread 0x00007ff6862fe6c0", "Current thread 0x00007ff6862fe6c0")
    assert "in accept\n" in shortened(text)
    assert "in run_server" in shortened(text)


def test_without_a_frame_of_the_user_every_thread_stays():
    text = CRASH.replace("/home/me/serving/", f"{SITE}/_pytest/")
    assert shortened(text).count("Thread 0x") == 2


@pytest.mark.parametrize("text", ["", "no stacks here\n\n  File of mine\n", "Thread 7 waits:\n  a\n"])
def test_what_is_no_stack_stays_as_it_is(text):
    assert shortened(text) == text


def test_what_is_printed_after_a_stack_stays():
    assert shortened(CRASH + "Aborted\n").endswith("\nAborted")


def test_it_reads_what_the_faulthandler_of_this_python_prints():
    program = "import faulthandler, sys\ndef inner(): faulthandler.dump_traceback(sys.stdout)\nexec('inner()')\n"
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert "  ... 1 of pytest, its plugins and Python" in shortened(printed)
