"""The tests that docs/behaviour.md names are there."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent.parent
TEXT = (TESTS.parent / "docs/behaviour.md").read_text(encoding="utf-8")


def test_every_test_that_is_named_exists() -> None:
    named = re.findall(r"`((?:unit/|targets/)?test_\w+\.py)(?:::(\w+))?`", TEXT)

    assert len(named) > 40
    for file, test in named:
        path = TESTS / file if "/" in file else TESTS / "behaviour" / file
        assert f"def {test}(" in path.read_text(encoding="utf-8") if test else path.exists(), file
