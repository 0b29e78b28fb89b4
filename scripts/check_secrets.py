"""Looks for API keys and passwords in the files of the folder it is started in.

These are the files that git keeps or, in a copy without git, those that .gitignore does not name.
"""

from __future__ import annotations

import os
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

GIT = ["git", "ls-files", "-z"]
HOOK = [
    str(Path(sys.executable).parent / "detect-secrets-hook"),
    "--no-verify",
    # Hexadecimal digits here are digests, of the pinned versions for one.
    "--disable-plugin=HexHighEntropyString",
    f"--plugin={Path(__file__).parent / 'api_key_detector.py'}",
]


def kept_by_git() -> list[str]:
    """Return the files that git keeps and that are there."""
    listed = subprocess.run(GIT, stdout=subprocess.PIPE, check=False).stdout
    return [file for file in os.fsdecode(listed).split("\0") if Path(file).is_file()]


def not_ignored(folder: Path, patterns: list[str]) -> Iterator[str]:
    """Yield the files of a folder that the patterns of a .gitignore do not name."""
    for path in sorted(folder.iterdir()):
        if _is_ignored(path, patterns):
            continue
        if path.is_dir() and not path.is_symlink():
            yield from not_ignored(path, patterns)
        elif path.is_file():
            yield str(path)


def _is_ignored(path: Path, patterns: list[str]) -> bool:
    """Compare a path with each pattern, as git does: the last one that matches decides."""
    ignored = False
    for line in patterns:
        pattern = line.removeprefix("!").removesuffix("/")
        if "/" in pattern:  # one with a slash before its end is a path from the top
            pattern = f"/{pattern.removeprefix('/')}"
        if Path("/", path).match(pattern) and (path.is_dir() or not line.endswith("/")):
            ignored = not line.startswith("!")
    return ignored


def main() -> None:
    """End with another exit code than 0 if there is a secret, or nothing to look at."""
    if Path(".git").exists():
        files = kept_by_git()
    else:
        lines = Path(".gitignore").read_text("utf-8").splitlines()
        files = list(not_ignored(Path(), [line for line in lines if line and line[0] != "#"]))
    # The digests of pinned versions are all that is in these.
    files = [file for file in files if not fnmatch(file, "requirements/*.txt")]
    if not files:
        sys.exit("Found no files to look for secrets in.")
    code = subprocess.run([*HOOK, *files], check=False).returncode
    print(f"Looked for secrets in {len(files)} files.")
    sys.exit(code)


if __name__ == "__main__":
    main()
