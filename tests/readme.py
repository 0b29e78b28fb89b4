"""The contents of the README and of other documents, for tests."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
RECIPES = (ROOT / "docs/recipes.md").read_text(encoding="utf-8")
TROUBLESHOOTING = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")


def blocks(language: str, text: str = README + RECIPES) -> list[list[str]]:
    """Return the lines of each code block in a language."""
    return [
        block.splitlines() for block in re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    ]
