"""The report of a session, made by the plugin and by the command, and the row of pytest-html."""

from __future__ import annotations

import html
from importlib.util import find_spec

import pytest

from pytest_paddle_mt.command import main
from tests.suite import Suite, text

SCALES = """
    import pytest

    @pytest.mark.parametrize("name", ["<b>bold</b>"])
    @pytest.mark.paddle_scaling(engine="scales")
    def test_it(concurrent_runner, name):
        concurrent_runner(None)
"""


def test_a_session_writes_the_page_that_the_command_makes_of_its_results_file(suite: Suite):
    suite.write(SCALES)
    result = suite.run("--paddle-html=report.html", "--paddle-json=results.json")
    assert result.ret == 0
    assert "paddle-mt: report of 1 sweep in " in text(result)
    page = (suite.path / "report.html").read_text(encoding="utf-8")
    assert page.count('<figure id="sweep-1-') >= 4
    assert "<b>bold" not in page
    assert "&lt;b&gt;bold" in page
    later = suite.path / "later.html"
    assert main(["report", str(suite.path / "results.json"), "-o", str(later)]) == 0
    article = page[page.index("<article") : page.index("</article>")]
    assert article in later.read_text(encoding="utf-8")


@pytest.mark.skipif(find_spec("pytest_html") is None, reason="needs pytest-html")
def test_the_row_of_pytest_html_has_the_charts(suite: Suite):
    suite.write(SCALES)
    assert suite.run("--html=row.html", "--self-contained-html").ret == 0
    page = html.unescape(html.unescape((suite.path / "row.html").read_text(encoding="utf-8")))
    assert page.count("<svg") >= 2
    assert "Throughput against threads. 1 thread: 40.0" in page.replace('\\"', '"')
