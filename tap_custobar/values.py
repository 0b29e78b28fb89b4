"""Makes one value fit its JSON schema (docs/behaviour.md, "Records")."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, NoReturn, TypeAlias

from tap_custobar.instants import to_date, to_utc
from tap_custobar.json_text import clean, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import tzinfo

    from tap_custobar.json_text import Json

Schema: TypeAlias = "Mapping[str, Json]"

#: Digits that an integer may have: what Python is willing to turn into text.
MAX_DIGITS = 4000

_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,9})?")


def type_names(definition: Schema) -> list[str]:
    """Return the JSON types that a schema allows, but for null; none where it allows any."""
    declared = definition.get("type") or []
    return [n for n in ([declared] if isinstance(declared, str) else declared) if n != "null"]


class Unfit(Exception):  # noqa: N818 - not an error: it decides that a value becomes null
    """A value that cannot be made to fit its type."""


@dataclass(frozen=True, slots=True)
class Fit:
    """The conversion to what one JSON schema allows.

    Called with a JSON value (numbers with a fraction as Decimal) it returns the value that fits,
    unchanged where it did already, or raises Unfit.
    """

    convert: Sequence[Callable[[Json], Json]]
    nullable: bool
    exact: Sequence[Callable[[Json], Json]] = ()

    def __call__(self, value: Json) -> Json:
        """Return the fitting value."""
        if value is None:
            if self.nullable:
                return None
            raise Unfit
        if not self.convert:
            return clean(value)
        fitting = self._convert(value)
        if fitting is None and not self.nullable:
            raise Unfit
        return fitting

    def _convert(self, value: Json) -> Json:
        """Of several types choose one that takes the value as it is, else the last that fits."""
        candidates = [converted for convert in self.exact for converted in _try(convert, value)]
        for converted in candidates:
            if type(converted) is type(value) and converted == value:
                return converted
        return candidates[-1] if candidates else self.convert[-1](value)


class Rules:
    """Compiles JSON schemas into conversions."""

    def __init__(self, zone: tzinfo, lose_part: Callable[[], None]) -> None:
        """Take what all conversions share.

        Args:
            zone: What date-times without a zone are told in.
            lose_part: Called when an element of a list or a member of an object does not fit.
        """
        self._zone = zone
        self._lose_part = lose_part
        self._by_type: Mapping[str, Callable[[Schema], Callable[[Json], Json]]] = {
            "string": self._string,
            "integer": lambda _: _integer,
            "number": lambda _: _number,
            "boolean": lambda _: _boolean,
            "array": self._array,
            "object": self._object,
        }

    def compile(self, definition: Schema) -> Fit:
        """Return the conversion to what `definition` allows; without a type, to any value."""
        declared = definition.get("type") or []
        names = [name for name in type_names(definition) if name in self._by_type]
        nullable = not declared or "null" in declared
        if declared and not names:
            return Fit([_unfit], nullable)
        if len(names) == 1:
            return Fit([self._by_type[names[0]](definition)], nullable)
        # Trying is not losing: only the one that is chosen in the end may lose a part.
        trying = Rules(self._zone, refuse)
        exact = [trying.compile({**definition, "type": name}) for name in names]
        return Fit([self._by_type[name](definition) for name in names], nullable, exact)

    def _string(self, definition: Schema) -> Callable[[Json], Json]:
        match definition.get("format"):
            case "date-time":
                return partial(_formatted, partial(to_utc, zone=self._zone))
            case "date":
                return partial(_formatted, to_date)
            case _:
                return _text

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
                except Unfit:
                    self._lose_part()
                    if fit.nullable:
                        fitting.append(None)
            return fitting

        return convert

    def _object(self, definition: Schema) -> Callable[[Json], Json]:
        members = {
            name: self.compile(member)
            for name, member in (definition.get("properties") or {}).items()
        }

        def convert(value: Json) -> dict[str, Json] | None:
            if value == "":
                return None
            if not isinstance(value, dict):
                raise Unfit
            fitting: dict[str, Json] = clean(value)
            for name in members.keys() & fitting.keys():
                try:
                    fitting[name] = members[name](fitting[name])
                except Unfit:
                    self._lose_part()
                    if members[name].nullable:
                        fitting[name] = None
                    else:
                        del fitting[name]
            return fitting

        return convert


def refuse() -> NoReturn:
    """Let no part be lost: the whole value is unfit."""
    raise Unfit


def _unfit(_: Json) -> NoReturn:
    raise Unfit


def _try(convert: Callable[[Json], Json], value: Json) -> list[Json]:
    """Return what a conversion gives, if anything."""
    try:
        return [convert(value)]
    except Unfit:
        return []


def _flatten(elements: list[Json]) -> list[Json]:
    flat: list[Json] = []
    for element in elements:
        flat += _flatten(element) if isinstance(element, list) else [element]
    return flat


def _text(value: Json) -> str:
    value = clean(value)
    return value if isinstance(value, str) else encode(value)


def _formatted(parse: Callable[[str], str | None], value: Json) -> str | None:
    if value == "":
        return None
    if isinstance(value, str) and (text := parse(value.strip())) is not None:
        return text
    raise Unfit


def _number(value: Json) -> int | Decimal | None:
    if value == "":
        return None
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = Decimal(value.strip())
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return value
    raise Unfit


def _integer(value: Json) -> int | None:
    number = _number(value)
    if not isinstance(number, Decimal):
        return number
    if number.adjusted() > MAX_DIGITS or number != number.to_integral_value():
        raise Unfit
    return int(number)


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
    raise Unfit
