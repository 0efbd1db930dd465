"""What the documents say is what there is."""

from __future__ import annotations

import datetime
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from pytest_paddle_mt.plugin.options import OPTIONS
from pytest_paddle_mt.records import STATUSES_WORST_FIRST, UniversalScalability, WarningKind
from pytest_paddle_mt.reporters import json_file
from tests.builders import against, measured, sweep, warning

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page
    for page in [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
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


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "sh")], ids=relative)
def test_shell_on_a_page_is_shell(page: Path):
    text = "".join(blocks(page, "sh"))
    done = subprocess.run(["bash", "-n"], input=text.encode(), capture_output=True, check=False)
    assert (done.returncode, done.stderr.decode()) == (0, "")


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_files_of_this_repository_on_a_page_exist(page: Path):
    of_today = "".join(line for line in page.open() if "# at commit " not in line)
    folders = "examples|benchmarks|native|pytest_paddle_mt|docs|\\.ci|\\.github"
    for name in re.findall(rf"(?<![\w./-])(?:{folders})/[\w./-]*\w", of_today):
        assert (ROOT / name).exists() or (page.parent / name).exists(), name


def test_the_chinese_page_has_the_commands_and_the_test_of_the_readme():
    readme, chinese = ROOT / "README.md", ROOT / "docs/zh/index.md"
    assert blocks(chinese, "python") == blocks(readme, "python")
    assert blocks(chinese, "sh")[0] == blocks(readme, "sh")[0]
    numbers = [
        set(re.findall(r"\d+(?:\.\d+)+|\d+ %|--paddle-[a-z-]+", page.read_text().partition(section)[2]))
        for page, section in ((readme, "\n## How it decides"), (chinese, "\n## 如何判定"))
    ]
    assert numbers[0] == numbers[1]


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


def first_cells(page: str) -> list[str]:
    """What stands in backquotes in the first column of the tables of ``page``."""
    rows = re.findall(r"^\| (`[^|]*) \|", (ROOT / "docs" / page).read_text(), re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`([^`]*)`", row)]


def test_every_kind_of_warning_is_documented_and_no_other():
    assert first_cells("warnings.md") == sorted(get_args(WarningKind))


def test_every_verdict_is_documented_the_worst_first():
    assert first_cells("outcomes.md")[: len(STATUSES_WORST_FIRST)] == list(STATUSES_WORST_FIRST)


def members(value: object, skipped: frozenset[str]) -> Iterator[str]:
    """The names of all members in ``value``, but for those inside of the ``skipped`` ones."""
    if isinstance(value, list):
        for one in value:
            yield from members(one, skipped)
    if isinstance(value, dict):
        for name, one in value.items():
            yield name
            if name not in skipped:
                yield from members(one, skipped)


def test_every_member_of_the_results_file_is_documented():
    judged = sweep(
        usl=UniversalScalability(contention=0.1, coherency=0.01),
        warnings=(warning("something shook"),),
    )
    compared = sweep(against=against())
    now = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    document = json_file.document([json_file.entry(judged, measured()), json_file.entry(compared, measured())], now)
    page = (ROOT / "docs/results-file.md").read_text()
    named = set(re.findall(r"""["`](\w+)["`]""", page))
    assert set(members(document, frozenset({"environment", "facts", "identity"}))) - named == set()


def test_every_member_of_a_baseline_is_documented():
    named = set(re.findall(r"`(\w+)`", (ROOT / "docs/baseline-file.md").read_text()))
    files = list(ROOT.glob("baselines/**/*.json"))
    assert files
    for path in files:
        found = set(members(json.loads(path.read_text()), frozenset({"machine", "setting", "versions"})))
        assert found - named == set()


def test_the_readme_has_the_two_commands_that_ci_runs():
    main_job, tests = [
        line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("python3 -m venv")
    ]
    assert "pytest examples/mobilenet_v1 " in main_job
    assert tests.endswith(".venv/bin/pytest -n auto")
    for user in (".ci/run", ".github/workflows/tests.yml"):
        assert "grep '^python3 -m venv' README.md" in (ROOT / user).read_text()


def test_ci_tries_the_same_paddles_here_and_there():
    run, workflow = (ROOT / ".ci/run").read_text(), (ROOT / ".github/workflows/tests.yml").read_text()
    for version in re.findall(r"for version in (.*); do", run)[0].split():
        assert f'"{version}"' in workflow
