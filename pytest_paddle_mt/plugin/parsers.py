"""What the value of an option may be: a parser for each, which turns what a user wrote into what ``Settings`` needs."""

from __future__ import annotations

import contextlib
import math
import operator
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_paddle_mt.plugin.options import (
    DEFAULT_BASELINES,
    DEFAULT_BUDGET,
    DEFAULT_ENGINE,
    DEFAULT_FORKS,
    DEFAULT_MAX_COLLAPSE,
    DEFAULT_MAX_DRIFT,
    DEFAULT_MIN_EFFICIENCY,
    DEFAULT_ROUNDS,
    DEFAULT_WARMUP,
    MIN_QUERIES,
)
from pytest_paddle_mt.records import POOL_METHODS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection


#: Throughput is counted between completions, so one query of a thread has none.
FEWEST_QUERIES = 2
#: Each thread gets its own predictor: beyond this, memory decides, not the model.
MAX_THREADS = 1024

#: Each fork loads Paddle and the model: beyond this, memory decides, not the model.
MAX_FORKS = 64


class Refused(Exception):
    """A value cannot be used: the fact, a semicolon, the next step. Where it came from is added above."""


# From what a user wrote to values. Every parser takes text or the natural Python value.


def _whole(value: object, step: str) -> int:
    if isinstance(value, str):
        text = value.strip()
        if not text:
            raise Refused(f"the value is empty; {step}")
        if re.fullmatch(r"[+-]?[0-9]{1,4000}", text):  # Python converts no more than 4300 digits
            return int(text)
    elif not isinstance(value, bool):
        with contextlib.suppress(TypeError):
            return operator.index(value)  # type: ignore[arg-type]
    raise Refused(f"{value!r} is not a whole number; {step}")


def _number(value: object, step: str) -> float:
    number = math.nan
    if isinstance(value, str):
        if not value.strip():
            raise Refused(f"the value is empty; {step}")
        value = value.strip()
    if not isinstance(value, bool) and "_" not in str(value):
        with contextlib.suppress(TypeError, ValueError, OverflowError):
            number = float(value)  # type: ignore[arg-type]
    if math.isnan(number):
        raise Refused(f"{value!r} is not a number; {step}")
    if math.isinf(number):
        raise Refused(f"{value!r} is not finite; {step}")
    return number


def _at_least(fewest: int, step: str) -> Callable[[object], int]:
    def parse(value: object) -> int:
        number = _whole(value, step)
        if number < fewest:
            raise Refused(f"{number} is below {fewest}; {step}")
        return number

    return parse


def _threads(value: object) -> tuple[int, ...]:
    step = "give the largest count (16), a range (1-16) or a list (1,3,8)"

    def count(part: object) -> int:
        number = _whole(part, step)
        if number < 1:
            raise Refused(f"{number} is not a count of threads, which starts at 1; {step}")
        if number > MAX_THREADS:
            raise Refused(
                f"{number} threads are more than the limit of {MAX_THREADS}: each thread gets its own predictor; "
                f"ask for {MAX_THREADS} threads or fewer"
            )
        return number

    if isinstance(value, str) and "," in value:
        value = value.split(",")
        if not all(part.strip() for part in value):
            raise Refused(f"a place in the list is empty; {step}")
    if isinstance(value, (list, tuple, range, set, frozenset)):
        counts = set()
        for part in value:  # one by one: a range may be longer than memory
            counts.add(count(part))
        if not counts:
            raise Refused(f"the list is empty; {step}")
        return tuple(sorted(counts))
    ends = re.fullmatch(r"\s*([0-9]+)\s*-\s*([0-9]+)\s*", value) if isinstance(value, str) else None
    if ends:
        first, last = count(ends[1]), count(ends[2])
        if first > last:
            raise Refused(f"the range runs backwards, from {first} down to {last}; write {last}-{first}")
        return tuple(range(first, last + 1))
    largest = count(value)
    return (*(2**power for power in range(largest.bit_length()) if 2**power < largest), largest)


def _engines(value: object) -> tuple[str, ...]:
    step = f"name an engine, or several with commas between them, such as {DEFAULT_ENGINE}"
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)):
        raise Refused(f"{value!r} is not the name of an engine; {step}")
    engines: dict[str, None] = {}
    for name in names:
        if not isinstance(name, str):
            raise Refused(f"{name!r} is not the name of an engine; {step}")
        if not name.strip():
            raise Refused(f"the name of an engine is empty; {step}")
        engines[name.strip()] = None
    if not engines:
        raise Refused(f"the list is empty; {step}")
    return tuple(engines)


def _window(value: object) -> tuple[float, int]:
    step = "give seconds (0.5), or queries of every thread (200q)"
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?[0-9]+q\s*", value):
        queries = _whole(value.strip()[:-1], step)
        if queries < FEWEST_QUERIES:
            raise Refused(
                f"a window of {queries}q is too short: throughput is counted between completions, "
                f"so every thread needs {FEWEST_QUERIES}q or more; {step}"
            )
        return 0.0, queries
    seconds = _number(value, step)
    if seconds <= 0:
        raise Refused(f"a window of {seconds:g} s measures nothing; {step}")
    return seconds, MIN_QUERIES


def _rounds(value: object) -> tuple[int, int]:
    step = f"give MIN:MAX, such as {DEFAULT_ROUNDS}, or one number for both"
    parts = value.split(":") if isinstance(value, str) and ":" in value else value
    if not isinstance(parts, (list, tuple)):
        parts = [parts, parts]
    if len(parts) != 2:
        raise Refused(f"{value!r} is not one or two numbers; {step}")
    fewest, most = (_whole(part, step) for part in parts)
    if fewest < 1:
        raise Refused(f"{fewest} rounds measure nothing; {step}, at least 1")
    if fewest > most:
        raise Refused(f"the fewest rounds, {fewest}, are more than the most, {most}; write {most}:{fewest}")
    return fewest, most


def _warmup(value: object) -> float:
    step = f"give seconds, such as {DEFAULT_WARMUP}, or 0"
    seconds = _number(value, step)
    if seconds < 0:
        raise Refused(f"{seconds:g} s is below 0; {step}")
    return seconds


def _forks(value: object) -> int:
    step = f"give how many fresh processes measure in turn, 0 to {MAX_FORKS}; {DEFAULT_FORKS} is the default"
    number = _whole(value, step)
    if number < 0:
        raise Refused(f"{number} is below 0; {step}")
    if number > MAX_FORKS:
        raise Refused(f"{number} processes are more than the limit of {MAX_FORKS}: each loads its own model; {step}")
    return number


def _budget(value: object) -> float:
    step = f"give the seconds that one sweep may take, such as {DEFAULT_BUDGET}"
    seconds = _number(value, step)
    if seconds <= 0:
        raise Refused(f"{seconds:g} s leave no time to measure; {step}")
    return seconds


def _device(value: object) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if text == "cpu" or re.fullmatch(r"gpu:(0|[1-9][0-9]*)", text):
        return text
    if text == "gpu":
        raise Refused("it does not say which GPU; write gpu:0 for the first one")
    raise Refused(f"{value!r} is not a device; write cpu, or gpu:0 for the first GPU")


def _min_efficiency(value: object) -> float:
    step = f"give a share above 0 and up to 1, such as {DEFAULT_MIN_EFFICIENCY}"
    share = _number(value, step)
    if not 0 < share <= 1:
        raise Refused(f"an efficiency of {share:g} is no limit: it is above 0, and 1 is perfect scaling; {step}")
    return share


def _max_collapse(value: object) -> float:
    step = f"give the share of throughput that may be lost, above 0 and below 1, such as {DEFAULT_MAX_COLLAPSE}"
    share = _number(value, step)
    if not 0 < share < 1:
        raise Refused(f"{share:g} is not between 0 and 1; {step}")
    return share


def _drift(value: object) -> float:
    step = f"give the share by which it may drift, above 0, such as {DEFAULT_MAX_DRIFT} for 10 %"
    share = _number(value, step)
    if share <= 0:
        raise Refused(f"{share:g} leaves no room for noise; {step}")
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
    raise Refused(f"{value!r} is neither yes nor no; give true or false")


def file(value: object) -> Path:
    """The name of a file."""
    step = "give the name of a file, such as scaling.json"
    if not isinstance(value, str):
        raise Refused(f"{value!r} is not the name of a file; {step}")
    if not value.strip():
        raise Refused(f"the value is empty; {step}")
    if value.endswith(("/", os.sep)):
        raise Refused(f"{value!r} is a directory; {step}")
    return Path(value).expanduser()


def interpreter(value: object) -> Path:
    """A Python interpreter, by its file or, without a slash, by its name on the PATH."""
    step = "give a Python interpreter, such as ../before/.venv/bin/python"
    if not isinstance(value, str):
        raise Refused(f"{value!r} is not the name of a program; {step}")
    if not value.strip():
        raise Refused(f"the value is empty; {step}")
    if os.sep in value or value.startswith("~"):
        return Path(value).expanduser()
    on_path = shutil.which(value)
    if on_path is None:
        raise Refused(f"there is no program {value!r} on the PATH; {step}")
    return Path(on_path)


def directory(value: object) -> Path:
    """The name of a directory."""
    step = "give a directory, such as ../before"
    if not isinstance(value, str):
        raise Refused(f"{value!r} is not the name of a directory; {step}")
    if not value.strip():
        raise Refused(f"the value is empty; {step}")
    return Path(value).expanduser()


def _folder(value: object) -> Path:
    step = f"give the name of a folder, such as {DEFAULT_BASELINES}"
    if not isinstance(value, str):
        raise Refused(f"{value!r} is not the name of a folder; {step}")
    if not value.strip():
        raise Refused(f"the value is empty; {step}")
    return Path(value).expanduser()


def _pool(value: object) -> str:
    name = value.strip() if isinstance(value, str) else ""
    if name in POOL_METHODS:
        return name
    raise Refused(f"there is no pool {value!r}; {meant(str(value), POOL_METHODS)} Known: {', '.join(POOL_METHODS)}")


def _true_or_false(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise Refused(f"{value!r} is neither True nor False; give True to let the model answer NaN or infinity")


#: Parsers of paths that are relative to where they were written.
RELATIVE = (file, interpreter, directory)

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
    "against": interpreter,
    "against_rootdir": directory,
    "baselines": _folder,
    "baseline_update": _truth,
    "baseline_update_new_only": _truth,
    "baseline_required": _truth,
    "strict": _truth,
    "json": file,
    "pool": _pool,
    "allow_nonfinite": _true_or_false,
}


def meant(word: str, known: Collection[str]) -> str:
    """Whether ``word`` is a slip for something known, for people."""
    import difflib  # only here: it costs a run without a mistake nothing

    closest = difflib.get_close_matches(word, list(known), n=1)
    return f"did you mean {closest[0]!r}?" if closest else "use one that is known."
