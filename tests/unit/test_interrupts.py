from __future__ import annotations

import os
import signal
import threading

import pytest

from pytest_paddle_mt.interrupts import before_a_signal_ends, held_back


def test_ctrl_c_takes_effect_at_the_end_of_what_must_not_stay_half_done():
    done = []
    with pytest.raises(KeyboardInterrupt), held_back():  # noqa: PT012  # the rest of the block is what is tested
        signal.raise_signal(signal.SIGINT)
        done.append("rest")
    assert done == ["rest"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_is_dropped_where_another_one_ends_the_session():
    with held_back(dropped=True):
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_ctrl_c_is_not_held_back():
    done = []
    with pytest.raises(KeyboardInterrupt), held_back(dropped=True):  # noqa: PT012  # as above
        signal.raise_signal(signal.SIGINT)
        done.append("between")
        signal.raise_signal(signal.SIGINT)
        done.append("after")
    assert done == ["between"]


def test_another_thread_holds_nothing_back():
    held = []

    def hold():
        with held_back():
            held.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=hold)
    thread.start()
    thread.join()
    assert held == [signal.default_int_handler]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_what_must_not_stay_is_put_away_before_a_signal_ends_the_process(tmp_path, number):
    process = os.fork()
    if process == 0:
        try:
            for name in ("first", "second", "third"):
                take_back = before_a_signal_ends((tmp_path / name).touch)
            take_back()
            before_a_signal_ends(lambda: 1 / 0)
            os.kill(os.getpid(), number)
        finally:
            os._exit(1)
    _, status = os.waitpid(process, 0)
    assert os.WTERMSIG(status) == number
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first", "second"]


def test_what_was_put_away_leaves_the_signals_as_they_were():
    before_a_signal_ends(lambda: None)()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("handler", [signal.SIG_IGN, lambda number, frame: None], ids=["ignored", "handled"])
@pytest.mark.fault("processes", "another plugin handles SIGTERM or SIGHUP", "its handler stays")
def test_a_signal_that_somebody_handles_is_left_to_them(number, handler):
    before = signal.signal(number, handler)
    try:
        take_back = before_a_signal_ends(lambda: None)
        assert signal.getsignal(number) is handler
        take_back()
        assert signal.getsignal(number) is handler
    finally:
        signal.signal(number, before)
