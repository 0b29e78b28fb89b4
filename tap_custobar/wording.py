"""Wording that log lines and errors share."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable


def counted(number: int, one: str, more: str = "") -> str:
    """Return a number with its noun, like "1 record" or "2,000 records".

    Args:
        number: How many there are.
        one: The noun in the singular.
        more: Its plural; by default the singular with an s.
    """
    return f"{number:,} {one if number == 1 else more or f'{one}s'}"


def did_you_mean(names: Iterable[str], known: Collection[str]) -> str:
    """Return the end of a message about unknown names: the most similar known ones, if any."""
    nearest = [match for name in names for match in get_close_matches(name, known, n=1)]
    return f"; did you mean {', '.join(nearest)}?" if nearest else ""
