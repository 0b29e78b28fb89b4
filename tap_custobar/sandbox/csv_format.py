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
"""The specification does not tell which one the API uses."""


def encode_csv(names: Sequence[str], records: Iterable[Record], delimiter: str = ",") -> bytes:
    """A header line of these names and one line a record; an absent value is an empty cell."""
    # Bytes at once: text with an emoji somewhere takes four bytes for each of its characters.
    body = BytesIO()
    text = TextIOWrapper(body, encoding="utf-8", newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(
        [
            # Most values are text; a call for each of them would double the time.
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
