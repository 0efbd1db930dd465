"""The table of options: declared to pytest, and looked for, at no cost to a run that uses none of them.

Every pytest run of everybody who has this installed imports this module: no records, no numpy, nothing that pytest has
not imported itself. What was given is read and checked in ``settings``.

To add an option, add it to ``OPTIONS`` here, and its parser and its field of ``Settings`` there.
"""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

# What holds when nobody says otherwise, written as a user would write it.
DEFAULT_ENGINE = "native"
DEFAULT_WINDOW = "0.25"
DEFAULT_ROUNDS = "12:48"
DEFAULT_WARMUP = "0.05"
DEFAULT_FORKS = "0"
DEFAULT_BUDGET = "60"
DEFAULT_BATCH_SIZE = "1"
DEFAULT_DEVICE = "cpu"
DEFAULT_MIN_EFFICIENCY = "0.85"
DEFAULT_LINEAR_UNTIL = "auto"
DEFAULT_MAX_COLLAPSE = "0.15"
DEFAULT_MAX_DRIFT = "0.10"
#: Of a comparison, whose two sides see the same machine.
DEFAULT_MAX_DRIFT_AGAINST = "0.05"
DEFAULT_MAX_P99_DRIFT = "0.25"
DEFAULT_BASELINES = "baselines"

#: A window given in seconds lasts at least this many queries of every thread.
MIN_QUERIES = 20
#: Every thread completes this many queries before a window may open.
WARMUP_QUERIES = 3

#: Name of the marker whose arguments set options of one test.
MARKER = "paddle_scaling"


class Option(NamedTuple):
    """One option, wherever it is given. A tuple: a dataclass takes some ten times as long to define."""

    #: As written on the command line, for instance ``--paddle-threads``.
    name: str
    #: What stands for the value in the help; None for a flag.
    metavar: str | None
    #: What it means, for people.
    help: str
    #: The default as a user would write it; None when not giving it is a choice of its own.
    default: str | None
    #: Whether a marker argument sets it for one test.
    per_test: bool

    @property
    def ini_names(self) -> tuple[str, str]:
        """Its names in the ini file: with dashes, and with underscores as pytest's own are."""
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


#: Every option, in the order of the help.
OPTIONS: tuple[Option, ...] = (
    Option(
        name="--paddle-threads",
        metavar="N|A-B|A,B,...",
        help="thread counts: the largest (1, 2, 4 ... N), a range, or a list (default: up to the usable cores)",
        default=None,
        per_test=True,
    ),
    Option(
        name="--paddle-engine",
        metavar="NAME,...",
        help=f"what runs the queries; several run the test once each (default: {DEFAULT_ENGINE})",
        default=DEFAULT_ENGINE,
        per_test=True,
    ),
    Option(
        name="--paddle-window",
        metavar="SECONDS|QUERIESq",
        help="how long one measurement lasts: seconds, with at least "
        f"{MIN_QUERIES} queries a thread, or 200q for 200 queries a thread (default: {DEFAULT_WINDOW})",
        default=DEFAULT_WINDOW,
        per_test=True,
    ),
    Option(
        name="--paddle-rounds",
        metavar="MIN:MAX",
        help=f"how often every thread count is visited; ends between the two when decided (default: {DEFAULT_ROUNDS})",
        default=DEFAULT_ROUNDS,
        per_test=True,
    ),
    Option(
        name="--paddle-warmup",
        metavar="SECONDS",
        help="how long every thread runs before a window opens, "
        f"with at least {WARMUP_QUERIES} queries (default: {DEFAULT_WARMUP})",
        default=DEFAULT_WARMUP,
        per_test=True,
    ),
    Option(
        name="--paddle-seed",
        metavar="N",
        help="seed of the random order of measurements (default: a new one each time; it is printed)",
        default=None,
        per_test=True,
    ),
    Option(
        name="--paddle-forks",
        metavar="N",
        help="how many fresh processes measure in turn, each running the same test; "
        f"0 measures in this process (default: {DEFAULT_FORKS})",
        default=DEFAULT_FORKS,
        per_test=True,
    ),
    Option(
        name="--paddle-budget",
        metavar="SECONDS",
        help=f"how long one sweep may take (default: {DEFAULT_BUDGET})",
        default=DEFAULT_BUDGET,
        per_test=True,
    ),
    Option(
        name="--paddle-batch-size",
        metavar="N",
        help=f"batch size of inputs made from the model's own specification (default: {DEFAULT_BATCH_SIZE})",
        default=DEFAULT_BATCH_SIZE,
        per_test=True,
    ),
    Option(
        name="--paddle-device",
        metavar="cpu|gpu:0",
        help=f"where the model runs (default: {DEFAULT_DEVICE})",
        default=DEFAULT_DEVICE,
        per_test=True,
    ),
    Option(
        name="--paddle-min-efficiency",
        metavar="SHARE",
        help="smallest accepted scaling efficiency: speedup over threads, "
        f"above 0 and up to 1 (default: {DEFAULT_MIN_EFFICIENCY})",
        default=DEFAULT_MIN_EFFICIENCY,
        per_test=True,
    ),
    Option(
        name="--paddle-linear-until",
        metavar="auto|N",
        help="largest thread count that must scale; auto decides by the usable cores "
        f"(default: {DEFAULT_LINEAR_UNTIL})",
        default=DEFAULT_LINEAR_UNTIL,
        per_test=True,
    ),
    Option(
        name="--paddle-max-collapse",
        metavar="SHARE",
        help="largest accepted loss of throughput beyond that count, "
        f"above 0 and below 1 (default: {DEFAULT_MAX_COLLAPSE})",
        default=DEFAULT_MAX_COLLAPSE,
        per_test=True,
    ),
    Option(
        name="--paddle-max-drift",
        metavar="SHARE",
        help="largest accepted growth of latency, and loss of throughput and efficiency, over the stored baseline or "
        "the other side of a comparison "
        f"(default: {DEFAULT_MAX_DRIFT}; of a comparison {DEFAULT_MAX_DRIFT_AGAINST})",
        default=DEFAULT_MAX_DRIFT,
        per_test=True,
    ),
    Option(
        name="--paddle-max-p99-drift",
        metavar="SHARE",
        help="largest accepted growth of the 99th percentile of latency over the stored baseline "
        f"(default: {DEFAULT_MAX_P99_DRIFT})",
        default=DEFAULT_MAX_P99_DRIFT,
        per_test=True,
    ),
    Option(
        name="--paddle-against",
        metavar="PYTHON",
        help="run the same tests with this other Python interpreter, too, and fail where this one is slower "
        "(default: no comparison)",
        default=None,
        per_test=False,
    ),
    Option(
        name="--paddle-against-rootdir",
        metavar="DIR",
        help="where the other interpreter finds the tests, another checkout for instance (default: the same rootdir)",
        default=None,
        per_test=False,
    ),
    Option(
        name="--paddle-baselines",
        metavar="DIR",
        help=f"where baselines are stored, relative to the root directory (default: {DEFAULT_BASELINES})",
        default=DEFAULT_BASELINES,
        per_test=False,
    ),
    Option(
        name="--paddle-baseline-update",
        metavar=None,
        help="accept what the tests that pass measure now as their baseline; drift does not gate (default: false)",
        default="false",
        per_test=False,
    ),
    Option(
        name="--paddle-baseline-update-new-only",
        metavar=None,
        help="the same for tests without a baseline; drift gates the others (default: false)",
        default="false",
        per_test=False,
    ),
    Option(
        name="--paddle-baseline-required",
        metavar=None,
        help="a test without a stored baseline fails (default: false)",
        default="false",
        per_test=False,
    ),
    Option(
        name="--paddle-strict",
        metavar=None,
        help="fail every test that was not gated: inconclusive, not comparable, no data (default: false)",
        default="false",
        per_test=False,
    ),
    Option(
        name="--paddle-json",
        metavar="FILE",
        help="write the results to this file, for programs (default: none)",
        default=None,
        per_test=False,
    ),
)


def register(parser: pytest.Parser) -> None:
    """Declare every option to pytest, on the command line and in the ini file."""
    group = parser.getgroup("paddle-mt", "thread scaling of Paddle models (pytest-paddle-mt)")
    for option in OPTIONS:
        dashed, underscored = option.ini_names
        # None tells "not given" from every value; the defaults are applied after the last source was asked.
        shape: dict[str, Any] = {"metavar": option.metavar} if option.metavar else {"action": "store_true"}
        group.addoption(option.name, dest=underscored, default=None, help=option.help, **shape)
        # Every ini option is a string to pytest: it knows no type that takes both 16 and "1-16".
        parser.addini(dashed, option.help, default=None)
        parser.addini(underscored, f"another spelling of {dashed}", default=None)


def anything_given(config: pytest.Config, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether any option was given, rightly or wrongly, on the command line, in the environment or in the ini file.

    Only then are there settings of the whole run to read and to check. Marker arguments do not count.

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
        return True  # it is there, in a type that pytest 9 refuses for a string: ``settings`` reads it all the same
