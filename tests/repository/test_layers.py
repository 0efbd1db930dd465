"""Which way imports point. Inner imports count; those that only a type checker sees do not."""

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
    ("plugin",),
    ("sweeps",),
    ("reporters",),
    ("checks",),
    ("baselines", "workers"),
    ("engines",),
    ("predictors",),
    ("machine", "statistics"),
    ("records", "settings"),
    ("errors", "units", "files", "_native"),
)
RANK_OF = {part: rank for rank, parts in enumerate(RANKS) for part in parts}

#: The members of each family, which never import each other. Other modules of the folder are what they share.
FAMILIES = {
    "checks": {"linear", "collapse", "drift", "against"},
    "engines": {"native", "python", "synthetic"},
    "reporters": {"json_file", "junit", "pytest_benchmark", "terminal"},
}

MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def module_of(path):
    """``("checks", "linear")`` of ``checks/linear.py``; ``("checks",)`` of ``checks/__init__.py``."""
    parts = path.with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


def is_module(parts):
    """Whether these parts name a module of ours, and not something in one."""
    path = PACKAGE.joinpath(*parts)
    return path.is_dir() or path.with_suffix(".py").exists() or parts == ("_native",)


def imports(tree, own):
    """The modules of ours that ``tree``, the source of module ``own``, imports when it runs, inside functions too."""
    if isinstance(tree, ast.If) and "TYPE_CHECKING" in ast.unparse(tree.test):
        for node in tree.orelse:
            yield from imports(node, own)
        return
    if isinstance(tree, ast.Import):
        for alias in tree.names:
            if alias.name.split(".")[0] == NAME:
                yield tuple(alias.name.split(".")[1:])
    elif isinstance(tree, ast.ImportFrom):
        base = absolute(tree, own)
        if base is not None:
            for alias in tree.names:
                yield (*base, alias.name) if is_module((*base, alias.name)) else base
    for node in ast.iter_child_nodes(tree):
        yield from imports(node, own)


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
