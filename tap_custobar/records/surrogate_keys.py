"""Surrogate keys of records for which the API provides no primary key."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Sorted, so that the order of a catalog's properties makes no difference.
_encoder = msgspec.json.Encoder(order="sorted", decimal_format="number")


def surrogate_keys(records: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the SHA-256 of each record, as hexadecimal digits.

    Equal records have equal keys in every run, as JSON and as CSV: null and empty strings count as
    missing, because an empty CSV cell can be any of them.
    """
    present = [{n: v for n, v in record.items() if v not in (None, "")} for record in records]
    return [sha256(line).hexdigest() for line in _encoder.encode_lines(present).splitlines()]
