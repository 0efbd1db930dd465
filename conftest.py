"""Stop at once where this checkout hides the installed package, which alone has the compiled part."""

import importlib.util

import pytest_paddle_mt

if importlib.util.find_spec("pytest_paddle_mt._native") is None:
    raise SystemExit(
        f"{pytest_paddle_mt.__file__} was imported, which has no compiled part. Install the checkout with\n"
        "pip install -e . or, where it is installed without -e, run pytest and not python -m pytest."
    )
