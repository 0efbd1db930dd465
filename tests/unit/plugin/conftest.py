from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from pytest_paddle_mt.errors import UsageError
from pytest_paddle_mt.plugin import options
from pytest_paddle_mt.plugin.resolve import resolve
from pytest_paddle_mt.settings import Settings
from tests.unit.plugin.helpers import Read

ENGINES = ("native", "python", "synthetic")


class OptionsPlugin:
    """Our options without the rest of the plugin."""

    @staticmethod
    def pytest_addoption(parser: pytest.Parser) -> None:
        options.register(parser)


@pytest.fixture
def parse(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Callable[..., pytest.Config]:
    """A real pytest configuration to which our options, and only they, were added."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # this is done hundreds of times
    pytester.plugins.append(OptionsPlugin())
    return lambda *arguments: pytester.parseconfig("-p", "no:paddle_mt", *arguments)


@pytest.fixture
def read(parse: Callable[..., pytest.Config]) -> Read:
    """Settings from command line arguments, marks and environment variables."""

    def settings(
        *arguments: str, marks: Sequence[pytest.Mark] = (), known_engines: Any = ENGINES, **environ: str
    ) -> Settings:
        return resolve(parse(*arguments), marks, known_engines, environ)

    return settings


@pytest.fixture
def refusal(read: Read) -> Callable[..., str]:
    """The message of the error for input that is refused."""

    def message(*arguments: str, **more: Any) -> str:
        with pytest.raises(UsageError) as caught:
            read(*arguments, **more)
        return str(caught.value)

    return message
