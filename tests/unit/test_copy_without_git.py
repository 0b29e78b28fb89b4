"""Checks in a copy without git: the scan for secrets and typos read the files that git would."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SCAN = [sys.executable, str(ROOT / "scripts/check_secrets.py")]
#: Not in one piece here, where the scan would find it.
KEY = "API" + "A1B2C3D4" * 4


def scan(folder: Path) -> tuple[int, str]:
    ended = subprocess.run(SCAN, cwd=folder, capture_output=True, text=True, check=False)
    assert "Traceback" not in ended.stderr
    return ended.returncode, ended.stdout + ended.stderr


def git(folder: Path, *arguments: str) -> list[str]:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.check_output(command, text=True).splitlines()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder with files of each kind that .gitignore names, and of each that it does not."""
    for name in (".gitignore", ".ignore"):
        shutil.copy(ROOT / name, tmp_path, follow_symlinks=False)
    for name in (
        *(".github/workflows/a.yml", "docs/config.json", "src/output/a.py", "src/a.py", "a b.txt"),
        *(".env", "config.json", "output/demo/a.csv", ".venv-x/bin/a.py", ".venv/a.py"),
        *("src/__pycache__/a.pyc", "src/a.egg-info/b", ".meltano/a", "dist/a", "src/.cache/a"),
    ):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("nothing secret\n")
    return tmp_path


@pytest.mark.parametrize("with_git", [True, False])
def test_keys_are_found_in_all_that_the_project_keeps(copy: Path, *, with_git: bool) -> None:
    kept, ignored = ("src/a.py", ".github/workflows/a.yml", "a b.txt"), (".env", ".venv-x/bin/a.py")
    for file in kept + ignored:
        (copy / file).write_text(f"token: {KEY}\n")
    if with_git:
        git(copy, "init", "--quiet")
        git(copy, "add", ".")

    code, output = scan(copy)

    assert code == 1
    assert all(file in output for file in kept)
    assert not any(file in output for file in ignored)
    assert KEY not in output


@pytest.mark.parametrize("patterns", ["# src/", "!/output/\n*.txt\n", "src/*.py\n"])
def test_without_git_it_looks_at_what_git_would_keep(copy: Path, patterns: str) -> None:
    with (copy / ".gitignore").open("a") as file:
        file.write(f"\n{patterns}")
    without_git = scan(copy)
    git(copy, "init", "--quiet")
    git(copy, "add", ".")
    files = git(copy, "ls-files")

    assert without_git == scan(copy) == (0, f"Searched {len(files)} files for secrets.\n")


def test_a_scan_of_nothing_fails(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")

    assert scan(tmp_path) == (1, "Found no files to search for secrets.\n")


@pytest.mark.parametrize(("file", "code"), [("src/a.py", 2), ("output/demo/a.csv", 0)])
def test_spelling_matters_in_what_the_project_keeps(copy: Path, file: str, code: int) -> None:
    (copy / file).write_text("page_sise")  # which pyproject.toml allows, but --isolated does not
    typos = [str(Path(sys.executable).parent / "typos"), "--isolated"]

    assert subprocess.run(typos, cwd=copy, check=False, capture_output=True).returncode == code
