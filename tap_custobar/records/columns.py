"""One property of many records: what the struct decoder takes for it, and all values at once."""

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

#: A record as a struct, with an attribute for each selected property.
Row: TypeAlias = Any

#: What the decoder takes for a JSON type, and checks.
_STRUCT_TYPES: Mapping[str, Any] = {
    "string": str,
    "boolean": bool,
    "integer": Annotated[int, Meta(ge=MIN_INTEGER, le=MAX_INTEGER)],
    "object": dict[str, Any],
}

#: The types of values that fit a JSON type as they are, where the decoder takes anything. Not
#: integers, whose size it then does not check.
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
_BOOLEAN_TEXTS = {True: "true", False: "false"}

#: Tells whether all values of a batch fit as they are; missing ones are not among them.
BatchCheck: TypeAlias = "Callable[[list[Any], set[type]], bool]"

#: A conversion of all values of a batch, and the types that it takes.
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
    return list(map(_BOOLEAN_TEXTS.get, values, values))


def _as_strings(values: list[Any]) -> list[Any]:
    """Return values of any JSON type as strings: what is not one becomes its JSON text."""
    others = [value for value in values if value.__class__ in _JSON_TYPES]
    texts = iter(encode_lines(others).decode().split("\n"))
    return [next(texts) if value.__class__ in _JSON_TYPES else value for value in values]


def _as_lists(values: list[Any]) -> list[Any]:
    """Return lists of strings, and for a string that stands for a list of one that list."""
    return [([value] if value else None) if value.__class__ is str else value for value in values]


@dataclass(slots=True)
class Column:
    """One property in all records of a batch.

    Attributes:
        attribute: Its attribute of the structs.
        definition: Its JSON schema.
        convert: The conversion of one value.
        struct_type: What the decoder takes.
        pass_through: The types of values that need no conversion; None where the decoder takes no
            others.
        batch_check: Tells whether all values that pass no type need none all the same.
        convert_all: The conversions of all values at once; the first for these types is used.
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
        """Let the decoder take only what fits, where it can tell."""
        self.get = attrgetter(self.attribute)
        self.relax()
        kind = self.definition.get("format", "")
        match type_names(self.definition):
            case [] if not self.definition.get("type"):
                self.pass_through = None
            case ["string"] if kind in _FORMATS:
                self.struct_type = str
            case ["array"] if list_type := self._list_type():
                # A string may stand for a list of one, and with some companies always does.
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
        """Return what lists the decoder can check by itself, if it can."""
        if not (self.definition.get("items") or {}).get("type"):
            return list[Any]
        match self._element_types():
            case None:
                return None
            case types:
                self.convert_all = [(frozenset({list, str, *self._missing_types}), _as_lists)]
                return list[str | None] if NoneType in types else list[str]

    def _element_types(self) -> frozenset[type] | None:
        """Return the types of a list's elements, where they are strings without a format."""
        items = self.definition.get("items") or {}
        if type_names(items) != ["string"] or items.get("format"):
            return None
        return _NULLABLE_STRINGS if "null" in items["type"] else _STRINGS

    @property
    def is_checked_by_decoder(self) -> bool:
        """Whether the decoder refuses values that do not fit, so that some are not checked here."""
        return self.struct_type is not Any or self.pass_through is None

    def relax(self) -> None:
        """Let the decoder take anything, and check every value here."""
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
        """Return values that fit; the same list where all do as they are.

        Args:
            values: One for each record, UNSET where it lacks the property.

        Raises:
            ConversionError: one of them fits in no way.
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
    """Return the values of a property that so many records lack."""
    return [UNSET] * count
