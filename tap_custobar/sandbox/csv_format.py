"""A page of records as CSV."""

from __future__ import annotations

import csv
from io import BytesIO, TextIOWrapper
from typing import TYPE_CHECKING

from tap_custobar.sandbox.values import Value, as_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tap_custobar.sandbox.records import Record


DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t"}
"""By name; the specification does not document which one the API uses."""


def encode_csv(names: Sequence[str], records: Iterable[Record], delimiter: str = ",") -> bytes:
    """Return a page as CSV: a header line, and one line for each record.

    Args:
        names: The columns; a value that a record lacks is an empty cell.
        records: The records of the page.
        delimiter: One character.
    """
    # Not a StringIO: a single emoji makes it use four bytes for every character.
    body = BytesIO()
    text = TextIOWrapper(body, encoding="utf-8", newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(
        [
            # Most values are strings; calling a function for each of them would double the time.
            value if isinstance(value := record.get(name, ""), str) else _cell(value)
            for name in names
        ]
        for record in records
    )
    text.flush()
    return body.getvalue()


def _cell(value: Value) -> str:
    if isinstance(value, list) and not any(isinstance(each, dict) for each in value):
        return ",".join([as_text(each) for each in value])
    return as_text(value)
