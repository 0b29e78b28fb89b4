"""docs/behaviour.md names a test for every behaviour, and all of these tests exist."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent.parent
TEXT = (TESTS.parent / "docs/behaviour.md").read_text(encoding="utf-8")


def test_every_test_that_is_named_exists() -> None:
    named = re.findall(r"`((?:\w+/)*test_\w+\.py)(?:::(\w+))?`", TEXT)

    assert len(named) > 90
    for file, test in named:
        path = TESTS / file if "/" in file else TESTS / "behaviour" / file
        assert f"def {test}(" in path.read_text(encoding="utf-8") if test else path.exists(), file


def test_every_behaviour_is_numbered_in_turn_and_names_its_test() -> None:
    behaviours = re.findall(r"^(\d+)\. (.*?)(?=^\d+\. |^## )", TEXT, re.MULTILINE | re.DOTALL)

    assert [int(number) for number, _ in behaviours] == list(range(1, len(behaviours) + 1))
    assert [number for number, text in behaviours if ".py" not in text] == []
