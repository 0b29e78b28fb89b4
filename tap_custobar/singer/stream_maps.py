"""Application of the SDK's stream maps; errors name the expression and show no value."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from tap_custobar.errors import StreamMapError
from tap_custobar.records.converters import type_names
from tap_custobar.records.json_codec import encode

if TYPE_CHECKING:
    from singer_sdk.helpers.types import Record
    from singer_sdk.mapper import StreamMap

    from tap_custobar.records.converters import Schema


def apply_stream_map(stream: str, stream_map: StreamMap, record: Record) -> Record | None:
    """Return the record that a stream map makes of a record; None if the map filters it out.

    Args:
        stream: Name of the stream, for errors.
        stream_map: The stream map.
        record: A record that matches the schema of the stream.

    Raises:
        StreamMapError: an expression of the map failed.
    """
    try:
        mapped = stream_map.transform(record)
    except Exception as error:  # noqa: BLE001 - an expression may raise anything
        # Without the original error, because its message may contain a value that DEBUG would log.
        raise StreamMapError(stream, *_failed_expression(error)) from None
    if mapped is None:
        return None
    strings = _declared_as_strings(stream_map)
    if stream_map.flattening_enabled:
        # The SDK flattens a null object, or a member that no schema has, to its own property.
        properties = stream_map.transformed_schema["properties"]
        mapped = {name: value for name, value in mapped.items() if name in properties}
    return {
        name: value if value.__class__ is str or name not in strings else _as_string(value)
        for name, value in mapped.items()
    }


@lru_cache
def _declared_as_strings(stream_map: StreamMap) -> frozenset[str]:
    """Return the properties that SCHEMA declares as strings.

    The SDK declares one for most expressions, whatever they return, and for flattened values.
    """
    types = ([], ["string"]) if stream_map.flattening_enabled else (["string"],)
    properties: dict[str, Schema] = stream_map.transformed_schema["properties"]
    return frozenset(name for name in properties if type_names(properties[name]) in types)


def _as_string(value: object) -> str | None:
    """Return a value that is not a string as JSON; null for a float that is not finite."""
    text = encode(value)
    if text.startswith('"'):  # of bytes or a date
        return text.strip('"')
    return None if text == "null" else text


def _failed_expression(error: Exception) -> tuple[str, str]:
    """Return the property and the expression of a stream map that failed."""
    trace = error.__traceback__
    property_name, expression = "?", "?"
    while trace:
        names = trace.tb_frame.f_locals
        if trace.tb_frame.f_code.co_name == "_eval" and "expr" in names:
            # The expression of a filter has no property name.
            property_name = str(names.get("property_name") or "__filter__")
            expression = str(names["expr"])
        trace = trace.tb_next
    return property_name, expression
