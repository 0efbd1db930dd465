"""The table for people: everything that matters, in 80 columns."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_paddle_mt.records import STATUSES_WORST_FIRST, Interval, ServedInput, Sweep
from pytest_paddle_mt.reporters import terminal
from pytest_paddle_mt.reporters.terminal import TerminalTableReporter
from pytest_paddle_mt.reporters.text import number
from tests.builders import latency_summary, point, subject, sweep, verdict, warning

WIDTH = 80


class FakeTerminal:
    """Takes lines as pytest's terminal reporter does."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.sections: list[str] = []

    def section(self, title: str, **markup: Any) -> None:
        self.sections.append(title)

    def write_line(self, line: str, **markup: bool) -> None:
        self.lines.append(line)


def summary(*sweeps: Sweep) -> list[str]:
    written = FakeTerminal()
    TerminalTableReporter().session_finished(sweeps, written)
    assert written.sections == ["paddle thread scaling"]
    return written.lines


def row(**changes: Any) -> list[str]:
    """The words of the line for two threads."""
    two = point(2, 78.125, **changes)
    return terminal.table(sweep(points=(two,)))[1].split()


def test_the_table_shows_each_thread_count_in_a_line():
    assert terminal.table(sweep()) == [
        "threads     QPS  speedup  efficiency        p50 ms  p90 ms  p99 ms  verdict",
        "      1    40.0     1.00  1.00                25.0    30.0    40.0",
        "      2    78.0     1.96  0.98 (0.95-1.01)    25.6    30.8    41.0  pass",
    ]


def test_a_percentile_that_the_sample_cannot_support_is_a_dash():
    words = row(latency=latency_summary(25e6, p90_ns=None, p99_ns=None))
    assert words[-4:] == ["25.0", "-", "-", "pass"]


def test_an_efficiency_without_an_interval_stands_alone():
    assert row(efficiency_interval=None)[3:5] == ["0.98", "25.6"]


def test_a_thread_count_without_a_usable_round_has_dashes_for_speedup_and_efficiency():
    assert row(efficiency=None, efficiency_interval=None)[2:4] == ["-", "-"]


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("pass", "pass"),
        ("fail", "fail"),
        ("inconclusive", "unclear"),
        ("not_comparable", "not comp"),
        ("no_data", "no data"),
        ("calibrating", "calibr."),
    ],
)
def test_each_verdict_has_a_word_in_the_table(status, word):
    line = terminal.table(sweep(points=(point(2, 78),), verdicts=(verdict(status),)))[1]
    assert line.endswith(f"  {word}")


def test_the_worst_verdict_on_a_thread_count_is_the_one_in_the_table():
    verdicts = (verdict("pass"), verdict("fail", check="collapse"), verdict("inconclusive", check="other"))
    assert terminal.table(sweep(points=(point(2, 78),), verdicts=verdicts))[1].endswith("fail")


@pytest.mark.parametrize("qps", [0.000123, 0.0421, 0.9999, 9.999, 99.99, 999.96, 42_137, 9_876_543, 123_456_789.0])
@pytest.mark.parametrize("status", STATUSES_WORST_FIRST)
def test_a_line_of_the_table_fits_whatever_the_numbers(qps, status):
    wide = point(
        1024,
        qps,
        efficiency=1.234,
        efficiency_interval=Interval(low=0.012, high=12.345),
        qps_interval=Interval(low=0, high=9 * qps),
        latency=latency_summary(1e14),
    )
    for line in terminal.table(sweep(points=(wide,), verdicts=(verdict(status, 1024),))):
        assert len(line) <= WIDTH


@pytest.mark.parametrize("latency_ns", [1.0, 31.4, 12_345.6, 999_949.0, 9_999_999.0, 123_456_789_012.0])
def test_a_line_of_the_table_fits_whatever_the_latencies(latency_ns):
    wide = point(2, 78, latency=latency_summary(latency_ns))
    for line in terminal.table(sweep(points=(wide,))):
        assert len(line) <= WIDTH


def test_the_columns_stand_under_their_names():
    header, one, two = terminal.table(sweep())
    for name, value in {"QPS": "78.0", "speedup": "1.96", "p50 ms": "25.6", "p99 ms": "41.0"}.items():
        assert two.index(value) + len(value) == header.index(name) + len(name)
    assert two.index("0.98") == one.rindex("1.00") == header.index("efficiency")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.000_06, "<0.001"),
        (0.0421, "0.0421"),
        (0.5, "0.500"),
        (4.2137, "4.21"),
        (42.137, "42.1"),
        (421.37, "421.4"),
        (42137.4, "42137"),
        (12_345_678, "12.3M"),
    ],
)
def test_numbers_have_three_digits_that_say_something(value, text):
    assert number(value) == text


def test_the_heading_says_what_was_measured():
    text = " ".join(terminal.heading(sweep(subject=subject(gil="held"))))
    for fact in ("native engine", "cpu", "batch 1", "Clone", "paddlepaddle 3.2.2", "GIL held by run()"):
        assert fact in text


def test_the_heading_shows_the_seed_and_how_far_and_why_linear_scaling_is_expected():
    text = " ".join(" ".join(terminal.heading(sweep())).split())
    assert "linear up to 2 threads: 2 usable cores" in text
    assert "8 rounds in 12 s, seed 7" in text


def test_the_heading_counts_one_thread_as_one():
    text = " ".join(" ".join(terminal.heading(sweep(linear_until=1, linear_until_reason="1 usable core"))).split())
    assert "linear up to 1 thread: 1 usable core" in text


def test_every_line_of_the_summary_fits():
    long = "a sentence of many words that goes on and on " * 12
    everything = sweep(
        nodeid="tests/serving/test_scaling_of_every_model.py::TestEverything::test_serving_scales[mobilenet_v1-native]",
        subject=subject(
            engine="python", device="gpu:10", batch_size=1024, facts={"paddle": "paddlepaddle 3.3.1", "note": long}
        ),
        linear_until_reason=long,
        seed=2**31,
        points=tuple(point(n, 43_210.5 * n) for n in (1, 2, 512, 1024)),
        thread_counts=(1, 2, 512, 1024),
        verdicts=(verdict("inconclusive", 512, reason=long), verdict("fail", 1024, reason=long)),
        warnings=(warning(long),),
        smoke_reason=long,
    )
    lines = summary(everything)
    assert [line for line in lines if len(line) > WIDTH] == []
    assert "".join(everything.nodeid.split()) in "".join("".join(lines).split())


def test_what_the_verdicts_say_is_told_below_the_table():
    lines = summary(sweep(verdicts=(verdict("fail", reason="half of it is missing"),)))
    assert "  FAIL linear: half of it is missing" in lines


def test_doubts_are_told_as_notes():
    assert "  note: something shook" in summary(sweep(warnings=(warning("something shook"),)))


def test_a_smoke_run_is_said_loudly():
    lines = summary(sweep(smoke_reason="--benchmark-disable", verdicts=()))
    assert "  SMOKE RUN, nothing judged or recorded: --benchmark-disable" in lines


def test_the_summary_counts_the_sweeps_that_were_gated():
    assert summary(sweep(), sweep(verdicts=(verdict("fail"),)))[-1] == "2 of 2 sweeps gated"
    assert summary(sweep())[-1] == "1 of 1 sweep gated"


def test_the_summary_counts_the_sweeps_that_were_not_gated():
    unclear = sweep(verdicts=(verdict("inconclusive"),))
    assert summary(sweep(), unclear, sweep())[-1] == "1 of 3 sweeps NOT gated"


def test_a_smoke_run_was_not_gated():
    assert summary(sweep(smoke_reason="--benchmark-disable", verdicts=()))[-1] == "1 of 1 sweep NOT gated"


def test_a_sweep_without_a_gate_is_not_counted():
    assert summary(sweep(), sweep(gate=False, verdicts=(verdict("inconclusive"),)))[-1] == "1 of 1 sweep gated"


def test_many_inputs_are_counted_beyond_the_first():
    served = tuple(ServedInput(name=f"x{i}", dtype="int64", shape=(1,), low=0, high=1, made_up=False) for i in range(6))
    printed = " ".join(" ".join(terminal.inputs(sweep(subject=subject(inputs=served)))).split())
    assert printed.startswith("inputs: x0 int64 (1,), 0 to 1; x1 ")
    assert printed.endswith("; and 2 more")
    assert terminal.inputs(sweep()) == []
