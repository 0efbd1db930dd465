"""docs/api.md documents exactly the public names."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

import pytest_paddle_mt

API = (Path(__file__).parents[2] / "docs/api.md").read_text()
DIRECTIVE = re.compile(r"^\.\. auto(class|module):: ([\w.]+)[^\n]*\n((?:   [^\n]*\n)*)", re.MULTILINE)


def public(module: str) -> list[str]:
    """The names that others may import from this module of ours."""
    if module == "pytest_paddle_mt":
        return sorted({*pytest_paddle_mt.__all__} - {"__version__"})
    members = vars(importlib.import_module(module)).items()
    where = "pytest_paddle_mt" if module.endswith(".extending") else module  # it defines nothing itself
    ours = (name for name, value in members if getattr(value, "__module__", "").startswith(where))
    return sorted(name for name in ours if not name.startswith("_"))


def documented(module: str) -> list[str]:
    """The names that the page documents in the section of this module."""
    [section] = re.findall(rf"^## [^\n]*`{re.escape(module)}`\n(.*?)(?=^## |\Z)", API, re.MULTILINE | re.DOTALL)
    names = []
    for kind, target, options in DIRECTIVE.findall(section):
        members = re.search(r":members:(.*(?:\n    .*)*)", options)
        listed = re.findall(r"\w+", members[1]) if members else []
        if kind == "class":
            names.append(target.rpartition(".")[2])
        else:
            names += listed or public(target)
    return sorted(names)


@pytest.mark.parametrize("module", ["pytest_paddle_mt", "pytest_paddle_mt.extending", "pytest_paddle_mt.testing"])
def test_the_api_page_documents_exactly_the_public_names(module: str):
    assert documented(module) == public(module)
