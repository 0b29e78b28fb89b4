"""Makes one value fit its JSON schema (docs/behaviour.md, "Records")."""

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

#: What an integer may be: 64 bits, for databases have no larger ones.
MIN_INTEGER, MAX_INTEGER = -(2**63), 2**63 - 1

#: Keyword of our own, in the JSON schema of an object: the member that a value which is no object
#: becomes, e.g. `product_id`.
TEXT_MEMBER = "x-text-member"

_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,9})?")


def type_names(definition: Schema) -> list[str]:
    """Return the JSON types that a schema allows, but for null; none where it allows any."""
    declared = definition.get("type") or []
    return [n for n in ([declared] if isinstance(declared, str) else declared) if n != "null"]


def with_text_members(definition: Schema, documented: Schema) -> dict[str, Json]:
    """Return a JSON schema with the keywords `x-text-member` of the documented one.

    Catalogs do not keep them. Where a catalog allows other types than objects they do not apply.
    """
    made = dict(definition)
    if TEXT_MEMBER in documented and type_names(definition) == ["object"]:
        made[TEXT_MEMBER] = documented[TEXT_MEMBER]
    if "items" in definition:
        made["items"] = with_text_members(definition["items"], documented.get("items") or {})
    return made


def holds_timestamps(definition: Schema) -> bool:
    """Tell whether a schema allows a date-time, at any depth."""
    parts = [*(definition.get("properties") or {}).values()]
    if items := definition.get("items"):
        parts.append(items)
    return definition.get("format") == "date-time" or any(map(holds_timestamps, parts))


class ConversionError(Exception):
    """A value that cannot be made to fit its type."""


@dataclass(frozen=True, slots=True)
class Converter:
    """The conversion to what one JSON schema allows.

    Called with a JSON value (numbers with a fraction as Decimal) it returns the value that fits,
    unchanged where it did already, or raises ConversionError.
    """

    convert: Sequence[Callable[[Json], Json]]
    nullable: bool
    exact: Sequence[Callable[[Json], Json]] = ()

    def __call__(self, value: Json) -> Json:
        """Return the fitting value."""
        if value is None:
            if self.nullable:
                return None
            raise ConversionError
        fitting = self._convert(value)
        if fitting is None and not self.nullable:
            raise ConversionError
        return fitting

    def _convert(self, value: Json) -> Json:
        """Of several types choose one that takes the value as it is, else the last that fits."""
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
        """Take what all conversions share.

        Args:
            zone: What date-times without a zone are told in.
            on_partial_loss: Called when an element of a list or a member of an object does not fit.
            on_replacement: Called when a character of a text is replaced by U+FFFD.
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
        """Return the conversion to what `definition` allows; without a type, to any value."""
        declared = definition.get("type") or []
        names = [name for name in type_names(definition) if name in self._by_type]
        nullable = not declared or "null" in declared
        if not names:
            return Converter([_unfit if declared else self._any], nullable)
        if len(names) == 1:
            return Converter([self._by_type[names[0]](definition)], nullable)
        # Trying is not losing: only the one that is chosen in the end may lose a part.
        trying = ConverterFactory(self._zone, reject, whole_fractions=self._whole_fractions)
        exact = [trying.compile({**definition, "type": name}) for name in names]
        return Converter([self._by_type[name](definition) for name in names], nullable, exact)

    def _any(self, value: Json) -> Json:
        """Return any value, without the characters and numbers in it that no target takes."""
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
            if len(members) < len(value):  # two names became one
                self._on_partial_loss()
            return members
        if isinstance(value, int | Decimal) and not _is_double(value):
            raise ConversionError
        return value

    def _valid(self, text: str) -> str:
        valid = replace_invalid(text)
        if valid is not text:
            self._on_replacement()
        return valid

    def _text(self, value: Json) -> str:
        fitting = self._any(value)
        return fitting if isinstance(fitting, str) else encode(fitting)

    def _string(self, definition: Schema) -> Callable[[Json], Json]:
        match definition.get("format"):
            case "date-time":
                return partial(_formatted, self._instant)
            case "date":
                return partial(_formatted, to_date)
            case _:
                return self._text

    def _instant(self, text: str) -> str | None:
        instant = to_utc(text, zone=self._zone)
        return instant if instant is None or self._whole_fractions else cut_fraction(instant)

    def _array(self, definition: Schema) -> Callable[[Json], Json]:
        items = definition.get("items") or {}
        fit = self.compile(items)
        holds_arrays = "array" in (items.get("type") or "array")

        def convert(value: Json) -> list[Json] | None:
            if value == "":
                return None
            elements = value if isinstance(value, list) else [value]
            if not holds_arrays:
                elements = _flatten(elements)
            fitting = []
            for element in elements:
                try:
                    fitting.append(fit(element))
                except ConversionError:
                    self._on_partial_loss()
                    if fit.nullable:
                        fitting.append(None)
            return fitting

        return convert

    def _object(self, definition: Schema) -> Callable[[Json], Json]:
        members = {
            name: self.compile(member)
            for name, member in (definition.get("properties") or {}).items()
        }

        text_member = definition.get(TEXT_MEMBER)

        def convert(value: Json) -> dict[str, Json] | None:
            if text_member and not isinstance(value, dict | list):
                return {text_member: self._text(value)}
            if value == "":
                return None
            if not isinstance(value, dict):
                raise ConversionError
            fitting: dict[str, Json] = self._any(value)
            for name in members.keys() & fitting.keys():
                try:
                    fitting[name] = members[name](fitting[name])
                except ConversionError:
                    self._on_partial_loss()
                    if members[name].nullable:
                        fitting[name] = None
                    else:
                        del fitting[name]
            return fitting

        return convert


def reject() -> NoReturn:
    """Let no part be lost: the whole value is unfit."""
    raise ConversionError


def _unfit(_: Json) -> NoReturn:
    raise ConversionError


def _try(convert: Callable[[Json], Json], value: Json) -> list[Json]:
    """Return what a conversion gives, if anything."""
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
    if isinstance(value, str) and (text := parse(value.strip())) is not None:
        return text
    raise ConversionError


def _is_double(number: int | Decimal) -> bool:
    """Tell whether a double can tell the size of a number; it may round it."""
    try:
        size = float(number)
    except OverflowError:
        return False
    return math.isfinite(size) and (size != 0 or number == 0)


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
    # Compared first: a number of 300 digits is a long way to an integer.
    if MIN_INTEGER <= number <= MAX_INTEGER:
        whole = int(number)
        if whole == number:
            return whole
    raise ConversionError


def _boolean(value: Json) -> bool | None:
    if isinstance(value, bool):
        return value
    if value == "":
        return None
    told = value.strip().lower() if isinstance(value, str) else value
    if told in ("true", "1", 1):
        return True
    if told in ("false", "0", 0):
        return False
    raise ConversionError
