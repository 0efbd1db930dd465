"""Markdown for a pull request and for GitHub: read by a parser that was not written here."""

from __future__ import annotations

import re

import pytest
from markdown_it import MarkdownIt

from pytest_paddle_mt.cause import Cause
from pytest_paddle_mt.records import Sweep
from pytest_paddle_mt.reporters import Finished, markdown
from pytest_paddle_mt.reporters.markdown_file import MarkdownReporter
from tests.builders import against, measured, point, sweep, verdict, warning

LIMIT = 65_000

HOSTILE = [
    "a|b",
    "`a`|``",
    "<script>alert(1)</script>",
    "</code></summary></details><img src=x>",
    "[a](https://example.com) ![b](c)",
    "**a** _b_ ~~c~~ $d$ :e: #1 @someone www.example.com https://example.com",
    "a\n\n```\n# b\n| c |\n::error::d",
    "--> <!-- a &lt; &#124; \\| \\",
    '"]\nbar [9]\n```',
    "a\u2028b\u202ec\ud800",
]


def parsed(text: str):
    return MarkdownIt("gfm-like", {"html": True, "linkify": False}).parse(text)


def words(tokens) -> str:
    """The text that is shown: of code, of entities, of everything but tags."""
    inline = [child for token in tokens if token.type == "inline" for child in token.children]
    return "".join(child.content if child.type in {"text", "text_special", "code_inline"} else " " for child in inline)


def shape(tokens) -> list[str]:
    """Which elements there are, whatever their text."""
    inline = [
        child.content if child.type == "html_inline" else child.type
        for token in tokens
        if token.type == "inline"
        for child in token.children
        if child.type not in {"text", "text_special"}
    ]
    blocks = [
        (token.type, re.sub(r"<code>.*</code>", "<code>", token.content) if token.type == "html_block" else "")
        for token in tokens
    ]
    return [*map(str, blocks), *inline]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.fault("results", "a name or message contains Markdown or HTML", "it is shown as text")
def test_a_hostile_name_or_message_changes_nothing_but_the_text(text):
    def made(word: str, of_side: str) -> str:
        one = sweep(
            nodeid=f"test_x.py::test_a[{word}]",
            verdicts=(verdict("fail", reason=f"it is {word}", check=f"x{word}"),),
            warnings=(warning(f"note {word}"),),
        )
        compared = sweep(nodeid=word, against=against(names=(of_side, "b")), verdicts=(verdict("inconclusive"),))
        return markdown.page([one, compared], LIMIT)

    hostile = made(text, text)
    assert shape(parsed(hostile.replace("<code>&#64;</code>", "&#64;"))) == shape(parsed(made("plain", "plain")))
    assert hostile.count("```") == 2
    assert [line for line in hostile.splitlines() if line.lstrip().startswith("::")] == []


@pytest.mark.parametrize("text", [text for text in HOSTILE if text.isprintable()])
def test_a_hostile_name_reads_as_it_is(text):
    one = sweep(nodeid=f"test_x.py::test_a[{text}]")
    assert f"test_x.py::test_a[{text}]" in words(parsed(markdown.page([one], LIMIT)))


def test_nobody_and_no_issue_is_mentioned_by_a_message():
    page = markdown.page([sweep(verdicts=(verdict("inconclusive", reason="ask @someone of #12"),))], LIMIT)
    assert "ask <code>&#64;</code>someone of &#35;&#8203;12" in page
    assert "@" not in page


def test_the_first_row_is_what_failed_with_what_to_do():
    page = markdown.page([sweep(), sweep(nodeid="test_b", verdicts=(verdict("fail", observed=0.6),))], LIMIT)
    assert page.startswith(f"{markdown.MARKER}\n### Thread scaling: 1 failed, 1 passed\n")
    [first, second] = [line for line in page.splitlines() if line.startswith(("| ❌", "| ✅"))]
    assert first.startswith("| ❌ fail | <code>test&#95;b</code> | does not scale with 2 threads (efficiency 0.60, ")
    assert "<br>next: remove the cause or" in first
    assert second.endswith("| scales up to 2 threads (efficiency 0.98, limit 0.85) |")


def test_the_likely_cause_stands_below_what_failed():
    lock = Cause(kind="lock", threads=2, text="threads waited 62% of the time")
    page = markdown.page([sweep(verdicts=(verdict("fail"),), cause=lock)], LIMIT)
    assert "<br>likely cause: a lock: threads waited 62% of the time |" in page


def test_a_page_without_anything_to_act_on_says_so_in_a_comment():
    unclear = sweep(verdicts=(verdict("inconclusive"),))
    assert markdown.ALL_PASSED in markdown.page([sweep(), sweep(gate=False, verdicts=(verdict("fail"),))], LIMIT)
    for one in (unclear, sweep(verdicts=(verdict("fail"),)), sweep(smoke_reason="-n 2", verdicts=())):
        assert markdown.ALL_PASSED not in markdown.page([sweep(), one], LIMIT)


def test_the_chart_has_the_speedup_as_bars_and_the_ideal_one_as_a_line_and_its_table_stands_below():
    tokens = parsed(markdown.page([sweep()], LIMIT))
    [chart] = [token for token in tokens if token.type == "fence"]
    assert chart.info == "mermaid"
    assert chart.content.splitlines() == [
        "xychart-beta",
        '    x-axis "threads" ["1", "2"]',
        '    y-axis "speedup" 0 --> 2.00',
        "    bar [1.00, 1.96]",
        "    line [1.00, 2.00]",
    ]
    after = tokens[tokens.index(chart) + 1 :]
    assert after[0].type == "table_open"
    assert "1 40.0 1.00 1.00 25.0 30.0 40.0" in " ".join(token.content for token in after if token.type == "inline")


def test_the_chart_of_a_comparison_has_both_sides():
    page = markdown.page([sweep(against=against())], LIMIT)
    assert "bar [40.00, 78.00]\n    line [40.00, 78.00]" in page
    assert "| 2 | 78.0 | 78.0 | 0.667 | pass |" in page


def test_without_two_speedups_there_is_no_chart():
    assert "```" not in markdown.page([sweep(points=(point(1, 40, efficiency=1.0),))], LIMIT)
    assert "```" not in markdown.page([sweep(points=(), against=against(points=(), ratios=()))], LIMIT)


@pytest.mark.parametrize("limit", [3_000, 20_000, LIMIT])
def test_a_page_is_never_larger_than_its_limit_and_counts_what_it_leaves_out(limit):
    many = [sweep(nodeid=f"test_x.py::test_{index}", warnings=(warning("ä" * 300),)) for index in range(300)]
    page = markdown.page([*many, sweep(nodeid="test_failed", verdicts=(verdict("fail"),))], limit)
    assert len(page.encode()) <= limit
    rows = len(re.findall(r"^\| [✅❌]", page, flags=re.MULTILINE))
    details = page.count("<details>")
    assert f"\n{301 - rows} more are not shown" in page
    assert f"The details of {301 - details} more are not shown" in page
    assert page.count("</details>") == details
    assert "test&#95;failed" in page
    assert rows > 2


def test_the_file_is_written_after_each_sweep_and_a_later_attempt_replaces_an_earlier_one(tmp_path):
    path = tmp_path / "new" / "scaling.md"
    reporter = MarkdownReporter(path)
    for status in ("fail", "pass"):
        reporter.sweep_finished(finished(sweep(verdicts=(verdict(status),))))
        assert f"### Thread scaling: 1 {status}ed" in path.read_text(encoding="utf-8")


def test_a_file_that_cannot_be_written_is_an_error_with_its_name(tmp_path):
    (tmp_path / "a").write_text("")
    with pytest.raises(OSError, match=r"could not be written: .*give another file with --paddle-markdown"):
        MarkdownReporter(tmp_path / "a" / "b").sweep_finished(finished(sweep()))


def finished(one: Sweep) -> Finished:
    return Finished(sweep=one, measured=measured(), item=None, benchmark=None)
