"""What the kernel counts of a thread."""

from __future__ import annotations

import io
import mmap
import os

import pytest

from pytest_paddle_mt.engines import thread_usage
from pytest_paddle_mt.engines.thread_usage import usage_of_this_thread, used_between


def test_page_faults_and_the_cpus_of_this_thread_are_counted():
    before = usage_of_this_thread()
    with mmap.mmap(-1, 64 * mmap.PAGESIZE) as memory:
        memory[:] = bytes(len(memory))
    used = used_between(before, usage_of_this_thread())
    assert used.minor_faults >= 1
    assert 0 <= used.system_ns <= used.cpu_ns + 20_000_000  # counted by ticks on some kernels
    assert used.cpus == tuple(sorted(os.sched_getaffinity(0)))


@pytest.mark.parametrize("content", [None, b""])
def test_delays_that_the_kernel_does_not_report_are_unknown(monkeypatch, content):
    def schedstat(path, mode):
        if content is None:
            raise FileNotFoundError(path)
        return io.BytesIO(content)

    before = usage_of_this_thread()
    monkeypatch.setattr(thread_usage, "open", schedstat, raising=False)
    after = usage_of_this_thread()
    assert after.run_delay_ns is None
    assert used_between(before, after).run_delay_ns is None
