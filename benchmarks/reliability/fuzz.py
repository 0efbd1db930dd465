"""Feeds a reader of files or messages from others with whatever atheris makes up; ends with the first that breaks it.

    python benchmarks/reliability/fuzz.py {baseline,message} [-max_total_time=SECONDS] [other options of libFuzzer]

A reader may return what it read or raise its own error, printable on one line; anything else is a fault, and libFuzzer
writes the input that caused it to a file. Needs the extra ``fuzz``.
"""

from __future__ import annotations

import dataclasses
import socket
import struct
import sys
import tempfile
from pathlib import Path
from types import FunctionType, ModuleType

import atheris

from pytest_paddle_mt.baselines import digests, schema
from pytest_paddle_mt.workers import protocol

#: Where the search starts: stored baselines, and heads of messages.
BASELINES = Path(__file__).parents[2] / "baselines"
HEADS = (
    b'["record", "Hello", {"protocol": 4, "plugin_version": "0.1.0", "python": "3.11", "package": "/x"}]',
    b'["record", "Prepared", {}]',
    b'["record", "Latencies", {"values_ns": ["array", "<i8", [2], 0], "counts": null}]',
    b'["record", "Failed", {"error": "", "text": "", "arguments": ["dict", [["thread", 1]]]}]',
)


def baseline(raw: bytes) -> None:
    """A file of a baseline."""
    try:
        found = schema.from_text(raw.decode(errors="surrogatepass"))
    except UnicodeDecodeError:
        return
    except schema.Unreadable as error:
        _on_one_line(error)
        return
    digests.edited(found)
    assert schema.to_text(schema.from_text(schema.to_text(found))) == schema.to_text(found)


def message(raw: bytes) -> None:
    """A message of a fork, and its first one; arrays are cut from the second half of ``raw``."""
    head, blob = raw[: len(raw) // 2 + 1], raw[len(raw) // 2 + 1 :]
    lengths = f"[{len(blob)}]".encode()
    body = struct.pack(">Q", len(lengths)) + lengths + blob
    for receive in (protocol.Channel.receive, protocol.Channel.receive_hello):
        one, other = socket.socketpair()
        with one, other:
            one.sendall(protocol._HEADER.pack(protocol._MAGIC, len(head), len(body)) + head + body)
            one.close()
            try:
                assert dataclasses.is_dataclass(receive(protocol.Channel(other), 10.0))
            except protocol.Garbled as error:
                _on_one_line(error)


def _instrument(module: ModuleType) -> None:
    """Let atheris see which lines of a module's functions run."""
    for function in vars(module).values():
        if isinstance(function, FunctionType) and function.__module__ == module.__name__:
            atheris.instrument_func(function)
    for kind in (one for one in vars(module).values() if isinstance(one, type) and one.__module__ == module.__name__):
        for method in (one for one in vars(kind).values() if isinstance(one, FunctionType)):
            atheris.instrument_func(method)


def _on_one_line(error: Exception) -> None:
    if not str(error).isprintable():
        raise AssertionError(f"this error would break a terminal: {str(error)!r}")


def main() -> None:
    """Fuzz the target that the first argument names."""
    targets = {"baseline": baseline, "message": message}
    if len(sys.argv) < 2 or sys.argv[1] not in targets:
        sys.exit(__doc__)
    name = sys.argv.pop(1)
    with tempfile.TemporaryDirectory() as corpus:
        known = [path.read_bytes() for path in BASELINES.rglob("*.json")]
        seeds = known if name == "baseline" else [head + b"\n" + b"12345678" * (len(head) // 8) for head in HEADS]
        for number, seed in enumerate(seeds):
            Path(corpus, str(number)).write_bytes(seed)
        # Not as they are imported: atheris cannot do that with the loader of an editable install.
        for module in (schema, digests, protocol):
            _instrument(module)
        atheris.Setup([*sys.argv, "-max_len=60000", corpus], targets[name])
        atheris.Fuzz()


if __name__ == "__main__":
    main()
