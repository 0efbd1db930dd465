"""The table for people: everything that matters, in 80 columns."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pytest_paddle_mt.gpu import GpuLoad
from pytest_paddle_mt.records import STATUSES_WORST_FIRST, Interval, ServedInput, Sweep
from pytest_paddle_mt.reporters import plot, terminal, text
from pytest_paddle_mt.reporters.terminal import TerminalTableReporter
from pytest_paddle_mt.reporters.text import number
from tests.builders import against, latency_summary, point, subject, sweep, verdict, warning

WIDTH = 80


class FakeTerminal:
    """Takes lines as pytest's terminal reporter does."""

    def __init__(self, verbosity: int = 0, encoding: str = "utf-8") -> None:
        self.verbosity = verbosity
        self._tw = SimpleNamespace(_file=SimpleNamespace(encoding=encoding))
        self.lines: list[str] = []
        self.sections: list[str] = []
        self.colours: dict[str, dict[str, bool]] = {}
        self._begun = ""

    def section(self, title: str, **markup: Any) -> None:
        self.sections.append(title)

    def write(self, text: str, **markup: bool) -> None:
        self._begun += text
        self.colours[text] = markup

    def write_line(self, line: str, **markup: bool) -> None:
        self.lines.append(self._begun + line)
        self.colours[line] = markup
        self._begun = ""


def write(*sweeps: Sweep, **terminal: Any) -> FakeTerminal:
    written = FakeTerminal(**terminal)
    TerminalTableReporter().session_finished(sweeps, written)
    assert written.sections == ["paddle thread scaling"]
    return written


def summary(*sweeps: Sweep, verbosity: int = 0) -> list[str]:
    return write(*sweeps, verbosity=verbosity).lines


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


def test_no_thread_count_of_a_test_that_was_not_comparable_has_passed():
    verdicts = (verdict("not_comparable", threads=None), verdict("pass", check="collapse"))
    one, two = terminal.table(sweep(verdicts=verdicts))[1:]
    assert one.endswith("40.0")  # nothing was judged
    assert two.endswith("  not comp")


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
    ("value", "written"),
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
def test_numbers_have_three_digits_that_say_something(value, written):
    assert number(value) == written


def test_the_heading_says_what_was_measured():
    said = " ".join(terminal.heading(sweep(subject=subject(gil="held"))))
    for fact in ("native engine", "cpu", "batch 1", "Clone", "paddlepaddle 3.2.2", "GIL held by run()"):
        assert fact in said


def test_the_heading_shows_the_seed_and_how_far_and_why_linear_scaling_is_expected():
    said = " ".join(" ".join(terminal.heading(sweep())).split())
    assert "linear up to 2 threads: 2 usable cores" in said
    assert "8 rounds in 12 s, seed 7" in said


def test_the_heading_counts_one_thread_as_one():
    said = " ".join(" ".join(terminal.heading(sweep(linear_until=1, linear_until_reason="1 usable core"))).split())
    assert "linear up to 1 thread: 1 usable core" in said


@pytest.mark.parametrize("verbosity", [0, 1])
def test_every_line_of_the_summary_fits(verbosity):
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
    lines = summary(everything, verbosity=verbosity)
    assert [line for line in lines if len(line) > WIDTH] == []
    assert "".join(everything.nodeid.split()) in "".join("".join(lines).split())


def test_first_comes_the_verdict_then_the_table_then_a_plot_then_what_was_measured():
    lines = summary(sweep())
    assert lines == [
        "test_scaling.py::test_serving_scales",
        "  PASS  scales up to 2 threads (efficiency 0.98, limit 0.85)",
        *terminal.table(sweep()),
        *plot.plot(sweep().points),
        "  measured: native engine, cpu, batch 1, paddlepaddle 3.2.2, 2 usable cores,",
        "    linear up to 2, 8 rounds in 12 s",
        "",
        "1 of 1 sweep gated",
    ]


def test_a_comparison_says_in_what_the_sides_differ_instead_of_drawing_a_plot():
    lines = summary(sweep(against=against()))
    assert "  they differ in: paddlepaddle 3.3.1 against 3.2.2" in lines
    assert not [line for line in lines if "█" in line]


def test_below_the_table_stands_what_to_do_about_a_failure_and_why_something_was_not_decided():
    assert "  next: remove the cause" in summary(sweep(verdicts=(verdict("fail", check="of a plugin"),)))
    reasons = [verdict("inconclusive", reason="too near; about 9 more rounds would decide it"), verdict("inconclusive")]
    assert "  why: too near; about 9 more rounds would decide it (and 1 more)" in summary(sweep(verdicts=reasons))


def test_all_reasons_are_told_with_v():
    one = sweep(verdicts=(verdict("fail", reason="half of it is missing"),))
    assert "  FAIL linear: half of it is missing" in summary(one, verbosity=1)
    assert not [line for line in summary(one) if "half of it" in line]


def test_doubts_are_told_as_notes_and_those_about_the_machine_are_counted_without_v():
    doubts = (warning("it grows", kind="memory_grows"), warning("something shook"), warning("and again"))
    lines = summary(sweep(warnings=doubts))
    assert "  note: it grows" in lines
    assert "  2 notes on the machine (preempted): -v" in lines
    assert {"  note: it grows", "  note: something shook", "  note: and again"} <= {
        *summary(sweep(warnings=doubts), verbosity=1)
    }


@pytest.mark.parametrize("verbosity", [0, 1])
def test_a_smoke_run_is_said_loudly(verbosity):
    lines = summary(sweep(smoke_reason="--benchmark-disable", verdicts=()), verbosity=verbosity)
    assert "  SMOKE RUN  nothing judged or recorded" in lines
    assert [line for line in lines[2:] if "--benchmark-disable" in line]


@pytest.mark.parametrize(
    ("status", "colour"), [("pass", "green"), ("fail", "red"), ("inconclusive", "yellow"), ("calibrating", "green")]
)
def test_a_verdict_has_its_colour_in_the_sentence_and_in_the_table(status, colour):
    one = sweep(verdicts=(verdict(status),))
    colours = write(one).colours
    assert colours[status.upper()] == {"bold": True, colour: True}
    assert colours[text.verdict(one, 2)] == {colour: True}
    assert colours[""] == {}  # of one thread, which is not judged


@pytest.mark.fault("machine", "the output takes ASCII only", "it is written without block characters")
def test_where_block_characters_cannot_be_written_there_is_no_plot():
    for encoding in ("ascii", "latin-1", "no such"):
        assert all(line.isascii() for line in write(sweep(), encoding=encoding).lines)
    assert not all(line.isascii() for line in summary(sweep()))


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


def test_memory_is_one_figure_for_the_process():
    assert terminal.memory(sweep(peak_rss_bytes=914_400_000)) == ["  peak memory 914 MB"]
    assert terminal.memory(sweep()) == []


def test_with_v_a_gpu_that_was_observed_has_a_line_for_each_thread_count():
    load = GpuLoad(readings=9, utilisation=0.99, power_w=310.0, power_limit_w=700.0, clock_events=("power_cap",))
    observed = sweep(points=(point(1, 40), point(8, 80, gpu=load)))
    expected = ["  GPU with 8 threads: busy 99% of the time, 310 of 700 W, clock events power_cap"]
    assert terminal.gpu(observed) == expected
    assert expected[0] in terminal.long(observed)
    assert expected[0] not in terminal.short(observed)


def test_items_per_second_are_shown_where_a_query_serves_several():
    assert terminal.items(sweep(subject=subject(batch_size=8))) == [
        "  items per second (QPS x 8): 320.0 with 1 thread, 624.0 with 2 threads"
    ]
    assert terminal.items(sweep()) == []
