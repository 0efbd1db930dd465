"""Models and known work on a GPU, by torch or CuPy, with a stream for each thread or the default stream for all.

A library makes *calls*: each is a function without arguments that serves one query and returns when it is done.
"""

from __future__ import annotations

import itertools
import threading
import time
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    Call = Callable[[], object]

#: Known work keeps one thread of the GPU busy for this long: as many queries as it has room for run at once, where
#: streams let them; on one stream they take turns.
WORK_MS = 2.0


class Library(Protocol):
    """Makes calls on one GPU."""

    @property
    def card(self) -> str:
        """What the GPU and the library are, human-readable."""

    def known_work(self, own_stream: bool) -> Call:
        """A call that keeps the GPU busy for ``WORK_MS``."""

    def model(self, own_stream: bool) -> Call:
        """A call that serves a small model, copies included."""


class Torch:
    """By torch: a kernel that spins, and a small convolutional network of 224 x 224 images, batch 1."""

    def __init__(self) -> None:
        import torch

        self._torch = torch
        self.card = f"{torch.cuda.get_device_name(0)}, torch {torch.__version__}, CUDA {torch.version.cuda}"
        self._cycles = self._cycles_of(WORK_MS)
        nn = torch.nn
        widths = (3, 32, 64, 128, 128)
        layers: list[Any] = []
        for before, after in itertools.pairwise(widths):
            layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
        self._network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 1000))
        self._network = self._network.eval().cuda()

    def known_work(self, own_stream: bool) -> Call:
        """A call that keeps the GPU busy for ``WORK_MS``."""
        stream = self._stream(own_stream)

        def call() -> None:
            with self._torch.cuda.stream(stream):
                self._torch.cuda._sleep(self._cycles)
            stream.synchronize()

        return call

    def model(self, own_stream: bool) -> Call:
        """A call that serves the network: the image in, the answer out."""
        torch, stream = self._torch, self._stream(own_stream)
        image = torch.rand(1, 3, 224, 224).pin_memory()

        def call() -> object:
            with torch.inference_mode(), torch.cuda.stream(stream):
                return self._network(image.cuda(non_blocking=True)).cpu()

        return call

    def _stream(self, own: bool) -> Any:
        return self._torch.cuda.Stream() if own else self._torch.cuda.default_stream()

    def _cycles_of(self, length_ms: float) -> int:
        """How many cycles of ``_sleep`` take this long, once the clock is up."""
        cycles = 1_000_000
        for _ in range(5):
            began, ended = (self._torch.cuda.Event(enable_timing=True) for _ in range(2))
            began.record()
            self._torch.cuda._sleep(cycles)
            ended.record()
            ended.synchronize()
            cycles = max(1000, round(cycles * length_ms / began.elapsed_time(ended)))
        return cycles


class CuPy:
    """By CuPy: a kernel that spins, and four dense layers of 1024, batch 1."""

    def __init__(self) -> None:
        import cupy

        self._cupy = cupy
        name = cupy.cuda.runtime.getDeviceProperties(0)["name"].decode()
        self.card = f"{name}, CuPy {cupy.__version__}, CUDA {cupy.cuda.runtime.runtimeGetVersion()}"
        source = """
        extern "C" __global__ void spin(long long cycles) {
            long long began = clock64();
            while (clock64() - began < cycles) {}
        }"""
        self._spin = cupy.RawKernel(source, "spin")
        self._cycles = self._cycles_of(WORK_MS)
        self._weights = [cupy.random.rand(1024, 1024, dtype=cupy.float32) for _ in range(4)]

    def known_work(self, own_stream: bool) -> Call:
        """A call that keeps the GPU busy for ``WORK_MS``."""
        stream = self._stream(own_stream)

        def call() -> None:
            with stream:
                self._spin((1,), (1,), (self._cupy.int64(self._cycles),))
            stream.synchronize()

        return call

    def model(self, own_stream: bool) -> Call:
        """A call that serves the layers: the input in, the answer out."""
        cupy, stream = self._cupy, self._stream(own_stream)
        values = cupy.asnumpy(cupy.random.rand(1, 1024, dtype=cupy.float32))

        def call() -> object:
            with stream:
                answer = cupy.asarray(values)
                for weights in self._weights:
                    answer = cupy.maximum(answer @ weights, 0)
                return cupy.asnumpy(answer)  # waits for the stream that is current

        return call

    def _stream(self, own: bool) -> Any:
        return self._cupy.cuda.Stream(non_blocking=True) if own else self._cupy.cuda.Stream.null

    def _cycles_of(self, length_ms: float) -> int:
        cupy, cycles = self._cupy, 1_000_000
        for _ in range(5):
            began, ended = cupy.cuda.Event(), cupy.cuda.Event()
            began.record()
            self._spin((1,), (1,), (cupy.int64(cycles),))
            ended.record()
            ended.synchronize()
            cycles = max(1000, round(cycles * length_ms / cupy.cuda.get_elapsed_time(began, ended)))
        return cycles


class FakeGpu:
    """No GPU: a query sleeps, under a lock where the stream is shared. It shows that the benchmark itself works."""

    card = "a FAKE of a GPU: queries sleep"

    def __init__(self) -> None:
        self._default_stream = threading.Lock()

    def known_work(self, own_stream: bool) -> Call:
        """A call that sleeps for ``WORK_MS``."""
        stream = threading.Lock() if own_stream else self._default_stream

        def call() -> None:
            with stream:
                time.sleep(WORK_MS / 1000)

        return call

    def model(self, own_stream: bool) -> Call:
        """The same."""
        return self.known_work(own_stream)


#: The library that the suite measures; ``threads.py`` sets it.
chosen: list[Library] = []


def found() -> tuple[Library | None, list[str]]:
    """The first library that has a GPU, and why those before it have none."""
    why = []
    try:
        import torch
    except ImportError:
        why.append("torch is not installed")
    else:
        if torch.cuda.is_available():
            return Torch(), why
        why.append(f"torch {torch.__version__} finds no GPU")
    try:
        import cupy
    except ImportError:
        why.append("CuPy is not installed")
    else:
        try:
            if cupy.cuda.runtime.getDeviceCount():
                return CuPy(), why
            why.append("CuPy finds no GPU")
        except cupy.cuda.runtime.CUDARuntimeError as error:
            why.append(f"CuPy finds no GPU ({error})")
    return None, why
