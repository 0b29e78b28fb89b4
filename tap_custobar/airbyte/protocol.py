"""Settings, catalogs and states, from Singer's shape to Airbyte's and back."""

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
    """A JSON schema whose properties are the wanted fields; without any, all are."""

    properties: dict[str, dict[str, Any]] | None = None


class Stream(msgspec.Struct):
    """A stream, as the user's catalog knows it."""

    name: str
    json_schema: JsonSchema
    source_defined_primary_key: list[list[str]] | None = None


class ConfiguredStream(msgspec.Struct):
    """A stream of the user's catalog, and how to read it."""

    stream: Stream
    sync_mode: Literal["full_refresh", "incremental"]
    cursor_field: list[str] | None = None


def connection_specification(schema: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return a JSON schema in the dialect that Airbyte makes its form from."""
    if not isinstance(schema, dict):
        return schema
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


def airbyte_stream(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return what Airbyte calls a stream, from the entry of a Singer catalog."""
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


def unknown(wanted: Mapping[str, ConfiguredStream], entries: Entries) -> Iterator[str]:
    """Yield the wanted streams and fields that there are not."""
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
    """Return the entries with what is wanted of them selected, and nothing else.

    Args:
        wanted: The streams of the user's catalog.
        entries: Those of the Singer catalog.
        is_hashed: Tells whether a field of a stream is hashed.
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
    # The destination goes by the types in the user's catalog, and so must the records. There a hash
    # has the type of a text, and here what is hashed has its own.
    schema = {
        **entry["schema"],
        "properties": {
            name: known[name] if is_hashed(name) else fields.get(name, known[name])
            for name in known
        },
    }
    marks = [(["properties", name], {"selected": name in fields}) for name in known]
    marks += [(at, {"selected": False}) for at in _left_out(known, fields, [])]
    metadata = [{"breadcrumb": at, "metadata": mark} for at, mark in [([], root), *marks]]
    # The key that discovery told tells in turn which shape the records come in.
    told = (wanted and wanted.stream.source_defined_primary_key) or []
    return {
        "tap_stream_id": entry["tap_stream_id"],
        "key_properties": [path[0] for path in told if path] or entry["key_properties"],
        "schema": schema,
        "metadata": metadata,
    }


def _left_out(
    known: Mapping[str, Any], fields: Mapping[str, Any], at: list[str]
) -> Iterator[list[str]]:
    """Yield where the members are that the user's catalog does not have of a field it has."""
    for name in known.keys() & fields.keys():
        ours, theirs, place = known[name], fields[name], [*at, "properties", name]
        while "items" in ours and isinstance(theirs.get("items"), dict):
            ours, theirs, place = ours["items"], theirs["items"], [*place, "items"]
        members, chosen = ours.get("properties") or {}, theirs.get("properties")
        if chosen:  # without any, all are
            yield from ([*place, "properties", m] for m in members if m not in chosen)
            yield from _left_out(members, chosen, place)


def singer_state(wanted: Mapping[str, ConfiguredStream], state: object) -> dict[str, Any]:
    """Return the bookmarks of the wanted streams; raise TypeError where there are none to find.

    Of a stream that is read whole only the mark stays that an interrupted attempt left, and that of
    the hash key.
    """
    bookmarks = {name: mark for name, mark in _bookmarks(state).items() if name in wanted}
    for name, mark in bookmarks.items():
        if wanted[name].sync_mode == "full_refresh":
            kept = {HASH_KEY: mark[HASH_KEY]} if HASH_KEY in mark else {}
            bookmarks[name] = {RESUME_KEY: mark.get(RESUME_KEY), **kept}
    return {"bookmarks": bookmarks}


def _bookmarks(state: object) -> dict[str, dict[str, Any]]:
    match state:
        case list():
            return {name: mark for each in state for name, mark in _bookmarks(each).items()}
        case {"stream": {"stream_descriptor": {"name": str(name)}, **rest}}:
            return _bookmarks({name: rest.get("stream_state") or {}})
        case {"data": older}:
            return _bookmarks(older or {})
        case dict() if all(isinstance(mark, dict) for mark in state.values()):
            return state
    raise TypeError
