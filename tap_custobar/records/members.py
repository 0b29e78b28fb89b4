"""Members of records and of their parts, by their place in the catalog's metadata."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeAlias

from tap_custobar.records.converters import type_names

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from tap_custobar.records.converters import Schema
    from tap_custobar.records.decoder import Batch

#: The breadcrumb of a part of a record, as in a catalog's metadata: ("properties", "a", "items").
Place: TypeAlias = "tuple[str, ...]"

_ENCODED_OBJECT = re.compile(r"[\[\s]*\{")

#: Number of removed members above which no further ones are remembered.
MAX_REMOVED = 1000


def is_array_of_objects(definition: Schema) -> bool:
    """Return whether a schema allows arrays of objects only, besides null."""
    elements = definition.get("items") or {}
    return type_names(definition) == ["array"] and type_names(elements) == ["object"]


class MemberFilter:
    """Removes members from the objects in arrays, which may have any members.

    Members that have objects themselves are removed as well.

    Attributes:
        removed: By property, the names of the members that were removed.
    """

    def __init__(self, kept: Mapping[str, Collection[str]]) -> None:
        """Create a filter, from the members that stay of each property to filter."""
        self._kept = kept
        self.removed: dict[str, set[str]] = {name: set() for name in kept}

    def apply(self, batch: Batch) -> None:
        """Remove the members in place."""
        for name, kept in self._kept.items():
            for elements in batch.column(name):
                for element in elements or ():
                    names = {n for n, v in (element or {}).items() if n not in kept or _nests(v)}
                    for member in names:
                        del element[member]
                    if len(self.removed[name]) < MAX_REMOVED:
                        self.removed[name] |= names


def _nests(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    """Return whether a value is or has an object, possibly encoded in a string."""
    if isinstance(value, str):
        return _ENCODED_OBJECT.match(value) is not None
    return isinstance(value, dict) or (isinstance(value, list) and any(map(_nests, value)))


def drop_from_record(value: Any, place: Sequence[str]) -> None:  # noqa: ANN401 - any JSON value
    """Remove a member from a record in place.

    Args:
        value: A record or a part of one; changed in place.
        place: The breadcrumb of the member, with or without `items` for the elements of arrays.
    """
    match place:
        case ["items", *rest] if isinstance(value, list):
            for element in value:
                drop_from_record(element, rest)
        case ["properties", *_] if isinstance(value, list):
            for element in value:
                drop_from_record(element, place)
        case ["properties", str(name)] if isinstance(value, dict):
            value.pop(name, None)
        case ["properties", str(name), *rest] if isinstance(value, dict):
            drop_from_record(value.get(name), rest)
        case _:
            pass


def drop_from_schema(schema: Any, place: Sequence[str]) -> None:  # noqa: ANN401 - any JSON value
    """Remove the same member from a JSON schema in place.

    Args:
        schema: A JSON schema or a part of one; changed in place.
        place: The breadcrumb of the member; see `drop_from_record`.
    """
    match schema, place:
        case {"items": items}, ["items", *rest]:
            drop_from_schema(items, rest)
        case {"properties": dict(members)}, ["properties", str(name)]:
            members.pop(name, None)
        case {"properties": dict(members)}, ["properties", str(name), *rest]:
            drop_from_schema(members.get(name), rest)
        case {"items": items}, ["properties", *_]:
            drop_from_schema(items, place)
        case _:
            pass
