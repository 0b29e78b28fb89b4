"""What a catalog asks for: its schemas, keys and ways of replication, however it was edited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from tap_custobar.errors import CatalogError
from tap_custobar.records.converters import MAX_INTEGER, MIN_INTEGER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

INCREMENTAL = "INCREMENTAL"
FULL_TABLE = "FULL_TABLE"

#: Where a part of a record is, as in the metadata of a catalog: ("properties", "a", "items", ...).
Place: TypeAlias = "tuple[str, ...]"

_KEPT = ("title", "description")
_FORMATS = ("date", "date-time")
_TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")

#: Databases have integers of 64 bits.
_INTEGERS = {"minimum": MIN_INTEGER, "maximum": MAX_INTEGER}

_TRUTHS = {"true": True, "false": False}


def strip_constraints(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Return a JSON schema with its types and without further demands.

    `anyOf` and `oneOf` become a list of types, as common catalogs mean them; limits, patterns,
    enumerations and other formats than those of dates go, for no value can be bent to them.
    Integers have the limits that hold for all of them. Keywords that begin with `x-` stay.
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


def with_own_keywords(schema: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """Return a JSON schema with the keywords `x-...` that another has in the same places.

    A catalog does not keep them: the SDK writes and reads only those that it knows.
    """
    merged = {**{name: known[name] for name in known if name.startswith("x-")}, **schema}
    if "items" in merged and "items" in known:
        merged["items"] = with_own_keywords(merged["items"], known["items"])
    if "properties" in merged and (members := known.get("properties")):
        merged["properties"] = {
            name: with_own_keywords(member, members.get(name, {}))
            for name, member in merged["properties"].items()
        }
    return merged


def normalize_catalog(catalog: Mapping[str, Any]) -> dict[str, Any]:
    """Return a catalog that says each thing once, in the place where the SDK looks for it.

    Meltano and hand-edited catalogs say in the metadata how a stream is replicated, where the SDK
    does not look for `replication-method`; old ones say at the stream or in its schema what is
    selected. The metadata win. A stream is known by its `tap_stream_id` alone.
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
    """Return the metadata by their places, with what other parts of an entry say is selected."""
    metadata = {
        tuple(item["breadcrumb"]): dict(item["metadata"]) for item in entry.get("metadata") or ()
    }
    for place in list(metadata):
        metadata[place]["selected"] = _truth(metadata[place].get("selected"))
    told = [((), entry.get("selected")), *_selected(entry.get("schema"), ())]
    for place, value in told:
        about = metadata.setdefault(place, {}) if value is not None else metadata.get(place, {})
        if about.get("selected") is None:
            about["selected"] = _truth(value)
    metadata.setdefault((), {})
    return metadata


def _selected(definition: object, place: Place) -> Iterator[tuple[Place, object]]:
    """Yield what a JSON schema and its parts say of being selected, as catalogs once did."""
    if not isinstance(definition, dict):
        return
    if place[-1:] != ("items",):
        yield place, definition.get("selected")
    yield from _selected(definition.get("items"), (*place, "items"))
    if isinstance(members := definition.get("properties"), dict):
        for name, member in members.items():
            yield from _selected(member, (*place, "properties", name))


def _truth(value: object) -> bool | None:
    """Return what a catalog says, be it in a text; None where that is neither true nor false."""
    return value if isinstance(value, bool) else _TRUTHS.get(str(value).lower())


def drop_place(value: Any, place: Sequence[str]) -> None:  # noqa: ANN401 - any JSON value
    """Take a member out of a record; changes the record.

    Args:
        value: A record, or a part of one.
        place: Where the member is: in every element of a list, with `items` named or not.
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
    """Take the same member out of a JSON schema; changes it."""
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
    """Return the key that a stream is to be read incrementally by; None to read it whole.

    Args:
        stream: The stream's name.
        method: What the catalog asks for; by default FULL_TABLE.
        key: The replication key that it names; by default the first that is valid.
        valid: Those that the stream can be read by.

    Raises:
        CatalogError: it asks for what the stream does not have.
    """
    if key and key not in valid:
        choices = ", ".join(valid) or "none"
        msg = f"The catalog's replication-key {key} is not valid for {stream}: {choices} is."
        raise CatalogError(msg)
    if method == INCREMENTAL and valid:
        return key or valid[0]
    if method not in (None, FULL_TABLE):
        choices = "FULL_TABLE or INCREMENTAL" if valid else "only FULL_TABLE"
        msg = f"The catalog asks for {method} replication of {stream}: {choices} is."
        raise CatalogError(msg)
    return None
