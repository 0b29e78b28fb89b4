"""Members of records and of their parts, by their place in the catalog's metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

#: The breadcrumb of a part of a record, as in a catalog's metadata: ("properties", "a", "items").
Place: TypeAlias = "tuple[str, ...]"


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
