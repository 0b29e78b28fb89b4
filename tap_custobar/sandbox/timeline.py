"""Dates of sales and events, and the number of those that have arrived by a later day."""

from __future__ import annotations

from math import isqrt
from typing import TYPE_CHECKING

from tap_custobar.sandbox.records import ALWAYS, BLOCK, MAX_RECORDS, Field
from tap_custobar.sandbox.values import FIRST_GAP_SQUARED, appeared, timestamp

if TYPE_CHECKING:
    from collections.abc import Callable

DAY = 86_400
"""Length of a day; seconds."""

MAX_DAYS = 1000
MAX_SIZE = MAX_RECORDS // 4
"""The largest size on day 0; on the last day the keys still have enough digits."""

_LATE_BLOCK = BLOCK // 2


def size_on(day: int, size: int) -> int:
    """Return the number of records this many days after there were `size`."""
    if not size:
        return 0
    # Rounded up to a second, because rounding down could lose a record.
    seconds = isqrt(size * FIRST_GAP_SQUARED) + 1 + day * DAY
    return seconds**2 // FIRST_GAP_SQUARED


def happened(index: int) -> int:
    """Return the date of the record at this index, in seconds since 1970.

    Of 32 consecutive records, eight have the same date. One in twelve is two to eight days older
    than its arrival, but never older than every record of its half block.
    """
    first = index - index % 8
    seconds = appeared(first if index // 8 % 4 == 0 else index)
    if (index + 5) % 12 == 0:
        seconds -= (2 + index // 12 % 7) * DAY
    half_block = index - index % _LATE_BLOCK
    return max(seconds, appeared(half_block)) if half_block else seconds


def happened_at(index: int) -> str:
    """Return the same as a timestamp; one in forty has no time zone."""
    value = timestamp(happened(index))
    return value.removesuffix("Z") if (index + 27) % 40 == 0 else value


def date_field(name: str, index_of: Callable[[int], int]) -> Field:
    """Return the field of the date.

    Args:
        name: Name of the field.
        index_of: Returns, for the index of a record, the index that its date is computed from.
    """
    return Field(
        name=name,
        type="datetime",
        make=lambda _n, i: happened_at(index_of(i)),
        share=ALWAYS,
        rank=lambda i: happened(index_of(i)),
    )
