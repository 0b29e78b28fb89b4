"""What a request's query asks for: which records, in which order, with which properties."""

from __future__ import annotations

import base64
import re
from array import array
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from operator import itemgetter
from typing import TYPE_CHECKING, TypeAlias

from tap_custobar.sandbox.records import KEY, Stream
from tap_custobar.sandbox.values import Value, as_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

DEFAULT_LIMIT = 100
MAX_LIMITS = {"json": 10_000, "csv": 100_000}
"""The largest `limit` of each `format`."""

SCAN_LIMIT = 100_000
"""The largest stream that is filtered and ordered by any field."""

_PARAMETERS = frozenset({"limit", "fields", "order", "format", "cursor"})

Filter: TypeAlias = tuple[str, str]
Order: TypeAlias = tuple[str, bool]


class QueryError(ValueError):
    """The query cannot be answered; the text is a reason for whoever sent it."""


@dataclass(frozen=True)
class Query:
    """A parsed query.

    Attributes:
        format: `json` or `csv`.
        limit: The most records in a page.
        names: The properties asked for, in order.
        filters: Names and values, all of which a record must have.
        order: Names, each with whether it is descending.
        position: How many matching records come before this page.
    """

    format: str
    limit: int
    names: tuple[str, ...]
    filters: tuple[Filter, ...]
    order: tuple[Order, ...]
    position: int


def parse_query(stream: Stream, items: Iterable[tuple[str, str]]) -> Query:
    """Read the names and values of a query.

    Raises:
        QueryError: A parameter has a wrong value or names a field that the stream does not have.
    """
    asked: dict[str, str] = {}
    filters: list[Filter] = []
    for name, value in items:
        if name in asked:
            reason = f"parameter given twice: {name}"
            raise QueryError(reason)
        if name in _PARAMETERS:
            asked[name] = value
        else:
            _check_name("filter", name, stream.properties)
            filters.append((name, value))

    format_ = asked.get("format", "json")
    if format_ not in MAX_LIMITS:
        reason = "format must be json or csv"
        raise QueryError(reason)
    order = _parse_order(stream, asked.get("order", ""))
    return Query(
        format=format_,
        limit=_parse_limit(asked.get("limit", str(DEFAULT_LIMIT)), MAX_LIMITS[format_]),
        names=_parse_fields(stream, asked.get("fields", "")),
        filters=tuple(filters),
        order=order,
        position=_parse_cursor(stream, tuple(filters), order, asked.get("cursor")),
    )


def make_cursor(
    stream: Stream, filters: tuple[Filter, ...], order: tuple[Order, ...], position: int
) -> str:
    """An opaque mark of a position in the matching records; it holds for this query only."""
    place = position.to_bytes(8, "big")
    question = repr((stream.seed, stream.name, filters, order)).encode()
    return base64.urlsafe_b64encode(
        place + blake2b(place + question, digest_size=10).digest()
    ).decode()


@lru_cache(maxsize=16)
def matching(
    stream: Stream, filters: tuple[Filter, ...], order: tuple[Order, ...]
) -> Sequence[int]:
    """The indices of the records that pass the filters, in order.

    The latest answers are kept, so that a query's later pages do not sort again.

    Raises:
        QueryError: The stream is too large to be searched for this.
    """
    indices: Sequence[int] = range(stream.size)
    for name, wanted in filters:
        if name in stream.increasing:
            indices = _found(stream, indices, name, wanted)
    for name, wanted in filters:
        if name not in stream.increasing:
            indices = _scanned(stream, indices, name, wanted)
    return _ordered(stream, indices, order)


def _found(stream: Stream, indices: Sequence[int], name: str, wanted: str) -> Sequence[int]:
    def text(index: int) -> str:
        return as_text(next(stream.records((index,), (name,)))[name])

    first = bisect_left(indices, wanted, key=text)
    return indices[first : bisect_right(indices, wanted, lo=first, key=text)]


def _scanned(stream: Stream, indices: Sequence[int], name: str, wanted: str) -> Sequence[int]:
    _check_size("filter", stream, name)
    values = stream.values(name, indices)
    return array("I", (i for i, value in zip(indices, values, strict=True) if _is(value, wanted)))


def _is(value: Value | None, wanted: str) -> bool:
    if isinstance(value, list):
        return any(as_text(each) == wanted for each in value)
    return value is not None and as_text(value) == wanted


def _ordered(stream: Stream, indices: Sequence[int], order: tuple[Order, ...]) -> Sequence[int]:
    if not order:
        return indices
    name, descending = order[0]
    if name in stream.increasing:
        # No two records have the same value: what follows decides nothing.
        return indices[::-1] if descending else indices
    for name, _ in order:
        _check_size("order", stream, name)
    # A stable sort by the last name first, so that the first one has the last word.
    for name, descending in reversed(order):
        pairs = list(zip(stream.values(name, indices), indices, strict=True))
        held = [(_rank(value), index) for value, index in pairs if value is not None]
        held.sort(key=itemgetter(0), reverse=descending)
        missing = [index for value, index in pairs if value is None]
        indices = array("I", [*(index for _, index in held), *missing])
    return indices


def _rank(value: Value) -> tuple[int, float, str]:
    # Numbers before texts, so that fields of mixed types can be ordered at all.
    if isinstance(value, int | float):
        return 0, value, ""
    return 1, 0, as_text(value)


def _check_size(use: str, stream: Stream, name: str) -> None:
    if stream.size > SCAN_LIMIT and name not in stream.increasing:
        usable = " and ".join(each for each in stream.properties if each in stream.increasing)
        reason = (
            f"cannot {use} by {name}: this sandbox has more than {SCAN_LIMIT} {stream.name}, "
            f"which only {usable} can filter and order"
        )
        raise QueryError(reason)


def _check_name(use: str, name: str, known: Iterable[str]) -> None:
    if name not in known:
        reason = f"unknown field in {use}: {name[:100]!r}"
        raise QueryError(reason)


def _parse_limit(value: str, maximum: int) -> int:
    if not re.fullmatch("[0-9]{1,9}", value) or not 1 <= int(value) <= maximum:
        reason = f"limit must be an integer from 1 to {maximum}"
        raise QueryError(reason)
    return int(value)


def _parse_fields(stream: Stream, value: str) -> tuple[str, ...]:
    if not value:
        return stream.properties
    names = list(dict.fromkeys(name for name in value.split(",") if name in stream.properties))
    return tuple(names if KEY in names else [KEY, *names])


def _parse_order(stream: Stream, value: str) -> tuple[Order, ...]:
    order = tuple((name.removeprefix("-"), name.startswith("-")) for name in value.split(","))
    if not value:
        return ()
    for name, _ in order:
        _check_name("order", name, (*stream.properties, *stream.derived))
    return order


def _parse_cursor(
    stream: Stream, filters: tuple[Filter, ...], order: tuple[Order, ...], value: str | None
) -> int:
    if value is None:
        return 0
    reason = "cursor is broken or belongs to another query"
    try:
        position = int.from_bytes(base64.urlsafe_b64decode(value)[:8], "big")
    except ValueError:
        raise QueryError(reason) from None
    if make_cursor(stream, filters, order, position) != value:
        raise QueryError(reason)
    return position
