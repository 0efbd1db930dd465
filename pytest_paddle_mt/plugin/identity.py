"""Which test a result and a baseline belong to."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_paddle_mt.errors import UsageError
from pytest_paddle_mt.plugin.session import FIXED_ID

if TYPE_CHECKING:
    from collections.abc import Sequence


def test_key(item: pytest.Item) -> str:
    """The identity of a test in the store: its node id, without the engine where it is parametrized by engines.

    So a baseline is found both when the test runs with one engine and when it runs with several. The node id of a file
    that is not below the rootdir depends on how pytest was called, so its path from the rootdir takes its place.
    """
    nodeid = item.nodeid
    module = item.getparent(pytest.Module)
    fixed = module is not None and FIXED_ID in module.stash
    if item.config.rootpath not in item.path.parents and not fixed:
        path = os.path.relpath(os.path.realpath(item.path), os.path.realpath(item.config.rootpath))
        nodeid = f"{path.replace(os.sep, '/')}::{nodeid.partition('::')[2]}"
    callspec = getattr(item, "callspec", None)
    engine = None if callspec is None else callspec.params.get("paddle_engine")
    if callspec is None or not isinstance(engine, str):
        return nodeid
    others = re.sub(rf"(^|-){re.escape(engine)}(?=-|$)", "", callspec.id, count=1).lstrip("-")
    function = nodeid[: -len(f"[{callspec.id}]")]
    return f"{function}[{others}]" if others else function


def refuse_shared_id(item: pytest.Item, others: Sequence[pytest.Item]) -> None:
    """Refuse a test that measures under the node id of another one: results and baselines belong to node ids.

    Raises:
        UsageError: there is such a test among ``others``, or this one twice.
    """
    same = [other for other in others if other.nodeid == item.nodeid]
    if len(same) < 2:
        return
    paths = list(dict.fromkeys(other.path for other in same))
    mixed_up = "their results and baselines would be mixed up"
    if len(paths) == 1:
        raise UsageError(
            f"the test {item.nodeid!r} was collected {len(same)} times, and {mixed_up}: drop --keep-duplicates, or "
            f"name {paths[0]} once; to measure a test several times, give it a parameter, so that each time has an id"
        )
    raise UsageError(
        f"{paths[0]} and {paths[1]} both have a test {item.nodeid!r}, because they are not below the rootdir "
        f"{item.config.rootpath}; {mixed_up}: give --rootdir={Path(os.path.commonpath(paths))}, or name them in two "
        "calls of pytest with a --paddle-baselines of their own"
    )
