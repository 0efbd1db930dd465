"""The scripts that docs/ci.md gives to copy do what it says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from pytest_paddle_mt.reporters import Finished
from pytest_paddle_mt.reporters.export_file import ExportReporter
from tests.builders import measured, sweep

PAGE = (Path(__file__).parents[2] / "docs" / "ci.md").read_text(encoding="utf-8")


def test_gitlab_reads_the_throughput_of_each_thread_count_in_the_metrics_report(tmp_path):
    option = re.search(r"--paddle-export=openmetrics:(\S+)", PAGE)
    assert f"metrics: {option[1]}\n" in PAGE
    export = ExportReporter("openmetrics", tmp_path / option[1])
    export.sweep_finished(
        Finished(sweep=sweep(nodeid='test_x.py::test_a["\\ b]'), measured=measured(), item=None, benchmark=None)
    )
    # GitLab drops what follows a hash sign, splits the rest as a shell does, and takes a name and a value.
    lines = [shlex.split(line.partition("#")[0]) for line in (tmp_path / option[1]).read_text().splitlines()]
    values = {name: float(value) for name, value in filter(None, lines)}
    throughput = {name: value for name, value in values.items() if name.startswith("paddle_mt_throughput{")}
    assert list(throughput.values()) == [40.0, 78.0]
    assert all('test=test_x.py::test_a["\\ b]' in name for name in throughput)
