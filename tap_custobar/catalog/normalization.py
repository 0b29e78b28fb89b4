"""Normalization of catalogs: schemas, selection and replication, also of edited catalogs."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tap_custobar.records.converters import MAX_INTEGER, MIN_INTEGER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

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
    integers. Keywords that begin with `x-` are kept. Without a type any value is valid, so nothing
    is said about its members or elements.

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
    choices = _choices(definition)
    if not all(map(_types, choices)):
        return schema
    types = list(dict.fromkeys(name for choice in choices for name in _types(choice)))
    schema["type"] = types[0] if len(types) == 1 else types
    if "integer" in types and "number" not in types:
        schema |= _INTEGERS
    formats = [choice.get("format") for choice in choices if "string" in _types(choice)]
    if formats and formats[0] in _FORMATS and formats.count(formats[0]) == len(formats):
        schema["format"] = formats[0]
    arrays = [choice for choice in choices if "array" in _types(choice)]
    if any("items" in choice for choice in arrays):
        schema["items"] = _any_of([choice.get("items", {}) for choice in arrays])
    members = [m for choice in choices if isinstance(m := choice.get("properties"), dict)]
    if members:
        names = dict.fromkeys(name for each in members for name in each)
        schema["properties"] = {
            name: _any_of([each[name] for each in members if name in each]) for name in names
        }
    return schema


def _any_of(definitions: list[Any]) -> dict[str, Any]:
    first = definitions[0]
    is_one = all(definition == first for definition in definitions)
    return strip_constraints(first if is_one else {"anyOf": definitions})


def _choices(definition: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the alternatives of a JSON schema, each with the keywords that apply to all."""
    choices = definition.get("anyOf") or definition.get("oneOf")
    if not isinstance(choices, list):
        return [definition]
    common = {n: value for n, value in definition.items() if n not in {"anyOf", "oneOf"}}
    return [
        part
        for choice in choices
        for part in _choices(common | choice if isinstance(choice, dict) else {})
    ]


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


def first_duplicate(names: Iterable[str]) -> str | None:
    """Return the first name that occurs more than once, as the name of a catalog's stream."""
    return next((name for name, count in Counter(names).items() if count > 1), None)


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
