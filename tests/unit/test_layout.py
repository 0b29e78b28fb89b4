"""The layers of the architecture: which module may import which."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PACKAGE = "tap_custobar"
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path
    for path in sorted((ROOT / PACKAGE).rglob("*.py"))
    if path.name != "__init__.py"
}
SANDBOX = {name for name in MODULES if name.startswith(f"{PACKAGE}.sandbox.")}
TAP = sorted(MODULES.keys() - SANDBOX)

#: Packages and modules by layer, the lowest first: each imports only itself and lower layers.
LAYERS = [
    "errors redaction signals wording",
    "records",
    "api",
    "state config",
    "progress connection",
    "pages",
    "request sync",
    "catalog",
    "singer",
    "stream",
    "streams",
    "tap",
    "__main__",
    "airbyte",
]
LAYER_OF = {part: number for number, layer in enumerate(LAYERS) for part in layer.split()}

#: Those that import the SDK.
WITH_SDK = {"catalog", "singer", "stream", "tap", "airbyte"}


def imported(name: str) -> Iterator[str]:
    """Yield the modules and names that a module imports, anywhere in it."""
    for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom():
                assert not node.level, name
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
                yield str(node.module)
            case ast.Constant(value=str(text)) if text.startswith(("singer_sdk", f"{PACKAGE}.")):
                yield text  # an import by name


def imported_modules(name: str) -> set[str]:
    return MODULES.keys() & set(imported(name))


def part_of(name: str) -> str:
    """Return the part in LAYERS that a module belongs to."""
    inner = name.removeprefix(f"{PACKAGE}.")
    return inner if inner in LAYER_OF else inner.partition(".")[0]


def test_modules_and_imports_are_found() -> None:
    assert {f"{PACKAGE}.{name}" for name in ("tap", "api.client", "sandbox.app")} <= MODULES.keys()
    assert f"{PACKAGE}.errors" in imported_modules(f"{PACKAGE}.api.client")
    assert f"{PACKAGE}.api.urls" in imported_modules(f"{PACKAGE}.api.responses")
    assert "singer_sdk" in {module.partition(".")[0] for module in imported(f"{PACKAGE}.tap")}


def test_every_module_belongs_to_a_layer_and_no_layer_is_empty() -> None:
    assert {part_of(name) for name in TAP} == LAYER_OF.keys()


@pytest.mark.parametrize("name", TAP)
def test_no_module_imports_a_higher_layer(name: str) -> None:
    part = part_of(name)
    others = {part_of(module) for module in imported_modules(name) - SANDBOX} - {part}

    assert {other for other in others if LAYER_OF[other] >= LAYER_OF[part]} == set()


def test_no_imports_are_circular() -> None:
    TopologicalSorter({name: imported_modules(name) for name in MODULES}).prepare()


def test_only_some_parts_import_the_sdk() -> None:
    roots = {
        name: {module.partition(".")[0] for module in imported(name)} for name in sorted(MODULES)
    }

    assert {part_of(name) for name in MODULES if "singer_sdk" in roots[name]} == WITH_SDK


@pytest.mark.parametrize("name", TAP)
def test_the_tap_does_not_import_the_sandbox(name: str) -> None:
    assert not any("sandbox" in module for module in imported(name))


def test_streams_are_declared_without_logic() -> None:
    tree = ast.parse(MODULES[f"{PACKAGE}.streams"].read_text(encoding="utf-8"))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]

    assert classes
    for node in ast.walk(tree):
        assert not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    for declared in classes:
        for statement in declared.body:
            assert isinstance(statement, ast.Expr | ast.Assign | ast.AnnAssign), declared.name
