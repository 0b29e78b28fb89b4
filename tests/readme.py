"""The README, as tests read it."""

from __future__ import annotations

import re
from pathlib import Path

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[list[str]]:
    """Return the lines of each block of code in a language."""
    return [
        text.splitlines() for text in re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    ]
