"""Whether the records that come are those that the filters of the settings ask for.

The API need not repeat a filter in the next page's URL, and may ignore one whose name it does not
know. Then records would leave that the user excluded: of customers without consent, for one.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any

from tap_custobar.errors import FilterIgnoredError
from tap_custobar.records.converters import type_names
from tap_custobar.records.timestamps import to_utc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import tzinfo
    from logging import Logger

    from tap_custobar.records.schema import SelectedSchema

_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_DISREGARDED = re.compile(r"[\s()./-]+")


class Difference(Enum):
    """How a value differs from a filter's."""

    #: It may be the same to the API, which may disregard case, blanks, or how a number is written.
    TEXT = "another text"
    #: The filter cannot have been applied.
    PROOF = "another value"


class FilterCheck:
    """Compares the records of one stream with its filters."""

    def __init__(
        self, stream: str, filters: Mapping[str, str], schema: SelectedSchema, logger: Logger
    ) -> None:
        """Take the filters, as the API is sent them, and the records' schema."""
        self._stream = stream
        self._logger = logger
        self._warned: set[str] = set()
        self._comparisons = {
            name: _comparison(value, schema.fields[name], schema.zone, is_key=name in schema.keys)
            for name, value in filters.items()
            if name in schema.fields
        }

    def __bool__(self) -> bool:
        """Whether there is anything to compare."""
        return bool(self._comparisons)

    def check(self, values_of: Callable[[str], Iterable[Any]]) -> None:
        """Compare the values of some records.

        Args:
            values_of: Returns the values that the records have for a property; what is absent or
                null says nothing.

        Raises:
            FilterIgnoredError: a filter has no effect.
        """
        for name, compare in self._comparisons.items():
            differences = {compare(value) for value in values_of(name)}
            if Difference.PROOF in differences:
                raise FilterIgnoredError(self._stream, name)
            if Difference.TEXT in differences and name not in self._warned:
                self._warned.add(name)
                self._logger.warning(
                    "stream_options.%s.filters.%s: Custobar sent records with another text; check "
                    "that the filter has an effect",
                    self._stream,
                    name,
                )


def _comparison(
    value: str, definition: Mapping[str, Any], zone: tzinfo, *, is_key: bool
) -> Callable[[Any], Difference | None]:
    """Return what compares the values of a property of this schema with the filter's."""
    match type_names(definition):
        case ["boolean"]:
            return partial(_compare, _BOOLEANS.get(value.strip().lower()), bool)
        case ["integer"] | ["number"]:
            return partial(_compare, _number(value), int | Decimal)
        case _ if is_key:
            return partial(_compare_key, value)
        case _:
            texts = {value, to_utc(value, zone) or value}
            return partial(_compare_text, frozenset(map(_plain, texts)))


def _compare(wanted: object, types: Any, came: object) -> Difference | None:  # noqa: ANN401 - types
    is_other = wanted is not None and isinstance(came, types) and came != wanted
    return Difference.PROOF if is_other else None


def _compare_key(wanted: str, came: object) -> Difference | None:
    is_other = isinstance(came, str) and came.strip().casefold() != wanted.strip().casefold()
    return Difference.PROOF if is_other else None


def _compare_text(wanted: frozenset[str], came: object) -> Difference | None:
    if isinstance(came, list):
        differences = [_compare_text(wanted, element) for element in came]
        return Difference.TEXT if differences and all(differences) else None
    if not isinstance(came, str) or (text := _plain(came)) in wanted:
        return None
    # The company's own fields are strings unless declared, and so are the booleans in them.
    return Difference.PROOF if {text, *wanted} == {"true", "false"} else Difference.TEXT


def _plain(text: str) -> str:
    """Return a text without what the API may disregard."""
    return _DISREGARDED.sub("", text).casefold()


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
