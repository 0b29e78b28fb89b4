"""Application of the SDK's stream maps; errors name the expression and show no value."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tap_custobar.errors import StreamMapError
from tap_custobar.records.json_codec import encode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from singer_sdk.helpers.types import Record
    from singer_sdk.mapper import StreamMap


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
    if mapped is None or not stream_map.flattening_enabled:
        return mapped
    # The SDK flattens a null object, or a member that is not in the schema, to its own property.
    properties = stream_map.transformed_schema["properties"]
    return {
        name: _as_declared(value, properties[name])
        for name, value in mapped.items()
        if name in properties
    }


def _as_declared(value: object, definition: Mapping[str, Any]) -> object:
    """Return a number or boolean as a string where flattening declares it as one in SCHEMA."""
    is_string = {"string", "null"}.issuperset(definition.get("type") or ())
    return encode(value) if is_string and isinstance(value, bool | int | float | Decimal) else value


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
