"""What is told twice is told alike: `make docs` would change nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.documents import region

ROOT = Path(__file__).parent.parent.parent


def test_all_files_are_what_make_docs_writes() -> None:
    check = [sys.executable, "-m", "scripts.documents", "--check"]
    result = subprocess.run(check, cwd=ROOT, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stderr


END = "# end of what make docs writes\n"
MARKED = (
    f"mine\n  # one: written by make docs\nold\nolder\n  {END}"
    f"# two: written by make docs\n{END}mine too\n"
)


def test_what_people_wrote_around_a_region_stays() -> None:
    filled = region.fill(MARKED, "one", "new\n")

    assert filled == MARKED.replace("old\nolder\n", "new\n")
    assert region.fill(filled, "one", "new\n") == filled


def test_of_several_regions_the_named_one_is_filled() -> None:
    assert region.fill(MARKED, "two", "new\n") == MARKED.replace(
        f"docs\n{END}", f"docs\nnew\n{END}"
    )


@pytest.mark.parametrize("text", ["", "mine\n", MARKED + MARKED])
def test_a_file_without_the_one_region_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="once"):
        region.fill(text, "one", "new\n")
