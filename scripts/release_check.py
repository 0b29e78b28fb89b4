"""Checks git, the version and the changelog for a release; see `make release-check`.

The optional argument is the tag of the release, which the workflow passes.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent


def problems(root: Path, tag: str | None) -> Iterator[str]:
    """Yield one line for each problem that prevents a release.

    Args:
        root: The folder of the checkout.
        tag: The tag of the release; None if there is none yet.
    """
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    version: str = project["version"]
    yield from _version_problems(version)
    yield from _tree_problems(root)
    yield from _tag_problems(root, version, tag)
    yield from _changelog_problems((root / "CHANGELOG.md").read_text(encoding="utf-8"), version)


def _version_problems(version: str) -> Iterator[str]:
    try:
        parsed = Version(version)
    except InvalidVersion:
        parsed = None
    if parsed is None or str(parsed) != version or parsed.is_devrelease or parsed.local:
        yield f"pyproject.toml: {version} is not a version that a package index accepts"


def _tree_problems(root: Path) -> Iterator[str]:
    if changes := _git(root, "status", "--porcelain"):
        yield f"Not committed: {', '.join(line.split(maxsplit=1)[1] for line in changes)}"


def _tag_problems(root: Path, version: str, tag: str | None) -> Iterator[str]:
    expected = f"v{version}"
    here = _git(root, "tag", "--points-at", "HEAD", "--list", "v*")
    if tag and tag != expected:
        yield f"The tag is {tag}, but pyproject.toml has the version {version}"
    elif tag and tag not in here:
        yield f"The tag {tag} is not on this commit"
    elif others := [name for name in here if name != expected]:
        yield f"This commit has the tag {others[0]}, but pyproject.toml has the version {version}"
    elif not here and _git(root, "tag", "--list", expected):
        yield f"{version} was released from another commit: pyproject.toml needs the next version"


def _changelog_problems(changelog: str, version: str) -> Iterator[str]:
    _, *sections = re.split(r"^## ", changelog, flags=re.MULTILINE)
    headings = [section.partition("\n")[::2] for section in sections]
    if headings and headings[0][0] == "Unreleased":
        if headings[0][1].strip():
            yield "CHANGELOG.md: move the entries under Unreleased to a section of the version"
        del headings[0]
    newest = headings[0][0] if headings else "missing"
    name, _, day = newest.partition(" - ")
    if name != version:
        yield f"CHANGELOG.md: the newest section is {newest}, expected '{version} - <date>'"
    elif not _is_date(day):
        yield f"CHANGELOG.md: '{newest}' needs the release date, e.g. {date.today()}"  # noqa: DTZ011 - the maintainer's date


def _is_date(string: str) -> bool:
    try:
        return date.fromisoformat(string).isoformat() == string
    except ValueError:
        return False


def _git(root: Path, *arguments: str) -> list[str]:
    """Return the lines that a git command prints."""
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def main() -> None:
    """Print all problems, and exit with 1 if there are any."""
    found = [*problems(ROOT, next(iter(sys.argv[1:]), None))]
    if found:
        sys.exit("\n".join(found))


if __name__ == "__main__":
    main()
