"""The generated regions of the documents in docs/."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts.documents import figures, region

if TYPE_CHECKING:
    from scripts.documents.about import About


def performance(text: str, _: About) -> str:
    """Return docs/performance.md with its regions filled."""
    return region.fill(text, "ways", figures.ways())


def recipes(text: str, _: About) -> str:
    """Return docs/recipes.md with its regions filled."""
    return region.fill(text, "requests", figures.requests())
