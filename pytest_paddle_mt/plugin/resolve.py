"""Reads the settings from the marker, the command line, the environment and the ini file, and checks them.

Imported only when an option was given or a test measures; imports neither numpy nor paddle.
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

from pytest_paddle_mt.addresses import Address, without_secrets
from pytest_paddle_mt.errors import UsageError
from pytest_paddle_mt.files import no_file
from pytest_paddle_mt.plugin import parsers
from pytest_paddle_mt.plugin.options import (
    BY_KEY,
    EXPECTED_QUERIES,
    FIRST_WARMUP_QUERIES,
    MARKER,
    MARKER_ONLY,
    OPTIONS,
    STRICT_BUDGETS,
    WARMUP_QUERIES,
    MarkerArgument,
    Option,
)
from pytest_paddle_mt.records import Limits, WindowPlan
from pytest_paddle_mt.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

_ROWS: tuple[Option | MarkerArgument, ...] = (*OPTIONS, *MARKER_ONLY)  #: Everything that can be set.


def scaling_marks(item: pytest.Item) -> list[pytest.Mark]:
    """The ``paddle_scaling`` marks of ``item``, the closest first.

    Within one node of the tree, the mark that was applied last wins. ``item.iter_markers()`` would return the mark of a
    function before that of its ``pytest.param``, and the mark of a base class before that of the class itself.
    """
    return [mark for node in item.iter_parents() for mark in reversed(node.own_markers) if mark.name == MARKER]


def resolve(
    config: pytest.Config,
    marks: Iterable[pytest.Mark] = (),
    known_engines: Collection[str] | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """Returns the settings: marker argument over command line over environment over ini file over default.

    Args:
        config: pytest's configuration, whose parser went through ``register``.
        marks: the marks of one test, the closest first (``scaling_marks``); marks of another name are ignored.
        known_engines: names of the engines that exist; None accepts any name.
        environ: the environment variables.

    Raises:
        UsageError: a value cannot be used, the marker has an unknown argument, or two settings contradict each other.
    """
    chosen, sources = _chosen(config, marks, environ)
    if known_engines is not None:
        default = f"--paddle-engine={BY_KEY['engine'].default}"
        _refuse_unknown_engines(chosen["engine"], sources.get("engine", default), known_engines)
    _refuse_contradictions(chosen, sources)
    return _of_this_process(_settings(chosen, sources, config.rootpath), config)


def with_batch_size(settings: Settings, size: object) -> Settings:
    """``settings`` for a test whose parameter ``paddle_batch_size`` is ``size``.

    Raises:
        UsageError: it is no batch size.
    """
    source = f"paddle_batch_size={size!r}"
    try:
        (number,) = parsers.batch_sizes([size])
    except parsers.Refused as refusal:
        raise UsageError(f"{source}: {refusal}") from None
    return dataclasses.replace(settings, batch_size=number, sources={"batch_size": source, **settings.sources})


def _chosen(
    config: pytest.Config, marks: Iterable[pytest.Mark], environ: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """The parsed value of every option and marker argument; and, of those that were given, where they were written."""
    in_marks = _marker_arguments(marks)
    chosen: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for row in _ROWS:
        # Read even where a marker overrules it: an ini file that contradicts itself is always an error.
        elsewhere = _given(config, row, environ) if isinstance(row, Option) else None
        given = in_marks.get(row.key, elsewhere)
        if given is None:
            chosen[row.key] = None if row.default is None else getattr(parsers, row.parser)(row.default)
        else:
            chosen[row.key] = _parsed(given, row.parser)
            sources[row.key] = without_secrets(given.source)
    return chosen, sources


def _refuse_contradictions(chosen: Mapping[str, Any], sources: Mapping[str, str]) -> None:
    """Refuse settings that are valid by themselves, but not together."""
    forks, rounds_max = chosen["forks"], chosen["rounds"][1]
    if forks > rounds_max:
        raise UsageError(
            f"{sources['forks']}: every fork measures whole rounds, and there are at most {rounds_max} "
            f"({sources.get('rounds', 'the default')}); give --paddle-rounds={forks}:{forks} or more, or fewer forks"
        )
    if chosen["baseline_update"] and chosen["baseline_update_new_only"]:
        raise UsageError(
            f"{sources['baseline_update']} and {sources['baseline_update_new_only']} contradict each other: accept new "
            "figures for every test, or only for tests without a baseline; give one of them"
        )
    for update in ("baseline_update", "baseline_update_new_only"):
        if chosen[update] and chosen["against"] is not None:
            raise UsageError(
                f"{sources[update]} and {sources['against']} contradict each other: a comparison measures two sides "
                "against each other, and has no baseline; record without the other side"
            )


def _settings(chosen: Mapping[str, Any], sources: dict[str, str], rootdir: Path) -> Settings:
    """The settings made of ``chosen``; a field with the name of an option takes its value as it is."""

    def two_sides(key: str) -> Any:
        option = BY_KEY[key]
        return chosen[key] if key in sources else getattr(parsers, option.parser)(option.default_two_sides)

    limits = Limits(**{field.name: chosen[field.name] for field in dataclasses.fields(Limits)})
    thread_counts, threads_note = _with_one_thread(chosen["threads"], sources.get("threads"))
    window_s, min_queries = chosen["window"]
    budgets = STRICT_BUDGETS if chosen["strict"] and "budget" not in sources else 1
    update = "all" if chosen["baseline_update"] else "new" if chosen["baseline_update_new_only"] else "none"
    fields = {field.name for field in dataclasses.fields(Settings)}
    as_chosen = {key: value for key, value in chosen.items() if key in fields}
    made = {
        "thread_counts": thread_counts,
        "threads_note": threads_note,
        "engines": chosen["engine"],
        "batch_sizes": chosen["batch_size"],
        "batch_size": chosen["batch_size"][0],
        "window": WindowPlan(
            window_s=window_s,
            min_queries=min_queries,
            expected_queries=EXPECTED_QUERIES if window_s else 0,
            warmup_s=chosen["warmup"],
            warmup_queries=WARMUP_QUERIES,
        ),
        "first_warmup_queries": FIRST_WARMUP_QUERIES,
        "rounds_min": chosen["rounds"][0],
        "rounds_max": chosen["rounds"][1],
        "budget_s": budgets * chosen["budget"],
        "budget_two_sides_s": budgets * two_sides("budget"),
        "limits": limits,
        "limits_two_sides": dataclasses.replace(limits, max_drift=two_sides("max_drift")),
        "json_path": chosen["json"],
        "html_path": chosen["html"],
        "exports": chosen["export"] or (),
        "markdown_path": chosen["markdown"],
        "baselines": _baselines_in(rootdir, chosen["baselines"], sources.get("baselines")),
        "baseline_update": update,
        "sources": sources,
    }
    return Settings(**{**as_chosen, **made})


def _of_this_process(settings: Settings, config: pytest.Config) -> Settings:
    """``settings`` with files of its own for a worker of pytest-xdist: workers would replace each other's results."""
    worker = getattr(config, "workerinput", {}).get("workerid")
    if worker is None:
        return settings
    files = {field.name: getattr(settings, field.name) for field in dataclasses.fields(settings)}
    written = {name: path for name, path in files.items() if name.endswith("_path") and path is not None}

    def own(path: Path) -> Path:
        return path.with_name(f"{path.stem}-{worker}{path.suffix}")

    exports = tuple((form, own(path)) for form, path in settings.exports)
    changed: dict[str, Any] = {name: own(path) for name, path in written.items()}
    return dataclasses.replace(settings, **changed, exports=exports)


def _with_one_thread(
    thread_counts: tuple[int, ...] | None, source: str | None
) -> tuple[tuple[int, ...] | None, str | None]:
    """The thread counts with 1 among them, and a note if it had to be added."""
    if thread_counts is None or thread_counts[0] == 1:
        return thread_counts, None
    return (1, *thread_counts), f"1 was added to {source}: efficiency is measured against one thread"


def _baselines_in(rootdir: Path, name: Path | Address, source: str | None) -> Path | Address:
    """The folder of the baselines; a file in its place is refused."""
    if isinstance(name, Address):
        return name
    folder = rootdir / name
    where = source or "the default of --paddle-baselines"
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{where}: {folder} is not a folder")
    if folder.is_symlink() and not folder.exists():
        raise UsageError(
            f"{where}: {folder} is a symbolic link to {os.readlink(folder)}, which does not exist; make that folder, "
            "or correct or remove the link"
        )
    return folder


# Where a value comes from.


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Given:
    """A value that was given, not yet parsed."""

    value: object  #: As pytest, the environment or the marker returns it.
    source: str  #: How the user wrote it, and where.
    directory: Path  #: The directory that a relative path starts from.


def _parsed(given: _Given, parser: str) -> Any:
    parse = getattr(parsers, parser)
    try:
        value = parse(given.value)
    except parsers.Refused as refusal:
        raise UsageError(f"{given.source}: {refusal}") from None
    if parse is parsers.exports:
        return tuple((form, _placed(given, path)) for form, path in value)
    if parse is parsers.file:
        return _placed(given, value)
    if parse in parsers.RELATIVE:
        # Links are not followed: a link may be what makes an interpreter that of a virtual environment.
        value = given.directory / value
    return value


def _placed(given: _Given, name: Path) -> Path:
    """The absolute path of a file that is to be written; a place that cannot have a regular file is refused."""
    path = given.directory / name
    obstacle = no_file(path)
    if obstacle is not None:
        step = "the name of a file in it" if path.is_dir() else "another name: the results replace a regular file only"
        raise UsageError(f"{given.source}: this is {obstacle}; give {step}")
    return path


def _marker_arguments(marks: Iterable[pytest.Mark]) -> dict[str, _Given]:
    names = [row.key for row in _ROWS if not isinstance(row, Option) or row.per_test]
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
                option = BY_KEY.get(name)
                step = f"it is for the whole run: use {option.name}." if option else parsers.meant(name, names)
                raise UsageError(f"{source}: {name!r} is not an argument of the marker; {step} Known: {known}")
            if value is not None and name not in given:  # None counts as not written
                given[name] = _Given(value=value, source=source, directory=Path())
    return given


def _given(config: pytest.Config, option: Option, environ: Mapping[str, str]) -> _Given | None:
    """The value from the command line, the environment or the ini file, if there is one."""
    in_ini = _ini(config, option)  # read even where it is overruled: a contradiction in the file is always an error
    directory = config.invocation_params.dir
    value = config.getoption(option.ini_names[1])
    if value is not None:
        written = " ".join(f"{option.name}={one}" for one in (value if option.repeated else [value]))
        source = written if option.metavar else option.name
        return _Given(value=value, source=source, directory=directory)
    if option.variable in environ:
        value = environ[option.variable]
        return _Given(value=value, source=f"{option.variable}={value}", directory=directory)
    return in_ini


def _ini(config: pytest.Config, option: Option) -> _Given | None:
    overridden = {entry.partition("=")[0] for entry in config.getoption("override_ini") or ()}
    found = [(name, value) for name in option.ini_names if (value := _ini_value(config, name)) is not None]
    # An override by -o replaces both spellings in the file.
    found = [(name, value) for name, value in found if name in overridden] or found
    if not found:
        return None
    if len({_as_written(value) for _, value in found}) > 1:
        both = " and ".join(_ini_source(config, name, value, name in overridden) for name, value in found)
        raise UsageError(
            f"{without_secrets(both)}: two spellings of one option contradict each other; keep {option.ini_names[0]}"
        )
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
        # In [tool.pytest], pytest 9 refuses 16, 0.9, true and [1, 2] for a string: what users would naturally write.
        table = config.stash.get(_TABLE, None)
        if table is None:
            table = config.stash[_TABLE] = _toml_table(config.inipath)
        if name not in table:
            raise
        return table[name]


def _toml_table(path: Path | None) -> dict[str, object]:
    """Everything that pytest reads from this file, with the types of TOML; empty if it is not a TOML file."""
    if path is None or path.suffix != ".toml":
        return {}
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib  # type: ignore[import-not-found,unused-ignore]  # pytest depends on it there
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    in_tool = document.get("tool", {}).get("pytest", {})
    return {**document.get("pytest", {}), **in_tool.get("ini_options", {}), **in_tool}


def _refuse_unknown_engines(engines: tuple[str, ...], source: str, known: Collection[str]) -> None:
    for name in engines:
        if name not in known:
            hint = f"{parsers.meant(name, known)} Known: {', '.join(known)}"
            raise UsageError(f"{source}: there is no engine {name!r}; {hint}")
