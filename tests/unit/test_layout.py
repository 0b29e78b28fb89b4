"""The architecture, as the sources' own imports tell it."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(__file__).parents[2] / "tap_custobar"
MODULES = {path.stem: path for path in sorted(PACKAGE.glob("*.py"))}
SDK = {f"sdk/{path.stem}": path for path in sorted((PACKAGE / "sdk").glob("*.py"))}
AIRBYTE = {f"airbyte/{path.stem}": path for path in sorted((PACKAGE / "airbyte").glob("*.py"))}
SANDBOX = {f"sandbox/{path.stem}": path for path in sorted((PACKAGE / "sandbox").glob("*.py"))}

#: Those that know the SDK; every other module works without it.
WITH_SDK = {
    "airbyte/source",
    "airbyte/writer",
    "asking",
    "discovery",
    "sdk",
    "stream",
    "streams",
    "tap",
}

#: Those that join the parts; no other module knows of them.
JOINERS = WITH_SDK | {"__main__", "airbyte"}

MAX_FUNCTION_LINES = 40

#: Of a stream's class: what a new stream costs beside its JSON schema.
MAX_STREAM_LINES = 12


def imported(path: Path) -> Iterator[str]:
    """Every module and every name that a source imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom():
                names = ["tap_custobar"] * bool(node.level) + [node.module] * bool(node.module)
                prefix = ".".join(map(str, names))
                yield prefix
                yield from (f"{prefix}.{alias.name}" for alias in node.names)
            case ast.Constant(value=str(text)) if text.startswith(("singer_sdk", "tap_custobar.")):
                yield text  # an import by name


def test_there_is_something_to_look_at() -> None:
    assert {"client", "stream", "streams", "tap"} < MODULES.keys()
    assert "singer_sdk" in {name.partition(".")[0] for name in imported(SDK["sdk/tap"])}
    assert "tap_custobar.errors" in set(imported(MODULES["client"]))


@pytest.mark.parametrize("name", sorted((MODULES | AIRBYTE | SANDBOX).keys() - WITH_SDK))
def test_only_the_joining_modules_know_the_sdk(name: str) -> None:
    path = (MODULES | AIRBYTE | SANDBOX)[name]
    roots = {module.partition(".")[0] for module in imported(path)}

    assert "singer_sdk" not in roots


@pytest.mark.parametrize("name", sorted(MODULES.keys() - JOINERS))
def test_a_part_knows_nothing_of_what_joins_it(name: str) -> None:
    known = set(imported(MODULES[name]))

    assert known.isdisjoint(f"tap_custobar.{joiner}" for joiner in JOINERS)


def test_the_tap_runs_without_the_sandbox() -> None:
    for name, path in (MODULES | AIRBYTE | SDK).items():
        assert not any("sandbox" in module for module in imported(path)), name


def test_streams_are_declared_without_logic() -> None:
    tree = ast.parse(MODULES["streams"].read_text(encoding="utf-8"))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]

    assert classes
    for node in ast.walk(tree):
        assert not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    for declared in classes:
        for statement in declared.body:
            assert isinstance(statement, ast.Expr | ast.Assign | ast.AnnAssign), declared.name
        assert (declared.end_lineno or 0) - declared.lineno < MAX_STREAM_LINES, declared.name


@pytest.mark.parametrize("name", sorted(MODULES | AIRBYTE | SDK | SANDBOX))
def test_each_function_can_be_read_at_once(name: str) -> None:
    source = (MODULES | AIRBYTE | SDK | SANDBOX)[name].read_text(encoding="utf-8")

    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < MAX_FUNCTION_LINES, node.name
