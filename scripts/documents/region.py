"""The part of a file that a program writes, while people write the rest."""

from __future__ import annotations

import re

_BEGIN = "written by make docs"
_END = "end of what make docs writes"


def fill(text: str, body: str) -> str:
    """Put the body between the two lines of the text that mark its place, whatever was there.

    Raises:
        ValueError: the text does not have the two lines.
    """
    pattern = rf"(?<=\n)(.*{_BEGIN}.*\n)(?:.*\n)*?(.*{_END})"
    filled, count = re.subn(pattern, lambda match: match[1] + body + match[2], text)
    if count != 1:
        msg = f"A line with '{_BEGIN}' and one with '{_END}' are needed, once"
        raise ValueError(msg)
    return filled
