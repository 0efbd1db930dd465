"""The table of options: declares them to pytest, and finds out cheaply whether any of them was given.

Every pytest run imports this module where the plugin is installed: it imports no records, no numpy, and nothing that
pytest has not imported itself. ``resolve`` reads and checks what was given.

To add an option, add its row to ``OPTIONS`` and its field to ``Settings``, and run ``python docs/options_table.py``.
"""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

#: A window given in seconds lasts at least as long as this many queries are expected to take.
EXPECTED_QUERIES = 8
STRICT_BUDGETS = 3  #: Under --paddle-strict, a sweep may take so many default budgets before it counts as undecided.
#: Every thread completes this many queries before a window may open; the second is for the first window of a worker
#: with so many threads, as models set themselves up in their first queries.
WARMUP_QUERIES, FIRST_WARMUP_QUERIES = 1, 3

MARKER = "paddle_scaling"  #: Name of the marker whose arguments set options of one test.


class Option(NamedTuple):
    """One option, wherever it is given. A tuple: a dataclass takes some ten times as long to define."""

    name: str  #: As written on the command line, for instance ``--paddle-threads``.
    metavar: str | None  #: What stands for the value in the help; None for a flag.
    parser: str  #: Name of the function in ``parsers`` that reads its value.
    #: The default as a user would write it; None when there is no such value.
    default: str | None = None
    unset: str = ""  #: What happens when it is not given and there is no default value.
    #: The default of a comparison of two sides, if it differs.
    default_two_sides: str | None = None
    per_test: bool = True  #: Whether a marker argument sets it for one test.
    repeated: bool = False  #: Whether the command line may have it several times.
    meaning: str = ""  #: For the help and for docs/options.md.

    def means(self, meaning: str) -> Option:
        """The same option with this meaning."""
        return self._replace(meaning=meaning)

    @property
    def ini_names(self) -> tuple[str, str]:
        """Its names in the ini file: with dashes, and with underscores as in pytest's own options."""
        dashed = self.name.lstrip("-")
        return dashed, dashed.replace("-", "_")

    @property
    def variable(self) -> str:
        """Its environment variable."""
        return "PYTEST_" + self.ini_names[1].upper()

    @property
    def key(self) -> str:
        """Its marker argument, and its key in ``Settings.sources``."""
        return self.ini_names[1][len("paddle_") :]

    @property
    def help(self) -> str:
        """What ``pytest --help`` prints."""
        two_sides = f"; of a comparison: {self.default_two_sides}" if self.default_two_sides else ""
        return f"{self.meaning} (default: {self.default or self.unset}{two_sides})"


class MarkerArgument(NamedTuple):
    """An argument that only the marker has."""

    key: str  #: Its name, and its key in ``Settings.sources``.
    parser: str  #: Name of the function in ``parsers`` that reads its value.
    values: str  #: The values that it takes, as written in Python.
    meaning: str  #: What it means, for docs/options.md.
    default: object


#: Every option, in the order of the help.
OPTIONS: tuple[Option, ...] = (
    Option("--paddle-threads", "N|A-B|A,B,...", "threads", unset="up to the usable cores").means(
        "Thread counts: the largest (16 means 1, 2, 4, 8, 16), a range (1-16) or a list (1,3,8)"
    ),
    Option("--paddle-engine", "NAME,...", "engines", "native").means(
        "What runs the queries; with several engines, the test runs once with each"
    ),
    Option("--paddle-window", "SECONDS|QUERIESq", "window", "0.1").means(
        "How long one measurement lasts: seconds, but at least as long as "
        f"{EXPECTED_QUERIES} queries take, or 200q for 200 queries a thread"
    ),
    Option("--paddle-rounds", "MIN:MAX", "rounds", "6:96").means(
        "How often every thread count is measured: at least MIN times, then until the verdict is clear, "
        "at most MAX times"
    ),
    Option("--paddle-warmup", "SECONDS", "warmup", "0.02").means(
        f"How long every thread runs before its queries count; it completes {WARMUP_QUERIES} "
        f"query at least, {FIRST_WARMUP_QUERIES} in the first window with so many threads"
    ),
    Option("--paddle-seed", "N", "seed", unset="a new one each time").means(
        "Seed of the random order of measurements; it is printed"
    ),
    Option("--paddle-forks", "N", "forks", "0").means(
        "How many fresh processes measure in turn, each running the same test; 0 measures in this process"
    ),
    Option("--paddle-budget", "SECONDS", "budget", "60", default_two_sides="120").means(
        "How long one sweep (one test with one engine) may take"
    ),
    Option("--paddle-batch-size", "N,...", "batch_sizes", "1").means(
        "Batch size of inputs made from the model's own input shapes; with several, the test runs once with each"
    ),
    Option("--paddle-pool", "clone|shared|predictor_pool", "pool", "clone").means(
        "How the predictors of the threads are made: by `clone()` of the first one, or by a "
        "`paddle.inference.PredictorPool` as large as the largest thread count. Of ONNX Runtime: a session for each "
        "thread (clone), or one that all share"
    ),
    Option("--paddle-device", "cpu|gpu:0", "device", "cpu").means("Where the model runs"),
    Option("--paddle-streams", "own|shared", "streams", "shared").means(
        "On a GPU: own gives each predictor of paddle_config a CUDA stream; by itself Paddle has all of them share one"
    ),
    Option("--paddle-pin", "auto|none|CPU,A-B,...", "pin", "auto").means(
        "Where threads run: each one on a core of its own among these CPUs, in turn; auto and none leave it to the "
        "scheduler"
    ),
    Option("--paddle-xdist", "serial|cores|devices[:N,...]", "xdist", unset="smoke runs only", per_test=False).means(
        "How workers of pytest-xdist measure: serial, one at a time with the whole machine; cores, each on a share of "
        "the cores; devices, each with a GPU and a share of the cores"
    ),
    Option("--paddle-min-efficiency", "SHARE", "min_efficiency", "0.85").means(
        "Smallest scaling efficiency (speedup over threads) that passes, above 0 and up to 1"
    ),
    Option("--paddle-linear-until", "auto|N", "linear_until", "auto").means(
        "Largest thread count that must scale; auto decides by the usable cores"
    ),
    Option("--paddle-max-collapse", "SHARE", "max_collapse", "0.15").means(
        "Largest loss of throughput that passes beyond that thread count, above 0 and below 1"
    ),
    # Both sides of a comparison see the same machine: there is no spread between runs to allow for.
    Option("--paddle-max-drift", "SHARE", "drift", "0.10", default_two_sides="0.05").means(
        "Largest growth of latency, and loss of throughput and efficiency, that passes: relative to the stored "
        "baseline, or to the other side of a comparison"
    ),
    Option("--paddle-max-p99-drift", "SHARE", "drift", "0.25").means(
        "Largest growth of the 99th percentile of latency, relative to the stored baseline, that passes"
    ),
    Option("--paddle-answers", "on|off|N", "answers", "on").means(
        "Compare the answers of the warm-up of each window, and the last one, with those that the same inputs got "
        "before; a wrong answer fails the test. N makes the warm-up longer until N answers are compared"
    ),
    Option("--paddle-against", "PYTHON", "interpreter", unset="no comparison", per_test=False).means(
        "Run the same tests with this other Python interpreter, too, and fail where this one is slower"
    ),
    Option("--paddle-against-rootdir", "DIR", "directory", unset="the same rootdir", per_test=False).means(
        "Where the other interpreter finds the tests, for instance another checkout"
    ),
    Option("--paddle-baselines", "DIR", "folder", "baselines", per_test=False).means(
        "Where baselines are stored: a folder, relative to pytest's root directory, or a URL such as s3://bucket/prefix"
    ),
    Option("--paddle-baseline-update", None, "truth", "false", per_test=False).means(
        "Accept the new measurements of every test that passes as its baseline; drift does not fail tests"
    ),
    Option("--paddle-baseline-update-new-only", None, "truth", "false", per_test=False).means(
        "The same for tests without a baseline only; drift fails the others as usual"
    ),
    Option("--paddle-baseline-required", None, "truth", "false", per_test=False).means(
        "Fail a test without a stored baseline on this machine, before it is measured"
    ),
    Option("--paddle-strict", None, "truth", "false", per_test=False).means(
        "Fail every test that was not gated: inconclusive, not comparable, no data. Where no budget is given, up to "
        f"{STRICT_BUDGETS} times the default is spent first"
    ),
    Option("--paddle-json", "FILE", "file", unset="no file", per_test=False).means(
        "Write the results to this file, for programs"
    ),
    Option("--paddle-html", "FILE", "file", unset="no file", per_test=False).means(
        "Write a report with charts to this file, one HTML page; needs the extra `report`"
    ),
    Option("--paddle-export", "FORMAT:FILE", "exports", unset="no file", per_test=False, repeated=True).means(
        "Write the figures for another service: bmf, gab, openmetrics or csv, such as csv:scaling.csv; may be given "
        "several times"
    ),
    Option("--paddle-markdown", "FILE", "file", unset="no file", per_test=False).means(
        "Write verdicts, a chart and tables to this file, for a comment on a pull request"
    ),
    Option("--paddle-github", "auto|off", "github", "auto", per_test=False).means(
        "In GitHub Actions, write a step summary, an error for each failed sweep, and a warning for what was not gated"
    ),
)

#: Arguments that only the marker has: each is about one model.
MARKER_ONLY: tuple[MarkerArgument, ...] = (
    MarkerArgument(
        key="allow_nonfinite",
        parser="true_or_false",
        values="True, False",
        meaning="Whether the model may answer finite input with NaN or infinity; otherwise that is an error",
        default=False,
    ),
)

BY_KEY: dict[str, Option] = {option.key: option for option in OPTIONS}  #: The options by their key.


def register(parser: pytest.Parser) -> None:
    """Declare every option to pytest, on the command line and in the ini file."""
    group = parser.getgroup("paddle-mt", "thread scaling of Paddle models (pytest-paddle-mt)")
    for option in OPTIONS:
        dashed, underscored = option.ini_names
        # None means "not given": the defaults are applied after all sources have been asked.
        shape: dict[str, Any] = {"metavar": option.metavar} if option.metavar else {"action": "store_true"}
        if option.repeated:
            shape["action"] = "append"
        group.addoption(option.name, dest=underscored, default=None, help=option.help, **shape)
        # Every ini option is a string to pytest, which has no type that takes both 16 and "1-16".
        parser.addini(dashed, option.help, default=None)
        parser.addini(underscored, f"another spelling of {dashed}", default=None)


def anything_given(config: pytest.Config, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether any option was given, valid or not, on the command line, in the environment or in the ini file.

    Only then does the whole run have settings to read and to check. Marker arguments do not count.

    Args:
        config: pytest's configuration, whose parser went through ``register``.
        environ: the environment variables.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pytest 9.2 warns of a list in [tool.pytest.ini_options]
        return any(
            config.getoption(option.ini_names[1]) is not None
            or option.variable in environ
            or any(_in_ini(config, name) for name in option.ini_names)
            for option in OPTIONS
        )


def _in_ini(config: pytest.Config, name: str) -> bool:
    try:
        return config.getini(name) is not None
    except (TypeError, pytest.UsageError):
        return True  # it is there, in a type that pytest 9 refuses for a string; ``resolve`` reads it all the same
