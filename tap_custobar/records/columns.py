"""One property of many records: the type that the struct decoder accepts, and bulk conversion."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from itertools import chain
from operator import attrgetter
from types import NoneType
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from msgspec import UNSET, Meta, UnsetType

from tap_custobar.records.converters import MAX_INTEGER, MIN_INTEGER, type_names
from tap_custobar.records.json_codec import encode_lines
from tap_custobar.records.timestamps import are_dates, are_timestamps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tap_custobar.records.converters import Converter, Schema

#: A record as a struct, with an attribute for each property that is decoded.
Row: TypeAlias = Any

#: The type that the decoder accepts and checks for a JSON type.
_STRUCT_TYPES: Mapping[str, Any] = {
    "string": str,
    "boolean": bool,
    "integer": Annotated[int, Meta(ge=MIN_INTEGER, le=MAX_INTEGER)],
    "object": dict[str, Any],
}

#: The types of values that are valid for a JSON type without a conversion, where the decoder
#: accepts any value. Integers are not among them, because the decoder then skips the size check.
_PASS_THROUGH: Mapping[str, frozenset[type]] = {
    "string": frozenset({str}),
    "boolean": frozenset({bool}),
    "number": frozenset({int, Decimal}),
}

_MISSING: frozenset[type] = frozenset({NoneType, UnsetType})
_STRINGS: frozenset[type] = frozenset({str})
_NULLABLE_STRINGS: frozenset[type] = frozenset({str, NoneType})
_SCALARS: frozenset[type] = frozenset({str, bool, int})
_JSON_TYPES = frozenset({bool, int, Decimal, list, dict})
_BOOLEAN_STRINGS = {True: "true", False: "false"}

#: Returns whether all values of a batch are valid without a conversion. Missing values are not
#: passed to it.
BatchCheck: TypeAlias = "Callable[[list[Any], set[type]], bool]"

#: A conversion of all values of a batch, and the types that it accepts.
BatchConversion: TypeAlias = "tuple[frozenset[type], Callable[[list[Any]], list[Any]]]"


def _are_integers(values: list[Any], types: set[type]) -> bool:
    return types == {int} and min(values) >= MIN_INTEGER and max(values) <= MAX_INTEGER


def _are_lists_of(element_types: frozenset[type], values: list[Any], types: set[type]) -> bool:
    return types == {list} and element_types.issuperset(map(type, chain.from_iterable(values)))


def _are_formatted(check: Callable[[list[Any]], bool], values: list[Any], types: set[type]) -> bool:
    return types == {str} and check(values)


_FORMATS: Mapping[str, Callable[[list[Any]], bool]] = {
    "date": are_dates,
    "date-time": are_timestamps,
}


def _booleans_as_strings(values: list[Any]) -> list[Any]:
    return list(map(_BOOLEAN_STRINGS.get, values, values))


def _as_strings(values: list[Any]) -> list[Any]:
    """Return values of any JSON type as strings: other types become their JSON encoding."""
    others = [value for value in values if value.__class__ in _JSON_TYPES]
    encoded = iter(encode_lines(others).decode().split("\n"))
    return [next(encoded) if value.__class__ in _JSON_TYPES else value for value in values]


def _as_lists(values: list[Any]) -> list[Any]:
    """Return lists unchanged, a single string as a list of one, and an empty string as null."""
    return [([value] if value else None) if value.__class__ is str else value for value in values]


@dataclass(slots=True)
class Column:
    """One property in all records of a batch.

    Attributes:
        attribute: Name of the struct attribute that holds it.
        definition: Its JSON schema.
        convert: Converts one value.
        struct_type: The type that the decoder accepts.
        pass_through: The types of values that need no conversion; None where the decoder accepts
            no others.
        batch_check: Returns whether values of other types than `pass_through` are all valid
            without a conversion.
        convert_all: Conversions of all values at once; the first that accepts all their types is
            used.
        get: Returns the value of a record.
    """

    attribute: str
    definition: Schema
    convert: Converter
    struct_type: Any = Any
    pass_through: frozenset[type] | None = None
    batch_check: BatchCheck | None = None
    convert_all: Sequence[BatchConversion] = ()
    get: Callable[[Row], Any] = field(init=False)

    def __post_init__(self) -> None:
        """Choose the strictest type that the decoder can check."""
        self.get = attrgetter(self.attribute)
        self.relax()
        kind = self.definition.get("format", "")
        match type_names(self.definition):
            case [] if not self.definition.get("type"):
                self.pass_through = None
            case ["string"] if kind in _FORMATS:
                self.struct_type = str
            case ["array"] if list_type := self._list_type():
                # Some companies' data has a single string in place of a list of one.
                self.struct_type, self.pass_through = list_type | str, self._missing_types | {list}
            case ["object"] if self.definition.get("properties"):
                pass
            case [str(name)] if name in _STRUCT_TYPES:
                self.struct_type, self.pass_through = _STRUCT_TYPES[name], None
            case _:
                pass
        if self.struct_type is not Any and self.convert.nullable:
            self.struct_type |= None

    def _list_type(self) -> Any:  # noqa: ANN401 - of a type
        """Return the type of lists that the decoder can check; None if it cannot check them."""
        if not (self.definition.get("items") or {}).get("type"):
            return list[Any]
        match self._element_types():
            case None:
                return None
            case types:
                self.convert_all = [(frozenset({list, str, *self._missing_types}), _as_lists)]
                return list[str | None] if NoneType in types else list[str]

    def _element_types(self) -> frozenset[type] | None:
        """Return the types of a list's elements; None unless they are strings without a format."""
        items = self.definition.get("items") or {}
        if type_names(items) != ["string"] or items.get("format"):
            return None
        return _NULLABLE_STRINGS if "null" in items["type"] else _STRINGS

    @property
    def is_checked_by_decoder(self) -> bool:
        """Whether the decoder rejects invalid values, so that `conform` does not check them."""
        return self.struct_type is not Any or self.pass_through is None

    def relax(self) -> None:
        """Make the decoder accept any value, and check every value in `conform`."""
        self.struct_type, self.pass_through = Any, self._missing_types
        self.convert_all = ()
        kind = self.definition.get("format", "")
        match type_names(self.definition):
            case ["integer"]:
                self.batch_check = _are_integers
            case ["array"] if types := self._element_types():
                self.batch_check = partial(_are_lists_of, types)
            case ["string"] if kind in _FORMATS:
                self.batch_check = partial(_are_formatted, _FORMATS[kind])
            case ["string"] if not kind:
                self.convert_all = [
                    (frozenset({bool, *self._missing_types}), _booleans_as_strings),
                    (frozenset({str, *_JSON_TYPES, *self._missing_types}), _as_strings),
                ]
                self.pass_through |= {str}
            case [str(name)] if not kind:
                self.pass_through |= _PASS_THROUGH.get(name, frozenset())
            case [] if not self.definition.get("type"):
                self.pass_through |= _SCALARS
            case _:
                pass

    @property
    def _missing_types(self) -> frozenset[type]:
        return _MISSING if self.convert.nullable else frozenset({UnsetType})

    def conform(self, values: list[Any]) -> list[Any]:
        """Return valid values: the same list if all of them are valid already.

        Args:
            values: One per record, UNSET where the record does not have the property.

        Raises:
            ConversionError: a value cannot be converted.
        """
        if (pass_through := self.pass_through) is None:
            return values
        types = set(map(type, values))
        if types <= pass_through:
            return values
        if self.batch_check:
            present = [value for value in values if value.__class__ not in pass_through]
            if self.batch_check(present, types - pass_through):
                return values
        for convertible, convert_all in self.convert_all:
            if types <= convertible:
                return convert_all(values)
        convert = self.convert
        return [value if value.__class__ in pass_through else convert(value) for value in values]


def absent(count: int) -> Sequence[Any]:
    """Return the values of a property that `count` records do not have."""
    return [UNSET] * count
