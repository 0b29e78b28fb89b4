"""When sales and events happen and arrive, and how many have arrived on a later day."""

from __future__ import annotations

from math import isqrt
from typing import TYPE_CHECKING

from tap_custobar.sandbox.records import ALWAYS, BLOCK, MAX_RECORDS, Field
from tap_custobar.sandbox.values import ALONG, appeared, timestamp

if TYPE_CHECKING:
    from collections.abc import Callable

DAY = 86_400
"""Seconds."""

MAX_DAYS = 1000
MAX_SIZE = MAX_RECORDS // 4
"""The most records of the first day; a key's digits are enough for those of the last day."""

_LATE_BLOCK = BLOCK // 2


def size_on(day: int, size: int) -> int:
    """How many records there are so many days after there were `size`."""
    # The next whole second, lest rounding lose a record.
    return (isqrt(size * ALONG) + 1 + day * DAY) ** 2 // ALONG if size else 0


def happened(index: int) -> int:
    """The date of the record that arrived in this place, in seconds since 1970.

    Of 32 in a row, eight have the same. One in twelve is two to eight days older than when it
    arrived, but never older than all of its half block.
    """
    first = index - index % 8
    seconds = appeared(first if index // 8 % 4 == 0 else index)
    if (index + 5) % 12 == 0:
        seconds -= (2 + index // 12 % 7) * DAY
    half_block = index - index % _LATE_BLOCK
    return max(seconds, appeared(half_block)) if half_block else seconds


def happened_at(index: int) -> str:
    """The same as a date-time; one in forty has no zone."""
    text = timestamp(happened(index))
    return text.removesuffix("Z") if (index + 27) % 40 == 0 else text


def date_field(name: str, index_of: Callable[[int], int]) -> Field:
    """The field that tells the date of the record that arrived in `index_of(index)`'s place."""
    return Field(
        name=name,
        type="datetime",
        make=lambda _n, i: happened_at(index_of(i)),
        share=ALWAYS,
        rank=lambda i: happened(index_of(i)),
    )
