"""The settings: read from the marker, the command line, the environment and the ini file, and checked here once.

Imported only when something was given or a test measures; neither numpy nor paddle is needed here. How to add an option
is said in ``options``; an argument that only the marker has goes into ``MARKER_ONLY``, its parser into ``PARSERS``.
"""

from __future__ import annotations

import dataclasses
import os
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_paddle_mt.errors import UsageError
from pytest_paddle_mt.plugin.options import (
    DEFAULT_ENGINE,
    DEFAULT_MAX_DRIFT_AGAINST,
    MARKER,
    OPTIONS,
    WARMUP_QUERIES,
    Option,
)
from pytest_paddle_mt.plugin.parsers import PARSERS, RELATIVE, Refused, file, meant
from pytest_paddle_mt.records import Limits, Settings, WindowPlan

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping


#: Arguments that only the marker has, and what holds without them.
MARKER_ONLY: dict[str, object] = {"pool": "clone", "allow_nonfinite": False}


def scaling_marks(item: pytest.Item) -> list[pytest.Mark]:
    """The ``paddle_scaling`` marks of ``item``, the closest first.

    ``item.iter_markers()`` will not do: on one level it gives a function's mark before that of a ``pytest.param``, and
    a base class's before that of the class itself. On one level the last that was applied wins here.
    """
    return [mark for node in item.iter_parents() for mark in reversed(node.own_markers) if mark.name == MARKER]


def resolve(
    config: pytest.Config,
    marks: Iterable[pytest.Mark] = (),
    known_engines: Collection[str] | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """What was asked for: marker argument over command line over environment over ini file over default.

    Args:
        config: pytest's configuration, whose parser went through ``register``.
        marks: the marks of one test, the closest first (``scaling_marks``); other marks among them are passed over.
        known_engines: names of the engines that there are; None: any name will do.
        environ: the environment variables.

    Raises:
        UsageError: a value cannot be used; a marker has an argument that is not one; the ini file contradicts itself.
    """
    arguments = _marker_arguments(marks)
    chosen: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for option in OPTIONS:
        weaker = _given(config, option, environ)
        given = arguments.get(option.key, weaker)
        parse = PARSERS[option.key]
        if given is None:
            chosen[option.key] = None if option.default is None else parse(option.default)
            continue
        sources[option.key] = given.source
        chosen[option.key] = _parsed(given, parse)
        if parse in RELATIVE:
            # Not resolved: a link may be what makes an interpreter that of a virtual environment.
            chosen[option.key] = given.directory / chosen[option.key]
        if parse is file and chosen[option.key].is_dir():
            raise UsageError(f"{given.source}: this is a directory; give the name of a file in it")
    for key, default in MARKER_ONLY.items():
        chosen[key] = default
        if key in arguments:
            sources[key] = arguments[key].source
            chosen[key] = _parsed(arguments[key], PARSERS[key])

    if known_engines is not None:
        _check_engines(chosen["engine"], sources.get("engine", f"--paddle-engine={DEFAULT_ENGINE}"), known_engines)
    thread_counts, threads_note = chosen["threads"], None
    if thread_counts is not None and thread_counts[0] != 1:
        thread_counts = (1, *thread_counts)
        threads_note = f"1 was added to {sources['threads']}: efficiency is measured against one thread"
    window_s, min_queries = chosen["window"]
    rounds_min, rounds_max = chosen["rounds"]
    if chosen["forks"] > rounds_max:
        raise UsageError(
            f"{sources['forks']}: every fork measures whole rounds, and there are at most {rounds_max} "
            f"({sources.get('rounds', 'the default')}); give --paddle-rounds={chosen['forks']}:{chosen['forks']} or "
            "more, or fewer forks"
        )
    if chosen["baseline_update"] and chosen["baseline_update_new_only"]:
        raise UsageError(
            f"{sources['baseline_update']} and {sources['baseline_update_new_only']} contradict each other: accept new "
            "figures for every test, or for those without a baseline only; give one of them"
        )
    for update in ("baseline_update", "baseline_update_new_only"):
        if chosen[update] and chosen["against"] is not None:
            raise UsageError(
                f"{sources[update]} and {sources['against']} contradict each other: a comparison measures two sides "
                "against each other, and has no baseline; record without the other side"
            )
    baselines = config.rootpath / chosen["baselines"]
    if baselines.exists() and not baselines.is_dir():
        raise UsageError(f"{sources.get('baselines', 'the default of --paddle-baselines')}: {baselines} is no folder")
    limits = Limits(
        min_efficiency=chosen["min_efficiency"],
        max_collapse=chosen["max_collapse"],
        linear_until=chosen["linear_until"],
        max_drift=chosen["max_drift"],
        max_p99_drift=chosen["max_p99_drift"],
    )
    # What both sides meet in one job cancels: there is no spread between runs to allow for, as in a baseline.
    max_drift_against = limits.max_drift if "max_drift" in sources else float(DEFAULT_MAX_DRIFT_AGAINST)
    return Settings(
        thread_counts=thread_counts,
        threads_note=threads_note,
        engines=chosen["engine"],
        window=WindowPlan(
            window_s=window_s,
            min_queries=min_queries,
            warmup_s=chosen["warmup"],
            warmup_queries=WARMUP_QUERIES,
        ),
        rounds_min=rounds_min,
        rounds_max=rounds_max,
        seed=chosen["seed"],
        forks=chosen["forks"],
        budget_s=chosen["budget"],
        # Both sides are measured, so it may take twice as long, unless the user chose how long.
        budget_two_sides_s=chosen["budget"] * (1 if "budget" in sources else 2),
        batch_size=chosen["batch_size"],
        device=chosen["device"],
        limits=limits,
        limits_two_sides=dataclasses.replace(limits, max_drift=max_drift_against),
        pool=chosen["pool"],
        allow_nonfinite=chosen["allow_nonfinite"],
        strict=chosen["strict"],
        against=chosen["against"],
        against_rootdir=chosen["against_rootdir"],
        json_path=chosen["json"],
        baselines=baselines,
        baseline_update=(
            "all" if chosen["baseline_update"] else "new" if chosen["baseline_update_new_only"] else "none"
        ),
        baseline_required=chosen["baseline_required"],
        sources=sources,
    )


# Where a value comes from.


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Given:
    """A value that somebody gave."""

    #: As pytest, the environment or the marker hands it over.
    value: object
    #: How the user wrote it, and where.
    source: str
    #: What a relative file name is relative to.
    directory: Path


def _parsed(given: _Given, parse: Callable[[object], Any]) -> Any:
    try:
        return parse(given.value)
    except Refused as refusal:
        raise UsageError(f"{given.source}: {refusal}") from None


def _marker_arguments(marks: Iterable[pytest.Mark]) -> dict[str, _Given]:
    names = [*(option.key for option in OPTIONS if option.per_test), *MARKER_ONLY]
    known = ", ".join(names)
    given: dict[str, _Given] = {}
    for mark in marks:
        if mark.name != MARKER:
            continue
        if mark.args:
            written = ", ".join(repr(value) for value in mark.args)
            raise UsageError(
                f"{MARKER}({written}): its arguments have names; write for instance {MARKER}(threads=8). Known: {known}"
            )
        for name, value in mark.kwargs.items():
            source = f"{MARKER}({name}={value!r})"
            if name not in names:
                whole_run = next((option.name for option in OPTIONS if option.key == name), None)
                step = f"it is for the whole run: use {whole_run}." if whole_run else meant(name, names)
                raise UsageError(f"{source}: {name!r} is not an argument of the marker; {step} Known: {known}")
            if value is not None and name not in given:  # None: as if it had not been written
                given[name] = _Given(value=value, source=source, directory=Path())
    return given


def _given(config: pytest.Config, option: Option, environ: Mapping[str, str]) -> _Given | None:
    """The value from the command line, the environment or the ini file, if there is one."""
    in_ini = _ini(config, option)  # always: a file that contradicts itself is wrong even where it is overruled
    directory = config.invocation_params.dir
    value = config.getoption(option.ini_names[1])
    if value is not None:
        source = f"{option.name}={value}" if option.metavar else option.name
        return _Given(value=value, source=source, directory=directory)
    if option.variable in environ:
        value = environ[option.variable]
        return _Given(value=value, source=f"{option.variable}={value}", directory=directory)
    return in_ini


def _ini(config: pytest.Config, option: Option) -> _Given | None:
    overridden = {entry.partition("=")[0] for entry in config.getoption("override_ini") or ()}
    found = [(name, value) for name in option.ini_names if (value := _ini_value(config, name)) is not None]
    # Whichever spelling -o uses, it replaces the one in the file.
    found = [(name, value) for name, value in found if name in overridden] or found
    if not found:
        return None
    if len({_as_written(value) for _, value in found}) > 1:
        both = " and ".join(_ini_source(config, name, value, name in overridden) for name, value in found)
        raise UsageError(f"{both}: two spellings of one option contradict each other; keep {option.ini_names[0]}")
    name, value = found[0]
    from_file = name not in overridden and config.inipath is not None
    return _Given(
        value=value,
        source=_ini_source(config, name, value, name in overridden),
        directory=config.inipath.parent if from_file and config.inipath else config.invocation_params.dir,
    )


def _ini_source(config: pytest.Config, name: str, value: object, overridden: bool) -> str:
    if overridden or config.inipath is None:
        return f"-o {name}={_as_written(value)}"
    return f"{name} = {_as_written(value)} in {config.inipath.name}"


def _as_written(value: object, quote: str = "") -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(_as_written(part, chr(34)) for part in value)}]"
    return f"{quote}{value}{quote}" if isinstance(value, str) else str(value)


_TABLE = pytest.StashKey["dict[str, object]"]()


def _ini_value(config: pytest.Config, name: str) -> object:
    """The value of an ini option in whatever type the file has it; None when it is not there."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pytest 9.2 warns of a list in [tool.pytest.ini_options]
            return config.getini(name)
    except (TypeError, pytest.UsageError):
        # For a string in [tool.pytest], pytest 9 refuses 16, 0.9, true and [1, 2]: what users would naturally write.
        table = config.stash.get(_TABLE, None)
        if table is None:
            table = config.stash[_TABLE] = _toml_table(config.inipath)
        if name not in table:
            raise
        return table[name]


def _toml_table(path: Path | None) -> dict[str, object]:
    """Everything that pytest reads from this file, as TOML has it."""
    if path is None or path.suffix != ".toml":
        return {}
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib  # type: ignore[import-not-found,unused-ignore]  # pytest depends on it there
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    in_tool = document.get("tool", {}).get("pytest", {})
    return {**document.get("pytest", {}), **in_tool.get("ini_options", {}), **in_tool}


def _check_engines(engines: tuple[str, ...], source: str, known: Collection[str]) -> None:
    for name in engines:
        if name not in known:
            raise UsageError(f"{source}: there is no engine {name!r}; {meant(name, known)} Known: {', '.join(known)}")
