"""Every command of the README is run by a test, and every line that it explains can occur."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.readme import README, TROUBLESHOOTING, blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent.parent

#: Most lines that the README may have.
MAX_LINES = 250

#: The test that runs each command. Blocks with a command of the tap are run as they stand.
RUN_BY = {
    "make demo": "behaviour/test_demo.py::test_the_demo_shows_both_files_and_leaves_no_process",
    "uv tool install .": "behaviour/test_install.py::test_the_install_commands_of_the_readme",
    "meltano install && meltano run custobar-to-csv": (
        "targets/test_meltano.py::test_the_sandbox_becomes_csv_files"
    ),
    "MELTANO_ENVIRONMENT=prod meltano run custobar-to-postgres": "targets/test_meltano.py",
}
#: The suite itself.
NEEDS_NO_TEST = {"make test"}

COMMANDS = [line.split("  #")[0].rstrip() for block in blocks("sh") for line in block]


def test_the_readme_is_not_too_long() -> None:
    assert len(README.splitlines()) <= MAX_LINES


def test_every_command_is_run_by_a_test() -> None:
    assert RUN_BY.keys() | NEEDS_NO_TEST <= set(COMMANDS)
    for block in blocks("sh"):
        commands = {line.split("  #")[0].rstrip() for line in block}
        runs_as_it_stands = any(re.match("(tap|source)-custobar ", line) for line in block)
        assert runs_as_it_stands or commands <= RUN_BY.keys() | NEEDS_NO_TEST, block


@pytest.mark.parametrize(("command", "test"), RUN_BY.items())
def test_the_test_that_is_named_runs_the_command(command: str, test: str) -> None:
    file, _, name = test.partition("::")
    source = (ROOT / "tests" / file).read_text(encoding="utf-8")
    words = set(re.split(r"[ =]", command)) - {".", "&&", "make", "meltano", "uv"}

    assert f"def {name}" in source
    assert all(word in source for word in words), words


def explained(text: str) -> list[str]:
    """Return the first cells of the tables of errors."""
    table = text.split("| the line says | do this |")[1].split("\n\n", maxsplit=1)[0]
    return re.findall(r"^\| (`.*?`) \|", table, re.MULTILINE)


def fragments(cell: str) -> list[str]:
    """Return the fixed parts of the texts in a cell, which names, numbers and dots separate."""
    parts = re.split(r"[`.]{2,}|`, `|`|\(\w+\)|\w+: ", cell)
    return [part.strip() for part in parts if part.strip()]


def strings_in(module: ast.Module) -> Iterator[str]:
    """Yield the strings of a module, but for its docstrings; `\\0` stands for inserted values."""
    nodes = [*ast.walk(module)]
    docstrings = [node.value for node in nodes if isinstance(node, ast.Expr)]
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if node not in docstrings:
                yield node.value
        elif isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else "\0" for part in node.values]
            yield "".join(map(str, parts))


def test_every_error_that_is_explained_is_one_of_the_tap() -> None:
    strings = "\n".join(
        string
        for path in (ROOT / "tap_custobar").rglob("*.py")
        for string in strings_in(ast.parse(path.read_text("utf-8")))
    )

    assert len(explained(TROUBLESHOOTING)) > 40
    for cell in explained(TROUBLESHOOTING):
        assert fragments(cell), cell
        for fragment in fragments(cell):
            assert len(fragment) > 2, cell
            assert fragment in strings, cell


def test_every_error_is_explained() -> None:
    texts = [text for cell in explained(TROUBLESHOOTING) for text in fragments(cell)]
    module = ast.parse((ROOT / "tap_custobar/errors.py").read_text("utf-8"))
    for error in module.body:
        # A message that consists of others is explained by theirs.
        messages = [text for text in strings_in(ast.Module([error], [])) if text.count(" ") > 2]
        if isinstance(error, ast.ClassDef) and messages:
            assert any(len(text) > 10 and text in "\n".join(messages) for text in texts), error.name


def test_what_the_readme_explains_the_whole_table_does_too() -> None:
    assert len(explained(README)) == 10
    assert set(explained(README)) <= set(explained(TROUBLESHOOTING))
