"""The scripts that docs/ci.md gives to copy do what it says."""

from __future__ import annotations

import re
import subprocess
import textwrap
from pathlib import Path

from pytest_paddle_mt.reporters import Finished
from pytest_paddle_mt.reporters.json_file import JsonReporter
from tests.builders import measured, sweep

PAGE = (Path(__file__).parents[2] / "docs" / "ci.md").read_text(encoding="utf-8")


def test_the_metrics_report_of_gitlab_has_the_throughput_of_each_thread_count(tmp_path):
    nodeid = 'test_x.py::test_a["\\]'
    JsonReporter(tmp_path / "results.json").sweep_finished(
        Finished(sweep=sweep(nodeid=nodeid), measured=measured(), item=None, benchmark=None)
    )
    commands = textwrap.dedent(re.search(r"after_script:\n    - \|\n((?: {6}.*\n)+)", PAGE).group(1))
    subprocess.run(["sh", "-e", "-c", commands], cwd=tmp_path, check=True)
    assert (tmp_path / "metrics.txt").read_text().splitlines() == [
        r'paddle_mt_qps{test="test_x.py::test_a[\"\\]",threads="1"} 40',
        r'paddle_mt_qps{test="test_x.py::test_a[\"\\]",threads="2"} 78',
    ]
