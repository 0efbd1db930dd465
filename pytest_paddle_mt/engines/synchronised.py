"""Finds a query that returns before its answer is there: it hands work to a GPU, and does not wait for it.

Some queries in a row are followed by the synchronisation of the device, by whatever library the test has imported. A
query that waits for its answer leaves nothing to wait for. What an idle device takes for a synchronisation is taken
out. One try in which nothing was left is enough, so that a busy machine is not mistaken for a busy device.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from pytest_paddle_mt.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

_QUERIES = 5  #: In a row.
_TRIES = 3
#: More than this share of a query's time left to wait for, after the last one, is work of that query or an earlier one.
_MOST_LEFT = 0.5


def refuse_unfinished(
    query: Callable[[], object], device: str, clock: Callable[[], int] = time.perf_counter_ns
) -> None:
    """Refuse a query that does not wait for its answer; does nothing where no library is there that could tell.

    Args:
        query: serves one query.
        device: ``cpu``, or ``gpu:`` and a number.
        clock: in ns.

    Raises:
        UsageError: in each of several tries, the device still worked when the queries had returned.
    """
    __tracebackhide__ = True
    known = synchronisations(device)
    if not known:
        return
    for _ in range(_TRIES):
        left_ns, query_ns = _left(query, list(known.values()), clock)
        if left_ns <= _MOST_LEFT * query_ns:
            return
    raise UsageError(
        f"the query does not wait for its answer: {_QUERIES} of them returned after {query_ns / 1e6:.3g} ms each, and "
        f"then the device worked for another {left_ns / 1e6:.3g} ms ({', '.join(known)}); end the query with what "
        "fetches its answer, such as output.cpu(), cupy.asnumpy(output) or handle.copy_to_cpu()"
    )


def synchronisations(device: str) -> dict[str, Callable[[], object]]:
    """How libraries that this process has imported wait for the device, by what they call it; none on a CPU."""
    number = int(device.partition(":")[2] or 0) if device != "cpu" else None
    found: dict[str, Callable[[], object]] = {}
    torch, cupy, paddle = (_imported(name) for name in ("torch", "cupy", "paddle"))
    if torch is not None and torch.cuda.is_initialized():  # then the test uses a GPU, whatever the option says
        found["torch.cuda.synchronize"] = lambda: torch.cuda.synchronize(number)
    if cupy is not None and number is not None:
        found["cupy.cuda.Device.synchronize"] = lambda: cupy.cuda.Device(number).synchronize()
    if paddle is not None and number is not None and paddle.is_compiled_with_cuda():
        found["paddle.device.synchronize"] = lambda: paddle.device.synchronize(device)
    return found


def _imported(name: str) -> Any:
    return sys.modules.get(name)


def _left(
    query: Callable[[], object], waits: list[Callable[[], object]], clock: Callable[[], int]
) -> tuple[float, float]:
    """How long the device works after some queries, and how long one of them takes, in ns."""

    def wait_ns() -> int:
        began_ns = clock()
        for wait in waits:
            wait()
        return clock() - began_ns

    wait_ns()
    idle_ns = wait_ns()
    began_ns = clock()
    for _ in range(_QUERIES):
        query()
    query_ns = (clock() - began_ns) / _QUERIES
    return wait_ns() - idle_ns, query_ns
