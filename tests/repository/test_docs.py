"""What the documents say is what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytest_paddle_mt.plugin.options import OPTIONS

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page
    for page in [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("baselines/*.md"),
        *ROOT.glob("examples/**/*.md"),
    ]
    if "_build" not in page.parts
)


def relative(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_python_on_a_page_is_python(page: Path):
    for number, block in enumerate(blocks(page, "python")):
        decorated = "def test(): ...\n" if block.splitlines()[-1].startswith("@") else ""
        compile(block + decorated, f"{relative(page)}, block {number}", "exec")


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_options_on_a_page_exist(page: Path):
    written = set(re.findall(r"(?<![\w-])--paddle-[a-z0-9-]*[a-z0-9]", page.read_text()))
    assert written <= {option.name for option in OPTIONS}


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_no_page_has_a_place_that_was_to_be_filled(page: Path):
    assert re.findall(r"^[A-Z]{3,}$|\bTODO\b|\bTBD\b", page.read_text(), re.MULTILINE) == []


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_links_between_files_lead_somewhere(page: Path):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_every_option_is_documented():
    table = (ROOT / "docs/options.md").read_text()
    assert [option.name for option in OPTIONS if f"`{option.name}" not in table] == []


def test_the_readme_has_the_two_commands_that_ci_runs():
    main_job, tests = [
        line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("python3 -m venv")
    ]
    assert "pytest examples/mobilenet_v1 " in main_job
    assert tests.endswith(".venv/bin/pytest")
    for user in (".ci/run", ".github/workflows/tests.yml"):
        assert "grep '^python3 -m venv' README.md" in (ROOT / user).read_text()


def test_ci_tries_the_same_paddles_here_and_there():
    run, workflow = (ROOT / ".ci/run").read_text(), (ROOT / ".github/workflows/tests.yml").read_text()
    for version in re.findall(r"for version in (.*); do", run)[0].split():
        assert f'"{version}"' in workflow
