"""The parts of a file that a program writes, while people write the rest."""

from __future__ import annotations

import re

_END = "end of what make docs writes"


def fill(text: str, name: str, body: str) -> str:
    """Put the body between the two lines of the text that mark its place, whatever was there.

    The first line holds `<name>: written by make docs`, the last one that it ends.

    Raises:
        ValueError: the text does not have such lines, or has them twice.
    """
    begin = rf".*\b{re.escape(name)}: written by make docs.*\n"
    pattern = rf"(?<=\n)({begin})(?:(?!.*{_END}).*\n)*(.*{_END})"
    filled, count = re.subn(pattern, lambda match: match[1] + body + match[2], text)
    if count != 1:
        msg = f"A line with '{name}: written by make docs' and one with '{_END}' are needed, once"
        raise ValueError(msg)
    return filled
