"""``paddle-mt sweep MODEL [PARAMS]``: measures and judges a model by a temporary test that pytest runs.

The test's node id is made from the path of the model, so that its baselines are found again by the next call.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
import tempfile
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_paddle_mt.command.named_model import model_of, params_of
from pytest_paddle_mt.errors import PaddleMtError, UsageError
from pytest_paddle_mt.plugin.options import OPTIONS
from pytest_paddle_mt.predictors.model_files import check_files

if TYPE_CHECKING:
    from collections.abc import Sequence

_USAGE = "paddle-mt sweep MODEL [PARAMS] [--shape NAME=1,3,48,320] [pytest options]"

_HELP = """\
Measure how the throughput of a model grows with threads, without a test.

  MODEL   a .json or .pdmodel file, its path without the ending, or its folder
  PARAMS  its parameters: by default the .pdiparams file beside it; "" for none

  --shape NAME=1,3,48,320   the shape of one input; inputs are made up

Every option of pytest and of its plugins may follow, for instance:

  --paddle-threads=8        with 1, 2, 4 and 8 threads
  --paddle-strict           a sweep that stays undecided fails, too
  --paddle-json=FILE        write the results, for programs
  --paddle-baseline-update  accept the figures, to compare later runs with
  --paddle-against=PYTHON   compare with the Paddle of another interpreter

The exit code is pytest's: 0 passed or undecided, 1 failed, 4 nothing was run.
Neither the ini file nor a conftest.py of the current directory is read.
Baselines are stored in ./baselines under the path of MODEL as seen from here,
so start it from the same directory again.
"""

_TEST = '''\
"""What paddle-mt sweep runs: it measures one model."""

import pytest

from pytest_paddle_mt.command import swept


@pytest.fixture
def paddle_config(request):
    return swept.config(request, {program!r}, {params!r})


@pytest.fixture
def paddle_inputs(request, predictor_pool):
    return swept.inputs(request, predictor_pool, {shapes!r})


{parameters}def test_scales(predictor_pool, concurrent_runner{argument}):
    concurrent_runner(predictor_pool)
'''

#: Gives the test a node id that contains no name of a temporary directory.
_CONFTEST = """\
from pytest_paddle_mt.command import swept


def pytest_pycollect_makemodule(module_path, parent):
    return swept.module(module_path, parent, {name!r})
"""


def add(subparsers: Any) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "sweep",
        usage=_USAGE,
        description=_HELP,
        help="measure a model without writing a test",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
        prefix_chars="\0",  # no word is an option of this parser: they are pytest's, with whatever follows them
    )
    parser.add_argument("words", nargs="*", help=argparse.SUPPRESS)
    parser.set_defaults(run=lambda given: run(given.words, parser))


def run(words: Sequence[str], parser: argparse.ArgumentParser) -> int:
    """Run ``paddle-mt sweep`` with these words, and return pytest's exit code."""
    if not words or {"-h", "--help"} & set(words):
        parser.print_help(sys.stdout if words else sys.stderr)
        return int(pytest.ExitCode.OK if words else pytest.ExitCode.USAGE_ERROR)
    try:
        paths, shapes, options = _read(words)
        program = model_of(paths[0])
        params = params_of(program, paths[1] if len(paths) > 1 else None)
        check_files(program, params)
        if importlib.util.find_spec("paddle") is None:
            raise UsageError("paddle is not installed; install it with: pip install 'pytest-paddle-mt[cpu]'")
    except PaddleMtError as error:
        sys.stderr.write(f"paddle-mt sweep: {error}\n")
        return int(pytest.ExitCode.USAGE_ERROR)
    with tempfile.TemporaryDirectory(prefix="paddle-mt-") as directory:
        test = _write_test(Path(directory), program, params, shapes)
        return int(pytest.main([str(test), *_surroundings(test.parent), *options]))


def _read(words: Sequence[str]) -> tuple[list[str], dict[str, tuple[int, ...]], list[str]]:
    """The paths that stand before all options, the shapes by name, and the options of pytest.

    Raises:
        UsageError: there is no path, or more than two; or a shape cannot be read.
    """
    first_option = next((index for index, word in enumerate(words) if word.startswith("-")), len(words))
    paths = list(words[:first_option])
    if not paths:
        raise UsageError(f"{words[0]} stands before the model; write {_USAGE}")
    if len(paths) > 2:
        raise UsageError(f"{paths[2]!r} is one path too many: give a model and its parameters, and then options")
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--shape", action="append", default=[])
    try:
        given, options = parser.parse_known_args(list(words[first_option:]))
    except argparse.ArgumentError:
        raise UsageError("--shape has no value; write --shape NAME=1,3,48,320") from None
    _refuse_misspelt(options)
    return paths, dict(map(_shape, given.shape)), options


def _refuse_misspelt(words: Sequence[str]) -> None:
    """Refuse an option that is nearly one of ours; pytest would only print that it does not know it."""
    known = [option.name for option in OPTIONS]
    for word in words:
        name = word.partition("=")[0]
        close = get_close_matches(name, known, n=1, cutoff=0.85)
        if name.startswith("--paddle-") and name not in known and close:
            raise UsageError(f"there is no option {name}; did you mean {close[0]}?")


def _shape(written: str) -> tuple[str, tuple[int, ...]]:
    """The name of an input and its extents, of ``x=1,3,48,320``."""
    name, _, extents = written.rpartition("=")
    try:
        shape = tuple(int(extent) for extent in extents.split(","))
    except ValueError:
        shape = ()
    if not name or not shape or min(shape) < 0:
        raise UsageError(f"--shape {written}: this is no shape of an input; write --shape NAME=1,3,48,320")
    return name, shape


def name_of(program: str) -> str:
    """The path of the model by which its test is known: from the current directory, absolute if it is not below it."""
    path = os.path.abspath(program)
    below = os.path.relpath(path)
    return path if below.split(os.sep)[0] == os.pardir else below


def _write_test(directory: Path, program: str, params: str, shapes: dict[str, tuple[int, ...]]) -> Path:
    """Write the test that measures the model, and return its path."""
    identifier = "-".join(f"{name}={','.join(map(str, extents))}" for name, extents in sorted(shapes.items()))
    text = _TEST.format(
        program=os.path.abspath(program),
        params=params and os.path.abspath(params),
        shapes=shapes,
        # Another shape is another test with a baseline of its own.
        parameters=f'@pytest.mark.parametrize("shapes", [None], ids=[{identifier!r}])\n' if shapes else "",
        argument=", shapes" if shapes else "",
    )
    (directory / "conftest.py").write_text(_CONFTEST.format(name=name_of(program)), encoding="utf-8")
    test = directory / "test_sweep.py"
    test.write_text(text, encoding="utf-8")
    return test


def _surroundings(directory: Path) -> list[str]:
    """The options that let pytest find this test and nothing else; the user's own come after them."""
    return [
        f"--rootdir={os.getcwd()}",
        f"--config-file={os.devnull}",
        f"--confcutdir={directory}",
        "--no-header",
        "-p",
        "no:cacheprovider",
    ]
