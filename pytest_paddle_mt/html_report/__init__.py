"""Makes one HTML page of results files: nothing to load, readable without styles and scripts.

The page is made of the JSON documents alone, whoever wrote them: the reporter of ``--paddle-html`` or ``paddle-mt
report``. Needs Jinja2 (the extra ``report``).
"""

from __future__ import annotations

import base64
import hashlib
import itertools
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_paddle_mt.html_report import words
from pytest_paddle_mt.html_report.charts import figures
from pytest_paddle_mt.html_report.view import totals, view

if TYPE_CHECKING:
    from collections.abc import Mapping

    import jinja2

    from pytest_paddle_mt.html_report.documents import Document

_HERE = Path(__file__).parent


def page(documents: Mapping[str, Document]) -> str:
    """The page.

    Args:
        documents: results files, as JSON, by what the page calls them.

    Raises:
        ImportError: Jinja2 is not installed.
    """
    numbers = itertools.count(1)
    sources: list[dict[str, Any]] = [
        {
            "name": name,
            "document": document,
            "sweeps": [
                {**view(sweep, f"sweep-{next(numbers)}", figures(sweep)), "source": name}
                for sweep in document["sweeps"]
            ],
        }
        for name, document in documents.items()
    ]
    every = [sweep for source in sources for sweep in source["sweeps"]]
    every.sort(key=lambda sweep: sweep["status"]["rank"])  # the worst first
    style, script = (_HERE / "page.css").read_text("utf-8"), (_HERE / "page.js").read_text("utf-8")
    template = _templates().get_template("page.html")
    return template.render(
        sources=sources,
        sweeps=every,
        totals=totals(every),
        style=_safe(style),
        script=_safe(script),
        style_hash=_hash(style),
        script_hash=_hash(script),
    )


@cache
def _templates() -> jinja2.Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_final,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": words.number, "fixed": words.fixed, "span": words.span}
    return environment


def _final(value: Any) -> Any:
    """What a template prints: no text that no page may contain, and nothing for None."""
    if value is None:
        return ""
    return words.clean(value) if type(value) is str else value


def _safe(ours: str) -> Any:
    """A text of our own that is put into the page as it is."""
    from markupsafe import Markup

    return Markup(ours)


def _hash(text: str) -> str:
    """How a content policy names an inline text that it lets through."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
