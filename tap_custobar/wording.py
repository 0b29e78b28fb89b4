"""Wording of numbers in log lines and errors."""

from __future__ import annotations


def counted(number: int, one: str, more: str = "") -> str:
    """Return a number with its noun, like "1 record" or "2,000 records".

    Args:
        number: How many there are.
        one: The noun in the singular.
        more: Its plural; by default the singular with an s.
    """
    return f"{number:,} {one if number == 1 else more or f'{one}s'}"
