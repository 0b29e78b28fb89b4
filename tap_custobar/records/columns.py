"""One property of many records: what the decoder takes for it, and its values checked at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from operator import attrgetter
from types import NoneType
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from msgspec import Meta, UnsetType

from tap_custobar.records.converters import MAX_INTEGER, MIN_INTEGER, type_names
from tap_custobar.records.timestamps import all_dates, all_instants

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tap_custobar.records.converters import Fit, Schema

#: A record as a struct, with an attribute for each selected property.
Row: TypeAlias = Any

#: What the decoder takes for a JSON type, and checks.
_TAKEN: Mapping[str, Any] = {
    "string": str,
    "boolean": bool,
    "integer": Annotated[int, Meta(ge=MIN_INTEGER, le=MAX_INTEGER)],
    "object": dict[str, Any],
}

#: The types of values that fit a JSON type as they are, where the decoder takes anything. Not
#: integers, whose size it then does not check.
_AS_IS: Mapping[str, frozenset[type]] = {
    "string": frozenset({str}),
    "boolean": frozenset({bool}),
    "number": frozenset({int, Decimal}),
}

#: Tells, by format, whether texts fit as they are, all of a page at once.
_ALL_FIT: Mapping[str, Callable[[list[Any]], bool]] = {
    "date": all_dates,
    "date-time": all_instants,
}


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
        """Let the decoder take only what fits, where it can tell."""
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
