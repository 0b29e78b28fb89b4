"""Normalization of catalogs: schemas, selection and replication, also of edited catalogs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_custobar.records.converters import MAX_INTEGER, MIN_INTEGER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_custobar.records.members import Place

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
