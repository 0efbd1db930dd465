"""The settings: read from the marker, the command line, the environment and the ini file, and checked here once.

Imported only when something was given or a test measures; neither numpy nor paddle is needed here. How to add an option
is said in ``options``; an argument that only the marker has goes into ``MARKER_ONLY`` and ``PARSERS``.
"""

from __future__ import annotations

import contextlib
import math
import operator
import os
import re
import shutil
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Literal

import pytest

from pytest_paddle_mt.errors import UsageError
from pytest_paddle_mt.options import (
    DEFAULT_BASELINES,
    DEFAULT_BUDGET,
    DEFAULT_ENGINE,
    DEFAULT_FORKS,
    DEFAULT_MAX_COLLAPSE,
    DEFAULT_MAX_DRIFT,
    DEFAULT_MIN_EFFICIENCY,
    DEFAULT_ROUNDS,
    DEFAULT_WARMUP,
    MARKER,
    MIN_QUERIES,
    OPTIONS,
    WARMUP_QUERIES,
    Option,
)
from pytest_paddle_mt.records import Limits, WindowPlan, record

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from pytest_paddle_mt.predictors import PoolMethod

#: Throughput is counted between completions, so one query of a thread has none.
FEWEST_QUERIES = 2
#: Each thread gets its own predictor: beyond this, memory decides, not the model.
MAX_THREADS = 1024

#: Each fork loads Paddle and the model: beyond this, memory decides, not the model.
MAX_FORKS = 64

#: How predictors can be made, as in ``predictors``, which would import numpy.
POOLS: tuple[PoolMethod, ...] = ("clone", "predictor_pool")
#: Arguments that only the marker has, and what holds without them.
MARKER_ONLY: dict[str, object] = {"pool": "clone", "allow_nonfinite": False}


#: Whose baselines are updated.
BaselineUpdate = Literal["none", "new", "all"]


@record
class Settings:
    """What was asked for, complete and checked."""

    #: Thread counts, ascending, 1 among them; None: not asked, so up to the usable cores.
    thread_counts: tuple[int, ...] | None
    #: Says that 1 was added to the thread counts; None when it was not.
    threads_note: str | None
    #: Names of the engines, in the order given, none twice.
    engines: tuple[str, ...]
    window: WindowPlan
    #: Fewest rounds of a sweep.
    rounds_min: int
    #: Most rounds of a sweep.
    rounds_max: int
    #: Seed of the order of the windows; None: draw one.
    seed: int | None
    #: Fresh processes that measure in turn; 0: this process does.
    forks: int
    #: Wall time that one sweep may take, in seconds.
    budget_s: float
    #: First dimension of inputs made from the model's own specification.
    batch_size: int
    #: ``cpu``, or ``gpu:`` and the number of the GPU.
    device: str
    limits: Limits
    #: How the predictors of ``paddle_config`` are made.
    pool: PoolMethod
    #: Whether the model may answer NaN or infinity to finite input.
    allow_nonfinite: bool
    #: Whether a test that was not gated fails.
    strict: bool
    #: The other interpreter of a comparison, absolute, links not followed; None: no comparison.
    against: Path | None
    #: Rootdir of the other side, absolute; None: the same.
    against_rootdir: Path | None
    #: Where results for programs go, absolute; None: nowhere.
    json_path: Path | None
    #: Where baselines are stored, absolute.
    baselines: Path
    baseline_update: BaselineUpdate
    #: Whether a test without a stored baseline fails.
    baseline_required: bool
    #: Where each value that was given came from, as the user wrote it, by marker argument (``strict``, ``json`` too).
    sources: dict[str, str]


class _Refused(Exception):
    """A value cannot be used: the fact, a semicolon, the next step. Where it came from is added above."""


# From what a user wrote to values. Every parser takes text or the natural Python value.


def _whole(value: object, step: str) -> int:
    if isinstance(value, str):
        text = value.strip()
        if not text:
            raise _Refused(f"the value is empty; {step}")
        if re.fullmatch(r"[+-]?[0-9]{1,4000}", text):  # Python converts no more than 4300 digits
            return int(text)
    elif not isinstance(value, bool):
        with contextlib.suppress(TypeError):
            return operator.index(value)  # type: ignore[arg-type]
    raise _Refused(f"{value!r} is not a whole number; {step}")


def _number(value: object, step: str) -> float:
    number = math.nan
    if isinstance(value, str):
        if not value.strip():
            raise _Refused(f"the value is empty; {step}")
        value = value.strip()
    if not isinstance(value, bool) and "_" not in str(value):
        with contextlib.suppress(TypeError, ValueError, OverflowError):
            number = float(value)  # type: ignore[arg-type]
    if math.isnan(number):
        raise _Refused(f"{value!r} is not a number; {step}")
    if math.isinf(number):
        raise _Refused(f"{value!r} is not finite; {step}")
    return number


def _at_least(fewest: int, step: str) -> Callable[[object], int]:
    def parse(value: object) -> int:
        number = _whole(value, step)
        if number < fewest:
            raise _Refused(f"{number} is below {fewest}; {step}")
        return number

    return parse


def _threads(value: object) -> tuple[int, ...]:
    step = "give the largest count (16), a range (1-16) or a list (1,3,8)"

    def count(part: object) -> int:
        number = _whole(part, step)
        if number < 1:
            raise _Refused(f"{number} is not a count of threads, which starts at 1; {step}")
        if number > MAX_THREADS:
            raise _Refused(
                f"{number} threads are more than the limit of {MAX_THREADS}: each thread gets its own predictor; "
                f"ask for {MAX_THREADS} threads or fewer"
            )
        return number

    if isinstance(value, str) and "," in value:
        value = value.split(",")
        if not all(part.strip() for part in value):
            raise _Refused(f"a place in the list is empty; {step}")
    if isinstance(value, (list, tuple, range, set, frozenset)):
        counts = set()
        for part in value:  # one by one: a range may be longer than memory
            counts.add(count(part))
        if not counts:
            raise _Refused(f"the list is empty; {step}")
        return tuple(sorted(counts))
    ends = re.fullmatch(r"\s*([0-9]+)\s*-\s*([0-9]+)\s*", value) if isinstance(value, str) else None
    if ends:
        first, last = count(ends[1]), count(ends[2])
        if first > last:
            raise _Refused(f"the range runs backwards, from {first} down to {last}; write {last}-{first}")
        return tuple(range(first, last + 1))
    largest = count(value)
    return (*(2**power for power in range(largest.bit_length()) if 2**power < largest), largest)


def _engines(value: object) -> tuple[str, ...]:
    step = f"name an engine, or several with commas between them, such as {DEFAULT_ENGINE}"
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)):
        raise _Refused(f"{value!r} is not the name of an engine; {step}")
    engines: dict[str, None] = {}
    for name in names:
        if not isinstance(name, str):
            raise _Refused(f"{name!r} is not the name of an engine; {step}")
        if not name.strip():
            raise _Refused(f"the name of an engine is empty; {step}")
        engines[name.strip()] = None
    if not engines:
        raise _Refused(f"the list is empty; {step}")
    return tuple(engines)


def _window(value: object) -> tuple[float, int]:
    step = "give seconds (0.5), or queries of every thread (200q)"
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?[0-9]+q\s*", value):
        queries = _whole(value.strip()[:-1], step)
        if queries < FEWEST_QUERIES:
            raise _Refused(
                f"a window of {queries}q is too short: throughput is counted between completions, "
                f"so every thread needs {FEWEST_QUERIES}q or more; {step}"
            )
        return 0.0, queries
    seconds = _number(value, step)
    if seconds <= 0:
        raise _Refused(f"a window of {seconds:g} s measures nothing; {step}")
    return seconds, MIN_QUERIES


def _rounds(value: object) -> tuple[int, int]:
    step = f"give MIN:MAX, such as {DEFAULT_ROUNDS}, or one number for both"
    parts = value.split(":") if isinstance(value, str) and ":" in value else value
    if not isinstance(parts, (list, tuple)):
        parts = [parts, parts]
    if len(parts) != 2:
        raise _Refused(f"{value!r} is not one or two numbers; {step}")
    fewest, most = (_whole(part, step) for part in parts)
    if fewest < 1:
        raise _Refused(f"{fewest} rounds measure nothing; {step}, at least 1")
    if fewest > most:
        raise _Refused(f"the fewest rounds, {fewest}, are more than the most, {most}; write {most}:{fewest}")
    return fewest, most


def _warmup(value: object) -> float:
    step = f"give seconds, such as {DEFAULT_WARMUP}, or 0"
    seconds = _number(value, step)
    if seconds < 0:
        raise _Refused(f"{seconds:g} s is below 0; {step}")
    return seconds


def _forks(value: object) -> int:
    step = f"give how many fresh processes measure in turn, 0 to {MAX_FORKS}; {DEFAULT_FORKS} is the default"
    number = _whole(value, step)
    if number < 0:
        raise _Refused(f"{number} is below 0; {step}")
    if number > MAX_FORKS:
        raise _Refused(f"{number} processes are more than the limit of {MAX_FORKS}: each loads its own model; {step}")
    return number


def _budget(value: object) -> float:
    step = f"give the seconds that one sweep may take, such as {DEFAULT_BUDGET}"
    seconds = _number(value, step)
    if seconds <= 0:
        raise _Refused(f"{seconds:g} s leave no time to measure; {step}")
    return seconds


def _device(value: object) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if text == "cpu" or re.fullmatch(r"gpu:(0|[1-9][0-9]*)", text):
        return text
    if text == "gpu":
        raise _Refused("it does not say which GPU; write gpu:0 for the first one")
    raise _Refused(f"{value!r} is not a device; write cpu, or gpu:0 for the first GPU")


def _min_efficiency(value: object) -> float:
    step = f"give a share above 0 and up to 1, such as {DEFAULT_MIN_EFFICIENCY}"
    share = _number(value, step)
    if not 0 < share <= 1:
        raise _Refused(f"an efficiency of {share:g} is no limit: it is above 0, and 1 is perfect scaling; {step}")
    return share


def _max_collapse(value: object) -> float:
    step = f"give the share of throughput that may be lost, above 0 and below 1, such as {DEFAULT_MAX_COLLAPSE}"
    share = _number(value, step)
    if not 0 < share < 1:
        raise _Refused(f"{share:g} is not between 0 and 1; {step}")
    return share


def _drift(value: object) -> float:
    step = f"give the share by which it may drift, above 0, such as {DEFAULT_MAX_DRIFT} for 10 %"
    share = _number(value, step)
    if share <= 0:
        raise _Refused(f"{share:g} leaves no room for noise; {step}")
    return share


def _linear_until(value: object) -> int | None:
    if isinstance(value, str) and value.strip() == "auto":
        return None
    return _at_least(1, "give auto, or the largest thread count to judge, 1 or more")(value)


def _truth(value: object) -> bool:
    text = str(value).strip().lower()  # TOML in string mode hands a boolean over as 'True'
    if text in {"1", "true", "yes", "on", "y", "t"}:
        return True
    if text in {"0", "false", "no", "off", "n", "f"}:
        return False
    raise _Refused(f"{value!r} is neither yes nor no; give true or false")


def _file(value: object) -> Path:
    step = "give the name of a file, such as scaling.json"
    if not isinstance(value, str):
        raise _Refused(f"{value!r} is not the name of a file; {step}")
    if not value.strip():
        raise _Refused(f"the value is empty; {step}")
    if value.endswith(("/", os.sep)):
        raise _Refused(f"{value!r} is a directory; {step}")
    return Path(value).expanduser()


def _interpreter(value: object) -> Path:
    step = "give a Python interpreter, such as ../before/.venv/bin/python"
    if not isinstance(value, str):
        raise _Refused(f"{value!r} is not the name of a program; {step}")
    if not value.strip():
        raise _Refused(f"the value is empty; {step}")
    if os.sep in value or value.startswith("~"):
        return Path(value).expanduser()
    on_path = shutil.which(value)
    if on_path is None:
        raise _Refused(f"there is no program {value!r} on the PATH; {step}")
    return Path(on_path)


def _directory(value: object) -> Path:
    step = "give a directory, such as ../before"
    if not isinstance(value, str):
        raise _Refused(f"{value!r} is not the name of a directory; {step}")
    if not value.strip():
        raise _Refused(f"the value is empty; {step}")
    return Path(value).expanduser()


def _folder(value: object) -> Path:
    step = f"give the name of a folder, such as {DEFAULT_BASELINES}"
    if not isinstance(value, str):
        raise _Refused(f"{value!r} is not the name of a folder; {step}")
    if not value.strip():
        raise _Refused(f"the value is empty; {step}")
    return Path(value).expanduser()


def _pool(value: object) -> str:
    name = value.strip() if isinstance(value, str) else ""
    if name in POOLS:
        return name
    raise _Refused(f"there is no pool {value!r}; {_meant(str(value), POOLS)} Known: {', '.join(POOLS)}")


def _true_or_false(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise _Refused(f"{value!r} is neither True nor False; give True to let the model answer NaN or infinity")


#: Turns what was written, or a natural Python value, into what ``Settings`` needs; refuses it with a reason.
PARSERS: dict[str, Callable[[object], Any]] = {
    "threads": _threads,
    "engine": _engines,
    "window": _window,
    "rounds": _rounds,
    "warmup": _warmup,
    "seed": _at_least(0, "give a whole number, 0 or more"),
    "forks": _forks,
    "budget": _budget,
    "batch_size": _at_least(1, "give the number of items in a batch, 1 or more"),
    "device": _device,
    "min_efficiency": _min_efficiency,
    "linear_until": _linear_until,
    "max_collapse": _max_collapse,
    "max_drift": _drift,
    "max_p99_drift": _drift,
    "against": _interpreter,
    "against_rootdir": _directory,
    "baselines": _folder,
    "baseline_update": _truth,
    "baseline_update_new_only": _truth,
    "baseline_required": _truth,
    "strict": _truth,
    "json": _file,
    "pool": _pool,
    "allow_nonfinite": _true_or_false,
}


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
        if parse in (_file, _interpreter, _directory):
            # Not resolved: a link may be what makes an interpreter that of a virtual environment.
            chosen[option.key] = given.directory / chosen[option.key]
        if parse is _file and chosen[option.key].is_dir():
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
    baselines = config.rootpath / chosen["baselines"]
    if baselines.exists() and not baselines.is_dir():
        raise UsageError(f"{sources.get('baselines', 'the default of --paddle-baselines')}: {baselines} is no folder")
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
        batch_size=chosen["batch_size"],
        device=chosen["device"],
        limits=Limits(
            min_efficiency=chosen["min_efficiency"],
            max_collapse=chosen["max_collapse"],
            linear_until=chosen["linear_until"],
            max_drift=chosen["max_drift"],
            max_p99_drift=chosen["max_p99_drift"],
        ),
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


@record
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
    except _Refused as refusal:
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
                step = f"it is for the whole run: use {whole_run}." if whole_run else _meant(name, names)
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
            raise UsageError(f"{source}: there is no engine {name!r}; {_meant(name, known)} Known: {', '.join(known)}")


def _meant(word: str, known: Collection[str]) -> str:
    import difflib  # only here: it costs a run without a mistake nothing

    closest = difflib.get_close_matches(word, list(known), n=1)
    return f"did you mean {closest[0]!r}?" if closest else "use one that is known."
