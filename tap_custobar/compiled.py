"""The fast path: many records at once, decoded strictly into structs.

What it gives is what `records` gives, to the byte. Rows that it cannot take all go there instead.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from operator import attrgetter
from types import NoneType
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from tap_custobar.instants import all_dates, all_instants
from tap_custobar.values import Rules, Unfit, refuse, type_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tap_custobar.shapes import Shape
    from tap_custobar.values import Fit, Schema

#: A record as a struct, with an attribute for each selected property.
Row: TypeAlias = Any

#: What the decoder takes for a JSON type, and checks.
_TAKEN: Mapping[str, Any] = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "object": dict[str, Any],
}

#: The types of values that fit a JSON type as they are, where the decoder takes anything.
_AS_IS: Mapping[str, frozenset[type]] = {
    "string": frozenset({str}),
    "boolean": frozenset({bool}),
    "integer": frozenset({int}),
    "number": frozenset({int, Decimal}),
}

#: Tells, by format, whether texts fit as they are, all of a page at once.
_ALL_FIT: Mapping[str, Callable[[list[Any]], bool]] = {
    "date": all_dates,
    "date-time": all_instants,
}

# Where a row did not fit, as the decoder tells it.
_PLACE = re.compile(r"at `\$\[\d+\]\.(?P<name>.+?)(\[\d+\])*`$", re.DOTALL)


class MisfitError(Exception):
    """Rows that the fast path cannot take."""


@dataclass(slots=True)
class Column:
    """One property in all rows that are taken at once.

    Attributes:
        attribute: Its attribute of the structs.
        definition: Its JSON schema.
        fit: The conversion of one value.
        annotation: What the decoder takes.
        as_is: The types of values that need no conversion; None where the decoder takes no others.
        all_fit: Tells whether all texts need none; None where no text does.
    """

    attribute: str
    definition: Schema
    fit: Fit
    annotation: Any = Any
    as_is: frozenset[type] | None = None
    all_fit: Callable[[list[Any]], bool] | None = None
    get: Callable[[Row], Any] = field(init=False)

    def __post_init__(self) -> None:
        """Take from the decoder as little as what fits comes in."""
        self.get = attrgetter(self.attribute)
        self.loosen()
        kind = self.definition.get("format", "")
        match type_names(self.definition):
            case [] if not self.definition.get("type"):
                self.as_is = None
            case ["string"] if kind in _ALL_FIT:
                self.annotation, self.all_fit = str, _ALL_FIT[kind]
            case ["array"] if annotation := self._list_annotation():
                # A text may stand for a list of one, and with some companies always does.
                self.annotation, self.as_is = annotation | str, self._untouched | {list}
            case ["object"] if self.definition.get("properties"):
                pass
            case [str(name)] if name in _TAKEN:
                self.annotation, self.as_is = _TAKEN[name], None
            case _:
                pass
        if self.annotation is not Any and self.fit.nullable:
            self.annotation |= None

    def _list_annotation(self) -> Any:  # noqa: ANN401 - of a type
        """Return what lists the decoder can check by itself, if it can."""
        items = self.definition.get("items") or {}
        match type_names(items):
            case [] if not items.get("type"):
                return list[Any]
            case ["string"] if not items.get("format") and "null" not in items["type"]:
                return list[str]
            case _:
                return None

    def loosen(self) -> None:
        """Let the decoder take anything."""
        self.annotation, self.as_is = Any, self._untouched
        match type_names(self.definition):
            case [str(name)] if not self.definition.get("format"):
                self.as_is |= _AS_IS.get(name, frozenset())
            case _:
                pass

    @property
    def _untouched(self) -> frozenset[type]:
        return frozenset({UnsetType, NoneType} if self.fit.nullable else {UnsetType})

    def conform(self, rows: Sequence[Row]) -> None:
        """Convert the values that do not fit as they are.

        Raises:
            Unfit: one of them fits in no way.
        """
        if (as_is := self.as_is) is None:
            return
        if self.all_fit is not None and self._all_texts_fit(self.all_fit, rows):
            as_is |= {str}
            if self.annotation is not Any:
                return
        if as_is.issuperset(map(type, map(self.get, rows))):
            return
        for row in rows:
            if (value := self.get(row)).__class__ not in as_is:
                setattr(row, self.attribute, self.fit(value))

    def _all_texts_fit(self, all_fit: Callable[[list[Any]], bool], rows: Sequence[Row]) -> bool:
        values = list(map(self.get, rows))
        # What is false is absent or null, or no text: so no record costs a Python call.
        return "" not in values and all_fit(list(filter(None, values)))


class CompiledRows:
    """The structs of one stream's selected schema, and what decodes a page into them."""

    def __init__(self, shape: Shape) -> None:
        """Compile what the records must look like."""
        # A conversion may lose no part here: what is lost is counted on the other path.
        rules = Rules(shape.zone, refuse)
        self.columns = {
            name: Column(f"p{number}", definition, rules.compile(definition))
            for number, (name, definition) in enumerate(shape.fields.items())
        }
        self._keys = [self.columns[key] for key in shape.keys]
        self._compile()

    @classmethod
    def of(cls, shape: Shape) -> CompiledRows | None:
        """Compile a shape, unless a property's name is none that structs can have (quotes, say)."""
        try:
            return cls(shape)
        except ValueError:
            return None

    def decode(self, rows: bytes) -> list[Row]:
        """Return the records of a JSON array.

        Raises:
            MisfitError: the fast path cannot take them.
        """
        return self._take(lambda: self._decoder.decode(rows))

    def convert(self, rows: Sequence[object]) -> list[Row]:
        """Return the same of rows that were decoded already."""
        return self._take(lambda: msgspec.convert(rows, self._rows, strict=True))

    def take_texts(self) -> None:
        """Expect texts for values of every type, as CSV has them."""
        for column in self.columns.values():
            column.loosen()
        self._compile()

    def build(self, columns: Mapping[str, Sequence[Any]], count: int) -> list[Row]:
        """Return so many records, made of the values of their properties.

        Raises:
            MisfitError: the fast path cannot take them.
        """
        absent = [UNSET] * count
        rows = list(map(self._row, *(columns.get(name, absent) for name in self.columns)))
        self._conform(rows)
        return rows

    def adopt(self, records: Iterable[Mapping[str, Any]]) -> list[Row]:
        """Return records that fit already, as structs."""
        return [self._row(*(r.get(name, UNSET) for name in self.columns)) for r in records]

    def as_dicts(self, rows: Iterable[Row]) -> list[dict[str, Any]]:
        """Return records with what they hold, by the properties' names."""
        values = map(msgspec.structs.astuple, rows)
        return [
            {name: v for name, v in zip(self.columns, row, strict=True) if v is not UNSET}
            for row in values
        ]

    def _conform(self, rows: Sequence[Row]) -> None:
        try:
            for column in self.columns.values():
                column.conform(rows)
        except (Unfit, RecursionError):
            raise MisfitError from None
        if not all(all(map(key.get, rows)) for key in self._keys):
            raise MisfitError

    def _take(self, decode: Callable[[], list[Row]]) -> list[Row]:
        while True:
            try:
                rows = decode()
            except msgspec.ValidationError as error:
                if not self._loosen(str(error)):
                    raise MisfitError from None
            except (ArithmeticError, ValueError, RecursionError):
                raise MisfitError from None
            else:
                self._conform(rows)
                return rows

    def _loosen(self, problem: str) -> bool:
        """Let the property that the decoder stopped at hold anything, from this page on.

        What a company sends for it once (numbers for a text, say) it sends again.
        """
        place = _PLACE.search(problem)
        column = self.columns.get(place["name"]) if place else None
        if column is None or column.annotation is Any:
            return False
        column.loosen()
        self._compile()
        return True

    def _compile(self) -> None:
        self._row = msgspec.defstruct(
            "Row",
            [
                (column.attribute, column.annotation | UnsetType, UNSET)
                for column in self.columns.values()
            ],
            rename={column.attribute: name for name, column in self.columns.items()},
            omit_defaults=True,
            gc=False,
        )
        self._rows = list[self._row]  # type: ignore[name-defined] # made just now
        self._decoder = msgspec.json.Decoder(self._rows, float_hook=Decimal)
