"""What `make release-check` finds in git, the version and the changelog."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from scripts.release_check import problems

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CHANGELOG = "# Changelog\n\nWords.\n\n## 1.2.0 - 2026-01-31\n\n### Fixed\n\n- It.\n"


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=t", "-c", "user.email=t@e.example", "-c", "tag.gpgsign=false"]
    subprocess.run(["git", "-C", folder, *who, *arguments], check=True, capture_output=True)  # noqa: S607


def commit(folder: Path, version: str = "1.2.0", changelog: str = CHANGELOG) -> None:
    (folder / "pyproject.toml").write_text(f'[project]\nversion = "{version}"\n')
    (folder / "CHANGELOG.md").write_text(changelog)
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", "One")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository that is ready to be released."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "none"))
    folder = tmp_path / "checkout"
    folder.mkdir()
    git(folder, "init", "--quiet")
    commit(folder)
    return folder


def found(folder: Path, tag: str | None = None) -> list[str]:
    return [*problems(folder, tag)]


@pytest.mark.parametrize("tagged", [False, True])
@pytest.mark.parametrize("given", [None, "v1.2.0"])
def test_a_complete_release_passes(checkout: Path, tagged: bool, given: str | None) -> None:  # noqa: FBT001
    if tagged or given:
        git(checkout, "tag", "v1.2.0")

    assert found(checkout, given) == []


def test_an_empty_unreleased_section_is_allowed(checkout: Path) -> None:
    commit(checkout, changelog=CHANGELOG.replace("## 1.2.0", "## Unreleased\n\n## 1.2.0"))

    assert found(checkout) == []


def change(folder: Path) -> None:
    (folder / "pyproject.toml").write_text('[project]\nversion = "1.2.0" #\n')


def add(folder: Path) -> None:
    (folder / "new.txt").touch()


@pytest.mark.parametrize(
    ("change_files", "message"), [(change, "pyproject.toml"), (add, "new.txt")]
)
def test_uncommitted_files_are_named(
    checkout: Path, change_files: Callable[[Path], None], message: str
) -> None:
    change_files(checkout)

    assert found(checkout) == [f"Not committed: {message}"]


@pytest.mark.parametrize(
    ("tags", "given", "message"),
    [
        ([], "v1.2.1", "The tag is v1.2.1, but pyproject.toml has the version 1.2.0"),
        ([], "1.2.0", "The tag is 1.2.0, but pyproject.toml has the version 1.2.0"),
        ([], "v1.2.0", "The tag v1.2.0 is not on this commit"),
        (["v1.2"], None, "This commit has the tag v1.2, but pyproject.toml has the version 1.2.0"),
    ],
)
def test_the_tag_must_equal_the_version(
    checkout: Path, tags: list[str], given: str | None, message: str
) -> None:
    for tag in tags:
        git(checkout, "tag", tag)

    assert found(checkout, given) == [message]


def test_a_released_version_is_rejected(checkout: Path) -> None:
    git(checkout, "tag", "v1.2.0")
    commit(checkout)

    assert found(checkout) == [
        "1.2.0 was released from another commit: pyproject.toml needs the next version"
    ]


@pytest.mark.parametrize("version", ["1.2.0.dev1", "1.2.0+here", "1.02", "latest"])
def test_a_version_must_be_valid_for_a_package_index(checkout: Path, version: str) -> None:
    commit(checkout, version, CHANGELOG.replace("1.2.0", version))

    assert found(checkout) == [
        f"pyproject.toml: {version} is not a version that a package index accepts"
    ]


@pytest.mark.parametrize(
    ("heading", "message"),
    [
        ("Unreleased", "move the entries under Unreleased to a section of the version"),
        (
            "1.1.9 - 2026-01-01",
            "the newest section is 1.1.9 - 2026-01-01, expected '1.2.0 - <date>'",
        ),
        ("1.2.0", "'1.2.0' needs the release date, e.g. "),
        ("1.2.0 - soon", "'1.2.0 - soon' needs the release date, e.g. "),
        ("1.2.0 - 2026-13-01", "'1.2.0 - 2026-13-01' needs the release date, e.g. "),
    ],
)
def test_the_changelog_must_begin_with_the_version(
    checkout: Path, heading: str, message: str
) -> None:
    commit(checkout, changelog=CHANGELOG.replace("1.2.0 - 2026-01-31", heading))

    assert found(checkout)[0].startswith(f"CHANGELOG.md: {message}")


def test_a_changelog_without_a_version_is_rejected(checkout: Path) -> None:
    commit(checkout, changelog="# Changelog\n")

    assert found(checkout) == [
        "CHANGELOG.md: the newest section is missing, expected '1.2.0 - <date>'"
    ]
