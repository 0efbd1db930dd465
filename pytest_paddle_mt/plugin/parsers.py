"""The parsers of the options: each takes text or the natural Python value, and returns what ``Settings`` needs.

The rows of ``options`` name them. A parser raises ``Refused`` for a value that cannot be used.
"""

from __future__ import annotations

import contextlib
import math
import operator
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_paddle_mt.addresses import Address, is_address
from pytest_paddle_mt.records import POOL_METHODS
from pytest_paddle_mt.settings import Xdist

if TYPE_CHECKING:
    from collections.abc import Collection

FEWEST_QUERIES = 2  #: Throughput is counted between completions, so one query of a thread gives none.
MAX_THREADS = 1024  #: Each thread gets its own predictor: beyond this, memory decides, not the model.
LAST_CPU = 1023  #: The kernel's own sets of CPUs have room for so many.
MAX_FORKS = 64  #: Each fork loads Paddle and the model: beyond this, memory decides, not the model.


class Refused(Exception):
    """A value cannot be used. The message gives the fact and the next step; ``resolve`` adds where it was written."""


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


def _at_least(fewest: int, value: object, step: str) -> int:
    number = _whole(value, step)
    if number < fewest:
        raise Refused(f"{number} is below {fewest}; {step}")
    return number


def _path(value: object, what: str, step: str) -> Path:
    if not isinstance(value, str):
        raise Refused(f"{value!r} is not the name of {what}; {step}")
    if not value.strip():
        raise Refused(f"the value is empty; {step}")
    return Path(value).expanduser()


def threads(value: object) -> tuple[int, ...]:
    """Thread counts, ascending, none twice, of ``16``, ``1-16`` or ``1,3,8``."""
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
        for part in value:  # stops at the first that is too large: a range may not fit into memory
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


def engines(value: object) -> tuple[str, ...]:
    """Names of engines, in the order given, none twice."""
    step = "name an engine, or several with commas between them, such as native"
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)):
        raise Refused(f"{value!r} is not the name of an engine; {step}")
    unique: dict[str, None] = {}
    for name in names:
        if not isinstance(name, str):
            raise Refused(f"{name!r} is not the name of an engine; {step}")
        if not name.strip():
            raise Refused(f"the name of an engine is empty; {step}")
        unique[name.strip()] = None
    if not unique:
        raise Refused(f"the list is empty; {step}")
    return tuple(unique)


def window(value: object) -> tuple[float, int]:
    """Seconds that a window lasts, or the fewest queries of every thread in it; the other is 0."""
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
    return seconds, 0


def rounds(value: object) -> tuple[int, int]:
    """The fewest rounds and the most."""
    step = "give MIN:MAX, such as 6:96, or one number for both"
    parts = value.split(":") if isinstance(value, str) and ":" in value else value
    if not isinstance(parts, (list, tuple)):
        parts = [parts, parts]
    if len(parts) != 2:
        raise Refused(f"{value!r} is not one or two numbers; {step}")
    fewest, most = (_whole(part, step) for part in parts)
    if fewest < 1:
        raise Refused(f"{fewest} rounds measure nothing; {step}, at least 1")
    if fewest > most:
        raise Refused(f"MIN, {fewest}, is more than MAX, {most}; write {most}:{fewest}")
    return fewest, most


def warmup(value: object) -> float:
    """Seconds, 0 or more."""
    step = "give seconds, such as 0.05, or 0"
    seconds = _number(value, step)
    if seconds < 0:
        raise Refused(f"{seconds:g} s is below 0; {step}")
    return seconds


def seed(value: object) -> int:
    """A whole number, 0 or more."""
    return _at_least(0, value, "give a whole number, 0 or more")


def forks(value: object) -> int:
    """How many fresh processes measure."""
    step = f"give how many fresh processes measure in turn, 0 to {MAX_FORKS}"
    number = _at_least(0, value, step)
    if number > MAX_FORKS:
        raise Refused(f"{number} processes are more than the limit of {MAX_FORKS}: each loads its own model; {step}")
    return number


def budget(value: object) -> float:
    """Seconds, above 0."""
    step = "give the seconds that one sweep may take, such as 60"
    seconds = _number(value, step)
    if seconds <= 0:
        raise Refused(f"{seconds:g} s leave no time to measure; {step}")
    return seconds


def batch_sizes(value: object) -> tuple[int, ...]:
    """Whole numbers, 1 or more, in the order given, none twice, of ``8`` or ``1,4,8``."""
    step = "give the number of items in a batch, 1 or more, or several with commas between them"
    parts = value.split(",") if isinstance(value, str) else value if isinstance(value, (list, tuple)) else [value]
    if not parts:
        raise Refused(f"the list is empty; {step}")
    return tuple(dict.fromkeys(_at_least(1, part, step) for part in parts))


def device(value: object) -> str:
    """``cpu``, or ``gpu:`` and the number of the GPU."""
    text = value.strip() if isinstance(value, str) else ""
    if text == "cpu" or re.fullmatch(r"gpu:(0|[1-9][0-9]*)", text):
        return text
    if text == "gpu":
        raise Refused("the number of the GPU is missing; write gpu:0 for the first one")
    raise Refused(f"{value!r} is not a device; write cpu, or gpu:0 for the first GPU")


def streams(value: object) -> str:
    """``own`` or ``shared``."""
    text = str(value).strip()
    if text in {"own", "shared"}:
        return text
    raise Refused(f"{value!r} is neither own nor shared; give own for a CUDA stream for each predictor, or shared")


def pin(value: object) -> tuple[int, ...]:
    """CPUs, ascending, of ``0,2-5``; none for ``auto`` and ``none``."""
    step = "give auto, none, or CPUs such as 0,2-5"
    if isinstance(value, str) and value.strip() in ("auto", "none"):
        return ()
    parts = value.split(",") if isinstance(value, str) else value if isinstance(value, (list, tuple)) else [value]
    cpus: set[int] = set()
    for part in parts:
        ends = re.fullmatch(r"\s*([0-9]{1,4})\s*-\s*([0-9]{1,4})\s*", part) if isinstance(part, str) else None
        first, last = (int(ends[1]), int(ends[2])) if ends else 2 * (_whole(part, step),)
        if first > last:
            raise Refused(f"the range runs backwards, from {first} down to {last}; write {last}-{first}")
        if not 0 <= first <= last <= LAST_CPU:
            raise Refused(f"there is no CPU {first if first < 0 else last}; {step}, each from 0 to {LAST_CPU}")
        cpus.update(range(first, last + 1))
    if not cpus:
        raise Refused(f"the list is empty; {step}")
    return tuple(sorted(cpus))


def xdist(value: object) -> Xdist:
    """How workers of pytest-xdist measure: ``serial``, ``cores``, ``devices``, or ``devices:0,2``."""
    step = "give serial, cores, devices, or devices and the numbers of the GPUs, such as devices:0,2"
    mode, colon, listed = str(value).strip().partition(":")
    if mode not in ("serial", "cores", "devices") or (colon and mode != "devices"):
        raise Refused(f"{value!r} is no way to measure under pytest-xdist; {step}")
    if colon and not re.fullmatch(r"[0-9]{1,4}(,[0-9]{1,4})*", listed):
        raise Refused(f"{listed!r} is no list of GPUs; {step}")
    gpus = tuple(dict.fromkeys(int(one) for one in listed.split(",") if one))
    return Xdist(mode=mode, gpus=gpus)  # type: ignore[arg-type]


def min_efficiency(value: object) -> float:
    """A share above 0 and up to 1."""
    step = "give a share above 0 and up to 1, such as 0.85"
    share = _number(value, step)
    if not 0 < share <= 1:
        raise Refused(f"{share:g} cannot be the smallest efficiency: 1 is perfect scaling; {step}")
    return share


def max_collapse(value: object) -> float:
    """A share above 0 and below 1."""
    step = "give the share of throughput that may be lost, above 0 and below 1, such as 0.15"
    share = _number(value, step)
    if not 0 < share < 1:
        raise Refused(f"{share:g} is not between 0 and 1; {step}")
    return share


def drift(value: object) -> float:
    """A share above 0."""
    step = "give the share by which it may drift, above 0, such as 0.10 for 10 %"
    share = _number(value, step)
    if share <= 0:
        raise Refused(f"{share:g} leaves no room for noise; {step}")
    return share


def linear_until(value: object) -> int | None:
    """A thread count; None for ``auto``."""
    if isinstance(value, str) and value.strip() == "auto":
        return None
    return _at_least(1, value, "give auto, or the largest thread count to judge, 1 or more")


def truth(value: object) -> bool:
    """Whether a flag is set."""
    text = str(value).strip().lower()  # in [tool.pytest.ini_options] pytest turns the boolean true into 'True'
    if text in {"1", "true", "yes", "on", "y", "t"}:
        return True
    if text in {"0", "false", "no", "off", "n", "f"}:
        return False
    raise Refused(f"{value!r} is neither yes nor no; give true or false")


def github(value: object) -> bool:
    """Whether GitHub Actions is told: ``auto`` or ``off``."""
    text = str(value).strip().lower()
    if text in {"auto", "off"}:
        return text == "auto"
    raise Refused(f"{value!r} is neither auto nor off; give auto to write in GitHub Actions only, or off")


def answers(value: object) -> int | None:
    """How many answers are compared at least; 0: as many as a warm-up serves; None: none."""
    with contextlib.suppress(Refused):
        return 0 if truth(value) else None
    return _at_least(2, value, "give on, off, or how many answers to compare at least, such as 3000")


def file(value: object) -> Path:
    """The name of a file."""
    step = "give the name of a file, such as scaling.json"
    path = _path(value, "a file", step)
    if str(value).endswith(("/", os.sep)):
        raise Refused(f"{value!r} is a directory; {step}")
    return path


def exports(value: object) -> tuple[tuple[str, Path], ...]:
    """Formats and files, of ``csv:scaling.csv``, several with commas between them, or a list of such texts."""
    from pytest_paddle_mt.exports import FORMATS

    step = f"give FORMAT:FILE, such as csv:scaling.csv; formats: {', '.join(FORMATS)}"
    texts = value if isinstance(value, (list, tuple)) else [value]
    found: list[tuple[str, Path]] = []
    for text in texts:
        if not isinstance(text, str):
            raise Refused(f"{text!r} is not a format and a file; {step}")
        for one in re.split(rf",(?=\s*(?:{'|'.join(FORMATS)}):)", text):
            form, colon, name = one.strip().partition(":")
            if not colon:
                raise Refused(f"{one!r} has no colon; {step}")
            if form not in FORMATS:
                raise Refused(f"there is no format {form!r}; {meant(form, FORMATS)} {step}")
            path = file(name)
            if path in [known for _, known in found]:
                raise Refused(f"{name} is named twice; give each format a file of its own")
            found.append((form, path))
    return tuple(found)


def interpreter(value: object) -> Path:
    """A Python interpreter: its file, or without a slash its name on the PATH."""
    step = "give a Python interpreter, such as ../before/.venv/bin/python"
    path = _path(value, "a program", step)
    name = str(value)
    if os.sep in name or name.startswith("~"):
        return path
    on_path = shutil.which(name)
    if on_path is None:
        raise Refused(f"there is no program {name!r} on the PATH; {step}")
    return Path(on_path)


def directory(value: object) -> Path:
    """The name of a directory."""
    return _path(value, "a directory", "give a directory, such as ../before")


def folder(value: object) -> Path | Address:
    """The name of a folder for baselines, or the URL of a remote one."""
    if isinstance(value, str) and is_address(value):
        return Address(value.strip())
    return _path(
        value, "a folder", "give the name of a folder, such as baselines, or a URL, such as s3://bucket/baselines"
    )


def pool(value: object) -> str:
    """One of ``POOL_METHODS``."""
    name = value.strip() if isinstance(value, str) else ""
    if name in POOL_METHODS:
        return name
    raise Refused(f"there is no pool {value!r}; {meant(str(value), POOL_METHODS)} Known: {', '.join(POOL_METHODS)}")


def true_or_false(value: object) -> bool:
    """A Python boolean, and nothing that merely counts as one."""
    if isinstance(value, bool):
        return value
    raise Refused(f"{value!r} is neither True nor False; give True to let the model answer NaN or infinity")


#: Parsers of paths that are relative to the place where they were written.
RELATIVE = (interpreter, directory)


def meant(word: str, known: Collection[str]) -> str:
    """Suggests the known name that is closest to ``word``, as a sentence."""
    import difflib  # here, so that only a run with a mistake pays for it

    closest = difflib.get_close_matches(word, list(known), n=1)
    return f"did you mean {closest[0]!r}?" if closest else "use one that is known."
