"""docs/baselines.md shows what is printed, and which keys a file has: its story is run here, and both are compared."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from pytest_paddle_mt.baselines import ledger, schema
from pytest_paddle_mt.machine.facts import machine_key
from tests.suite import Suite, text

PAGE = Path(__file__).parents[2] / "docs" / "baselines.md"

#: The machine of the page, and what differs on the one that its last block was recorded on.
MACHINE = {
    "cpu_model": "AMD EPYC 7B13",
    "instruction_set": "avx2",
    "usable_cores": 2,
    "quota_cores": None,
    "smt": "off",
}
ANOTHER = {"cpu_model": "Intel Xeon Gold 6248R", "instruction_set": "avx512-vnni", "usable_cores": 8, "smt": "on"}

_CONFTEST = """
    import dataclasses
    from pathlib import Path

    from pytest_paddle_mt.testing import FakeEngine

    class Told(FakeEngine):
        def open(self, workload):
            factor = float(Path(__file__).with_name("factor").read_text())
            self._qps = {1: 43.6 * factor, 2: 85.9 * factor}
            return super().open(workload)

        def measure(self, threads, plan):
            window = super().measure(threads, plan)
            noise = dataclasses.replace(window.noise, peak_rss_bytes=312_000_000)
            return dataclasses.replace(window, noise=noise)

    def pytest_paddle_mt_engines():
        return [Told({}, name="told")]
"""

_TEST = """
    def test_serving_scales(concurrent_runner):
        concurrent_runner(None)
"""

#: Throughput of the runs of the story, as a share of the first one's.
ACCEPTED = (1.0, 1.012, 0.985, 1.003, 0.991, 1.02, 0.979, 1.006)
WITHIN, SLOWER = 0.968, 0.74
#: How fast the machine is in runs of the last chapter.
SPEEDS = (1.0, 0.92, 0.97, 0.88, 1.02, 0.95, 0.9, 0.99)
SLOW_DAY = 0.7


@pytest.fixture
def story(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What each run of the story printed, on one line with single spaces; on the page's machine, and in its folder."""
    monkeypatch.setattr(ledger, "machine_facts", lambda device="cpu": {**MACHINE})
    suite.write(_CONFTEST, "conftest")
    suite.ini("paddle-engine = told", "paddle-seed = 7")
    suite.write(_TEST, "test_serving")
    suite.confirm_in_fresh_processes()
    printed = []

    def run(factor: float, *arguments: str):
        (suite.path / "factor").write_text(str(factor))
        printed.append(text(suite.run(*arguments)).replace(str(suite.path), "/code/serving"))

    run(ACCEPTED[0])
    run(ACCEPTED[0], "--paddle-baseline-update")
    run(WITHIN)
    for factor in ACCEPTED[1:]:
        run(factor, "--paddle-baseline-update")
    run(WITHIN)
    run(SLOWER)
    run(SLOWER, "--paddle-baseline-update")
    (path,) = suite.path.glob("baselines/*/*.json")
    document = json.loads(path.read_text())
    document["machine"].update(ANOTHER)
    path.write_text(json.dumps(document))
    path.parent.rename(path.parent.with_name(machine_key({**MACHINE, **ANOTHER})))
    run(ACCEPTED[0])

    shutil.rmtree(suite.path / "baselines")
    for factor, speed in zip(ACCEPTED, SPEEDS, strict=True):
        suite.machine({1: 500.0 * speed, 2: 1000.0 * speed})
        run(factor * speed, "--paddle-baseline-update")
    suite.machine({1: 500.0 * SLOW_DAY, 2: 1000.0 * SLOW_DAY})
    run(WITHIN * SLOW_DAY, "-rs")
    return printed


def blocks() -> list[str]:
    """The blocks of the page that show what was printed, on one line each."""
    found = re.findall(r"^```text\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return [" ".join(block.split()) for block in found]


def test_every_block_of_the_page_is_printed_by_the_story_in_this_order(story: list[str]):
    left = list(story)
    for block in blocks():
        while left and block not in left[0]:
            left.pop(0)
        assert left, f"nothing prints {block!r} any more, after what stands before it on the page: {story}"


def test_the_page_shows_every_chapter_of_the_story():
    told = " ".join(blocks())
    for word in (
        "no stored baseline",
        "new baseline",
        "CALIBRATING drift",
        "PASS drift",
        "updated",
        "beyond the limit",
        "new series",
        "NOT_COMP",
        "relative to the probe",
    ):
        assert word in told


def test_the_table_of_the_page_has_every_key_of_a_file():
    rows = re.findall(r"^\| (?!Object)([^|]+) \| ((?:`\w+`(?:, )?)+) \| [^|]+ \|$", PAGE.read_text(), re.MULTILINE)
    assert {name: re.findall(r"\w+", keys) for name, keys in rows} == {
        "the file": list(schema.FILE),
        "`before`": list(schema.SERIES),
        "`anchor`": list(schema.ANCHOR),
        "a point of the anchor": list(schema.ANCHOR_POINT),
        "a run": list(schema.RUN),
        "a point of a run": list(schema.POINT),
        "`probe`": list(schema.PROBE),
        "one of `forks`": list(schema.FORK),
    }
