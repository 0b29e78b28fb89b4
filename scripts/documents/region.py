"""Generated regions within files that are otherwise written by hand."""

from __future__ import annotations

import re

_END = "end of what make docs writes"


def fill(text: str, name: str, body: str) -> str:
    """Return the text with the content of a region replaced.

    Args:
        text: Has a line with `<name>: written by make docs`, and one with the end marker.
        name: Name of the region.
        body: The new content, whole lines.

    Raises:
        ValueError: The text does not have these lines, or has them twice.
    """
    begin = rf".*\b{re.escape(name)}: written by make docs.*\n"
    pattern = rf"(?<=\n)({begin})(?:(?!.*{_END}).*\n)*(.*{_END})"
    filled, count = re.subn(pattern, lambda match: match[1] + body + match[2], text)
    if count != 1:
        msg = f"A line with '{name}: written by make docs' and one with '{_END}' are needed, once"
        raise ValueError(msg)
    return filled
