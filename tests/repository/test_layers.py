"""Which way imports point, and who imports Paddle or uses ``pytest.Config``.

Imports inside functions count; those that only a type checker sees do not.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import pytest_paddle_mt

PACKAGE = Path(pytest_paddle_mt.__file__).parent
NAME = "pytest_paddle_mt"

#: The ranks, from the top down. Folders of one rank never import each other.
RANKS = (
    ("testing",),
    ("extending",),
    ("command",),
    ("plugin",),
    ("sweeps",),
    ("reporters",),
    ("html_report",),
    ("exports",),
    ("checks",),
    ("baselines", "workers"),
    ("engines",),
    ("predictors",),
    ("machine", "statistics"),
    ("records", "settings"),
    ("addresses", "cause", "gpu", "errors", "units", "files", "interrupts", "_native"),
)
RANK_OF = {part: rank for rank, parts in enumerate(RANKS) for part in parts}

#: The members of each family, which never import each other. Other modules of the folder are what they share.
FAMILIES = {
    "checks": {"linear", "collapse", "drift", "against"},
    "engines": {"callables", "native", "onnxruntime", "python", "synthetic"},
    "exports": {"bmf", "gab", "openmetrics", "table"},
    "reporters": {
        *("export_file", "github", "html_file", "json_file", "junit"),
        *("markdown_file", "pytest_benchmark", "terminal"),
    },
}

#: Who may import Paddle, and who may use ``pytest.Config``.
MAY_IMPORT_PADDLE = ("predictors/", "plugin/configured_pool.py")
MAY_USE_PYTEST_CONFIG = ("command", "plugin", "workers")

#: What has a ``config`` that is pytest's. (That of a pool is Paddle's.)
OWNERS_OF_A_CONFIG = {"item", "metafunc", "node", "request", "session"}

MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def module_of(path):
    """``("checks", "linear")`` of ``checks/linear.py``; ``("checks",)`` of ``checks/__init__.py``."""
    parts = path.with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


def is_module(parts):
    """Whether these parts name a module of ours, and not something in one."""
    path = PACKAGE.joinpath(*parts)
    return path.is_dir() or path.with_suffix(".py").exists() or parts == ("_native",)


def running(tree):
    """The nodes of ``tree`` that run, those inside functions too; not what only a type checker sees."""
    yield tree
    only_checked = isinstance(tree, ast.If) and "TYPE_CHECKING" in ast.unparse(tree.test)
    for node in tree.orelse if only_checked else ast.iter_child_nodes(tree):
        yield from running(node)


def imports(tree, own):
    """The modules of ours that ``tree``, the source of module ``own``, imports when it runs."""
    for node in running(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == NAME:
                    yield tuple(alias.name.split(".")[1:])
        elif isinstance(node, ast.ImportFrom):
            base = absolute(node, own)
            if base is not None:
                for alias in node.names:
                    yield (*base, alias.name) if is_module((*base, alias.name)) else base


def imports_of_paddle(tree):
    """The lines that import Paddle when ``tree`` runs."""
    for node in running(tree):
        named = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and not node.level:
            named = [node.module]
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            named = [argument.value for argument in node.args[:1] if isinstance(argument, ast.Constant)]
        if any(name.split(".")[0] == "paddle" for name in named):
            yield ast.unparse(node)


def uses_of_pytest_config(tree):
    """Where ``tree`` has ``pytest.Config``, in annotations too, or takes it from something of pytest."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            owner = ast.unparse(node.value).rpartition(".")[2].lstrip("_")
            if (owner, node.attr) == ("pytest", "Config") or (owner in OWNERS_OF_A_CONFIG and node.attr == "config"):
                yield ast.unparse(node)
        elif isinstance(node, ast.ImportFrom) and node.module == "pytest":
            yield from (alias.name for alias in node.names if alias.name == "Config")


def absolute(node, own):
    """The module that ``from ... import`` names, in parts below our package; None when it is not ours."""
    named = tuple(node.module.split(".")) if node.module else ()
    if node.level:
        package = own if PACKAGE.joinpath(*own).is_dir() else own[:-1]
        return package[: len(package) - (node.level - 1)] + named
    return named[1:] if named[:1] == (NAME,) else None


def objection(own, imported):
    """Why module ``own`` must not import module ``imported``; None when it may."""
    if imported == ():
        return None  # the package itself: its version
    if own[0] != imported[0]:
        above = RANK_OF[own[0]] < RANK_OF[imported[0]]
        return None if above else f"{'.'.join(own)} imports {'.'.join(imported)}, which does not stand below it"
    members = FAMILIES.get(own[0], set())
    if own[-1] not in members or imported[-1] not in members or own == imported:
        return None
    return f"{'.'.join(own)} imports {'.'.join(imported)}, a member of its own family"


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_imports_point_down(path):
    own = module_of(path)
    objections = [objection(own, one) for one in imports(ast.parse((PACKAGE / path).read_text()), own)]
    assert [one for one in objections if one is not None] == []


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_only_predictors_and_the_configured_pool_import_paddle(path):
    if not str(path).startswith(MAY_IMPORT_PADDLE):
        assert list(imports_of_paddle(ast.parse((PACKAGE / path).read_text()))) == []


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_only_the_command_the_plugin_and_workers_use_the_config_of_pytest(path):
    if path.parts[0] not in MAY_USE_PYTEST_CONFIG:
        assert list(uses_of_pytest_config(ast.parse((PACKAGE / path).read_text()))) == []


def test_every_module_has_a_rank():
    assert {module_of(path)[0] for path in MODULES} | {"_native"} == set(RANK_OF)


def test_the_package_itself_imports_nothing_until_it_is_asked():
    for node in ast.parse((PACKAGE / "__init__.py").read_text()).body:
        if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)):
            assert not any(isinstance(node, kind) for kind in (ast.Import, ast.ImportFrom)) or NAME not in ast.unparse(
                node
            )


# The test itself


def found(source, own=("sweeps", "rounds")):
    return list(imports(ast.parse(source), own))


def test_imports_inside_functions_count():
    assert found("def f():\n    from pytest_paddle_mt.sweeps.results import SweepResult") == [("sweeps", "results")]


def test_a_module_that_is_imported_by_name_counts_as_itself():
    assert found("from pytest_paddle_mt import sweeps, records") == [("sweeps",), ("records",)]
    assert found("from pytest_paddle_mt import __version__") == [()]
    assert found("import pytest_paddle_mt.sweeps") == [("sweeps",)]


def test_relative_imports_count():
    assert found("from ..errors import UsageError") == [("errors",)]
    assert found("from . import margin", ("checks", "linear")) == [("checks", "margin")]
    assert found("from ..records import Verdict", ("checks", "linear")) == [("records",)]
    assert found("from .linear import LinearCheck", ("checks",)) == [("checks", "linear")]


def test_imports_for_the_type_checker_only_do_not_count():
    assert found("if TYPE_CHECKING:\n    from pytest_paddle_mt.sweeps.results import SweepResult") == []
    assert found("if TYPE_CHECKING:\n    pass\nelse:\n    import pytest_paddle_mt.sweeps") == [("sweeps",)]


@pytest.mark.parametrize(
    "source",
    [
        "import paddle",
        "def f():\n    from paddle import inference",
        "import numpy, paddle.inference as inference",
        "importlib.import_module('paddle.inference')",
        "if TYPE_CHECKING:\n    pass\nelse:\n    import paddle",
    ],
)
def test_every_import_of_paddle_is_found(source):
    assert len(list(imports_of_paddle(ast.parse(source)))) == 1


@pytest.mark.parametrize(
    "source",
    [
        "if TYPE_CHECKING:\n    import paddle",
        "importlib.util.find_spec('paddle')",
        "from . import paddle",
        "'paddle' in sys.modules",
    ],
)
def test_what_does_not_import_paddle_is_not_taken_for_it(source):
    assert list(imports_of_paddle(ast.parse(source))) == []


@pytest.mark.parametrize(
    "source",
    [
        "def f(config: pytest.Config): ...",
        "from pytest import Config",
        "item.config.rootpath",
        "self._item.config",
        "self._session.config.stash",
    ],
)
def test_every_use_of_the_config_of_pytest_is_found(source):
    assert len(list(uses_of_pytest_config(ast.parse(source)))) == 1


def test_the_config_of_a_pool_is_not_taken_for_that_of_pytest():
    assert list(uses_of_pytest_config(ast.parse("self.config.use_gpu()\npool.config.prog_file()"))) == []


@pytest.mark.parametrize(
    ("own", "imported"),
    [
        (("records",), ("sweeps", "rounds")),
        (("machine", "cores"), ("statistics", "points")),
        (("checks", "linear"), ("reporters", "terminal")),
        (("checks", "linear"), ("checks", "collapse")),
        (("reporters", "junit"), ("reporters", "json_file")),
    ],
)
def test_what_points_up_or_sideways_is_objected_to(own, imported):
    assert objection(own, imported) is not None


@pytest.mark.parametrize(
    ("own", "imported"),
    [
        (("sweeps", "rounds"), ("records",)),
        (("checks", "linear"), ("checks",)),
        (("checks", "linear"), ("checks", "margin")),
        (("checks", "doubts"), ("checks", "drift")),
        (("checks",), ("checks", "linear")),
        (("engines", "native"), ("engines", "closed_loop")),
        (("reporters", "json_file"), ()),
    ],
)
def test_what_points_down_is_allowed(own, imported):
    assert objection(own, imported) is None
