"""The query of a request: which records, in which order, with which properties."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

from tap_custobar.sandbox.search import QueryError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_custobar.sandbox.records import Stream
    from tap_custobar.sandbox.search import Filter, Order

DEFAULT_LIMIT = 100
MAX_LIMITS = {"json": 10_000, "csv": 100_000}
"""The largest `limit` of each `format`."""

_PARAMETERS = frozenset({"limit", "fields", "order", "format", "cursor"})


@dataclass(frozen=True)
class Query:
    """A parsed query.

    Attributes:
        format: `json` or `csv`.
        limit: Maximum number of records in a page.
        names: The requested properties, in order.
        filters: Names and values; a record must have all of them.
        order: Names, each with whether it is descending.
        position: Number of matching records before this page.
    """

    format: str
    limit: int
    names: tuple[str, ...]
    filters: tuple[Filter, ...]
    order: tuple[Order, ...]
    position: int


def parse_query(stream: Stream, items: Iterable[tuple[str, str]]) -> Query:
    """Parse the names and values of a query.

    Raises:
        QueryError: A parameter has an invalid value, or names a field that the stream lacks.
    """
    parameters: dict[str, str] = {}
    filters: list[Filter] = []
    for name, value in items:
        if name in parameters:
            reason = f"parameter given twice: {name}"
            raise QueryError(reason)
        if name in _PARAMETERS:
            parameters[name] = value
        else:
            _check_name("filter", name, stream.properties)
            filters.append((name, value))

    format_ = parameters.get("format", "json")
    if format_ not in MAX_LIMITS:
        reason = "format must be json or csv"
        raise QueryError(reason)
    order = _parse_order(stream, parameters.get("order", ""))
    return Query(
        format=format_,
        limit=_parse_limit(parameters.get("limit", str(DEFAULT_LIMIT)), MAX_LIMITS[format_]),
        names=_parse_fields(stream, parameters.get("fields", "")),
        filters=tuple(filters),
        order=order,
        position=_parse_cursor(stream, tuple(filters), order, parameters.get("cursor")),
    )


def make_cursor(
    stream: Stream, filters: tuple[Filter, ...], order: tuple[Order, ...], position: int
) -> str:
    """Return an opaque cursor of a position in the matching records, valid for this query only."""
    encoded = position.to_bytes(8, "big")
    query = repr((stream.seed, stream.name, filters, order)).encode()
    return base64.urlsafe_b64encode(
        encoded + blake2b(encoded + query, digest_size=10).digest()
    ).decode()


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
    return (*(key for key in stream.keys if key not in names), *names)


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
