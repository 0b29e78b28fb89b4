"""Conversion of settings, catalogs and states between Singer and Airbyte."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from tap_custobar.state.checkpoint import RESUME_KEY
from tap_custobar.state.hash_key import HASH_KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Entries = list[dict[str, Any]]


class JsonSchema(msgspec.Struct):
    """A JSON schema whose properties are the selected fields; without any, all are selected."""

    properties: dict[str, dict[str, Any]] | None = None


class Stream(msgspec.Struct):
    """A stream in the user's catalog."""

    name: str
    json_schema: JsonSchema
    source_defined_primary_key: list[list[str]] | None = None

    @property
    def primary_key(self) -> list[str]:
        """The properties of its primary key; empty if the catalog has none."""
        return [path[0] for path in self.source_defined_primary_key or () if path]


class ConfiguredStream(msgspec.Struct):
    """A selected stream of the user's catalog, and how to read it."""

    stream: Stream
    sync_mode: Literal["full_refresh", "incremental"]
    cursor_field: list[str] | None = None


def connection_specification(schema: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return the JSON schema of the config in the dialect from which Airbyte makes its form.

    The form has no field for an object with names of any kind: it is given as JSON text.
    """
    if not isinstance(schema, dict):
        return schema
    if isinstance(schema.get("additionalProperties"), dict):
        return _text_area(schema)
    form = {
        name: connection_specification(value)
        for name, value in schema.items()
        if name != "writeOnly"
    }
    if isinstance(types := form.get("type"), list):
        types = [name for name in types if name != "null"]
        form["type"] = types[0] if len(types) == 1 else types
    if form.get("secret") is True:
        form["airbyte_secret"] = form.pop("secret")
    return form


def _text_area(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the form's schema of an object that is given as JSON text."""
    examples = [msgspec.json.encode(example).decode() for example in schema["examples"]]
    return {
        "type": "string",
        "title": schema["title"],
        "description": f"{schema['description']} As a JSON object.",
        "examples": examples,
        "multiline": True,
    }


def airbyte_stream(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return an Airbyte stream from the entry of a Singer catalog."""
    cursor = _cursor(entry)
    return {
        "name": entry["tap_stream_id"],
        "json_schema": entry["schema"],
        "supported_sync_modes": ["full_refresh", *(["incremental"] if cursor else [])],
        "source_defined_cursor": bool(cursor),
        "default_cursor_field": cursor,
        "source_defined_primary_key": [[key] for key in entry["key_properties"]],
        "is_resumable": True,
    }


def _cursor(entry: Mapping[str, Any]) -> list[str]:
    root = next(item["metadata"] for item in entry["metadata"] if not item["breadcrumb"])
    return list(root.get("valid-replication-keys") or ())[:1]


def keys_catalog(wanted: Mapping[str, ConfiguredStream]) -> dict[str, Any]:
    """Return a Singer catalog of the primary keys alone, which show the shape of the records.

    Args:
        wanted: The selected streams of the user's catalog by name.
    """
    return {
        "streams": [
            {"tap_stream_id": name, "key_properties": each.stream.primary_key, "selected": False}
            for name, each in wanted.items()
        ]
    }


def unknown(wanted: Mapping[str, ConfiguredStream], entries: Entries) -> Iterator[str]:
    """Yield the names of selected streams and fields that are not known.

    Args:
        wanted: The selected streams by name.
        entries: The entries of the Singer catalog.
    """
    known = {entry["tap_stream_id"]: entry["schema"]["properties"] for entry in entries}
    yield from wanted.keys() - known.keys()
    for name in wanted.keys() & known.keys():
        fields = wanted[name].stream.json_schema.properties or {}
        yield from (f"{name}.{field}" for field in fields if field not in known[name])


def singer_catalog(
    wanted: Mapping[str, ConfiguredStream],
    entries: Entries,
    is_hashed: Callable[[str, str], bool] = lambda *_: False,
) -> dict[str, Any]:
    """Return a Singer catalog in which only the selected streams and fields are selected.

    Args:
        wanted: The selected streams of the user's catalog by name.
        entries: The entries of the Singer catalog.
        is_hashed: Returns whether a field is hashed, given the names of its stream and itself.
    """
    return {
        "streams": [
            _select(entry, wanted.get(name), partial(is_hashed, name))
            for entry in entries
            if (name := entry["tap_stream_id"])
        ]
    }


def _select(
    entry: Mapping[str, Any], wanted: ConfiguredStream | None, is_hashed: Callable[[str], bool]
) -> dict[str, Any]:
    known = entry["schema"]["properties"]
    fields = (wanted.stream.json_schema.properties or known) if wanted else {}
    root: dict[str, Any] = {"selected": bool(wanted), "replication-method": "FULL_TABLE"}
    if wanted and wanted.sync_mode == "incremental" and (default := _cursor(entry)):
        cursor = wanted.cursor_field or default
        root |= {"replication-method": "INCREMENTAL", "replication-key": cursor[0]}
    # The records must have the types of the user's catalog, by which the destination makes its
    # columns. A hashed field is a string there, but here it has its type before hashing.
    schema = {
        **entry["schema"],
        "properties": {
            name: known[name] if is_hashed(name) else fields.get(name, known[name])
            for name in known
        },
    }
    selections: list[tuple[list[str], dict[str, Any]]] = [([], root)]
    selections += [(["properties", name], {"selected": name in fields}) for name in known]
    selections += [(place, {"selected": False}) for place in _left_out(known, fields, [])]
    metadata = [{"breadcrumb": place, "metadata": values} for place, values in selections]
    # The primary key of the user's catalog shows the shape of the records: see `catalog.shapes`.
    primary_key = wanted.stream.primary_key if wanted else []
    return {
        "tap_stream_id": entry["tap_stream_id"],
        "key_properties": primary_key or entry["key_properties"],
        "schema": schema,
        "metadata": metadata,
    }


def _left_out(
    known: Mapping[str, Any], fields: Mapping[str, Any], at: list[str]
) -> Iterator[list[str]]:
    """Yield the breadcrumbs of members that the user's catalog lacks, of the fields that it has.

    Args:
        known: The JSON schemas of all properties.
        fields: The JSON schemas of the properties in the user's catalog.
        at: The breadcrumb of the object that has these properties.
    """
    for name in known.keys() & fields.keys():
        ours, theirs, place = known[name], fields[name], [*at, "properties", name]
        while "items" in ours and isinstance(theirs.get("items"), dict):
            ours, theirs, place = ours["items"], theirs["items"], [*place, "items"]
        members, chosen = ours.get("properties") or {}, theirs.get("properties")
        if chosen:  # without any, all are selected
            yield from ([*place, "properties", m] for m in members if m not in chosen)
            yield from _left_out(members, chosen, place)


def singer_state(wanted: Mapping[str, ConfiguredStream], state: object) -> dict[str, Any]:
    """Return the Singer state of the selected streams.

    Of a stream that is read in full, it has the checkpoint of an interrupted sync and the
    fingerprint of the hash key only.

    Args:
        wanted: The selected streams by name.
        state: The JSON value of an Airbyte state file.

    Raises:
        TypeError: it is not an Airbyte state.
    """
    bookmarks = {name: value for name, value in _bookmarks(state).items() if name in wanted}
    for name, bookmark in bookmarks.items():
        if wanted[name].sync_mode == "full_refresh":
            kept = {HASH_KEY: bookmark[HASH_KEY]} if HASH_KEY in bookmark else {}
            bookmarks[name] = {RESUME_KEY: bookmark.get(RESUME_KEY), **kept}
    return {"bookmarks": bookmarks}


def _bookmarks(state: object) -> dict[str, dict[str, Any]]:
    """Return the bookmarks by stream name, of a state of any version of the protocol."""
    match state:
        case list():
            return {name: value for each in state for name, value in _bookmarks(each).items()}
        case {"stream": {"stream_descriptor": {"name": str(name)}, **rest}}:
            return _bookmarks({name: rest.get("stream_state") or {}})
        case {"data": older}:
            return _bookmarks(older or {})
        case dict() if all(isinstance(value, dict) for value in state.values()):
            return state
    raise TypeError
