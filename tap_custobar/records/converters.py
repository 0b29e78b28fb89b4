"""Converts one value to what its JSON schema allows (docs/behaviour.md, "Records")."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, NoReturn, TypeAlias

from tap_custobar.records.json_codec import encode, replace_invalid
from tap_custobar.records.timestamps import cut_fraction, to_date, to_utc

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import tzinfo

    from tap_custobar.records.json_codec import Json

Schema: TypeAlias = "Mapping[str, Json]"

#: The range of an integer: 64 bits, the largest integer type of databases.
MIN_INTEGER, MAX_INTEGER = -(2**63), 2**63 - 1

#: Custom keyword in the JSON schema of an object: the member that receives a value which is not an
#: object, e.g. `product_id`.
TEXT_MEMBER = "x-text-member"

_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,9})?")


def type_names(definition: Schema) -> list[str]:
    """Return the JSON types that a schema allows, without null; empty if it allows any type."""
    declared = definition.get("type") or []
    return [n for n in ([declared] if isinstance(declared, str) else declared) if n != "null"]


def with_text_members(definition: Schema, documented: Schema) -> dict[str, Json]:
    """Return a JSON schema with the keywords `x-text-member` of the documented one.

    Catalogs do not preserve these. They do not apply where a catalog allows other types than
    objects.
    """
    extended = dict(definition)
    if TEXT_MEMBER in documented and type_names(definition) == ["object"]:
        extended[TEXT_MEMBER] = documented[TEXT_MEMBER]
    if "items" in definition:
        extended["items"] = with_text_members(definition["items"], documented.get("items") or {})
    return extended


def holds_timestamps(definition: Schema) -> bool:
    """Return whether a schema allows a date-time, at any depth."""
    parts = [*(definition.get("properties") or {}).values()]
    if items := definition.get("items"):
        parts.append(items)
    return definition.get("format") == "date-time" or any(map(holds_timestamps, parts))


class ConversionError(Exception):
    """A value that cannot be converted to its type."""


@dataclass(frozen=True, slots=True)
class Converter:
    """The conversion to what one JSON schema allows.

    Attributes:
        convert: A conversion for each type of the schema, null excepted.
        nullable: Whether the schema allows null.
        exact: The same conversions without partial losses; empty if there is one type.
    """

    convert: Sequence[Callable[[Json], Json]]
    nullable: bool
    exact: Sequence[Callable[[Json], Json]] = ()

    def __call__(self, value: Json) -> Json:
        """Return a value that the schema allows; the same one if it is valid already.

        Args:
            value: A JSON value, numbers with a fraction as Decimal.

        Raises:
            ConversionError: it cannot be converted.
        """
        if value is None:
            if self.nullable:
                return None
            raise ConversionError
        converted = self._convert(value)
        if converted is None and not self.nullable:
            raise ConversionError
        return converted

    def _convert(self, value: Json) -> Json:
        """Prefer a type that leaves the value unchanged, else use the last one that accepts it."""
        chosen = -1
        for number, convert in enumerate(self.exact):
            for converted in _try(convert, value):
                if type(converted) is type(value) and converted == value:
                    return converted
                chosen = number
        return self.convert[chosen](value)


class ConverterFactory:
    """Compiles JSON schemas into conversions."""

    def __init__(
        self,
        zone: tzinfo,
        on_partial_loss: Callable[[], None],
        on_replacement: Callable[[], None] = lambda: None,
        *,
        whole_fractions: bool = False,
    ) -> None:
        """Create a factory.

        Args:
            zone: Time zone of date-times without one.
            on_partial_loss: Called when an array element or an object's member cannot be converted.
            on_replacement: Called when a character of a string is replaced by U+FFFD.
            whole_fractions: Whether fractions of a second keep all their digits.
        """
        self._zone = zone
        self._on_partial_loss = on_partial_loss
        self._on_replacement = on_replacement
        self._whole_fractions = whole_fractions
        self._by_type: Mapping[str, Callable[[Schema], Callable[[Json], Json]]] = {
            "string": self._string,
            "integer": lambda _: _integer,
            "number": lambda _: _number,
            "boolean": lambda _: _boolean,
            "array": self._array,
            "object": self._object,
        }

    def compile(self, definition: Schema) -> Converter:
        """Return the conversion to what `definition` allows: any value if it has no type."""
        declared = definition.get("type") or []
        names = [name for name in type_names(definition) if name in self._by_type]
        nullable = not declared or "null" in declared
        if not names:
            return Converter([_reject_value if declared else self._any], nullable)
        if len(names) == 1:
            return Converter([self._by_type[names[0]](definition)], nullable)
        # A trial must not count losses: only the conversion that is chosen may.
        strict = ConverterFactory(self._zone, reject, whole_fractions=self._whole_fractions)
        exact = [strict.compile({**definition, "type": name}) for name in names]
        return Converter([self._by_type[name](definition) for name in names], nullable, exact)

    def _any(self, value: Json) -> Json:
        """Return a value of any type, without characters and numbers that targets reject."""
        if isinstance(value, str):
            return self._valid(value)
        if isinstance(value, list):
            elements = []
            for element in value:
                try:
                    elements.append(self._any(element))
                except ConversionError:
                    self._on_partial_loss()
                    elements.append(None)
            return elements
        if isinstance(value, dict):
            members = {}
            for name, member in value.items():
                try:
                    members[self._valid(name)] = self._any(member)
                except ConversionError:
                    self._on_partial_loss()
                    members[self._valid(name)] = None
            if len(members) < len(value):  # replacements made two names equal
                self._on_partial_loss()
            return members
        if isinstance(value, int | Decimal) and not _is_double(value):
            raise ConversionError
        return value

    def _valid(self, string: str) -> str:
        valid = replace_invalid(string)
        if valid is not string:
            self._on_replacement()
        return valid

    def _as_string(self, value: Json) -> str:
        valid = self._any(value)
        return valid if isinstance(valid, str) else encode(valid)

    def _string(self, definition: Schema) -> Callable[[Json], Json]:
        match definition.get("format"):
            case "date-time":
                return partial(_formatted, self._timestamp)
            case "date":
                return partial(_formatted, to_date)
            case _:
                return self._as_string

    def _timestamp(self, string: str) -> str | None:
        timestamp = to_utc(string, zone=self._zone)
        if timestamp is None or self._whole_fractions:
            return timestamp
        return cut_fraction(timestamp)

    def _array(self, definition: Schema) -> Callable[[Json], Json]:
        items = definition.get("items") or {}
        convert_element = self.compile(items)
        holds_arrays = "array" in (items.get("type") or "array")

        def convert(value: Json) -> list[Json] | None:
            if value == "":
                return None
            elements = value if isinstance(value, list) else [value]
            if not holds_arrays:
                elements = _flatten(elements)
            converted = []
            for element in elements:
                try:
                    converted.append(convert_element(element))
                except ConversionError:
                    self._on_partial_loss()
                    if convert_element.nullable:
                        converted.append(None)
            return converted

        return convert

    def _object(self, definition: Schema) -> Callable[[Json], Json]:
        members = {
            name: self.compile(member)
            for name, member in (definition.get("properties") or {}).items()
        }

        text_member = definition.get(TEXT_MEMBER)

        def convert(value: Json) -> dict[str, Json] | None:
            if text_member and not isinstance(value, dict | list):
                return {text_member: self._as_string(value)}
            if value == "":
                return None
            if not isinstance(value, dict):
                raise ConversionError
            converted: dict[str, Json] = self._any(value)
            for name in members.keys() & converted.keys():
                try:
                    converted[name] = members[name](converted[name])
                except ConversionError:
                    self._on_partial_loss()
                    if members[name].nullable:
                        converted[name] = None
                    else:
                        del converted[name]
            return converted

        return convert


def reject() -> NoReturn:
    """Reject the whole value because of a part that would be lost.

    Raises:
        ConversionError: always.
    """
    raise ConversionError


def _reject_value(_: Json) -> NoReturn:
    raise ConversionError


def _try(convert: Callable[[Json], Json], value: Json) -> list[Json]:
    """Return a list of the converted value, which is empty if it cannot be converted."""
    try:
        return [convert(value)]
    except ConversionError:
        return []


def _flatten(elements: list[Json]) -> list[Json]:
    flat: list[Json] = []
    for element in elements:
        flat += _flatten(element) if isinstance(element, list) else [element]
    return flat


def _formatted(parse: Callable[[str], str | None], value: Json) -> str | None:
    if value == "":
        return None
    if isinstance(value, str) and (parsed := parse(value.strip())) is not None:
        return parsed
    raise ConversionError


def _is_double(number: int | Decimal) -> bool:
    """Return whether a number is in the range of a double, which may round it."""
    try:
        double = float(number)
    except OverflowError:
        return False
    return math.isfinite(double) and (double != 0 or number == 0)


def _number(value: Json) -> int | Decimal | None:
    if value == "":
        return None
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = Decimal(value.strip())
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not _is_double(value):
        raise ConversionError
    return value


def _integer(value: Json) -> int | None:
    number = _number(value)
    if number is None:
        return None
    # The range is checked first, because converting a large exponent to an integer is slow.
    if MIN_INTEGER <= number <= MAX_INTEGER:
        integer = int(number)
        if integer == number:
            return integer
    raise ConversionError


def _boolean(value: Json) -> bool | None:
    if isinstance(value, bool):
        return value
    if value == "":
        return None
    normalized = value.strip().lower() if isinstance(value, str) else value
    if normalized in ("true", "1", 1):
        return True
    if normalized in ("false", "0", 0):
        return False
    raise ConversionError
