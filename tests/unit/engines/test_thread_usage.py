"""What the kernel counts of a thread."""

from __future__ import annotations

import mmap
import os

from pytest_paddle_mt.engines.thread_usage import usage_of_this_thread, used_between


def test_page_faults_and_the_cpus_of_this_thread_are_counted():
    before = usage_of_this_thread()
    with mmap.mmap(-1, 64 * mmap.PAGESIZE) as memory:
        memory[:] = bytes(len(memory))
    used = used_between(before, usage_of_this_thread())
    assert used.minor_faults >= 1
    assert 0 <= used.system_ns <= used.cpu_ns + 20_000_000  # counted by ticks on some kernels
    assert used.cpus == tuple(sorted(os.sched_getaffinity(0)))
