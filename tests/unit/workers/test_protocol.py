"""Messages on a socket: whole, or an error of their own."""

from __future__ import annotations

import dataclasses
import json
import socket
import struct
import threading
from decimal import Decimal
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_paddle_mt.gpu import GpuLoad
from pytest_paddle_mt.records import Latencies, Noise, ThreadWindow, Window, WindowPlan
from pytest_paddle_mt.workers import protocol
from pytest_paddle_mt.workers.protocol import (
    Channel,
    Closed,
    Cut,
    Ended,
    Failed,
    Garbled,
    Hello,
    Measure,
    Measured,
    Missed,
    Prepared,
    Start,
)

HELLO = Hello(protocol=1, plugin_version="0.1.0", python="3.11.7", package="/site")


@pytest.fixture
def ends():
    """Two connected sockets."""
    one, other = socket.socketpair()
    with one, other:
        yield one, other


def window(latencies: Latencies) -> Window:
    thread = ThreadWindow(
        open_ns=35,
        completed=3.5,
        inside_ns=900,
        queries=3,
        first_completion_ns=10,
        last_completion_ns=30,
        busy_ns=29,
        latencies=latencies,
        wall_ns=40,
        cpu_ns=39,
        voluntary_switches=1,
        involuntary_switches=2,
        run_delay_ns=None,
    )
    noise = Noise(steal_ns=None, process_cpu_ns=7, wall_ns=41)
    gpu = GpuLoad(readings=2, utilisation=0.5, clock_events=("power_cap", "hw_thermal"))
    return Window(threads=2, opened_ns=5, open_ns=35, per_thread=(thread, thread), noise=noise, gpu=gpu)


def same(one: object, other: object) -> bool:
    """Equal in every field; records themselves compare by identity."""
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and one.dtype == other.dtype and np.array_equal(one, other)
    if dataclasses.is_dataclass(one):
        names = [field.name for field in dataclasses.fields(one)]
        return type(one) is type(other) and all(same(getattr(one, name), getattr(other, name)) for name in names)
    if isinstance(one, tuple):
        return isinstance(other, tuple) and len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


MESSAGES = [
    HELLO,
    Prepared(),
    Start(
        nodeid="a::t[x::[y]-é\n]",
        path="/a b",
        arguments=("-p", "x"),
        options={"a": b"\0\xff", "b": b""},
        seed=7,
        side="other",
        describe=True,
    ),
    Measure(
        threads=4,
        plan=WindowPlan(window_s=0.5, min_queries=20, warmup_s=0.1, warmup_queries=3, expected_queries=6, cpus=(0, 5)),
    ),
    Measured(window=window(Latencies(values_ns=np.array([8, 9, 12]), counts=None))),
    Measured(window=window(Latencies(values_ns=np.array([8, 9]), counts=np.array([1, 2])))),
    Measured(window=window(Latencies(values_ns=np.arange(500_000), counts=None))),
    Failed(error="QueryFailed", text="no", arguments={"thread": 1, "message": "m"}),
    Ended(problems=("one\ntwo", ""), absent=None),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_arrives_as_it_was_sent(ends, message):
    one, other = ends
    sender = threading.Thread(target=Channel(one).send, args=(message,))  # a socket does not hold the large ones
    sender.start()
    received = Channel(other).receive(60)
    sender.join()
    assert same(received, message)


def test_messages_arrive_one_by_one(ends):
    channel = Channel(ends[0])
    for problem in ("a", "b"):
        channel.send(Ended(problems=(problem,), absent=None))
    received = Channel(ends[1])
    assert [received.receive(60).problems, received.receive(60).problems] == [("a",), ("b",)]


def test_what_is_no_record_of_the_protocol_cannot_be_sent(ends):
    with pytest.raises(TypeError, match="Decimal is no record"):
        Channel(ends[0]).send(Failed(error="", text="", arguments={"a": Decimal(1)}))


def sent(message: object) -> bytes:
    one, other = socket.socketpair()
    with one, other:
        Channel(one).send(message)
        return other.recv(1 << 16)


@pytest.mark.parametrize("kept", [1, 10, 19, 20, 21, 60, -1])
def test_an_end_inside_a_message_has_its_own_error(ends, kept):
    ends[0].sendall(sent(Ended(problems=("something",), absent=None))[:kept])
    ends[0].close()
    with pytest.raises(Cut, match="in the middle of a message"):
        Channel(ends[1]).receive(60)


def test_an_end_between_messages_means_that_the_other_end_is_gone(ends):
    ends[0].sendall(sent(Prepared()))
    ends[0].close()
    channel = Channel(ends[1])
    channel.receive(60)
    with pytest.raises(Closed) as caught:
        channel.receive(60)
    assert not isinstance(caught.value, Cut)


HEADER = struct.Struct(">4sQQ")


@pytest.mark.parametrize(
    "raw",
    [
        b"Warning: something was printed here\n",
        HEADER.pack(b"PMT\n", 1 << 40, 0),
        HEADER.pack(b"PMT\n", 4, 10) + b"null" + struct.pack(">Q", 2) + b"[]",
        HEADER.pack(b"PMT\n", 3, 10) + b"[1]" + struct.pack(">Q", 2) + b"[]",
        HEADER.pack(b"PMT\n", 3, 10) + b"xyz" + struct.pack(">Q", 2) + b"[]",
        HEADER.pack(b"PMT\n", 21, 10) + b'["record", "Bad", {}]' + struct.pack(">Q", 2) + b"[]",
        HEADER.pack(b"PMT\n", 22, 10) + b'["record", "Stop", {}' + b"]" + struct.pack(">Q", 2) + b"xx",
        HEADER.pack(b"PMT\n", 12, 10) + b'["bytes", 3]' + struct.pack(">Q", 2) + b"[]",
    ],
)
def test_bytes_that_are_no_message_are_refused(ends, raw):
    ends[0].sendall(raw)
    with pytest.raises(Garbled):
        Channel(ends[1]).receive(60)


def test_a_message_that_does_not_come_in_time_is_missed(ends):
    ends[0].sendall(sent(Prepared())[:30])
    with pytest.raises(Missed):
        Channel(ends[1]).receive(0.01)


@pytest.mark.fault("processes", "the job is suspended and goes on (a paused container)", "no deadline passes meanwhile")
def test_a_deadline_does_not_pass_while_this_process_is_suspended(ends, monkeypatch):
    now_s = 0.0
    channel = Channel(ends[1])
    looks = channel._readable

    class Suspended:
        @staticmethod
        def poll(milliseconds):
            nonlocal now_s
            if now_s > 0:  # the other end goes on a moment later
                channel._readable = looks
                ends[0].sendall(sent(Prepared()))
            now_s = 100.0  # far beyond the deadline
            return []

    monkeypatch.setattr(protocol, "time", SimpleNamespace(monotonic=lambda: now_s))
    channel._readable = Suspended
    assert isinstance(channel.receive(60), Prepared)


def test_a_deadline_that_was_moved_by_a_suspension_is_so_for_the_whole_message(ends, monkeypatch):
    now_s = 0.0
    channel = Channel(ends[1])
    message = sent(Prepared())
    looks, polls = channel._readable, []

    class Suspended:
        """Suspended before the first bytes come; the rest of the message comes later than the first deadline."""

        @staticmethod
        def poll(milliseconds):
            nonlocal now_s
            polls.append(milliseconds)
            if len(polls) == 1:
                now_s = 100.0
                return []
            ends[0].sendall(message[: HEADER.size] if len(polls) == 2 else message[HEADER.size :])
            if len(polls) == 3:
                channel._readable = looks
                assert milliseconds > 0, "there is time left"
            return looks.poll(milliseconds)

    monkeypatch.setattr(protocol, "time", SimpleNamespace(monotonic=lambda: now_s))
    channel._readable = Suspended
    assert isinstance(channel.receive(60), Prepared)


def test_a_dead_end_is_noticed_although_a_process_that_it_started_holds_the_socket(ends):
    with pytest.raises(Closed):
        Channel(ends[1], alive=lambda: False).receive(60)


@pytest.mark.fault("processes", "a fork dies right after its answer", "the answer counts")
def test_what_was_sent_before_its_sender_died_is_still_read(ends):
    words = []

    def alive() -> bool:
        """The other end sends its last words and dies right before this is known of it."""
        if not words:
            words.append("last words")
            Channel(ends[0]).send(Ended(problems=tuple(words), absent=None))
        return False

    assert Channel(ends[1], alive=alive).receive(60).problems == ("last words",)


def test_sending_to_a_dead_end_raises(ends):
    ends[1].close()
    with pytest.raises(Closed, match="takes no message"):
        Channel(ends[0]).send(Prepared())


def test_a_hello_of_another_protocol_can_be_read(ends, monkeypatch):
    text = b'["record", "Hello", {"protocol": 99, "plugin_version": "7.0", "colour": ["?", 1]}]'
    ends[0].sendall(HEADER.pack(b"PMT\n", len(text), 10) + text + struct.pack(">Q", 2) + b"[]")
    hello = Channel(ends[1]).receive_hello(60)
    assert (hello.protocol, hello.plugin_version, hello.python) == (99, "7.0", "")


def test_a_first_message_that_is_no_hello_is_refused(ends):
    Channel(ends[0]).send(Prepared())
    with pytest.raises(Garbled, match="no first message"):
        Channel(ends[1]).receive_hello(60)


def test_every_record_of_the_protocol_is_a_dataclass():
    assert all(dataclasses.is_dataclass(one) for one in protocol._RECORDS.values())


#: What a message is made of, in an order that no version would send.
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from([2**70, -1, "<i8"]),
    lambda children: (
        st.lists(children, max_size=4)
        | st.dictionaries(st.text(max_size=5), children, max_size=3)
        | st.tuples(st.sampled_from(["bytes", "array", "tuple", "dict", "record"]), children, children).map(list)
        | st.tuples(st.just("record"), st.sampled_from(sorted(protocol._RECORDS)), children).map(list)
        | st.tuples(
            st.just("array"),
            st.sampled_from(["<i8", "|O", "(1,,)i4", "V0", "<U1", "i4,", "M8[ns]"]),
            st.lists(st.integers(-1, 2**65), max_size=3),
            st.integers(-2, 2),
        ).map(list)
    ),
    max_leaves=12,
)


def arrived(head: bytes, body: bytes) -> None:
    """What a frame becomes: a record, or the error for what is none."""
    for receive in (Channel.receive, Channel.receive_hello):
        one, other = socket.socketpair()
        with one, other:
            one.sendall(protocol._HEADER.pack(protocol._MAGIC, len(head), len(body)) + head + body)
            one.close()
            found, told = None, ""
            try:
                found = receive(Channel(other), 10.0)
            except Garbled as error:
                told = str(error)
            assert told.isprintable() if found is None else dataclasses.is_dataclass(found)


@given(head=PLAIN.map(lambda value: json.dumps(value).encode()), lengths=PLAIN, blobs=st.binary(max_size=40))
@settings(deadline=None)
def test_any_values_in_a_message_are_a_message_or_an_error_of_their_own(head, lengths, blobs):
    table = json.dumps(lengths).encode()
    arrived(head, struct.pack(">Q", len(table)) + table + blobs)


NO_BLOBS = struct.pack(">Q", 2) + b"[]"


@given(head=st.binary(max_size=200), body=st.binary(max_size=200))
@example(head=b'["record", "Hello", {"protocol": Infinity}]', body=NO_BLOBS)
@example(head=b'["record", "Prepared", [1]]', body=NO_BLOBS)
@example(head=b'["record", "Prepared", {"a\\nb": 1}]', body=NO_BLOBS)  # Python quotes that name as it is
@example(head=b'["array", "(1,,)i4", [1], 0]', body=struct.pack(">Q", 3) + b"[4]1234")
@settings(deadline=None)
@pytest.mark.fault("processes", "a fork sends any bytes (property test)", "a message or an error of one line")
def test_any_bytes_are_a_message_or_an_error_of_their_own(head, body):
    arrived(head, body)


def test_endless_nesting_is_no_message():
    arrived(b"[" * 50_000, NO_BLOBS)
    arrived(b'["tuple", [' * 5_000 + b"]]" * 5_000, NO_BLOBS)
