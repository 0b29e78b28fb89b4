"""Application of the SDK's stream maps; errors name the expression and show no value."""

from __future__ import annotations

from datetime import UTC
from decimal import Decimal
from functools import lru_cache
from types import NoneType
from typing import TYPE_CHECKING

from tap_custobar.errors import StreamMapError, StreamMapTypeError
from tap_custobar.records.converters import (
    ConversionError,
    ConverterFactory,
    reject,
    type_names,
)
from tap_custobar.records.json_codec import decode, encode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from singer_sdk.helpers.types import Record
    from singer_sdk.mapper import StreamMap

    from tap_custobar.records.converters import Converter, Schema


#: The classes of the values of a JSON type, which the SDK writes as such.
_CLASSES: Mapping[str, frozenset[type]] = {
    "array": frozenset({list}),
    "boolean": frozenset({bool}),
    "integer": frozenset({int}),
    "null": frozenset({NoneType}),
    "number": frozenset({int, float, Decimal}),
    "object": frozenset({dict}),
    "string": frozenset({str}),
}

_ANY: frozenset[type] = frozenset().union(*_CLASSES.values())


def apply_stream_map(stream: str, stream_map: StreamMap, record: Record) -> Record | None:
    """Return the record that a stream map makes of a record; None if the map filters it out.

    Args:
        stream: Name of the stream, for errors.
        stream_map: The stream map.
        record: A record that matches the schema of the stream.

    Raises:
        StreamMapError: an expression of the map failed.
        StreamMapTypeError: the result of one is not of the type in SCHEMA.
    """
    try:
        mapped = stream_map.transform(record)
    except Exception as error:  # noqa: BLE001 - an expression may raise anything
        # Without the original error, because its message may contain a value that DEBUG would log.
        raise StreamMapError(stream, *_failed_expression(error)) from None
    if mapped is None:
        return None
    classes, converters = _declared(stream_map)
    if stream_map.flattening_enabled:
        # The SDK flattens a null object, or a member that no schema has, to its own property.
        mapped = {name: value for name, value in mapped.items() if name in converters}
    odd = [n for n, value in mapped.items() if value.__class__ not in classes.get(n, _ANY)]
    for name in odd:
        mapped[name] = _fitted(stream, name, mapped[name], converters[name])
    return mapped


@lru_cache
def _declared(
    stream_map: StreamMap,
) -> tuple[dict[str, frozenset[type]], dict[str, Converter]]:
    """Return what SCHEMA declares for each property.

    Returns:
        The classes of values that need no conversion, and the conversions of all others.
    """
    compile_schema = ConverterFactory(UTC, reject).compile
    properties: dict[str, Schema] = stream_map.transformed_schema["properties"]
    keys = stream_map.transformed_key_properties or ()
    classes: dict[str, frozenset[type]] = {}
    converters: dict[str, Converter] = {}
    for name, definition in properties.items():
        types = type_names(definition)
        if not types and stream_map.flattening_enabled:
            types = ["string"]
        if not types:
            classes[name], converters[name] = _ANY, compile_schema(definition)
            continue
        is_nullable = name not in keys and "null" in definition.get("type", "null")
        allowed = [*types, "null"] if is_nullable else types
        classes[name] = frozenset[type]().union(*(_CLASSES[each] for each in allowed))
        converters[name] = compile_schema({**definition, "type": allowed})
    return classes, converters


def _fitted(stream: str, name: str, value: object, convert: Converter) -> object:
    """Return a value of the type that SCHEMA declares.

    The SDK declares a string for most expressions, whatever they return, the same type as before
    for those that replace a property, and a string for most flattened values.

    Raises:
        StreamMapTypeError: it cannot be converted.
    """
    try:
        return convert(decode(encode(value)))  # also of a float, a set or a date
    except ConversionError:
        raise StreamMapTypeError(stream, name) from None


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
