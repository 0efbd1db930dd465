"""What the tests of options and settings share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_paddle_mt.plugin.options import MARKER
from pytest_paddle_mt.settings import Settings

#: Settings from command line arguments, marks and environment variables: the fixture ``read``.
Read = Callable[..., Settings]

NATIVE_TOML = pytest.mark.skipif(pytest.version_tuple < (9, 0), reason="[tool.pytest] came with pytest 9")

#: A value for each option that a marker may set.
PER_TEST = {
    "threads": "8",
    "engine": "python",
    "window": "9q",
    "rounds": "2:3",
    "warmup": "7",
    "seed": "9",
    "forks": "3",
    "budget": "11",
    "batch_size": "5",
    "pool": "shared",
    "device": "gpu:1",
    "streams": "own",
    "pin": "0,2-3",
    "min_efficiency": "0.5",
    "linear_until": "2",
    "max_collapse": "0.3",
    "max_drift": "0.2",
    "max_p99_drift": "0.4",
    "answers": "3000",
}


def scaling(**arguments: Any) -> pytest.Mark:
    return getattr(pytest.mark, MARKER)(**arguments).mark  # type: ignore[no-any-return]
