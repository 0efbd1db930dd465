"""A query that does not wait for its answer is found. No GPU: library, device and clock are fakes."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from pytest_paddle_mt.engines.synchronised import refuse_unfinished, synchronisations
from pytest_paddle_mt.errors import UsageError


class FakeDevice:
    """Works off what was handed to it, one after the other, while a clock goes that only it and its users move."""

    def __init__(self, idle_ns=20_000):
        self.now_ns = 0
        self.idle_ns = idle_ns  #: What waiting for nothing takes.
        self.done_ns = 0  #: When all that was handed over is done.
        self.delays_ns: list[int] = []  #: Taken by other work of the machine, one in each wait.

    def hand_over(self, launch_ns, work_ns):
        self.now_ns += launch_ns
        self.done_ns = max(self.done_ns, self.now_ns) + work_ns
        return self.done_ns

    def wait(self, until_ns=None):
        delay_ns = self.delays_ns.pop(0) if self.delays_ns else 0
        self.now_ns = max(self.now_ns, self.done_ns if until_ns is None else until_ns) + self.idle_ns + delay_ns

    def clock(self):
        return self.now_ns


@pytest.fixture
def device(monkeypatch):
    """A fake device, and a fake torch that waits for it."""
    made = FakeDevice()
    cuda = SimpleNamespace(is_initialized=lambda: True, synchronize=lambda number: made.wait())
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    for name in ("cupy", "paddle"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return made


def waiting(device, launch_ns=30_000, work_ns=1_000_000):
    def query():
        device.hand_over(launch_ns, work_ns)
        device.wait()

    return query


def test_a_query_that_waits_for_its_answer_is_served(device):
    refuse_unfinished(waiting(device), "gpu:0", device.clock)
    refuse_unfinished(waiting(device, launch_ns=5_000, work_ns=5_000), "gpu:0", device.clock)


def test_a_query_that_hands_its_work_over_and_returns_is_refused(device):
    with pytest.raises(UsageError) as caught:
        refuse_unfinished(lambda: device.hand_over(30_000, 1_000_000), "gpu:0", device.clock)
    assert str(caught.value) == (
        "the query does not wait for its answer: 5 of them returned after 0.03 ms each, and then the device worked for "
        "another 4.88 ms (torch.cuda.synchronize); end the query with what fetches its answer, such as output.cpu(), "
        "cupy.asnumpy(output) or handle.copy_to_cpu()"
    )


def test_a_query_that_waits_for_the_one_before_it_is_refused(device):
    handed = [0]

    def query():
        before = handed[0]
        handed[0] = device.hand_over(30_000, 1_000_000)
        device.wait(before)

    with pytest.raises(UsageError):
        refuse_unfinished(query, "gpu:0", device.clock)


def test_a_wait_that_other_work_made_longer_refuses_nobody(device):
    query = waiting(device)
    device.delays_ns = [0, 0, *[0] * 5, 50_000_000]  # the wait after the queries of the first try
    refuse_unfinished(query, "gpu:0", device.clock)
    assert device.delays_ns == []


def test_only_libraries_that_are_imported_and_use_a_gpu_are_asked(monkeypatch, device):
    asked = []
    cupy = SimpleNamespace(
        cuda=SimpleNamespace(Device=lambda n: SimpleNamespace(synchronize=lambda: asked.append(("cupy", n))))
    )
    cuda_build = SimpleNamespace(
        is_compiled_with_cuda=lambda: True,
        device=SimpleNamespace(synchronize=lambda where: asked.append(("paddle", where))),
    )
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setitem(sys.modules, "paddle", cuda_build)
    assert list(synchronisations("cpu")) == ["torch.cuda.synchronize"]
    found = synchronisations("gpu:1")
    for wait in found.values():
        wait()
    assert asked == [("cupy", 1), ("paddle", "gpu:1")]
    assert len(found) == 3


def test_without_such_a_library_nothing_is_asked_and_nothing_served(monkeypatch):
    for name in ("torch", "cupy", "paddle"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    refuse_unfinished(lambda: pytest.fail("served"), "gpu:0")
