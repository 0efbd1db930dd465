from __future__ import annotations

import contextlib
import signal
import threading
import time
import warnings
from pathlib import Path

import pytest

from pytest_paddle_mt.predictors.pool import PredictorPool
from tests.models import Models
from tests.suite import Suite

pytest_plugins = ["pytester"]


@pytest.fixture(scope="session", autouse=True)
def _imported_for_good():
    """Import what inner runs of pytest would import first: pytester forgets that, and Paddle loads only once."""
    import numpy.fft
    import numpy.random  # noqa: F401

    from pytest_paddle_mt import addresses  # noqa: F401
    from pytest_paddle_mt.sweeps import concurrent_runner  # noqa: F401

    with warnings.catch_warnings(), contextlib.suppress(ImportError):
        warnings.simplefilter("ignore")  # of Paddle's own imports
        import paddle  # noqa: F401


@pytest.fixture(scope="session", autouse=True)
def _signals_are_heard():
    """A shell ignores Ctrl-C for what it starts in the background, nohup ignores SIGHUP, and children inherit that."""
    defaults = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL}
    before = {number: signal.getsignal(number) for number in defaults}
    for number, default in defaults.items():
        if before[number] is signal.SIG_IGN:
            signal.signal(number, default)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Real models, exported once per session by the Paddle that is installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Paddle's own imports
        pytest.importorskip("paddle")
    return Models(tmp_path_factory.mktemp("models"))


@pytest.fixture
def make_pool():
    """``make_pool(model, **arguments)``: a pool of it, closed after the test."""
    pools = []

    def make(model, **arguments):
        pools.append(PredictorPool(model.config(), **arguments))
        return pools[-1]

    yield make
    for pool in pools:
        pool.close()


@pytest.fixture
def measuring_threads():
    """``measuring_threads(number)``: asserts that so many threads of any engine exist in this process."""

    def count():
        of_python = {thread.native_id for thread in threading.enumerate() if thread.name.startswith("paddle-mt-")}
        of_kernel = {
            int(task.name) for task in Path("/proc/self/task").iterdir() if _name(task).startswith("paddle-mt-")
        }
        return len(of_python | of_kernel)

    def must_be(number):
        deadline = time.monotonic() + 10
        while count() != number and time.monotonic() < deadline:
            time.sleep(0.01)  # the kernel lists a joined thread for a moment more
        assert count() == number

    return must_be


def _name(task):
    try:
        return (task / "comm").read_text()
    except (FileNotFoundError, ProcessLookupError):  # it ended meanwhile
        return ""


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    """A user's test suite, with engines whose throughput is known; nothing of this run reaches it."""
    monkeypatch.setenv("KMP_BLOCKTIME", "0")  # as the plugin would set it, for good
    with contextlib.closing(Suite(pytester, monkeypatch)) as made:
        yield made
