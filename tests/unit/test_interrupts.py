from __future__ import annotations

import signal
import threading

import pytest

from pytest_paddle_mt.interrupts import held_back


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
