"""Normalization of catalogs: schemas, selection and replication, also of edited catalogs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from tap_custobar.errors import CatalogError
from tap_custobar.records.converters import MAX_INTEGER, MIN_INTEGER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

INCREMENTAL = "INCREMENTAL"
FULL_TABLE = "FULL_TABLE"

#: The breadcrumb of a part of a record, as in a catalog's metadata: ("properties", "a", "items").
Place: TypeAlias = "tuple[str, ...]"

_KEPT = ("title", "description")
_FORMATS = ("date", "date-time")
_TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")

#: The range of the 64-bit integers of databases.
_INTEGERS = {"minimum": MIN_INTEGER, "maximum": MAX_INTEGER}

_BOOLEANS = {"true": True, "false": False}


def strip_constraints(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Return a JSON schema without constraints, because values cannot be converted to meet them.

    `anyOf` and `oneOf` become a list of types, as catalogs usually mean them. Limits, patterns,
    enumerations and all formats except those of dates are removed; integers get the limits of all
    integers. Keywords that begin with `x-` are kept.

    Args:
        definition: A JSON schema, of a stream or of a part of one.
    """
    if not isinstance(definition, dict):
        return {}
    schema = {
        name: value
        for name, value in definition.items()
        if name in _KEPT or str(name).startswith("x-")
    }
    choices = definition.get("anyOf") or definition.get("oneOf")
    choices = choices if isinstance(choices, list) else [definition]
    choices = [choice for choice in choices if isinstance(choice, dict)]
    types = [name for choice in choices for name in _types(choice)]
    if types:
        schema["type"] = types[0] if len(types) == 1 else list(dict.fromkeys(types))
    if "integer" in types and "number" not in types:
        schema |= _INTEGERS
    for choice in choices:
        if choice.get("format") in _FORMATS and types.count("string") == 1:
            schema["format"] = choice["format"]
        if "items" in choice:
            schema["items"] = strip_constraints(choice["items"])
        if isinstance(members := choice.get("properties"), dict):
            schema["properties"] = {name: strip_constraints(members[name]) for name in members}
    return schema


def _types(definition: Mapping[str, Any]) -> list[str]:
    declared = definition.get("type")
    names = declared if isinstance(declared, list) else [declared]
    return [name for name in names if name in _TYPES]


def normalize_catalog(catalog: Mapping[str, Any]) -> dict[str, Any]:
    """Return a catalog with replication and selection in the places where the SDK reads them.

    Meltano and hand-edited catalogs have `replication-method` in the metadata, where the SDK does
    not read it; old catalogs have `selected` in the stream's entry or in its schema. The metadata
    take precedence. A stream is identified by its `tap_stream_id` alone.
    """
    return {**catalog, "streams": [_normalized(entry) for entry in catalog["streams"]]}


def _normalized(entry: Mapping[str, Any]) -> dict[str, Any]:
    metadata = _with_selection(entry)
    root = metadata[()]
    method = root.get("replication-method") or root.get("forced-replication-method")
    key = root.get("replication-key")
    return {
        **entry,
        "stream": entry["tap_stream_id"],
        "schema": {} if entry.get("schema") is None else entry["schema"],
        "metadata": [{"breadcrumb": [*place], "metadata": metadata[place]} for place in metadata],
        "replication_method": method or entry.get("replication_method"),
        "replication_key": key or entry.get("replication_key"),
    }


def _with_selection(entry: Mapping[str, Any]) -> dict[Place, dict[str, Any]]:
    """Return the metadata of an entry by breadcrumb, with `selected` from its other parts."""
    metadata = {
        tuple(item["breadcrumb"]): dict(item["metadata"]) for item in entry.get("metadata") or ()
    }
    for place in list(metadata):
        metadata[place]["selected"] = _boolean(metadata[place].get("selected"))
    declared = [((), entry.get("selected")), *_selected(entry.get("schema"), ())]
    for place, value in declared:
        item = metadata.setdefault(place, {}) if value is not None else metadata.get(place, {})
        if item.get("selected") is None:
            item["selected"] = _boolean(value)
    metadata.setdefault((), {})
    return metadata


def _selected(definition: object, place: Place) -> Iterator[tuple[Place, object]]:
    """Yield the keyword `selected` of a JSON schema and its parts, as in old catalogs."""
    if not isinstance(definition, dict):
        return
    if place[-1:] != ("items",):
        yield place, definition.get("selected")
    yield from _selected(definition.get("items"), (*place, "items"))
    if isinstance(members := definition.get("properties"), dict):
        for name, member in members.items():
            yield from _selected(member, (*place, "properties", name))


def _boolean(value: object) -> bool | None:
    """Return a catalog's boolean, which may be a string; None for any other value."""
    return value if isinstance(value, bool) else _BOOLEANS.get(str(value).lower())


def drop_place(value: Any, place: Sequence[str]) -> None:  # noqa: ANN401 - any JSON value
    """Remove a member from a record in place.

    Args:
        value: A record or a part of one; changed in place.
        place: The breadcrumb of the member, with or without `items` for the elements of arrays.
    """
    match place:
        case ["items", *rest] if isinstance(value, list):
            for element in value:
                drop_place(element, rest)
        case ["properties", *_] if isinstance(value, list):
            for element in value:
                drop_place(element, place)
        case ["properties", str(name)] if isinstance(value, dict):
            value.pop(name, None)
        case ["properties", str(name), *rest] if isinstance(value, dict):
            drop_place(value.get(name), rest)
        case _:
            pass


def drop_from_schema(schema: Any, place: Sequence[str]) -> None:  # noqa: ANN401 - any JSON value
    """Remove the same member from a JSON schema in place.

    Args:
        schema: A JSON schema or a part of one; changed in place.
        place: The breadcrumb of the member; see `drop_place`.
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


def replication_key(
    stream: str, method: str | None, key: str | None, valid: Sequence[str]
) -> str | None:
    """Return the replication key of a stream; None to read the full table.

    Args:
        stream: The stream's name.
        method: The catalog's replication method; by default FULL_TABLE.
        key: The catalog's replication key; by default the first valid one.
        valid: The valid replication keys of the stream.

    Raises:
        CatalogError: the method or the key is not valid for the stream.
    """
    if key and key not in valid:
        choices = ", ".join(valid) or "none"
        msg = f"The catalog's replication-key {key} is not valid for {stream}; valid: {choices}."
        raise CatalogError(msg)
    if method == INCREMENTAL and valid:
        return key or valid[0]
    if method not in (None, FULL_TABLE):
        choices = "FULL_TABLE, INCREMENTAL" if valid else "FULL_TABLE"
        msg = (
            f"The catalog's replication-method {method} is not valid for {stream}; "
            f"valid: {choices}."
        )
        raise CatalogError(msg)
    return None
