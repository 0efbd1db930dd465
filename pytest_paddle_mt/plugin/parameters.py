"""Refuses a test that pytest cannot run once for each parameter of a fixture, or once with each engine or batch size.

pytest makes such tests at collection, from the fixtures that a test requests by its arguments. So it cannot do that for
a fixture that a test requests later by its name, nor for a method of ``unittest.TestCase``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_paddle_mt.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest


def refuse_lost_parameters(item: pytest.Item, fixture: str) -> None:
    """Refuse a test that lacks a parameter of ``fixture`` or of one that it requests.

    Raises:
        UsageError: pytest did not make one test for each parameter.
    """
    known = parameters_of(item)
    for one in _needed(item, fixture):
        if one.params is not None and one.argname not in known:
            where = f"{one.func.__code__.co_filename}:{one.func.__code__.co_firstlineno}"
            raise UsageError(
                f"the fixture {one.argname} ({where}) has {len(one.params)} parameters, and {_why_lost(item, fixture)}"
            )


def refuse_lost_runs(item: pytest.Item, key: str, values: tuple[object, ...], source: str) -> None:
    """Refuse a test that was to run once with each of ``values`` and was made only once.

    ``key`` is the marker argument that chooses one: ``engine``, ``batch_size``.

    Raises:
        UsageError: pytest did not make one test for each.
    """
    if len(values) > 1 and f"paddle_{key}" not in parameters_of(item):
        name, chosen = key.replace("_", " "), repr(values[0]).replace("'", '"')
        raise UsageError(
            f"{source} asks for {len(values)} {name}s, and {_why_lost(item, 'concurrent_runner')}. Or choose the "
            f"{name} of this test: @pytest.mark.paddle_scaling({key}={chosen})"
        )


def parameters_of(item: pytest.Item) -> dict[str, Any]:
    """The parameters of a test by the names of their fixtures or arguments; empty where it has none."""
    callspec = getattr(item, "callspec", None)
    return {} if callspec is None else dict(callspec.params)


def _why_lost(item: pytest.Item, fixture: str) -> str:
    if getattr(item, "nofuncargs", False):
        return (
            f"pytest cannot run {item.name}, a method of unittest.TestCase, once for each; make it a function, or a "
            f"method of a class without a base, and request {fixture} as its argument"
        )
    return (
        f"pytest cannot run {item.name} once for each: it requests {fixture} by its name, after the tests were "
        f'collected; request it as an argument of the test, or by @pytest.mark.usefixtures("{fixture}")'
    )


def _needed(item: pytest.Item, fixture: str) -> Iterator[Any]:
    """The definitions of ``fixture`` for this test and of all that it requests."""
    manager: Any = item.session._fixturemanager
    waiting, seen = [fixture], set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        for definition in reversed(manager.getfixturedefs(name, item) or ()):
            yield definition
            waiting += definition.argnames
            if name not in definition.argnames:  # else it extends the definition that it overrides
                break
