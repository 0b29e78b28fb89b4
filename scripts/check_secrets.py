"""Searches the files of the current folder for API keys and passwords.

These are the files that git tracks or, in a copy without git, those that .gitignore does not name.
"""

from __future__ import annotations

import os
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

from pathspec import GitIgnoreSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

GIT = ["git", "ls-files", "-z"]
HOOK = [
    str(Path(sys.executable).parent / "detect-secrets-hook"),
    "--no-verify",
    # Hexadecimal digits here are digests, for example of pinned versions.
    "--disable-plugin=HexHighEntropyString",
    f"--plugin={Path(__file__).parent / 'api_key_detector.py'}",
]


def tracked_by_git() -> list[str]:
    """Return the files that git tracks and that exist."""
    listed = subprocess.run(GIT, stdout=subprocess.PIPE, check=False).stdout
    return [file for file in os.fsdecode(listed).split("\0") if Path(file).is_file()]


def not_ignored(folder: Path, patterns: GitIgnoreSpec) -> Iterator[str]:
    """Yield the files of a folder that .gitignore does not name.

    Ignored folders are not read: an environment has 100,000 files.
    """
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            if not patterns.match_file(f"{path}/"):
                yield from not_ignored(path, patterns)
        elif path.is_file() and not patterns.match_file(path):
            yield str(path)


def main() -> None:
    """Exit with a code other than 0 if there is a secret, or no file to search."""
    if Path(".git").exists():
        files = tracked_by_git()
    else:
        lines = Path(".gitignore").read_text("utf-8").splitlines()
        files = list(not_ignored(Path(), GitIgnoreSpec.from_lines(lines)))
    # These contain only digests of pinned versions.
    files = [file for file in files if not fnmatch(file, "requirements/*.txt")]
    if not files:
        sys.exit("Found no files to search for secrets.")
    code = subprocess.run([*HOOK, *files], check=False).returncode
    print(f"Searched {len(files)} files for secrets.")
    sys.exit(code)


if __name__ == "__main__":
    main()
