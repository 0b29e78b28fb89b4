"""How numbers of things are worded, in log lines and errors."""

from __future__ import annotations


def counted(number: int, one: str, more: str = "") -> str:
    """Return a number of things, as a person writes it."""
    return f"{number:,} {one if number == 1 else more or f'{one}s'}"
