"""Defines the messages between a parent and a fork, and carries them as frames on a socket.

Guarantees
    * A message arrives whole or not at all: an end inside a frame, and bytes that are no frame, have their own errors.
    * ``Hello`` can be read from an end of any version; nothing else is read before the versions are compared.
    * Arrays travel as their bytes and nothing is unpickled here, so the two ends may differ in Python and NumPy.

To add a message, add a record here and name it in ``_RECORDS``. Raise ``PROTOCOL`` with every change of a message.
"""

from __future__ import annotations

import dataclasses
import json
import math
import select
import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_paddle_mt.errors import PaddleMtError
from pytest_paddle_mt.gpu import GpuLoad
from pytest_paddle_mt.records import Latencies, Noise, ServedInput, Side, Subject, ThreadWindow, Window, WindowPlan
from pytest_paddle_mt.units import printable

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

PROTOCOL = 6  #: Version of everything below ``Hello``.

_MAGIC = b"PMT\n"
#: Before each frame: the magic, the number of bytes of JSON, the number of bytes of everything else.
_HEADER = struct.Struct(">4sQQ")
#: A greater length is an accident. A window of a million queries, the most that are kept, has 8 MB.
_MOST_BYTES = 1 << 32
_LOOK_S = 0.25  #: How often a wait checks whether the other end still lives.
#: A look that ends so much too late was suspended, with the other end as well: it counts towards no deadline.
_SUSPENDED_S = 1.0
#: If the other end does not take a message for this long, it never will: it reads whenever it is idle.
_SEND_S = 60.0


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Hello:
    """The first message of a fork: its versions."""

    protocol: int
    plugin_version: str
    python: str  #: Version of Python.
    package: str  #: Where the plugin was imported from.


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Start:
    """Parent to fork: which test to run, with which options."""

    nodeid: str  #: Exact node id of the test.
    path: str  #: The file that contains it.
    arguments: tuple[str, ...]  #: Command line arguments of the fork's pytest.
    #: Values of options by their name in ``config.option``, each pickled on its own.
    options: dict[str, bytes]
    seed: int  #: Seed of whatever the engine draws at random.
    side: Side  #: Which of the two things that ``compare`` was given it measures.
    describe: bool  #: Whether to describe what exactly it serves, for which the model's files are read.


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Ready:
    """Fork to parent: it has reached ``concurrent_runner``, and this is what it serves."""

    subject: Subject
    query_s: float | None  #: How long the first query took, in seconds; None if there was none.


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Prepare:
    """Parent to fork: make everything that windows of up to ``threads`` threads need."""

    threads: int


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Prepared:
    """Fork to parent: what ``Prepare`` asked for is done."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Measure:
    """Parent to fork: measure one window."""

    threads: int
    plan: WindowPlan


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Measured:
    """Fork to parent: the window."""

    window: Window


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Failed:
    """Fork to parent: the request raised an error."""

    error: str  #: Name of its class if it is one of ours, else empty.
    text: str
    arguments: dict[str, Any]  #: Arguments of the class, if it takes more than a text.
    cause: str = ""  #: The traceback of what led to it, such as an error of a user's query; empty: nothing did.


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Stop:
    """Parent to fork: tear down and exit."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Ended:
    """Fork to parent, its last message: pytest has ended, every fixture is torn down."""

    problems: tuple[str, ...]  #: What went wrong in the test there, human-readable.
    #: Why there is nothing to measure there, though nothing broke: no such test, or it is skipped; None otherwise.
    absent: str | None


_RECORDS: dict[str, type[Any]] = {
    one.__name__: one
    for one in (
        *(Hello, Start, Ready, Prepare, Prepared, Measure, Measured, Failed, Stop, Ended),
        *(GpuLoad, Latencies, Noise, ServedInput, Subject, ThreadWindow, Window, WindowPlan),
    )
}


class Closed(PaddleMtError):
    """The other end is gone."""


class Cut(Closed):
    """The other end was gone in the middle of a message."""


class Garbled(PaddleMtError):
    """Something arrived that is no message."""


class Missed(PaddleMtError):
    """Nothing arrived in time."""


class Channel:
    """Sends and receives messages over a connected socket, from one thread.

    Args:
        connection: the socket; closed with the channel.
        alive: whether the other end still lives. Its end of the socket may outlive it, in a process that it forked.
    """

    def __init__(self, connection: socket.socket, alive: Callable[[], bool] = lambda: True) -> None:
        self._connection = connection
        self._alive = alive
        self._readable = select.poll()  # select() does not take descriptors above 1023
        self._readable.register(connection, select.POLLIN)
        self._deadline_s: float | None = None  # of the message that is awaited, on ``time.monotonic``

    def send(self, message: object) -> None:
        """Send one message.

        Raises:
            Closed: the other end is gone, or does not read.
        """
        blobs: list[bytes] = []
        head = json.dumps(_plain(message, blobs)).encode()
        lengths = json.dumps([len(blob) for blob in blobs]).encode()
        body = struct.pack(">Q", len(lengths)) + lengths + b"".join(blobs)
        try:
            self._connection.settimeout(_SEND_S)
            self._connection.sendall(_HEADER.pack(_MAGIC, len(head), len(body)) + head + body)
        except OSError as error:
            raise Closed(f"the other end takes no message ({error})") from error

    def receive(self, timeout_s: float | None = None) -> Any:
        """Wait for the next message.

        Args:
            timeout_s: how long to wait for all of it; None: as long as the other end lives.

        Raises:
            Closed: the other end is gone.
            Cut: it was gone in the middle of this message.
            Garbled: what arrived is no message of this version.
            Missed: it did not arrive in time.
        """
        head, blobs = self._frame(timeout_s)
        try:
            message = _record(json.loads(head), blobs)
            if not dataclasses.is_dataclass(message):
                raise ValueError("it should be a record")
            return message
        except Exception as error:  # NumPy's parser of types alone raises four kinds
            raise Garbled(f"{_shown(head)} is no message of protocol {PROTOCOL} ({_named(error)})") from error

    def receive_hello(self, timeout_s: float | None = None) -> Hello:
        """Wait for the first message of a fork of any version; what it lacks becomes -1 or an empty text.

        Raises:
            Closed, Cut, Garbled, Missed: as in ``receive``.
        """
        head, _ = self._frame(timeout_s)
        try:
            kind, name, fields = json.loads(head)
            if (kind, name) != ("record", Hello.__name__):
                raise ValueError("it should be a Hello")
            return Hello(
                protocol=int(fields.get("protocol", -1)),
                plugin_version=str(fields.get("plugin_version", "")),
                python=str(fields.get("python", "")),
                package=str(fields.get("package", "")),
            )
        except Exception as error:
            raise Garbled(f"{_shown(head)} is no first message ({_named(error)})") from error

    def close(self) -> None:
        """Close this end. Safe to call twice."""
        self._connection.close()

    def _frame(self, timeout_s: float | None) -> tuple[bytes, list[bytes]]:
        self._deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
        header = self._exactly(_HEADER.size, started=False)
        magic, head_bytes, body_bytes = _HEADER.unpack(header)
        if magic != _MAGIC or head_bytes + body_bytes > _MOST_BYTES:
            raise Garbled(f"{_shown(header)} is no message")
        head = self._exactly(head_bytes)
        body = self._exactly(body_bytes)
        try:
            (lengths_bytes,) = struct.unpack_from(">Q", body)
            at = 8 + lengths_bytes
            blobs = []
            for length in json.loads(body[8:at]):
                blobs.append(body[at : at + length])
                at += length
        except Exception as error:
            raise Garbled(f"{_shown(body)} is no part of a message ({_named(error)})") from error
        return head, blobs

    def _exactly(self, count: int, started: bool = True) -> bytes:
        parts = bytearray()
        while len(parts) < count:
            chunk = self._some(min(count - len(parts), 1 << 20))
            if not chunk and (started or parts):
                raise Cut(f"the other end went in the middle of a message ({len(parts)} of {count} bytes had come)")
            if not chunk:
                raise Closed("the other end is gone")
            parts += chunk
        return bytes(parts)

    def _some(self, most: int) -> bytes:
        """Up to ``most`` bytes; none when the other end is gone."""
        while True:
            left_s = _LOOK_S if self._deadline_s is None else self._deadline_s - time.monotonic()
            lived = self._alive()  # before the poll: what it sent before it died is then readable
            wait_s = max(0.0, min(left_s, _LOOK_S)) if lived else 0.0
            looked_s = time.monotonic()
            readable = self._readable.poll(math.ceil(wait_s * 1e3))
            late_s = time.monotonic() - looked_s - wait_s
            if late_s > _SUSPENDED_S and self._deadline_s is not None:
                self._deadline_s += late_s
                continue
            if readable:
                try:
                    return self._connection.recv(most)
                except OSError:
                    return b""
            if not lived:
                return b""
            if left_s <= 0:
                raise Missed("nothing arrived in time")


def _plain(value: Any, blobs: list[bytes]) -> Any:
    """``value`` as JSON; what JSON cannot express becomes a list that starts with its kind; bytes go to ``blobs``."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, bytes):
        blobs.append(value)
        return ["bytes", len(blobs) - 1]
    if isinstance(value, np.ndarray):
        blobs.append(np.ascontiguousarray(value).tobytes())
        return ["array", value.dtype.str, list(value.shape), len(blobs) - 1]
    if isinstance(value, (tuple, list)):
        return ["tuple", [_plain(one, blobs) for one in value]]
    if isinstance(value, dict):
        return ["dict", [[key, _plain(one, blobs)] for key, one in value.items()]]
    name = type(value).__name__
    if _RECORDS.get(name) is not type(value):
        raise TypeError(f"{name} is no record that can be sent")
    fields = {field.name: _plain(getattr(value, field.name), blobs) for field in dataclasses.fields(value)}
    return ["record", name, fields]


def _record(plain: Any, blobs: list[bytes]) -> Any:
    """The inverse of ``_plain``, except that a list comes back as a tuple.

    Raises:
        Exception: ``plain`` was not made by ``_plain``.
    """
    if not isinstance(plain, list):
        return plain
    kind, *rest = plain
    if kind == "bytes":
        return blobs[rest[0]]
    if kind == "array":
        dtype, shape, index = rest
        return np.frombuffer(blobs[index], dtype=dtype).reshape(shape)
    if kind == "tuple":
        return tuple(_record(one, blobs) for one in rest[0])
    if kind == "dict":
        return {key: _record(one, blobs) for key, one in rest[0]}
    if kind == "record":
        name, fields = rest
        return _RECORDS[name](**{key: _record(one, blobs) for key, one in fields.items()})
    raise ValueError(f"unknown kind {kind!r}")


def _named(error: Exception) -> str:
    """An error in one short line, without control characters."""
    return f"{type(error).__name__}: {printable(str(error))[:200]}"


def _shown(raw: bytes) -> str:
    return repr(raw if len(raw) <= 60 else raw[:60] + b"...")
