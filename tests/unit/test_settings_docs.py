"""What other files say of the tap's settings is what the tap says of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.documents import region

ROOT = Path(__file__).parent.parent.parent


def test_meltano_yml_and_the_example_of_env_are_what_make_docs_writes() -> None:
    check = [sys.executable, "-m", "scripts.settings_docs", "--check"]
    result = subprocess.run(check, cwd=ROOT, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stderr


MARKED = "mine\n  # written by make docs\nold\nolder\n  # end of what make docs writes\nmine too\n"


def test_what_people_wrote_around_a_region_stays() -> None:
    filled = region.fill(MARKED, "new\n")

    assert filled == MARKED.replace("old\nolder\n", "new\n")
    assert region.fill(filled, "new\n") == filled


@pytest.mark.parametrize("text", ["", "mine\n", MARKED + MARKED])
def test_a_file_without_the_one_region_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="once"):
        region.fill(text, "new\n")
