"""The types of custom fields (a company's own): Custobar's type names and their JSON schemas."""

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

_STRING = {"type": ["string", "null"]}
_INTEGER = {"type": ["integer", "null"], "minimum": MIN_INTEGER, "maximum": MAX_INTEGER}
# Elements are strings because Custobar gives them no type, and a string can represent any value.
_ARRAY = {"type": ["array", "null"], "items": {"type": "string"}}

#: Custobar's 15 type names to the JSON schemas of their values.
JSON_SCHEMAS: Mapping[str, Mapping[str, Any]] = {
    "boolean": {"type": ["boolean", "null"]},
    "country_code": _STRING,
    "date": {"type": ["string", "null"], "format": "date"},
    "datetime": {"type": ["string", "null"], "format": "date-time"},
    "day_of_year": _STRING,
    "email": _STRING,
    "integer": _INTEGER,
    "language_code": _STRING,
    "list": _ARRAY,
    "money": _INTEGER,
    "number": {"type": ["number", "null"]},
    "object": {"type": ["object", "null"]},
    "phone_number": _STRING,
    "set": _ARRAY,
    "string": _STRING,
}

#: The type of a field that is not declared in the config.
UNDECLARED = "string"

_CHECKS: Mapping[str, Callable[[Any], bool]] = {
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | Decimal) and not isinstance(value, bool),
    "date": lambda value: isinstance(value, str) and is_date(value),
    "datetime": lambda value: isinstance(value, str) and is_date_time(value),
    "list": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


def guess_type(values: Iterable[Any]) -> str:
    """Return the name of the first type that all values of a field have, else `string`.

    Args:
        values: JSON values; nulls and empty strings are ignored.
    """
    present = [value for value in values if value not in (None, "")]
    matching = (name for name, check in _CHECKS.items() if present and all(map(check, present)))
    return next(matching, UNDECLARED)


def contradicts(type_name: str, documented: Mapping[str, Any]) -> bool:
    """Return whether a declared type differs from the type of a documented field.

    Args:
        type_name: Custobar's name of the declared type.
        documented: The JSON schema of the documented field.
    """
    declared = JSON_SCHEMAS[type_name]
    return declared.get("format") != documented.get("format") or (
        declared["type"][0] not in documented["type"]
    )


def custom_field(type_name: str, safe_name: str | None = None) -> dict[str, Any]:
    """Return the JSON schema of a custom field.

    Args:
        type_name: Custobar's name of its type.
        safe_name: The name that it is written under; None for its own.
    """
    written_as = f" Written as {safe_name}, for databases." if safe_name else ""
    return {
        "description": f"Custom field of type {type_name}.{written_as}",
        **JSON_SCHEMAS[type_name],
        CUSTOBAR_TYPE: type_name,
        PERSONAL: CUSTOM,
    }


class UnseenFields:
    """Declared fields that no record has had so far, possibly because a name is misspelled.

    Attributes:
        names: The names of the fields.
        rows: The number of records that were checked.
    """

    def __init__(self, names: Iterable[str]) -> None:
        """Create it with the names of the declared fields; no record is checked yet."""
        self.names = set(names)
        self.rows = 0

    def look_in(self, batch: Batch) -> None:
        """Remove the fields that these records have, even with the value null, from `names`."""
        self.rows += len(batch)
        for name in tuple(self.names):
            if batch.column(name).count(UNSET) < len(batch):
                self.names.remove(name)
