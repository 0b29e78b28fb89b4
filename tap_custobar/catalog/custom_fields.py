"""The types of a company's own fields: Custobar's names for them, as JSON schemas."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from tap_custobar.catalog.personal_data import CUSTOBAR_TYPE, CUSTOM, PERSONAL
from tap_custobar.records.converters import MAX_INTEGER, MIN_INTEGER
from tap_custobar.records.timestamps import is_date, is_date_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tap_custobar.records.decoder import Batch

_TEXT = {"type": ["string", "null"]}
_WHOLE_NUMBER = {"type": ["integer", "null"], "minimum": MIN_INTEGER, "maximum": MAX_INTEGER}
# Texts, since a list's elements have no type of their own at Custobar, and a text holds anything.
_LIST = {"type": ["array", "null"], "items": {"type": "string"}}

#: Custobar's 15 type names, each with the JSON schema of its values.
JSON_SCHEMAS: Mapping[str, Mapping[str, Any]] = {
    "boolean": {"type": ["boolean", "null"]},
    "country_code": _TEXT,
    "date": {"type": ["string", "null"], "format": "date"},
    "datetime": {"type": ["string", "null"], "format": "date-time"},
    "day_of_year": _TEXT,
    "email": _TEXT,
    "integer": _WHOLE_NUMBER,
    "language_code": _TEXT,
    "list": _LIST,
    "money": _WHOLE_NUMBER,
    "number": {"type": ["number", "null"]},
    "object": {"type": ["object", "null"]},
    "phone_number": _TEXT,
    "set": _LIST,
    "string": _TEXT,
}

#: Which a field has that nobody declared.
UNDECLARED = "string"

_LOOKS: Mapping[str, Callable[[Any], bool]] = {
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | Decimal) and not isinstance(value, bool),
    "date": lambda value: isinstance(value, str) and is_date(value),
    "datetime": lambda value: isinstance(value, str) and is_date_time(value),
    "list": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


def guess_type(values: Iterable[Any]) -> str:
    """Return the name of the type that all values of a field look like, else `string`."""
    held = [value for value in values if value not in (None, "")]
    looks = (name for name, look in _LOOKS.items() if held and all(map(look, held)))
    return next(looks, UNDECLARED)


def contradicts(type_name: str, documented: Mapping[str, Any]) -> bool:
    """Tell whether a declared type is another than that of a documented field."""
    declared = JSON_SCHEMAS[type_name]
    return declared.get("format") != documented.get("format") or (
        declared["type"][0] not in documented["type"]
    )


def custom_field(type_name: str, safe_name: str | None = None) -> dict[str, Any]:
    """Return the JSON schema of one of the company's own fields.

    Args:
        type_name: Custobar's name of its type.
        safe_name: The name that it leaves under, where that is not its own.
    """
    leaves_as = f" It leaves as {safe_name}, for databases." if safe_name else ""
    return {
        "description": f"The company's own field, of type {type_name}.{leaves_as}",
        **JSON_SCHEMAS[type_name],
        CUSTOBAR_TYPE: type_name,
        PERSONAL: CUSTOM,
    }


class UnseenFields:
    """Declared fields that no record has had so far: a name that is mistyped never comes.

    Attributes:
        names: The fields.
        rows: How many records were looked at.
    """

    def __init__(self, names: Iterable[str]) -> None:
        """Take the declared names."""
        self.names = set(names)
        self.rows = 0

    def look_in(self, batch: Batch) -> None:
        """Strike out the fields that these records have, be they null."""
        self.rows += len(batch)
        for name in tuple(self.names):
            if batch.column(name).count(UNSET) < len(batch):
                self.names.remove(name)
